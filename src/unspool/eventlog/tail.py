"""Following a run: written once, for all logs."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence

from unspool.eventlog.base import EventLog
from unspool.events import Record


async def tail(
    log: EventLog, run_id: str, *, after: int = 0, idle: float = 15.0
) -> AsyncGenerator[Sequence[Record], None]:
    """Yield every record past ``after``, in order, once, until the run's ``end``.

    What is committed when the follower asks comes as one batch. An empty batch means that nothing happened for
    ``idle`` seconds: the place for a heartbeat. Ends at once where the run has ended at ``after``.

    Raises:
        RunNotFound, CursorUnknown, CursorExpired, LogUnavailable: As :meth:`EventLog.read`.
    """
    batch = await log.read(run_id, after=after)
    if not batch and (await log.get(run_id)).ended:
        # The end may have been committed between the read and the look.
        batch = await log.read(run_id, after=after)
        if not batch:
            return
    silent_since = time.monotonic()
    while True:
        if batch:
            yield batch
            if batch[-1].is_end:
                return
            after = batch[-1].seq
            silent_since = time.monotonic()
        else:
            await log.wait(run_id, after=after, timeout=idle)
            if time.monotonic() - silent_since >= idle:
                yield ()
                silent_since = time.monotonic()
        batch = await log.read(run_id, after=after)
