"""What becomes of a run whose process died."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from unspool.eventlog import EventLog, Run
from unspool.events import End as EndEvent
from unspool.events import EndStatus, Record, encode
from unspool.runs.endings import error_event, lost
from unspool.runs.reading import read_all
from unspool.runs.request import RunRequest
from unspool.sources import ResumePoint, Source

logger = logging.getLogger("unspool")

# What may be there before a source has produced anything that a person saw.
_SETTING_UP = frozenset({"start", "message_start", "step_start", "step_end", "state", "retry"})


@dataclass(frozen=True, slots=True)
class Resume:
    """Run it again: from ``point``, or from the beginning."""

    attempt: int
    point: ResumePoint | None


@dataclass(frozen=True, slots=True)
class End:
    """It ends here."""

    status: EndStatus
    message: str = ""


async def decide(log: EventLog, run: Run, source: Source, request: RunRequest, *, takeovers: int) -> Resume | End:
    """Decide what becomes of a run that was just claimed.

    It goes on from where its source knows how to, or begins anew if nobody has seen anything of it; otherwise
    it is lost. A run that was asked to stop is cancelled, and one that took its process down ``takeovers``
    times is not tried again.
    """
    if run.cancel_requested:
        return End("cancelled")
    records = await read_all(log, run.id)
    attempt = 2 + sum(record.type == "retry" for record in records)
    if attempt > 1 + takeovers:
        return End("failed", f"The run was interrupted {takeovers} times; it was not tried again.")
    point = await _resume_point(source, request, run, records, attempt)
    if point is not None or _untouched(records):
        return Resume(attempt=attempt, point=point)
    return End("failed", "The server process that ran this stopped before it was done.")


async def _resume_point(
    source: Source, request: RunRequest, run: Run, records: Sequence[Record], attempt: int
) -> ResumePoint | None:
    try:
        return await source.resume_point(request.call(run, attempt=attempt), records)
    except Exception:
        logger.exception("run %s: its source could not say where to resume it", run.id)
        return None


def _untouched(records: Sequence[Record]) -> bool:
    return all(record.type in _SETTING_UP for record in records)


async def write_end(log: EventLog, run: Run, end: End) -> None:
    """Append the last events of a claimed run."""
    events = [encode(EndEvent(status=end.status))]
    if end.status == "failed":
        events.insert(0, encode(error_event(lost(end.message))))
    await log.append(run.id, epoch=run.epoch, first_seq=run.last_seq + 1, events=events)
