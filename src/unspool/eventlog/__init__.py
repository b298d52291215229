"""Where runs live: events in, records out, any number of times."""

from unspool.eventlog.base import (
    READ_BYTES,
    READ_LIMIT,
    Appended,
    Created,
    EventLog,
    Feedback,
    Lease,
    NewRun,
    Outcome,
    Retention,
    Run,
    Thread,
)
from unspool.eventlog.memory import MemoryLog
from unspool.eventlog.sqlite import SQLiteLog
from unspool.eventlog.tail import tail

__all__ = [
    "READ_BYTES",
    "READ_LIMIT",
    "Appended",
    "Created",
    "EventLog",
    "Feedback",
    "Lease",
    "MemoryLog",
    "NewRun",
    "Outcome",
    "Retention",
    "Run",
    "SQLiteLog",
    "Thread",
    "tail",
]
