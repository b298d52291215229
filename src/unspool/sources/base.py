"""What a source is: anything that answers a call with a stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Protocol

import msgspec

from unspool.errors import InvalidInput
from unspool.events import AnyEvent, Interrupt, Message, Record, RunStatus

TOOL_FAILED = "The tool failed."
"""What a client is told of a tool's exception; its own text may hold anything."""

CUT_OFF = "The call was cut off."
"""What a client is told of a tool call whose arguments the model could not finish."""

NOT_RUN = "Nobody runs this tool here."
"""What a client is told of a tool that a model called and that its source cannot run."""


class Output(msgspec.Struct, frozen=True):
    """What a run returns, where the events themselves do not say it. A source yields it at most once, last.

    It goes into the ``output`` of the ``end`` event. A source whose output is the text of its last message,
    or its last ``state``, does not yield one: the transcript already knows.
    """

    value: Any


class Keep(msgspec.Struct, frozen=True):
    """What a source wants back when the thread goes on: plain JSON, up to 4 MiB. No client ever sees it.

    It is stored with the run before what the source yields next; a later one of the same run takes its place.
    It comes back as :attr:`Past.kept`.
    """

    value: Any


class Rewind(msgspec.Struct, frozen=True):
    """What a source yields to take back events that it yielded before: they are void, and clients drop them.

    The run writes a ``retry`` event for it.

    Attributes:
        keep: How many of the events that this call of :meth:`Source.stream` yielded still count, from its first
            one. A ``Rewind`` before counts as one; an ``Output`` and a ``Keep`` do not count. 0 or less: none, and
            so many fewer of those that counted when the run was taken up.
        reason: A stable error code: why.
    """

    keep: int
    reason: str


Item = AnyEvent | Output | Keep | Rewind
"""What a source may yield."""


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier run of the thread.

    Attributes:
        run_id: The run.
        status: How it ended.
        messages: What it was asked, and what it answered, as far as it got.
        interrupts: What it waits for, if it was interrupted.
        kept: What its source yielded as :class:`Keep`, the last one; None if it did not.
    """

    run_id: str
    status: RunStatus
    messages: Sequence[Message] = ()
    interrupts: Sequence[Interrupt] = ()
    kept: Any = None


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One execution that a source is asked for.

    Attributes:
        run_id: The run.
        input: What the client sent as ``input``: plain JSON data.
        thread_id: The conversation, if there is one. A client chose it: a memory of the source's own is keyed by
            :attr:`memory_id`.
        owner: Whose run it is: the id of the principal. None where the app does not tell people apart.
        config: What the client sent as ``config``: plain JSON data.
        attempt: 1, or more after a retry or a takeover.
        resumes: The interrupted run that this one continues.
        answer: The answer to its interrupts: a mapping from interrupt id to value.
        position: What :meth:`Source.resume_point` returned, for a run that is taken up in the middle.
        replaces: The run of the thread whose place this one takes.
        replaced: All runs of the thread whose place others took, in any order. A source with a memory of its own
            forgets them: it begins where the thread would be without them.
        load_history: What :meth:`history` asks. Set by who runs the source.
        ask_elsewhere: What :attr:`goes_on_elsewhere` asks. Set by who runs the source.
    """

    run_id: str
    input: Any = None
    thread_id: str | None = None
    owner: str | None = None
    config: Mapping[str, Any] = {}
    attempt: int = 1
    resumes: str | None = None
    answer: Mapping[str, Any] | None = None
    position: Any = None
    replaces: str | None = None
    replaced: Sequence[str] = ()
    load_history: Callable[[], Awaitable[Sequence[Past]]] | None = None
    ask_elsewhere: Callable[[], bool] | None = None

    @property
    def memory_id(self) -> str:
        """The key for a memory of the source's own: one for each conversation of each principal.

        The thread's id, or the run's where there is no thread; and behind it a hash of the owner, where there is one,
        since nothing keeps two people from choosing the same thread id.
        """
        conversation = self.thread_id or self.run_id
        if self.owner is None:
            return conversation
        return f"{conversation}~{sha256(self.owner.encode()).hexdigest()[:32]}"

    @property
    def goes_on_elsewhere(self) -> bool:
        """Whether a stream that is being closed is closed because another process goes on with the run.

        What the run uses then must stay as it is: a job in another system, for example.
        """
        return self.ask_elsewhere is not None and self.ask_elsewhere()

    async def history(self) -> Sequence[Past]:
        """The runs of the thread before this one, oldest first; for sources that have no memory of their own.

        Without those that were replaced, that go on still, or whose events retention removed. At most the newest 200.
        A run without a thread has none, but for one that continues another: that one begins its thread.
        """
        return () if self.load_history is None else await self.load_history()


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

    def stream(self, call: Call) -> AsyncIterable[Item]:
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


def refuse_config(call: Call, allowed: frozenset[str] = frozenset()) -> dict[str, Any]:
    """What of a call's ``config`` is sent on.

    Raises:
        InvalidInput: It has keys that are not allowed.
    """
    unknown = sorted(call.config.keys() - allowed)
    if unknown:
        can = ", ".join(sorted(allowed)) or "nothing"
        raise InvalidInput(f"`config` may hold {can} here, and not: {', '.join(unknown)}")
    return dict(call.config)
