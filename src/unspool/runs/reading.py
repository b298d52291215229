"""Reading a run as a whole."""

from __future__ import annotations

from unspool.eventlog import EventLog
from unspool.events import Record


async def read_all(log: EventLog, run_id: str) -> list[Record]:
    """Return every record that the run has now.

    Raises:
        RunNotFound: No such run.
        CursorExpired: Retention removed them.
    """
    records: list[Record] = []
    while batch := await log.read(run_id, after=len(records)):
        records.extend(batch)
    return records
