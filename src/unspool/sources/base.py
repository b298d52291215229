"""What a source is: anything that answers a call with a stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from unspool.events import AnyEvent, Record


class Output(msgspec.Struct, frozen=True):
    """What a run returns, where the events themselves do not say it. A source yields it at most once, last.

    It goes into the ``output`` of the ``end`` event. A source whose output is the text of its last message,
    or its last ``state``, does not yield one: the transcript already knows.
    """

    value: Any


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One execution that a source is asked for.

    Attributes:
        run_id: The run.
        input: What the client sent as ``input``: plain JSON data.
        thread_id: The conversation, if there is one. Sources with a memory of their own key it by this.
        config: What the client sent as ``config``: plain JSON data.
        attempt: 1, or more after a retry or a takeover.
        resumes: The interrupted run that this one continues.
        answer: The answer to its interrupts: a mapping from interrupt id to value.
        position: What :meth:`Source.resume_point` returned, for a run that is taken up in the middle.
        replaces: The run of the thread whose place this one takes.
        replaced: All runs of the thread whose place others took, in any order. A source with a memory of its own
            forgets them: it begins where the thread would be without them.
    """

    run_id: str
    input: Any = None
    thread_id: str | None = None
    config: Mapping[str, Any] = {}
    attempt: int = 1
    resumes: str | None = None
    answer: Mapping[str, Any] | None = None
    position: Any = None
    replaces: str | None = None
    replaced: Sequence[str] = ()


class ResumePoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run whose process died can be taken up again.

    Attributes:
        keep_seq: The last record that still counts; what comes after it is void, and will be produced anew.
        position: Given back to the source as :attr:`Call.position`.
    """

    keep_seq: int
    position: Any = None


class Schemas(msgspec.Struct, frozen=True, kw_only=True):
    """JSON Schemas (draft 2020-12) of what a source takes and gives. ``{}`` where nothing is known."""

    input: dict[str, Any] = {}
    output: dict[str, Any] = {}
    config: dict[str, Any] = {}


class Source(Protocol):
    """Something that answers. :func:`unspool.sources.adapt` makes one of what a team already has."""

    @property
    def name(self) -> str:
        """What it is called where the user gives no name."""
        ...

    def stream(self, call: Call) -> AsyncIterable[AnyEvent | Output]:
        """Answer, event by event: no ``start``, ``retry`` or ``end``, which belong to the run.

        Messages, tools and steps that are opened are closed, unless it raises. It may be an async generator:
        it is closed when the run is cancelled, and cancelled at its ``await`` first. It raises what went
        wrong; :func:`unspool.errors.classify` decides what a client sees. An ``error`` event is for a
        failure that the source words itself; the run then ends as ``failed``.
        """
        ...

    def schemas(self) -> Schemas:
        """Describe input, output and config. May be slow the first time; called at most once per mount."""
        ...

    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        """Say where a run whose process died can go on, from all that its log holds.

        None: it cannot, beyond being started again if it had produced nothing yet.
        """
        ...
