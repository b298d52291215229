"""Whose run it is."""

from __future__ import annotations

from unspool.access import Principal
from unspool.errors import RunNotFound
from unspool.eventlog import EventLog, Run
from unspool.runs import Mount


async def owned_run(log: EventLog, mount: Mount, run_id: str, principal: Principal) -> Run:
    """Return the run if it is one of this mount's and the caller's.

    Raises:
        RunNotFound: It is not there, or it does not exist for them.
    """
    run = await log.get(run_id)
    if run.owner != principal.id or run.source != mount.name:
        raise RunNotFound(run_id)
    return run
