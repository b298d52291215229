"""The contract of an event log: events in, records out, any number of times.

A log holds runs, and of each run its events, numbered 1, 2, 3 … by the one process that owns the run. The
methods are few and their promises sharp; following a run is written once, for all logs, in
:func:`unspool.eventlog.tail`. Implementations pass :func:`unspool.testing.check_event_log`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, Self

import msgspec

from unspool.events import ENDED, Record, RunStatus

Outcome = Literal["ok", "dup", "fenced", "gap", "closed"]
"""What became of an append.

``ok``      committed; readable by everybody from now on.
``dup``     all of it was there already: the reply to an earlier try was lost. Treat as ``ok``.
``fenced``  somebody else owns the run now (its epoch is higher). Stop the source; write nothing more.
``gap``     the log does not hold what should come before: it lost its tail. The run cannot go on.
``closed``  the run has ended. Nothing was written.
"""

READ_LIMIT = 1000
"""Records that one read returns, unless told."""

READ_BYTES = 1024 * 1024
"""A read stops at the record that takes it over this many bytes. It returns one record at least."""


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run to create.

    Attributes:
        id: Unique in the log. Chosen by the caller of the API, or a UUID version 7.
        owner: The id of the principal that it belongs to.
        source: The name of the source that answers.
        request: The JSON of the request, kept so that another process can take the run up.
        request_hash: Of what makes two requests the same, for idempotency.
        worker: The process that will run it. None: queued, until somebody claims it.
        lease: Seconds until others may claim it, if ``worker`` is not heard of.
        thread_id: The conversation it belongs to.
        idempotency_key: The caller's, unique per owner.
        replaces: The run of the same owner, source and thread whose place this one takes.
    """

    id: str
    owner: str
    source: str
    request: bytes
    request_hash: str
    worker: str | None
    lease: float
    thread_id: str | None = None
    idempotency_key: str | None = None
    replaces: str | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run, as the log knows it. Times are seconds since the Unix epoch, by the log's clock.

    Attributes:
        epoch: Rises by one with every takeover; an append with a lower one is ``fenced``.
        worker: The process that has it. None while queued, and once it was released.
        lease_until: When others may claim it.
        first_seq: The oldest record that is kept. ``last_seq + 1`` once retention took them all.
        last_seq: The newest record, 0 if there is none.
        cancel_requested: Somebody asked for it to stop.
        watched_until: Until when somebody in *another* process said to be following it.
        ended_at: When its ``end`` was committed.
        replaces: The run whose place it took, with that of all runs of the thread after that one.
        replaced_by: The run that took its place. It does not count in its thread any more.
    """

    id: str
    owner: str
    source: str
    status: RunStatus
    request: bytes
    request_hash: str
    epoch: int
    worker: str | None
    lease_until: float
    first_seq: int
    last_seq: int
    cancel_requested: bool
    created_at: float
    watched_until: float = 0.0
    ended_at: float | None = None
    thread_id: str | None = None
    idempotency_key: str | None = None
    replaces: str | None = None
    replaced_by: str | None = None

    @property
    def ended(self) -> bool:
        """Whether its log is closed."""
        return self.status in ENDED


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation: the runs of one owner that share a thread id.

    Attributes:
        runs: How many, with those that were replaced.
        created_at: Of its first run.
        updated_at: Of its newest run.
        first_run_id: The first run that was not replaced.
        first_request: The request of that run.
    """

    id: str
    runs: int
    created_at: float
    updated_at: float
    last_run_id: str
    last_status: RunStatus
    first_run_id: str
    first_request: bytes


