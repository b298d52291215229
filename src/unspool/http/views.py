"""Runs and threads as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from unspool.eventlog import EventLog, Feedback, Run, Thread
from unspool.events import RunStatus, Transcript, asked_messages
from unspool.runs import RunRequest, read_all

TITLE_LENGTH = 80


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
        replaces: The run whose place it took, with that of all runs of the thread after that one.
        replaced: Another run took its place.
        feedback: What was stored about it.
        config: What it was started with, where it was asked for by id.
        answers: By interrupt id, what it was resumed with.
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
    replaces: str | None = None
    replaced: bool = False
    feedback: list[Feedback] | None = None
    config: dict[str, Any] | None = None
    answers: dict[str, Any] | None = None


class ThreadItem(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation in a list.

    Attributes:
        title: The first 80 characters of the first line that the user wrote. None: the input shows no text.
        runs: How many, with those that were replaced.
        created_at: Of its first run.
        updated_at: Of its newest run.
    """

    id: str
    title: str | None
    runs: int
    created_at: float
    updated_at: float
    last_run_id: str
    last_status: RunStatus


class ThreadView(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation: its runs, oldest first, and the messages that those fold into that were not replaced."""

    id: str
    title: str | None
    runs: list[RunView]
    messages: list[Any]


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    """Runs, newest first. ``next`` goes into ``before`` for the next page; null: there is none."""

    runs: list[RunView]
    next: str | None


class ThreadPage(msgspec.Struct, frozen=True, kw_only=True):
    """Threads, the one with the newest run first. ``next`` as in :class:`RunPage`."""

    threads: list[ThreadItem]
    next: str | None


class SchemasView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an agent takes and gives.

    Attributes:
        name: Of the mount.
        description: For people.
        input: A JSON Schema, as are ``output`` and ``config``. Empty: nothing is known.
        accepts: Media types that a message may attach: ``image/png``, ``image/*``. Empty: none.
        max_body_bytes: Of a request body.
    """

    name: str
    input: dict[str, Any]
    output: dict[str, Any]
    config: dict[str, Any]
    accepts: list[str]
    max_body_bytes: int
    description: str | None = None


class TicketView(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket for a mount's streams. ``expires_in`` is in seconds."""

    ticket: str
    expires_in: int


class FeedbackView(Feedback, frozen=True, kw_only=True, omit_defaults=True):
    """Feedback, and the run that it is about."""

    run_id: str


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
        replaces=run.replaces,
        replaced=run.replaced_by is not None,
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
    feedback = list(await log.feedback(run.id))
    request = RunRequest.decoded(run.request)
    return msgspec.structs.replace(
        brief(run),
        output=transcript.output,
        error=transcript.error,
        usage=transcript.usage,
        metrics=transcript.metrics,
        interrupts=transcript.interrupts or None,
        transcript=transcript.snapshot() if with_transcript else None,
        feedback=feedback or None,
        config=request.config or None,
        answers=request.answer,
    )


def title_of(request: bytes) -> str | None:
    """What a conversation that began with this request is called."""
    for message in asked_messages("", RunRequest.decoded(request).input):
        lines = message.text.strip().splitlines() if message.role == "user" else []
        if lines:
            return lines[0][:TITLE_LENGTH].rstrip()
    return None


def thread_brief(thread: Thread) -> ThreadItem:
    """A conversation without its messages."""
    return ThreadItem(
        id=thread.id,
        title=title_of(thread.first_request),
        runs=thread.runs,
        created_at=thread.created_at,
        updated_at=thread.updated_at,
        last_run_id=thread.last_run_id,
        last_status=thread.last_status,
    )


async def thread_view(log: EventLog, thread: Thread, runs: Sequence[Run], *, with_transcripts: bool) -> ThreadView:
    """A conversation with what its runs, newest first, say. Those that were replaced say nothing."""
    views: list[RunView] = []
    messages: list[Any] = []
    for run in reversed(runs):
        view = brief(run)
        if run.replaced_by is None:
            transcript = await transcript_of(log, run)
            messages.extend(transcript.messages)
            if with_transcripts:
                view = msgspec.structs.replace(view, transcript=transcript.snapshot())
        views.append(view)
    return ThreadView(id=thread.id, title=title_of(thread.first_request), runs=views, messages=messages)
