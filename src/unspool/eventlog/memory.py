"""The event log of tests and of apps with a single process: everything in memory, gone with the process."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from itertools import islice
from types import TracebackType
from typing import Self

import anyio
import msgspec
from typing_extensions import override

from unspool.errors import (
    IdempotencyConflict,
    RunIdTaken,
    RunNotFound,
    ThreadNotFound,
)
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
from unspool.eventlog.packing import (
    check_all_ended,
    check_cursor,
    check_replaced,
    outcome_of,
    status_after,
    up_to_bytes,
)
from unspool.events import Record


class _Stored:
    """A run, its records, what its source keeps, and the feedback on it by key."""

    __slots__ = ("bytes", "feedback", "kept", "records", "run")

    def __init__(self, run: Run) -> None:
        self.run = run
        self.records: list[Record] = []
        self.bytes = 0
        self.kept: bytes | None = None
        self.feedback: dict[str, Feedback] = {}


class MemoryLog(EventLog):
    """An event log in memory, for tests and for apps with a single process.

    Runs that have ended are trimmed by ``retention`` at every hundredth new one, so that a long-lived app does
    not grow for ever.

    Args:
        retention: What to keep of runs that have ended. Default: the newest 1,000 of the last day.
        clock: Seconds since the Unix epoch.
    """

    def __init__(self, *, retention: Retention | None = None, clock: Callable[[], float] = time.time) -> None:
        self._retention = retention or Retention(max_age=86400.0, max_runs=1000, forget_after=86400.0)
        self._clock = clock
        self._runs: dict[str, _Stored] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._trim_at = 100
        self._waiters = Waiters()
        self._cancels = Waiters()
        self._stack = AsyncExitStack()

    @override
    async def __aenter__(self) -> Self:
        tasks = await self._stack.enter_async_context(anyio.create_task_group())
        self._stack.callback(tasks.cancel_scope.cancel)
        tasks.start_soon(self._waiters.run_clock)
        tasks.start_soon(self._cancels.run_clock)
        return self

    @override
    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._waiters.wake_all()
        self._cancels.wake_all()
        await self._stack.__aexit__(None, None, None)  # the body's own exception is not ours to wrap

    @override
    async def create(self, new: NewRun) -> Created:
        key = None if new.idempotency_key is None else (new.owner, new.idempotency_key)
        if new.id in self._runs:
            run = self._runs[new.id].run
            if run.owner != new.owner or run.request_hash != new.request_hash:
                raise RunIdTaken(new.id)
            return Created(run, created=False)
        if key is not None and key in self._keys:
            run = self._runs[self._keys[key]].run
            if run.request_hash != new.request_hash:
                raise IdempotencyConflict(key[1])
            return Created(run, created=False)
        replaced = self._to_replace(new)
        if len(self._runs) >= self._trim_at:
            await self.trim(self._retention)
            self._trim_at = len(self._runs) + 100
        now = self._clock()
        run = Run(
            id=new.id,
            owner=new.owner,
            source=new.source,
            status="queued" if new.worker is None else "running",
            request=new.request,
            request_hash=new.request_hash,
            epoch=1,
            worker=new.worker,
            lease_until=now + new.lease if new.worker is not None else 0.0,
            first_seq=1,
            last_seq=0,
            cancel_requested=False,
            created_at=now,
            thread_id=new.thread_id,
            idempotency_key=new.idempotency_key,
            replaces=new.replaces,
        )
        for stored in replaced:
            stored.run = msgspec.structs.replace(stored.run, replaced_by=run.id)
        self._runs[run.id] = _Stored(run)
        if key is not None:
            self._keys[key] = run.id
        return Created(run, created=True)

    def _to_replace(self, new: NewRun) -> Sequence[_Stored]:
        if new.replaces is None:
            return []
        known = self._runs.get(new.replaces)
        first = check_replaced(new, new.replaces, None if known is None else known.run)
        runs = [run for run in self._owned(new.owner, new.source) if run.thread_id == new.thread_id]
        replaced = [run for run in runs if _place(run) >= _place(first)]
        check_all_ended(run.ended for run in replaced)
        return [self._runs[run.id] for run in replaced]

    @override
    async def append(self, run_id: str, *, epoch: int, first_seq: int, events: Sequence[bytes]) -> Appended:
        if not events:
            raise ValueError("an append needs at least one event")
        stored = self._stored(run_id)
        run = stored.run
        outcome = outcome_of(
            run.epoch, run.last_seq, ended=run.ended, epoch=epoch, first_seq=first_seq, count=len(events)
        )
        if outcome != "ok":
            return Appended(outcome, run.last_seq, run.cancel_requested)
        now = self._clock()
        stored.records.extend([Record(seq, now, data) for seq, data in enumerate(events, first_seq)])
        stored.bytes += sum(map(len, events))
        status = status_after(events[-1])
        last_seq = run.last_seq + len(events)
        if status is None:
            stored.run = run = msgspec.structs.replace(run, last_seq=last_seq)
        else:
            stored.run = run = msgspec.structs.replace(run, last_seq=last_seq, status=status, ended_at=now, worker=None)
        self._waiters.wake(run_id)
        return Appended("ok", last_seq, run.cancel_requested)

    @override
    async def read(self, run_id: str, *, after: int, limit: int = READ_LIMIT) -> Sequence[Record]:
        stored = self._stored(run_id)
        run = stored.run
        check_cursor(after, run)
        start = after + 1 - run.first_seq
        return up_to_bytes(stored.records[start : start + limit])

    @override
    async def wait(self, run_id: str, *, after: int, timeout: float) -> None:
        run = self._stored(run_id).run
        if run.last_seq <= after and not run.ended:
            await self._waiters.wait(run_id, timeout)

    @override
    async def get(self, run_id: str) -> Run:
        return self._stored(run_id).run

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
        runs = self._owned(owner, source)
        if before is not None:
            if before not in {run.id for run in runs}:
                raise RunNotFound(before)
            runs = runs[[run.id for run in runs].index(before) + 1 :]
        return list(islice((run for run in runs if thread_id is None or run.thread_id == thread_id), limit))

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
        by_id: dict[str, list[Run]] = {}
        for run in self._owned(owner, source):
            if run.thread_id is not None and thread_id in {None, run.thread_id}:
                by_id.setdefault(run.thread_id, []).append(run)
        threads = [_thread(found, runs) for found, runs in by_id.items()]
        if before is not None:
            if before not in by_id:
                raise ThreadNotFound(before)
            threads = threads[list(by_id).index(before) + 1 :]
        return threads[:limit]

    @override
    async def replaced(self, owner: str, *, source: str, thread_id: str) -> Sequence[str]:
        runs = self._owned(owner, source)
        return [run.id for run in runs if run.thread_id == thread_id and run.replaced_by is not None]

    @override
    async def keep(self, run_id: str, *, epoch: int, kept: bytes) -> bool:
        stored = self._stored(run_id)
        if stored.run.epoch != epoch or stored.run.ended:
            return False
        stored.kept = kept
        return True

    @override
    async def kept(self, run_id: str) -> bytes | None:
        return self._stored(run_id).kept

    @override
    async def put_feedback(self, run_id: str, feedback: Feedback) -> Feedback:
        stored = self._stored(run_id)
        feedback = msgspec.structs.replace(feedback, at=self._clock())
        stored.feedback[feedback.key] = feedback
        return feedback

    @override
    async def feedback(self, run_id: str) -> Sequence[Feedback]:
        given = self._stored(run_id).feedback
        return [given[key] for key in sorted(given)]

    @override
    async def request_cancel(self, run_id: str) -> Run:
        stored = self._stored(run_id)
        if not stored.run.ended and not stored.run.cancel_requested:
            stored.run = msgspec.structs.replace(stored.run, cancel_requested=True)
            if stored.run.worker is not None:
                self._cancels.wake(stored.run.worker)
        return stored.run

    @override
    async def cancels(self, worker: str, *, timeout: float) -> Sequence[str]:
        asked = self._asked(worker)
        if not asked:
            await self._cancels.wait(worker, timeout)
            asked = self._asked(worker)
        return asked

    def _asked(self, worker: str) -> Sequence[str]:
        runs = (stored.run for stored in self._runs.values())
        return [run.id for run in runs if run.worker == worker and run.cancel_requested and not run.ended]

    @override
    async def claim(self, run_id: str, *, worker: str, lease: float) -> Run | None:
        stored = self._stored(run_id)
        run, now = stored.run, self._clock()
        if run.ended or run.lease_until > now:
            return None
        stored.run = msgspec.structs.replace(
            run, status="running", epoch=run.epoch + 1, worker=worker, lease_until=now + lease
        )
        return stored.run

    @override
    async def reap(
        self, *, worker: str, lease: float, sources: Sequence[str] | None = None, limit: int = 100
    ) -> Sequence[Run]:
        now = self._clock()
        lost = [
            stored.run.id
            for stored in self._runs.values()
            if not stored.run.ended
            and stored.run.lease_until <= now
            and (sources is None or stored.run.source in sources)
        ]
        claimed = [await self.claim(run_id, worker=worker, lease=lease) for run_id in lost[:limit]]
        return [run for run in claimed if run is not None]

    @override
    async def renew(self, worker: str, *, lease: float) -> Sequence[Lease]:
        until = self._clock() + lease
        held: list[Lease] = []
        for stored in self._runs.values():
            run = stored.run
            if run.worker == worker and not run.ended:
                stored.run = msgspec.structs.replace(run, lease_until=until)
                held.append(Lease(run.id, run.epoch, run.cancel_requested, run.watched_until))
        return held

    @override
    async def release(self, run_id: str, *, epoch: int) -> None:
        stored = self._stored(run_id)
        if stored.run.epoch == epoch and not stored.run.ended:
            stored.run = msgspec.structs.replace(stored.run, worker=None, lease_until=0.0)

    @override
    async def watch(self, run_id: str, *, seconds: float) -> None:
        stored = self._stored(run_id)
        until = max(stored.run.watched_until, self._clock() + seconds)
        stored.run = msgspec.structs.replace(stored.run, watched_until=until)

    @override
    async def trim(self, retention: Retention) -> int:
        now = self._clock()
        ended = [stored for stored in self._runs.values() if stored.run.ended_at is not None]
        ended.sort(key=lambda stored: stored.run.ended_at or 0.0)
        full = [stored for stored in ended if stored.records]
        old = bisect_left(full, now - retention.max_age, key=lambda stored: stored.run.ended_at or 0.0)
        if retention.max_runs is not None:
            old = max(old, len(full) - retention.max_runs)
        if retention.max_bytes is not None:
            left = sum(stored.bytes for stored in full[old:])
            while left > retention.max_bytes:
                left -= full[old].bytes
                old += 1
        for stored in full[:old]:
            stored.records = []
            stored.kept = None
            stored.bytes = 0
            stored.run = msgspec.structs.replace(stored.run, first_seq=stored.run.last_seq + 1)
        for stored in ended:
            if (stored.run.ended_at or 0.0) < now - retention.forget_after and not stored.records:
                self._forget(stored.run)
        return old

    def _forget(self, run: Run) -> None:
        del self._runs[run.id]
        if run.idempotency_key is not None:
            self._keys.pop((run.owner, run.idempotency_key), None)

    def _stored(self, run_id: str) -> _Stored:
        stored = self._runs.get(run_id)
        if stored is None:
            raise RunNotFound(run_id)
        return stored

    def _owned(self, owner: str, source: str | None) -> Sequence[Run]:
        runs = [
            stored.run
            for stored in self._runs.values()
            if stored.run.owner == owner and (source is None or stored.run.source == source)
        ]
        return sorted(runs, key=_place, reverse=True)


def _place(run: Run) -> tuple[float, str]:
    """Where a run stands among those of its owner."""
    return run.created_at, run.id


def _thread(thread_id: str, runs: Sequence[Run]) -> Thread:
    """The conversation that these runs are, newest first."""
    first = next((run for run in reversed(runs) if run.replaced_by is None), runs[0])
    return Thread(
        id=thread_id,
        runs=len(runs),
        created_at=runs[-1].created_at,
        updated_at=runs[0].created_at,
        last_run_id=runs[0].id,
        last_status=runs[0].status,
        first_run_id=first.id,
        first_request=first.request,
    )
