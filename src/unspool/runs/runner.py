"""Starts runs, keeps the leases of those that run here, and takes up those whose process died."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import EventLoopToken, current_token

from unspool.errors import InvalidInput, LogUnavailable, NotStarted, Overloaded, RunConflict, UnspoolError
from unspool.eventlog import Created, EventLog, NewRun, Retention, Run
from unspool.runs.endings import Stop
from unspool.runs.execution import Execution
from unspool.runs.followers import Followers
from unspool.runs.history import History
from unspool.runs.ids import new_run_id
from unspool.runs.options import RunOptions
from unspool.runs.recovery import Resume, decide, write_end
from unspool.runs.request import RunRequest
from unspool.sources import Source

logger = logging.getLogger("unspool")

START_SECONDS = 30.0
TRIM_SECONDS = 60.0


class Mount:
    """A source under the name that its runs carry.

    Attributes:
        name: Unique in a runner, and the same in every process and after every restart: runs are taken up by it.
    """

    def __init__(self, name: str, source: Source, options: RunOptions) -> None:
        self.name = name
        self.source = source
        self.options = options


class Runner:
    """Runs sources into one event log. An async context manager; what it runs lives while it is entered.

    Args:
        log: Entered by whoever made it; the runner only uses it.
        lease: Seconds until other processes may take up the runs of this one, if it is not heard of. A
            heartbeat goes out every third of it.
        grace: Seconds that running runs have, once the runner is told to stop, before they are handed over to
            another process or end as ``lost``.
        max_runs: Runs at one time in this process; a further one is refused as ``overloaded``.
        send_timeout: Seconds that the socket of a follower may take to drain before it is dropped.
        retention: What the log keeps.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        lease: float = 15.0,
        grace: float = 10.0,
        max_runs: int = 1000,
        send_timeout: float = 30.0,
        retention: Retention | None = None,
    ) -> None:
        if lease <= 0 or grace < 0 or max_runs < 1 or send_timeout <= 0:
            raise ValueError("lease, max_runs and send_timeout must be positive, and grace not negative")
        self.log = log
        self.worker = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.followers = Followers(on_last_left=self._last_follower_left)
        self._lease = lease
        self._grace = grace
        self._max_runs = max_runs
        self._send_timeout = send_timeout
        self._retention = retention or Retention()
        self._history = History(log)
        self._mounts: dict[str, Mount] = {}
        self._active: dict[str, Execution | None] = {}
        self._tasks: TaskGroup | None = None
        self._loop: EventLoopToken | None = None
        self._shutdown = anyio.Event()
        self._drained = anyio.Event()
        self._draining = False

    # -- what it runs -----------------------------------------------------------------------------------

    def mount(self, source: Source, *, name: str, options: RunOptions) -> Mount:
        """Give ``source`` a name. Raises ValueError if the name is taken."""
        if name in self._mounts:
            raise ValueError(f"there is a source named {name!r} already; give each its own `name`")
        self._mounts[name] = mount = Mount(name, source, options)
        return mount

    @property
    def draining(self) -> bool:
        """Whether it takes no more runs because it is about to stop."""
        return self._draining

    def is_active(self, run_id: str) -> bool:
        """Whether the run is executed by this process."""
        return run_id in self._active

    async def start(
        self,
        mount: Mount,
        request: RunRequest,
        *,
        owner: str,
        run_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Created:
        """Start a run, or find the one that the same request started before.

        It goes on when the caller leaves. A caller that is cancelled here may have started it.

        Raises:
            NotStarted: The runner is not entered.
            Overloaded: There is no room, or it is about to stop.
            RunIdTaken, IdempotencyConflict, LogUnavailable: As :meth:`~unspool.eventlog.EventLog.create`.
            RunNotFound, InvalidInput, RunConflict: The run that it ``replaces`` cannot be replaced; as there.
        """
        tasks = self._running_tasks()
        if self._draining:
            raise Overloaded("the server is about to stop; try again", retry_after=2.0)
        if len(self._active) >= self._max_runs:
            raise Overloaded(f"{self._max_runs} runs are under way already; try again later", retry_after=2.0)
        new = NewRun(
            id=run_id or new_run_id(),
            owner=owner,
            source=mount.name,
            request=request.encoded(),
            request_hash=request.hash(mount.name),
            worker=self.worker,
            lease=self._lease,
            thread_id=request.thread_id,
            idempotency_key=idempotency_key,
            replaces=request.replaces,
        )
        # It counts as ours from here on, so that the heartbeat does not take it for one that was left behind.
        self._active.setdefault(new.id, None)
        try:
            # A run that is created and not executed would hold its followers until its lease is over.
            with anyio.fail_after(START_SECONDS, shield=True):
                created = await self.log.create(new)
                if created.created:
                    self._launch(
                        tasks, Execution(self.log, created.run, mount.source, request, mount.options, self._history)
                    )
        finally:
            if self._active.get(new.id, self) is None:
                del self._active[new.id]
        return created

    async def cancel(self, run_id: str) -> Run:
        """Ask for the run to stop, wherever it runs. Idempotent while it runs, and once it is cancelled.

        Raises:
            RunNotFound: No such run.
            RunConflict: It has ended in another way.
        """
        run = await self.log.request_cancel(run_id)
        if run.ended and run.status != "cancelled":
            raise RunConflict(f"the run has already ended: it {_ENDED_AS[run.status]}")
        execution = self._active.get(run_id)
        if execution is not None:
            execution.cancel()
        return run

    # -- its own life -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Start the heartbeat, and take up what other processes left."""
        self._loop = current_token()
        self._tasks = tasks = anyio.create_task_group()
        await tasks.__aenter__()
        for loop in (self._keep_leases, self._obey_cancels, self._take_up_lost, self._trim, self._drain_when_told):
            tasks.start_soon(loop)
        tasks.start_soon(lambda: self.followers.abort_slow(after=self._send_timeout))
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop in good order: no new runs, a grace for those that run, then an end for each."""
        tasks = self._running_tasks()
        self._shutdown.set()
        with anyio.move_on_after(self._grace + 15.0, shield=True):
            await self._drained.wait()
        tasks.cancel_scope.cancel()
        self._tasks = None
        await tasks.__aexit__(None, None, None)  # the body's own exception is not ours to wrap

    def begin_shutdown(self) -> None:
        """Take no more runs, and let those that run end within the grace. Safe to call from a signal handler."""
        self._draining = True
        if self._loop is not None:
            self._loop.native_token.call_soon_threadsafe(self._shutdown.set)  # type: ignore[attr-defined]

    def _running_tasks(self) -> TaskGroup:
        if self._tasks is None:
            raise NotStarted
        return self._tasks

    async def _drain_when_told(self) -> None:
        await self._shutdown.wait()
        self._draining = True
        with anyio.move_on_after(self._grace):
            while self._active:
                await self._one_ended()
        for execution in list(self._active.values()):
            if execution is not None:
                execution.stop(Stop.SHUTDOWN)
        with anyio.move_on_after(10.0):
            while self._active:
                await self._one_ended()
        self.followers.close_all()
        self._drained.set()

    async def _one_ended(self) -> None:
        async with anyio.create_task_group() as waiting:

            async def first(execution: Execution | None) -> None:
                await (anyio.sleep(0.05) if execution is None else execution.ended.wait())
                waiting.cancel_scope.cancel()

            for execution in list(self._active.values()):
                waiting.start_soon(first, execution)

    def _launch(self, tasks: TaskGroup, execution: Execution) -> None:
        self._active[execution.run.id] = execution
        tasks.start_soon(self._execute, execution, name=f"run {execution.run.id}")

    async def _execute(self, execution: Execution) -> None:
        run_id = execution.run.id
        try:
            await execution.execute()
        except Exception:
            # One run must not take the others down with it. Its lease runs out, and it is seen to then.
            logger.exception("run %s: could not be brought to its end", run_id)
        finally:
            if self._active.get(run_id) is execution:
                del self._active[run_id]

    # -- leases, cancels, recovery ----------------------------------------------------------------------

    async def _keep_leases(self) -> None:
        while True:
            await anyio.sleep(self._lease / 3)
            try:
                await self._renew()
            except LogUnavailable:
                logger.exception("the heartbeat did not reach the event log")

    async def _renew(self) -> None:
        held = {lease.run_id: lease for lease in await self.log.renew(self.worker, lease=self._lease)}
        for run_id, execution in list(self._active.items()):
            if execution is None:
                continue
            lease = held.get(run_id)
            if lease is None or lease.epoch != execution.run.epoch:
                # It may also have ended just now; then there is nothing left to stop.
                execution.stop(Stop.FENCED)
            elif lease.cancel_requested:
                execution.cancel()
        for run_id in held.keys() - self._active.keys():
            await self.log.release(run_id, epoch=held[run_id].epoch)

    async def _obey_cancels(self) -> None:
        while True:
            try:
                asked = await self.log.cancels(self.worker, timeout=self._lease)
            except LogUnavailable:
                logger.exception("the event log does not say which runs to cancel")
                await anyio.sleep(1.0)
                continue
            told = [e for run_id in asked if (e := self._active.get(run_id)) is not None and not e.stopping]
            for execution in told:
                execution.cancel()
            if asked and not told:
                await anyio.sleep(0.02)  # they are ending; the log names them until they have

    async def _take_up_lost(self) -> None:
        while True:
            try:
                await self._take_up_all()
            except LogUnavailable:
                logger.exception("the event log does not say which runs were left behind")
            await anyio.sleep(self._lease / 4)

    async def _take_up_all(self) -> None:
        if self._draining:
            return
        for run in await self.log.reap(worker=self.worker, lease=self._lease, sources=list(self._mounts)):
            if run.id in self._active:
                continue  # our own, whose heartbeat was late: its next append is fenced, and this one ends it
            self._active[run.id] = None
            self._running_tasks().start_soon(self._take_up, run)

    async def _take_up(self, run: Run) -> None:
        mount = self._mounts[run.source]
        try:
            request = RunRequest.decoded(run.request)
            decision = await decide(self.log, run, mount.source, request, takeovers=mount.options.takeovers)
            if isinstance(decision, Resume):
                logger.warning("run %s: taken up, attempt %d", run.id, decision.attempt)
                execution = Execution(
                    self.log,
                    run,
                    mount.source,
                    request,
                    mount.options,
                    self._history,
                    attempt=decision.attempt,
                    point=decision.point,
                )
                self._launch(self._running_tasks(), execution)
            else:
                logger.warning("run %s: ended as %s, its process stopped", run.id, decision.status)
                await write_end(self.log, run, decision)
        except (UnspoolError, ValueError):
            logger.exception("run %s: could not be taken up; it will be tried again", run.id)
        finally:
            if self._active.get(run.id, run) is None:
                del self._active[run.id]

    async def _trim(self) -> None:
        while True:
            await anyio.sleep(TRIM_SECONDS)
            try:
                await self.log.trim(self._retention)
            except LogUnavailable:
                logger.exception("the event log could not be trimmed")

    # -- orphans ----------------------------------------------------------------------------------------

    def _last_follower_left(self, run_id: str) -> None:
        execution = self._active.get(run_id)
        if execution is None or self._tasks is None or self._draining:
            return
        options = execution.options
        wait = 0.0 if options.on_disconnect == "cancel" else options.orphan_timeout
        if wait is not None:
            self._tasks.start_soon(self._cancel_orphan, run_id, wait)

    async def _cancel_orphan(self, run_id: str, wait: float) -> None:
        """Cancel the run unless somebody follows it again, here or through another process."""
        while True:
            await anyio.sleep(wait)
            if self.followers.count(run_id) or run_id not in self._active:
                return
            try:
                watched = (await self.log.get(run_id)).watched_until - time.time()
                if watched <= 0:
                    logger.info("run %s: nobody follows it any more; cancelled", run_id)
                    await self.cancel(run_id)
                    return
            except (UnspoolError, InvalidInput):
                logger.exception("run %s: could not be cancelled, though nobody follows it", run_id)
                return
            wait = watched


_ENDED_AS = {"completed": "completed", "failed": "failed", "interrupted": "was interrupted"}
