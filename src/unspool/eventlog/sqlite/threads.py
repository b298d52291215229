"""The two threads of an SQLite log: one that writes, in groups, and one that reads and looks for foreign commits."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import anyio
from typing_extensions import override

from unspool.errors import LogUnavailable
from unspool.eventlog.sqlite.statements import Append, append_all

T = TypeVar("T")

logger = logging.getLogger("unspool")

GROUP = 1000
"""Operations that one commit may hold."""

BUSY_SECONDS = 10.0
"""How long another process may hold the file before an operation fails as ``LogUnavailable``."""

_ADVICE = {
    "SQLITE_FULL": "the disk is full: make room; nothing that was acknowledged is lost",
    "SQLITE_READONLY": "its file is read-only: make the file and its directory writable",
    "SQLITE_BUSY": "another process holds its file for too long: try again",
    "SQLITE_LOCKED": "another process holds its file for too long: try again",
    "SQLITE_CORRUPT": "its file is damaged: restore it from a backup, or use another file",
    "SQLITE_NOTADB": "its file is not an SQLite database: use another file",
    "SQLITE_CANTOPEN": "its file cannot be opened: check that its directory exists and may be written to",
    "SQLITE_IOERR": "the disk does not answer: see the server's log",
    "SQLITE_TOOBIG": "an event is too large for it",
}


def unavailable(exc: sqlite3.Error) -> LogUnavailable:
    """What an engine error means to a caller. Names no file and quotes no SQL."""
    name: str = getattr(exc, "sqlite_errorname", None) or ""
    for known, advice in _ADVICE.items():
        if name.startswith(known):
            return LogUnavailable(f"the event log cannot be used: {advice}")
    return LogUnavailable("the event log cannot be used: see the server's log")


def connect(path: Path, *, synchronous: str) -> sqlite3.Connection:
    """Open ``path`` as all threads of the log do: write-ahead log, explicit transactions."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA journal_size_limit = 67108864")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


class Job(Generic[T]):
    """Something to do with a connection, and who waits for it.

    ``done`` is called on the event loop with the result, once it is committed, also when nobody waits any more.
    """

    __slots__ = ("append", "done", "future", "work")

    def __init__(
        self,
        work: Callable[[sqlite3.Connection], T],
        future: asyncio.Future[T],
        done: Callable[[T], None] | None = None,
        append: Append | None = None,
    ) -> None:
        self.append = append  # for an append, which is done together with others: instead of `work`
        self.work = work
        self.future = future
        self.done = done

    def settle(self, result: T | None, exc: Exception | None) -> None:
        """Tell who waits. On the event loop."""
        if exc is None and self.done is not None:
            self.done(result)  # type: ignore[arg-type]  # None only where there is an exception, or T is None
        if self.future.done():
            return
        if exc is None:
            self.future.set_result(result)  # type: ignore[arg-type]
        else:
            self.future.set_exception(exc)


Settled = tuple[Job[Any], Any, Exception | None]


class LogThread(threading.Thread):
    """A thread that owns one connection and does jobs with it, until it is told to stop.

    Closed by :meth:`stop`, which lets it finish what was submitted before.
    """

    def __init__(self, name: str, connection: sqlite3.Connection) -> None:
        super().__init__(name=name, daemon=True)
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._submitted: list[Job[Any]] = []
        self._stopping = False

    def submit(
        self,
        work: Callable[[sqlite3.Connection], T],
        done: Callable[[T], None] | None = None,
        append: Append | None = None,
    ) -> asyncio.Future[T]:
        """Queue a job. On the event loop; the future is settled there, too."""
        future: asyncio.Future[T] = self._loop.create_future()
        if self._stopping:
            future.set_exception(LogUnavailable("the event log is closed"))
        else:
            if not self._submitted:
                # Handed over once the loop has done what is ready now: then a burst is one group, and the thread
                # does not fight the loop for Python's lock while the rest of the burst is still being made.
                self._loop.call_soon(self._hand_over)
            self._submitted.append(Job(work, future, done, append))
        return future

    def _hand_over(self) -> None:
        submitted, self._submitted = self._submitted, []
        for job in submitted:
            self._jobs.put(job)

    async def stop(self) -> None:
        """Let it finish what was submitted, and wait for its end. The connection is closed then."""
        self._stopping = True
        self._hand_over()
        self._jobs.put(None)
        with anyio.CancelScope(shield=True):  # bounded by what was submitted; nothing more is taken
            await anyio.to_thread.run_sync(self.join)

    def settle_later(self, settled: list[Settled]) -> None:
        """Hand results to the event loop: one call, however many."""

        def settle() -> None:
            for job, result, exc in settled:
                job.settle(result, exc)

        self._loop.call_soon_threadsafe(settle)


