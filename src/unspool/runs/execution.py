"""One run, executed by this process: its source pumped into the log until it ends, one way or another."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import cast

import anyio
import msgspec
import stamina

from unspool.closing import opened
from unspool.errors import Failure, InvalidInput, SourceTimeout, TimeoutKind, TooLarge, classify
from unspool.eventlog import EventLog, Run
from unspool.events import (
    MAX_EVENT_BYTES,
    AnyEvent,
    Data,
    End,
    EndStatus,
    Error,
    Interrupt,
    MessageStart,
    Metrics,
    Reasoning,
    Retry,
    Start,
    State,
    StepEnd,
    StepStart,
    Token,
    encode,
    plain,
)
from unspool.runs.endings import Stop, error_event, lost
from unspool.runs.history import History
from unspool.runs.options import RunOptions
from unspool.runs.reading import read_all
from unspool.runs.request import RunRequest
from unspool.runs.writer import Writer, WriteStopped
from unspool.sources import Call, Item, Keep, Output, ResumePoint, Rewind, Source

logger = logging.getLogger("unspool")

LAST_WRITE_SECONDS = 10.0
"""How long the last events of a run may take to reach the log when the process is about to stop."""


class Execution:
    """Runs one source once, as the owner of one run. Made and owned by the :class:`~unspool.runs.Runner`.

    Args:
        log: Where the run lives.
        run: As it was created or claimed: its epoch and last_seq are what we write with.
        source: What answers.
        request: What was asked.
        options: Limits and policies.
        history: Of the threads.
        attempt: 1, or more when the run was taken over.
        point: Where to go on, when it was taken over.
    """

    def __init__(
        self,
        log: EventLog,
        run: Run,
        source: Source,
        request: RunRequest,
        options: RunOptions,
        history: History,
        *,
        attempt: int = 1,
        point: ResumePoint | None = None,
    ) -> None:
        self.run = run
        self.options = options
        self.ended = anyio.Event()
        self._log = log
        self._source = source
        self._request = request
        self._history = history
        self._attempt = attempt
        self._point = point
        self._replaced: Sequence[str] = ()
        self._stop: Stop | None = None
        self._timeout: SourceTimeout | None = None
        self._scope = anyio.CancelScope()
        self._writer = Writer(
            log, run.id, epoch=run.epoch, last_seq=run.last_seq, on_cancel=self.cancel, on_stop=self._log_stopped
        )
        self._kept = 1
        self._reason = "lost"
        self._output: object = None
        self._interrupts: list[int] = []  # the seqs of such events: what is rewound takes them back
        self._errors: list[int] = []
        self._produced = False
        self._tokens = 0
        self._began = self._last = time.monotonic()
        self._first_token: float | None = None
        self._last_token = 0.0

    @property
    def stopping(self) -> bool:
        """Whether the source was told to stop."""
        return self._stop is not None

    def cancel(self) -> None:
        """Stop the source at once; the run ends as ``cancelled`` and keeps what it produced."""
        self.stop(Stop.CANCELLED)

    def stop(self, why: Stop) -> None:
        """Stop the source at once. The first reason counts, but losing the run to another owner beats all."""
        if self._stop is None or why is Stop.FENCED:
            self._stop = why
        self._scope.cancel()

    def _log_stopped(self, stopped: WriteStopped) -> None:
        self.stop(Stop.LOG_LOST if stopped.reason == "gap" else Stop.FENCED)

    async def execute(self) -> None:
        """Run it to its end. What a source raises ends in the log, and is not raised.

        Cancelling this task leaves the run without an end; its lease runs out, and another process sees to it.
        """
        try:
            async with self._writer.running():
                failure = await self._run_source()
                with anyio.move_on_after(LAST_WRITE_SECONDS):
                    await self._write_end(failure)
        finally:
            self.ended.set()

    async def _run_source(self) -> Failure | None:
        failure: Failure | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_time)
            with self._scope:
                failure = await self._attempts()
            tasks.cancel_scope.cancel()
        return failure

    async def _attempts(self) -> Failure | None:
        """Pump the source, again where that may help. Return why it failed, if it did."""
        options = self.options
        self._begin()
        try:
            if self.run.thread_id is not None:
                self._replaced = await self._log.replaced(
                    self.run.owner, source=self.run.source, thread_id=self.run.thread_id
                )
            async for attempt in stamina.retry_context(
                on=self._backoff,
                attempts=options.retries + 1,
                timeout=None,
                wait_initial=options.retry_wait,
                wait_max=options.retry_wait_max,
                wait_jitter=options.retry_wait,
            ):
                with attempt:
                    if attempt.num > 1:
                        self._attempt += 1
                        self._retry(keep_seq=self._kept)
                    await self._pump(self._call())
        except WriteStopped:
            return None
        except Exception as exc:  # noqa: BLE001 - whatever a source raises becomes an event, and a log entry
            return self._failure(exc)
        return None

    def _begin(self) -> None:
        run, point = self.run, self._point
        if run.last_seq == 0:
            self._put(
                Start(
                    run_id=run.id,
                    source=run.source,
                    created_at=run.created_at,
                    attempt=self._attempt,
                    thread_id=run.thread_id,
                    input=self._request.input,
                    resumes=self._request.resumes,
                    replaces=self._request.replaces,
                )
            )
        else:
            self._kept = point.keep_seq if point is not None else 1
            self._retry(keep_seq=self._kept)

    def _retry(self, *, keep_seq: int) -> None:
        self._put(Retry(attempt=self._attempt, reason=self._reason, keep_seq=keep_seq))
        self._last = time.monotonic()

    def _call(self) -> Call:
        position = None if self._point is None else self._point.position
        call = self._request.call(self.run, attempt=self._attempt, position=position, replaced=self._replaced)
        return msgspec.structs.replace(
            call,
            load_history=partial(self._history.before, self.run),
            ask_elsewhere=lambda: self._stop in {Stop.FENCED, Stop.SHUTDOWN},
        )

    def _backoff(self, exc: Exception) -> bool | float:
        """Decide whether a failed attempt is followed by another, and after how many seconds."""
        if self._produced or isinstance(exc, WriteStopped):
            return False
        failure = classify(exc)
        self._reason = failure.code
        if not failure.retryable:
            return False
        logger.warning("run %s: attempt %d failed (%s)", self.run.id, self._attempt, failure.code, exc_info=exc)
        if failure.retry_after is None:
            return True
        return failure.retry_after if failure.retry_after <= self.options.retry_wait_max else False

    async def _pump(self, call: Call) -> None:
        writer = self._writer
        first = writer.last_seq
        async with opened(self._source.stream(call)) as events:
            async for event in events:
                if type(event) is Keep:
                    await self._keep(event)
                elif type(event) is Rewind:
                    self._rewind(event, first)
                else:
                    self._take(event)
                if writer.full:
                    await writer.room()
                    self._last = time.monotonic()  # the time that the log took is not the source's

    def _rewind(self, rewind: Rewind, first: int) -> None:
        keep_seq = first + rewind.keep if rewind.keep > 0 else max(1, self._kept + rewind.keep)
        if keep_seq > self._writer.last_seq:
            raise InvalidInput("a source cannot keep more events than it yielded")
        self._interrupts = [seq for seq in self._interrupts if seq <= keep_seq]
        self._errors = [seq for seq in self._errors if seq <= keep_seq]
        self._attempt += 1
        self._put(Retry(attempt=self._attempt, reason=rewind.reason, keep_seq=keep_seq))
        self._last = time.monotonic()

    async def _keep(self, keep: Keep) -> None:
        data = msgspec.json.encode(plain(keep.value))
        if len(data) > MAX_EVENT_BYTES:
            raise TooLarge("what a source wants to keep", limit=MAX_EVENT_BYTES)
        if not await self._log.keep(self.run.id, epoch=self.run.epoch, kept=data):
            raise WriteStopped("fenced")

    def _take(self, event: Item) -> None:
        """Look at what the source yielded, and queue it. On the path of every token."""
        kind = type(event)
        self._last = now = time.monotonic()
        if kind is Token or kind is Reasoning:
            self._tokens += 1
            self._last_token = now
            if self._first_token is None:
                self._first_token = now
            self._produced = True
        elif kind is Output:
            self._output = cast("Output", event).value
            return
        else:
            self._look_at(cast("AnyEvent", event))
        self._writer.put(cast("AnyEvent", event))

    def _look_at(self, event: AnyEvent) -> None:
        if isinstance(event, Start | Retry | End):
            raise InvalidInput(
                f"a source must not yield a {type(event).__name__.lower()!r} event; it belongs to the run"
            )
        if isinstance(event, Interrupt):
            self._interrupts.append(self._writer.last_seq + 1)
        elif isinstance(event, Error):
            self._errors.append(self._writer.last_seq + 1)
        if not isinstance(event, MessageStart | StepStart | StepEnd | State) and not (
            isinstance(event, Data) and event.transient
        ):
            self._produced = True

    def _put(self, event: AnyEvent) -> None:
        self._writer.put(event)

    async def _watch_time(self) -> None:
        """Stop the source when a time limit is reached. One timer per run, not one per event."""
        options = self.options
        limits = (options.first_token_timeout, options.idle_timeout, options.total_timeout)
        shortest = min((limit for limit in limits if limit is not None), default=None)
        while shortest is not None:
            late = self._over_limit()
            if late is not None:
                self._timeout = late
                self.stop(Stop.TIMEOUT)
                return
            await anyio.sleep(min(shortest, self._remaining()))

    def _limits(self) -> list[tuple[TimeoutKind, float, float | None]]:
        """Each limit that applies now: its name, since when, and how long."""
        options = self.options
        waiting: tuple[TimeoutKind, float | None] = (
            ("idle", options.idle_timeout) if self._produced else ("first_token", options.first_token_timeout)
        )
        return [("total", self._began, options.total_timeout), (waiting[0], self._last, waiting[1])]

    def _over_limit(self) -> SourceTimeout | None:
        now = time.monotonic()
        for which, since, seconds in self._limits():
            if seconds is not None and now >= since + seconds:
                return SourceTimeout(which, seconds)
        return None

    def _remaining(self) -> float:
        now = time.monotonic()
        return max(0.0, min((since + s - now for _, since, s in self._limits() if s is not None), default=1.0))

    def _failure(self, exc: Exception) -> Failure:
        failure = classify(exc)
        if failure.error_id is not None:
            logger.error("run %s failed; error id %s", self.run.id, failure.error_id, exc_info=exc)
        else:
            logger.warning("run %s failed: %s", self.run.id, failure.code, exc_info=exc)
        return failure

    async def _write_end(self, failure: Failure | None) -> None:
        """Write how it ended."""
        if self._stop is Stop.FENCED:
            logger.warning("run %s: this process may not write it any more; stopped", self.run.id)
        elif self._stop is Stop.LOG_LOST:
            await self._write_log_lost()
        elif not (self._stop is Stop.SHUTDOWN and await self._handed_over()):
            for event in self._last_events(failure):
                self._put(event)
            try:
                await self._writer.flushed()
            except WriteStopped as stopped:
                if stopped.reason == "gap":
                    await self._write_log_lost()
                else:
                    logger.warning("run %s: its end could not be written (%s)", self.run.id, stopped.reason)

    async def _write_log_lost(self) -> None:
        """End a run whose log forgot committed records, after what is left of it. The hole is never papered over."""
        failure = Failure(code="log_lost", message="The event log lost a part of this run.", retryable=True)
        run = await self._log.get(self.run.id)
        events = [encode(error_event(failure)), encode(End(status="failed", metrics=self._metrics()))]
        appended = await self._log.append(run.id, epoch=self.run.epoch, first_seq=run.last_seq + 1, events=events)
        logger.error("run %s: the log lost records after seq %d (%s)", run.id, run.last_seq, appended.outcome)

    def _last_events(self, failure: Failure | None) -> Sequence[AnyEvent]:
        status: EndStatus
        if self._stop is Stop.CANCELLED:
            return [End(status="cancelled", metrics=self._metrics())]
        if self._stop is Stop.TIMEOUT and self._timeout is not None:
            failure = classify(self._timeout)
        elif self._stop is Stop.SHUTDOWN:
            failure = lost("The server was stopped before the run was done.")
        if failure is not None:
            return [error_event(failure), End(status="failed", metrics=self._metrics())]
        status = "failed" if self._errors else "interrupted" if self._interrupts else "completed"
        return [End(status=status, output=self._output, metrics=self._metrics())]

    async def _handed_over(self) -> bool:
        """Let another process go on with the run, if its source can. The log then waits for that process."""
        try:
            await self._writer.flushed()
            records = await read_all(self._log, self.run.id)
            point = await self._source.resume_point(self._call(), records)
            if point is None:
                return False
            await self._log.release(self.run.id, epoch=self.run.epoch)
        except Exception:
            logger.exception("run %s could not be handed over", self.run.id)
            return False
        logger.info("run %s was handed over at seq %d", self.run.id, point.keep_seq)
        return True

    def _metrics(self) -> Metrics:
        first, last = self._first_token, self._last_token
        spread = 0.0 if first is None else last - first
        return Metrics(
            tokens=self._tokens,
            elapsed_ms=round((time.monotonic() - self._began) * 1000, 1),
            ttft_ms=None if first is None else round((first - self._began) * 1000, 1),
            tokens_per_second=round((self._tokens - 1) / spread, 1) if spread > 0 else None,
        )
