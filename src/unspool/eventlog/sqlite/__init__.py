"""The embedded event log: one SQLite file."""

from unspool.eventlog.sqlite.log import SQLiteLog

__all__ = ["SQLiteLog"]
