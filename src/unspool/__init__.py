"""Stream any Python LLM agent to any front end, so that nothing is lost on the way."""

from unspool.access import Principal
from unspool.errors import SourceError, UnspoolError
from unspool.eventlog import EventLog, Feedback, MemoryLog, Retention, SQLiteLog
from unspool.events import Record, Transcript
from unspool.http import Unspool, add_routes
from unspool.runs import RunOptions
from unspool.sources import Call, Keep, Output, Past, Source, adapt

__all__ = [
    "Call",
    "EventLog",
    "Feedback",
    "Keep",
    "MemoryLog",
    "Output",
    "Past",
    "Principal",
    "Record",
    "Retention",
    "RunOptions",
    "SQLiteLog",
    "Source",
    "SourceError",
    "Transcript",
    "Unspool",
    "UnspoolError",
    "adapt",
    "add_routes",
]
