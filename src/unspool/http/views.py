"""Runs and threads as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from unspool.eventlog import EventLog, Run, Thread
from unspool.events import RunStatus, Transcript
from unspool.runs import read_all


class RunView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run, as clients see it. Times are seconds since the Unix epoch.

    Attributes:
        status: ``queued``, ``running``, ``completed``, ``failed``, ``cancelled`` or ``interrupted``.
        first_seq: The oldest record that is kept.
        last_seq: The newest record.
        output: What the run returned, or has said so far.
        error: The ``error`` event of a run that failed.
        usage: Tokens, summed over its model calls.
        metrics: Of its ``end``.
        interrupts: What an interrupted run waits for.
        transcript: Where it was asked for: everything, folded.
    """

    id: str
    source: str
    status: RunStatus
    created_at: float
    first_seq: int
    last_seq: int
    thread_id: str | None = None
    ended_at: float | None = None
    cancel_requested: bool = False
    output: Any = None
    error: Any = None
    usage: Any = None
    metrics: Any = None
    interrupts: Any = None
    transcript: Any = None


class ThreadView(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation: its runs, oldest first, and the messages they fold into."""

    id: str
    runs: list[RunView]
    messages: list[Any]


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    """Runs, newest first. ``next`` goes into ``before`` for the next page; null: there is none."""

    runs: list[RunView]
    next: str | None


class ThreadPage(msgspec.Struct, frozen=True, kw_only=True):
    """Threads, the one with the newest run first. ``next`` as in :class:`RunPage`."""

    threads: list[Thread]
    next: str | None


class InvokeView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ``/invoke`` answers, and one item of what ``/batch`` does."""

    run_id: str
    status: RunStatus
    thread_id: str | None = None
    output: Any = None
    error: Any = None
    usage: Any = None
    interrupts: Any = None


class BatchView(msgspec.Struct, frozen=True, kw_only=True):
    """One item per input, in order."""

    outputs: list[InvokeView]


def brief(run: Run) -> RunView:
    """A run without what would have to be read from its log."""
    return RunView(
        id=run.id,
        source=run.source,
        status=run.status,
        created_at=run.created_at,
        first_seq=run.first_seq,
        last_seq=run.last_seq,
        thread_id=run.thread_id,
        ended_at=run.ended_at,
        cancel_requested=run.cancel_requested,
    )


async def transcript_of(log: EventLog, run: Run) -> Transcript:
    """Fold what the log holds of a run. Empty where retention took the events."""
    transcript = Transcript()
    if run.first_seq == 1:
        for record in await read_all(log, run.id):
            transcript.fold(record)
    return transcript


async def full(log: EventLog, run: Run, *, with_transcript: bool = False) -> RunView:
    """A run with what its events say."""
    transcript = await transcript_of(log, run)
    return msgspec.structs.replace(
        brief(run),
        output=transcript.output,
        error=transcript.error,
        usage=transcript.usage,
        metrics=transcript.metrics,
        interrupts=transcript.interrupts or None,
        transcript=transcript.snapshot() if with_transcript else None,
    )
