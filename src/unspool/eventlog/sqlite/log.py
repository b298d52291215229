"""The contract of the event log, on one SQLite file that several processes of one machine may share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar

import anyio
from typing_extensions import override

from unspool.errors import LogUnavailable
from unspool.eventlog.base import (
    READ_LIMIT,
    Appended,
    Created,
    EventLog,
    Feedback,
    Lease,
    NewRun,
    Retention,
    Run,
    Thread,
)
from unspool.eventlog.live import Waiters
from unspool.eventlog.sqlite import lists, statements
from unspool.eventlog.sqlite.schema import migrate
from unspool.eventlog.sqlite.tails import Tails
from unspool.eventlog.sqlite.threads import ReaderThread, WriterThread, connect, unavailable
from unspool.events import Record

T = TypeVar("T")


class SQLiteLog(EventLog):
    """An event log in one SQLite file, in write-ahead mode.

    One thread writes, and commits in groups what queued up while the last commit ran. Another reads. Followers
    of runs that this process writes are served from memory; those of other processes' runs learn of a commit
    by polling the file's ``data_version``.

    The file must be on a local disk: SQLite's write-ahead log does not work over a network. Its directory is
    made if it is missing. Good for a handful of processes on one machine.

    Args:
        path: The file. Made if it is missing; one of an older version is migrated.
        synchronous: ``normal``: a loss of power may cost the last commits, a crash of the process none.
            ``full``: neither; each commit waits for the disk.
        poll_interval: Seconds between two looks for commits of other processes.
        live_bytes: Events of one run that stay in memory while it runs.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        synchronous: Literal["normal", "full"] = "normal",
        poll_interval: float = 0.01,
        live_bytes: int = 4 * 1024 * 1024,
    ) -> None:
        if synchronous not in {"normal", "full"}:
            raise ValueError("synchronous must be 'normal' or 'full'")
        self._path = Path(path)
        self._synchronous = synchronous
        self._poll_interval = poll_interval
        self._tails = Tails(live_bytes)
        self._waiters = Waiters()
        self._cancels = Waiters()
        self._foreign: dict[str, int] = {}
        self._stack = AsyncExitStack()
        self._writer: WriterThread | None = None
        self._reader: ReaderThread | None = None

    @override
    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            writing, reading = await anyio.to_thread.run_sync(self._open)
            self._writer = WriterThread("unspool-log-writer", writing)
            self._reader = ReaderThread(reading, interval=self._poll_interval, look=self._look)
            for thread in (self._reader, self._writer):
                thread.start()
                stack.push_async_callback(thread.stop)
            tasks = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(tasks.cancel_scope.cancel)
            tasks.start_soon(self._waiters.run_clock)
            tasks.start_soon(self._cancels.run_clock)
            self._stack = stack.pop_all()
        return self

    @override
    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._waiters.wake_all()
        self._cancels.wake_all()
        await self._stack.__aexit__(None, None, None)  # the body's own exception is not ours to wrap
        self._writer = self._reader = None

    def _open(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            writing = connect(self._path, synchronous=self._synchronous)
            try:
                migrate(writing)
                return writing, connect(self._path, synchronous=self._synchronous)
            except (sqlite3.Error, LogUnavailable):
                writing.close()
                raise
        except sqlite3.Error as exc:
            raise unavailable(exc) from exc
        except OSError as exc:
            raise LogUnavailable("the event log cannot be used: its directory cannot be made") from exc

    def _look(self, db: sqlite3.Connection) -> Callable[[], None] | None:
        """In the reader's thread, when somebody committed: see whom that concerns."""
        grown = statements.grown(db, dict(self._foreign)) if self._foreign else []
        asked = [worker for worker in self._cancels.waited_for() if statements.cancels(db, worker)]
        return partial(self._wake, grown, asked) if grown or asked else None

    def _wake(self, runs: Sequence[str], workers: Sequence[str]) -> None:
        for run_id in runs:
            self._foreign.pop(run_id, None)
            self._waiters.wake(run_id)
        for worker in workers:
            self._cancels.wake(worker)
        self._poll()

    def _poll(self) -> None:
        if self._reader is not None:
            self._reader.poll(bool(self._foreign) or bool(self._cancels.waited_for()))

    async def _write(self, work: Callable[[sqlite3.Connection], T], done: Callable[[T], None] | None = None) -> T:
        if self._writer is None:
            raise LogUnavailable("the event log is not open")
        return await self._writer.submit(work, done)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._reader is None:
            raise LogUnavailable("the event log is not open")
        return await self._reader.submit(work)

    # -- events -----------------------------------------------------------------------------------------

    @override
    async def create(self, new: NewRun) -> Created:
        def opened(created: Created) -> None:
            if created.created and new.worker is not None:
                self._tails.open(new.id, last_seq=0)

        return await self._write(lambda db: statements.create(db, new), opened)

    @override
    async def append(self, run_id: str, *, epoch: int, first_seq: int, events: Sequence[bytes]) -> Appended:
        if not events:
            raise ValueError("an append needs at least one event")

        def publish(written: statements.Written) -> None:
            if written.appended.outcome == "ok":
                self._tails.add(run_id, first_seq=first_seq, at=written.at, events=events)
                if written.status is not None:
                    self._tails.end(run_id)
            elif written.appended.outcome in {"fenced", "gap"}:
                self._tails.forget(run_id)
            self._waiters.wake(run_id)

        if self._writer is None:
            raise LogUnavailable("the event log is not open")
        append = statements.Append(run_id, epoch, first_seq, events)
        return (await self._writer.submit(_together, publish, append)).appended

    @override
    async def read(self, run_id: str, *, after: int, limit: int = READ_LIMIT) -> Sequence[Record]:
        records = self._tails.read(run_id, after=after, limit=limit)
        if records is None:
            records = await self._read(partial(statements.read, run_id=run_id, after=after, limit=limit))
        return records

    @override
    async def wait(self, run_id: str, *, after: int, timeout: float) -> None:
        if self._tails.is_live(run_id):
            if not self._tails.has_news(run_id, after=after):
                await self._waiters.wait(run_id, timeout)
            return
        # Registered first, then looked: what is committed in between is seen by the look or by the poll.
        try:
            with self._waiters.waiting(run_id, timeout) as woken:
                self._foreign[run_id] = min(after, self._foreign.get(run_id, after))
                self._poll()
                run = await self._read(partial(statements.get, run_id=run_id))
                if run.last_seq <= after and not run.ended:
                    await woken
        finally:
            if run_id not in self._waiters:
                self._foreign.pop(run_id, None)
                self._poll()

    # -- runs -------------------------------------------------------------------------------------------

    @override
    async def get(self, run_id: str) -> Run:
        run = await self._read(partial(statements.get, run_id=run_id))
        if self._tails.forget_stale(run_id, last_seq=run.last_seq):
            self._waiters.wake(run_id)
        return run

    @override
    async def list(
        self,
        owner: str,
        *,
        source: str | None = None,
        thread_id: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> Sequence[Run]:
        return await self._read(lambda db: lists.page_of_runs(db, owner, source, thread_id, before, limit))

    @override
    async def threads(
        self,
        owner: str,
        *,
        source: str | None = None,
        thread_id: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> Sequence[Thread]:
        return await self._read(lambda db: lists.page_of_threads(db, owner, source, thread_id, before, limit))

    @override
    async def replaced(self, owner: str, *, source: str, thread_id: str) -> Sequence[str]:
        return await self._read(lambda db: lists.replaced(db, owner, source, thread_id))

    @override
    async def keep(self, run_id: str, *, epoch: int, kept: bytes) -> bool:
        return await self._write(lambda db: lists.keep(db, run_id, epoch, kept))

    @override
    async def kept(self, run_id: str) -> bytes | None:
        return await self._read(lambda db: lists.kept(db, run_id))

    @override
    async def put_feedback(self, run_id: str, feedback: Feedback) -> Feedback:
        return await self._write(lambda db: lists.put_feedback(db, run_id, feedback))

    @override
    async def feedback(self, run_id: str) -> Sequence[Feedback]:
        return await self._read(lambda db: lists.feedback_on(db, run_id))

    @override
    async def request_cancel(self, run_id: str) -> Run:
        def wake(run: Run) -> None:
            if run.worker is not None:
                self._cancels.wake(run.worker)

        return await self._write(partial(statements.request_cancel, run_id=run_id), wake)

    @override
    async def cancels(self, worker: str, *, timeout: float) -> Sequence[str]:
        look = partial(statements.cancels, worker=worker)
        with self._cancels.waiting(worker, timeout) as woken:
            self._poll()
            asked = await self._read(look)
            if asked:
                return asked
            await woken
        self._poll()
        return await self._read(look)

    # -- leases -----------------------------------------------------------------------------------------

    @override
    async def claim(self, run_id: str, *, worker: str, lease: float) -> Run | None:
        work = partial(statements.claim, run_id=run_id, worker=worker, lease=lease)
        return await self._write(work, lambda run: self._took_over([] if run is None else [run]))

    @override
    async def reap(
        self, *, worker: str, lease: float, sources: Sequence[str] | None = None, limit: int = 100
    ) -> Sequence[Run]:
        return await self._write(lambda db: statements.reap(db, worker, lease, sources, limit), self._took_over)

    def _took_over(self, runs: Sequence[Run]) -> None:
        for run in runs:
            self._tails.open(run.id, last_seq=run.last_seq)
            self._waiters.wake(run.id)  # they wait for another process; from now on they wait for this one

    @override
    async def renew(self, worker: str, *, lease: float) -> Sequence[Lease]:
        def forget_lost(held: Sequence[Lease]) -> None:
            # A run that was taken over grows elsewhere: its followers here have to look at the file from now on.
            for run_id in set(self._tails.live()) - {lease.run_id for lease in held}:
                self._tails.forget(run_id)
                self._waiters.wake(run_id)

        return await self._write(partial(statements.renew, worker=worker, lease=lease), forget_lost)

    @override
    async def release(self, run_id: str, *, epoch: int) -> None:
        def released(_: None) -> None:
            self._tails.forget(run_id)
            self._waiters.wake(run_id)

        await self._write(partial(statements.release, run_id=run_id, epoch=epoch), released)

    @override
    async def watch(self, run_id: str, *, seconds: float) -> None:
        await self._write(partial(statements.watch, run_id=run_id, seconds=seconds))

    @override
    async def trim(self, retention: Retention) -> int:
        def forget(ids: Sequence[str]) -> None:
            for run_id in ids:
                self._tails.forget(run_id)

        trimmed = 0
        while True:
            ids = await self._write(partial(statements.trim_some, retention=retention), forget)
            trimmed += len(ids)
            if len(ids) < statements.TRIM_AT_A_TIME:
                return trimmed


def _together(_: sqlite3.Connection) -> statements.Written:
    raise AssertionError("an append is done together with others")