class WriterThread(LogThread):
    """Natural group commit: commits what queued up while the last commit ran, without waiting for more."""

    @override
    def run(self) -> None:
        while (first := self._jobs.get()) is not None:
            group: list[Job[Any]] = [first]
            last = False
            while len(group) < GROUP:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    last = True
                    break
                group.append(job)
            self.settle_later(self._commit(group))
            if last:
                break
        self._connection.close()

    def _commit(self, group: list[Job[Any]]) -> list[Settled]:
        connection = self._connection
        settled: list[Settled] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            appends: dict[str, Job[Any]] = {}
            for job in group:
                if job.append is not None and job.append.run_id not in appends:
                    appends[job.append.run_id] = job
                    continue
                settled += self._append(appends)
                appends = {}
                if job.append is not None:
                    appends[job.append.run_id] = job
                else:
                    settled.append(self._do(job))
            settled += self._append(appends)
            connection.execute("COMMIT")
        except sqlite3.Error as exc:
            logger.exception("the event log could not commit")
            self._roll_back()
            return [(job, None, _caused(exc)) for job in group]
        except Exception as exc:
            logger.exception("the event log could not write what it was given")
            self._roll_back()
            return [(job, None, exc) for job in group]
        return settled

    def _append(self, jobs: dict[str, Job[Any]]) -> list[Settled]:
        """Do appends to different runs together."""
        if not jobs:
            return []
        results = append_all(self._connection, [job.append for job in jobs.values() if job.append is not None])
        return [
            (job, None, result) if isinstance(result, Exception) else (job, result, None)
            for job, result in zip(jobs.values(), results, strict=True)
        ]

    def _do(self, job: Job[Any]) -> Settled:
        # A job refuses before it writes anything, so that the others of its group stand.
        try:
            return (job, job.work(self._connection), None)
        except sqlite3.Error:
            raise
        except Exception as exc:  # noqa: BLE001 - it goes to whoever waits for the job
            return (job, None, exc)

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            logger.exception("the event log could not roll back")


class ReaderThread(LogThread):
    """Reads, one job at a time; in between, while told to, looks whether another process committed.

    Args:
        connection: Its own.
        interval: Seconds between two looks.
        look: Called in this thread when somebody committed. Returns what to call on the event loop, if anything.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        interval: float,
        look: Callable[[sqlite3.Connection], Callable[[], None] | None],
    ) -> None:
        super().__init__("unspool-log-reader", connection)
        self._interval = interval
        self._look = look
        self._version = -1
        self.polling = False

    def poll(self, on: bool) -> None:
        """Begin or end to look."""
        if on and not self.polling:
            self.polling = True
            _ = self.submit(lambda _: None)  # it may be waiting for a job without an end
        self.polling = on

    @override
    def run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=self._interval if self.polling else None)
            except queue.Empty:
                self._look_if_changed()
                continue
            if job is None:
                break
            self.settle_later([self._do(job)])
            if self.polling:
                self._look_if_changed()
        self._connection.close()

    def _do(self, job: Job[Any]) -> Settled:
        connection = self._connection
        try:
            connection.execute("BEGIN")  # all that a job reads is of one moment
            try:
                return (job, job.work(connection), None)
            finally:
                connection.execute("COMMIT")
        except sqlite3.Error as exc:
            logger.exception("the event log could not read")
            return (job, None, _caused(exc))
        except Exception as exc:  # noqa: BLE001 - it goes to whoever waits for the job
            return (job, None, exc)

    def _look_if_changed(self) -> None:
        try:
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if version == self._version:
                return
            self._version = version
            call = self._look(self._connection)
        except sqlite3.Error:
            logger.exception("the event log could not look for what other processes wrote")
            return
        if call is not None:
            self._loop.call_soon_threadsafe(call)


def _caused(exc: sqlite3.Error) -> LogUnavailable:
    error = unavailable(exc)
    error.__cause__ = exc
    return error