class Feedback(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody thinks of a run.

    Attributes:
        key: What it is about; one run has one of each key.
        score: A number, or yes or no.
        value: Any JSON: a category, a correction.
        comment: For people.
        at: When it was stored, in seconds since the Unix epoch, by the log's clock.
    """

    key: str
    at: float
    score: bool | int | float | None = None
    value: Any = None
    comment: str | None = None


class Created(NamedTuple):
    """``created`` is False when the run was there already, from the same request."""

    run: Run
    created: bool


class Appended(NamedTuple):
    """``cancel_requested`` is the run's flag at the time of the append, so that no append misses it."""

    outcome: Outcome
    last_seq: int
    cancel_requested: bool


class Lease(NamedTuple):
    """One run that a worker still has."""

    run_id: str
    epoch: int
    cancel_requested: bool
    watched_until: float


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """What a log keeps of runs that have ended. Live runs are never touched.

    Attributes:
        max_age: Seconds since the end of a run after which its events go. Default 7 days.
        max_runs: Ended runs that keep their events; the oldest go first. None: any number.
        max_bytes: Bytes of events of ended runs; the oldest runs go first. None: any number.
        forget_after: Seconds since its end after which the run itself goes, and asking for it is a 404
            instead of a 410. At least ``max_age``. Default 30 days.
    """

    max_age: float = 7 * 86400.0
    max_runs: int | None = None
    max_bytes: int | None = None
    forget_after: float = 30 * 86400.0


class EventLog(Protocol):
    """An append-only log per run.

    An async context manager: what it holds open (threads, connections) lives while it is entered.
    Every method can be cancelled. ``read``, ``wait``, ``get`` and ``list`` leave nothing behind then;
    the effect of the others may have landed. All of them raise :class:`~unspool.errors.LogUnavailable`
    when the engine does not answer or cannot write; what was not acknowledged is then unknown, and
    trying again with the same arguments is safe.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def create(self, new: NewRun) -> Created:
        """Add a run with epoch 1: ``running`` if it has a worker, else ``queued``.

        Idempotent on the run id, and on (owner, idempotency key): where one of them is there already
        with the same owner and the same ``request_hash``, that run is returned.

        With ``replaces``, that run and all after it in the thread are ``replaced_by`` the new one, in the
        same unit.

        Raises:
            RunIdTaken: The run id is there with another owner or another ``request_hash``.
            IdempotencyConflict: The key is there, with another ``request_hash``.
            RunNotFound: ``replaces`` is not a run of this owner and source.
            InvalidInput: It is not of this thread.
            RunConflict: It was replaced before; or it, or a run after it, has not ended.
        """
        ...

    async def append(self, run_id: str, *, epoch: int, first_seq: int, events: Sequence[bytes]) -> Appended:
        """Add ``events`` (each from :func:`unspool.events.encode`) as one unit: all of them, or none.

        Committed before seen: no reader gets them before they are as durable as the log makes things.
        An ``end`` event, which must be the last, closes the run with its status in the same unit.

        Checked in this order: ``fenced`` if ``epoch`` is not the run's; ``dup`` if the run already has
        everything up to the last of these seqs; ``closed`` if the run has ended; ``gap`` if
        ``first_seq`` is not ``last_seq + 1``. None of these writes anything.

        Raises:
            RunNotFound: No such run.
            ValueError: ``events`` is empty.
        """
        ...

    async def read(self, run_id: str, *, after: int, limit: int = READ_LIMIT) -> Sequence[Record]:
        """Return what follows ``after``, oldest first, without gaps. Never waits for more.

        At most ``limit`` records, and about :data:`READ_BYTES`. Empty when there is nothing more yet,
        or when the run has ended at ``after``.

        Raises:
            RunNotFound: No such run.
            CursorUnknown: ``after`` is negative or past ``last_seq``.
            CursorExpired: Retention removed what follows ``after``.
        """
        ...

    async def wait(self, run_id: str, *, after: int, timeout: float) -> None:
        """Return once a record past ``after`` exists, the run has ended, or ``timeout`` seconds passed.

        May return early, for no reason; never returns late, but for ``timeout``, which is coarse: it
        may be up to a second more. Costs the log no task and no timer per call.
        """
        ...

    async def get(self, run_id: str) -> Run:
        """Return the run.

        Raises:
            RunNotFound: No such run.
        """
        ...

    async def list(
        self,
        owner: str,
        *,
        source: str | None = None,
        thread_id: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> Sequence[Run]:
        """Return runs of ``owner``, newest first; the next page begins ``before`` the last run's id.

        Raises:
            RunNotFound: ``before`` is not a run of this owner.
        """
        ...

    async def threads(
        self,
        owner: str,
        *,
        source: str | None = None,
        thread_id: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> Sequence[Thread]:
        """Return conversations of ``owner``, the one with the newest run first; with ``thread_id``, that one.

        Raises:
            ThreadNotFound: ``before`` is not a thread of this owner.
        """
        ...

    async def replaced(self, owner: str, *, source: str, thread_id: str) -> Sequence[str]:
        """Return the ids of the runs of a thread that were replaced, in any order. Empty: there is none."""
        ...

    async def keep(self, run_id: str, *, epoch: int, kept: bytes) -> bool:
        """Store what a run's source wants back later, in place of what it stored before.

        False, and nothing is stored: ``epoch`` is not the run's, or the run has ended. It goes with the run's events.

        Raises:
            RunNotFound: No such run.
        """
        ...

    async def kept(self, run_id: str) -> bytes | None:
        """Return what :meth:`keep` stored last; None if there is nothing.

        Raises:
            RunNotFound: No such run.
        """
        ...

    async def put_feedback(self, run_id: str, feedback: Feedback) -> Feedback:
        """Store feedback on a run, whether it has ended or not, in place of an earlier one of the same key.

        Return it with the time of the log's clock. It goes when the run itself goes.

        Raises:
            RunNotFound: No such run.
        """
        ...

    async def feedback(self, run_id: str) -> Sequence[Feedback]:
        """Return all feedback on a run, by key.

        Raises:
            RunNotFound: No such run.
        """
        ...

    async def request_cancel(self, run_id: str) -> Run:
        """Note, durably, that the run is to stop; then tell its worker. Return the run as it is now.

        Does nothing to a run that has ended. Idempotent.

        Raises:
            RunNotFound: No such run.
        """
        ...

    async def cancels(self, worker: str, *, timeout: float) -> Sequence[str]:
        """Wait for a cancel request on a run of ``worker``; return the ids of all that are asked to stop.

        Returns at once if there are some, and keeps returning them until they end; empty after
        ``timeout`` seconds (coarse, as in :meth:`wait`). One caller per worker.
        """
        ...

    async def claim(self, run_id: str, *, worker: str, lease: float) -> Run | None:
        """Take a run over: epoch + 1, in the same atomic step that reads ``last_seq``.

        Only if it has not ended and it is queued, released, or its lease is over. Else None.

        Raises:
            RunNotFound: No such run.
        """
        ...

    async def reap(
        self, *, worker: str, lease: float, sources: Sequence[str] | None = None, limit: int = 100
    ) -> Sequence[Run]:
        """Claim every run whose lease is over or that was released, as :meth:`claim` does.

        ``sources`` restricts it to runs of these sources.
        """
        ...

    async def renew(self, worker: str, *, lease: float) -> Sequence[Lease]:
        """Extend the lease of every live run of ``worker``, and return them. A missing one was taken over."""
        ...

    async def release(self, run_id: str, *, epoch: int) -> None:
        """Let others claim the run now. Does nothing if the epoch is not the run's, or if it has ended."""
        ...

    async def watch(self, run_id: str, *, seconds: float) -> None:
        """Say that somebody in this process will follow the run for ``seconds`` more.

        For runs of other processes, so that their ``orphan_timeout`` knows. Never shortens it.
        """
        ...

    async def trim(self, retention: Retention) -> int:
        """Remove what ``retention`` does not keep. Return the number of runs that lost their events."""
        ...
