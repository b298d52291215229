"""Numbers the events of one run and gets them into the log, in as few appends as the log's pace allows."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import stamina

from unspool.errors import LogUnavailable, RunNotFound
from unspool.eventlog import Appended, EventLog
from unspool.events import AnyEvent, encode

logger = logging.getLogger("unspool")

BUFFER_EVENTS = 512
"""Events that may wait for the log before the source has to."""

BUFFER_BYTES = 1024 * 1024
"""Bytes that may wait for the log before the source has to."""

GATHER_SECONDS = 0.002
"""How soon after an append began the next one may begin, while the source brings more."""

GATHER_TURNS = 4
"""Turns of the event loop that may bring nothing before what is there goes. A graph needs some for each token."""

LOG_RETRY_SECONDS = 30.0
"""How long a log that does not answer is tried again before the run is given up."""


class WriteStopped(Exception):
    """The log takes no more from this process: ``fenced``, ``closed``, ``gap`` or ``unavailable``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Writer:
    """The one that writes a run's events, for one owner and epoch.

    Natural batching: whatever was put while the last append was under way goes as the next one. A source that brings
    more with every few turns of the event loop is let go on for 2 ms: what it says costs one append and one write to
    each follower, and not as many as there are tokens. An event that comes alone goes at once. Nothing waits on a
    timer. The source feels the log only when the buffer is full.

    Args:
        log: Where to.
        run_id: The run.
        epoch: The owner's.
        last_seq: The last record that is there already.
        on_cancel: Called, perhaps often, when an append says that a cancel was asked for.
        on_stop: Called once if the log takes no more.
    """

    def __init__(
        self,
        log: EventLog,
        run_id: str,
        *,
        epoch: int,
        last_seq: int,
        on_cancel: Callable[[], None],
        on_stop: Callable[[WriteStopped], None],
    ) -> None:
        self._log = log
        self._run_id = run_id
        self._epoch = epoch
        self._committed = last_seq
        self._on_cancel = on_cancel
        self._on_stop = on_stop
        self._buffer: list[bytes] = []
        self._bytes = 0
        self._writing = 0
        self._began = -math.inf  # the last append
        self._work = anyio.Event()
        self._progress = anyio.Event()
        self.stopped: WriteStopped | None = None

    @property
    def last_seq(self) -> int:
        """The seq of the event that was put last, committed or not."""
        return self._committed + self._writing + len(self._buffer)

    @property
    def full(self) -> bool:
        """Whether the source has to wait: see :meth:`room`."""
        return len(self._buffer) >= BUFFER_EVENTS or self._bytes >= BUFFER_BYTES

    def put(self, event: AnyEvent) -> None:
        """Queue ``event``.

        Raises:
            InvalidInput: It cannot be encoded. Nothing was queued.
        """
        data = encode(event)
        buffer = self._buffer
        buffer.append(data)
        self._bytes += len(data)
        if len(buffer) == 1:
            self._work.set()

    async def room(self) -> None:
        """Wait until the buffer is no longer full. Raises WriteStopped if it never will be."""
        while self.full:
            await self._changed()

    async def flushed(self) -> None:
        """Wait until everything that was put is committed. Raises WriteStopped if it never will be."""
        while self._buffer or self._writing:
            await self._changed()

    async def _changed(self) -> None:
        if self.stopped is not None:
            raise self.stopped
        if self._progress.is_set():
            self._progress = anyio.Event()
        await self._progress.wait()
        if self.stopped is not None:
            raise self.stopped

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Write in the background for as long as the context is entered."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    async def _write(self) -> None:
        try:
            while True:
                if not self._buffer:
                    self._work = anyio.Event()
                    await self._work.wait()
                await self._gather()
                await self._write_batch()
                self._progress.set()
        except WriteStopped as stopped:
            self.stopped = stopped
            self._progress.set()
            self._on_stop(stopped)

    async def _gather(self) -> None:
        """Let a source that is faster than the appends go on, for as long as turns of the event loop bring more."""
        due = self._began + GATHER_SECONDS
        seen, quiet = len(self._buffer), 0
        while quiet < GATHER_TURNS and time.monotonic() < due:
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._buffer) == seen else 0
            seen = len(self._buffer)
        self._began = time.monotonic()

    async def _write_batch(self) -> None:
        batch, self._buffer, self._bytes = self._buffer, [], 0
        self._writing = len(batch)
        try:
            appended = await self._append(batch)
        except (LogUnavailable, RunNotFound) as exc:
            logger.exception("run %s: the event log takes no more; the run is given up", self._run_id)
            raise WriteStopped("unavailable") from exc
        if appended.outcome not in {"ok", "dup"}:
            raise WriteStopped(appended.outcome)
        self._committed += len(batch)
        self._writing = 0
        if appended.cancel_requested:
            self._on_cancel()

    async def _append(self, batch: list[bytes]) -> Appended:
        first_seq = self._committed + 1
        try:
            return await self._log.append(self._run_id, epoch=self._epoch, first_seq=first_seq, events=batch)
        except LogUnavailable:
            logger.warning("run %s: the event log does not answer; trying again", self._run_id)
        again = stamina.AsyncRetryingCaller(attempts=None, timeout=LOG_RETRY_SECONDS, wait_max=2.0).on(LogUnavailable)
        return await again(self._log.append, self._run_id, epoch=self._epoch, first_seq=first_seq, events=batch)
