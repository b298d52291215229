"""Stream any Python LLM agent to any front end, so that nothing is lost on the way."""

from unspool.access import Principal
from unspool.errors import SourceError, UnspoolError
from unspool.eventlog import EventLog, Feedback, MemoryLog, Retention, SQLiteLog
from unspool.events import Record, Transcript
from unspool.http import Unspool, add_routes
from unspool.runs import RunOptions
from unspool.sources import (
    Call,
    Keep,
    Output,
    Past,
    Source,
    Tool,
    adapt,
    agents_sdk,
    anthropic_messages,
    any_llm,
    chat_completions,
    pydantic_agent,
    responses,
    responses_agent,
    show_nested,
    upstream,
)

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
    "Tool",
    "Transcript",
    "Unspool",
    "UnspoolError",
    "adapt",
    "add_routes",
    "agents_sdk",
    "anthropic_messages",
    "any_llm",
    "chat_completions",
    "pydantic_agent",
    "responses",
    "responses_agent",
    "show_nested",
    "upstream",
]
