"""The kit for event logs: every sentence of the contract, as a check that a log passes or does not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import count

import anyio
import anyio.lowlevel

from unspool.errors import (
    CursorExpired,
    CursorUnknown,
    IdempotencyConflict,
    RunIdTaken,
    RunNotFound,
    ThreadNotFound,
    UnspoolError,
)
from unspool.eventlog import READ_BYTES, EventLog, NewRun, Retention, Run, tail
from unspool.events import End, Record, Start, Token, encode

Make = Callable[[], AbstractAsyncContextManager[EventLog]]
Check = Callable[[EventLog], Awaitable[None]]

SECONDS = 20.0
"""How long one check may take."""

_ids = count(1)
_START = encode(Start("r", "s", 0.0))
_END = encode(End("completed"))


def _token(text: str) -> bytes:
    return encode(Token("m", text))


def _new(
    *,
    run_id: str | None = None,
    owner: str = "ann",
    source: str = "agent",
    worker: str | None = "w1",
    lease: float = 60.0,
    thread_id: str | None = None,
    key: str | None = None,
    request_hash: str = "h",
) -> NewRun:
    return NewRun(
        id=run_id or f"run-{next(_ids)}",
        owner=owner,
        source=source,
        request=b'{"input":1}',
        request_hash=request_hash,
        worker=worker,
        lease=lease,
        thread_id=thread_id,
        idempotency_key=key,
    )


async def _run(log: EventLog, *texts: str, ended: bool = False, new: NewRun | None = None) -> Run:
    run = (await log.create(new or _new())).run
    events = [_token(text) for text in texts] + ([_END] if ended else [])
    if events:
        appended = await log.append(run.id, epoch=1, first_seq=1, events=events)
        assert appended.outcome == "ok", appended
    return await log.get(run.id)


async def _raises(error: type[UnspoolError], awaitable: Awaitable[object]) -> None:
    try:
        result = await awaitable
    except error:
        return
    raise AssertionError(f"{error.__name__} was not raised; the result was {result!r}")


async def _all(log: EventLog, run_id: str, after: int = 0) -> list[Record]:
    records: list[Record] = []
    while batch := await log.read(run_id, after=after + len(records)):
        records.extend(batch)
    return records


async def a_new_run_is_running_or_queued(log: EventLog) -> None:
    """A run with a worker is running, one without is queued; both have epoch 1 and no records."""
    running = (await log.create(_new(thread_id="t"))).run
    queued = (await log.create(_new(worker=None))).run
    assert (running.status, running.epoch, running.first_seq, running.last_seq) == ("running", 1, 1, 0)
    assert (running.thread_id, running.worker, running.request) == ("t", "w1", b'{"input":1}')
    assert (queued.status, queued.worker, queued.ended) == ("queued", None, False)
    assert await log.get(running.id) == running


async def creating_is_idempotent_on_the_run_id(log: EventLog) -> None:
    """The same id with the same owner and hash is the same run; with another it is taken."""
    new = _new()
    first = await log.create(new)
    again = await log.create(new)
    assert (first.created, again.created, again.run.id) == (True, False, new.id)
    await _raises(RunIdTaken, log.create(_new(run_id=new.id, request_hash="other")))
    await _raises(RunIdTaken, log.create(_new(run_id=new.id, owner="bob")))


async def creating_is_idempotent_on_the_key(log: EventLog) -> None:
    """The same key of the same owner finds the run, of any number that create it at once; owners share no keys."""
    created: list[str] = []
    fresh: list[bool] = []

    async def create() -> None:
        result = await log.create(_new(key="k"))
        created.append(result.run.id)
        fresh.append(result.created)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(create)
    assert len(set(created)) == 1, created
    assert fresh.count(True) == 1
    await _raises(IdempotencyConflict, log.create(_new(key="k", request_hash="other")))
    assert (await log.create(_new(key="k", owner="bob"))).created


async def records_come_back_in_order_from_any_seq(log: EventLog) -> None:
    """What was appended, in however many appends, is read without gaps from behind any seq."""
    run = await _run(log, "a", "b", "c")
    await log.append(run.id, epoch=1, first_seq=4, events=[_token("d")])
    await log.append(run.id, epoch=1, first_seq=5, events=[_token("e"), _END])
    expected = [_token(text) for text in "abcde"] + [_END]
    for after in range(7):
        records = await log.read(run.id, after=after)
        assert [record.data for record in records] == expected[after:]
        assert [record.seq for record in records] == list(range(after + 1, 7))
    assert [record.seq for record in await log.read(run.id, after=1, limit=2)] == [2, 3]


async def hostile_and_large_events_survive(log: EventLog) -> None:
    """Line separators of all kinds, NUL and a megabyte come back byte for byte."""
    texts = ["\n", "\r\n", "\u2028\u2029\u0085", "\x00", "data: x\n\n", "[DONE]", "é€😀", "x" * 1_000_000]
    run = await _run(log, *texts)
    assert [record.data for record in await _all(log, run.id)] == [_token(text) for text in texts]


async def an_append_has_one_of_five_outcomes(log: EventLog) -> None:
    """Fenced before dup before closed before gap; none but ok writes anything."""
    run = await _run(log, "a", "b")

    async def outcome(epoch: int, first_seq: int, *events: bytes) -> str:
        return (await log.append(run.id, epoch=epoch, first_seq=first_seq, events=events)).outcome

    assert await outcome(1, 4, _token("x")) == "gap"
    assert await outcome(2, 3, _token("x")) == "fenced"
    assert await outcome(0, 1, _token("a")) == "fenced"
    assert await outcome(1, 1, _token("a"), _token("b")) == "dup"
    assert await outcome(1, 2, _token("b")) == "dup"
    assert await outcome(1, 2, _token("b"), _token("x")) == "gap"
    assert await outcome(1, 3, _END) == "ok"
    assert await outcome(1, 3, _END) == "dup"
    assert await outcome(1, 4, _token("x")) == "closed"
    assert [record.data for record in await _all(log, run.id)] == [_token("a"), _token("b"), _END]
    await _raises(RunNotFound, log.append("no-such-run", epoch=1, first_seq=1, events=[_END]))
    try:
        await log.append(run.id, epoch=1, first_seq=4, events=[])
    except ValueError:
        return
    raise AssertionError("an empty append was not refused")


async def an_end_closes_the_run_with_its_status(log: EventLog) -> None:
    """The status of the ``end`` event is the run's, from the same append on."""
    for status in ("completed", "failed", "cancelled", "interrupted"):
        run = await _run(log, "a")
        await log.append(run.id, epoch=1, first_seq=2, events=[_token("b"), encode(End(status))])
        ended = await log.get(run.id)
        assert (ended.status, ended.ended, ended.last_seq) == (status, True, 3)
        assert ended.ended_at is not None
        assert ended.ended_at >= run.created_at


async def a_cursor_that_was_never_issued_is_refused(log: EventLog) -> None:
    """Negative, and past the end; the end itself is fine."""
    run = await _run(log, "a", "b")
    assert list(await log.read(run.id, after=2)) == []
    await _raises(CursorUnknown, log.read(run.id, after=3))
    await _raises(CursorUnknown, log.read(run.id, after=-1))
    await _raises(RunNotFound, log.read("no-such-run", after=0))
    await _raises(RunNotFound, log.get("no-such-run"))


async def a_read_is_bounded_in_bytes(log: EventLog) -> None:
    """It stops at the record that takes it over the limit, and returns one at least."""
    run = await _run(log, *("x" * (READ_BYTES // 2) for _ in range(5)))
    first = await log.read(run.id, after=0)
    assert 1 <= len(first) < 5
    assert len(await _all(log, run.id)) == 5


async def waiting_ends_with_the_next_record(log: EventLog) -> None:
    """Also where the record came before the wait began; and when the run ends."""
    run = await _run(log, "a")
    await log.wait(run.id, after=0, timeout=60)
    for seq in range(2, 30):
        woken = anyio.Event()

        async def wait(after: int, woken: anyio.Event) -> None:
            while not await log.read(run.id, after=after):
                await log.wait(run.id, after=after, timeout=60)
            woken.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, seq - 1, woken)
            await anyio.lowlevel.checkpoint()
            await log.append(run.id, epoch=1, first_seq=seq, events=[_token("b")])
            await woken.wait()


async def waiting_ends_at_the_time_out(log: EventLog) -> None:
    """It returns without a record, within about a second more."""
    run = await _run(log, "a")
    await log.wait(run.id, after=1, timeout=0.01)


async def every_follower_gets_everything_once(log: EventLog) -> None:
    """Any number of them, from any seq, while the run grows and after it has ended."""
    run = await _run(log)
    got: dict[int, list[bytes]] = {after: [] for after in range(12)}

    async def follow(after: int) -> None:
        while after > (await log.get(run.id)).last_seq:
            await log.wait(run.id, after=0, timeout=60)
            await anyio.lowlevel.checkpoint()
        async for batch in tail(log, run.id, after=after):
            got[after].extend(record.data for record in batch)

    sent = [_token(str(n)) for n in range(40)] + [_END]
    async with anyio.create_task_group() as tasks:
        for after in got:
            tasks.start_soon(follow, after)
        for seq, data in enumerate(sent, 1):
            await log.append(run.id, epoch=1, first_seq=seq, events=[data])
            await anyio.lowlevel.checkpoint()
    for after, received in got.items():
        assert received == sent[after:], after
    late = [record.data async for batch in tail(log, run.id, after=5) for record in batch]
    assert late == sent[5:]
    assert [batch async for batch in tail(log, run.id, after=41)] == []


async def a_lease_that_is_over_can_be_claimed(log: EventLog) -> None:
    """With epoch + 1 and the right last_seq; a live one cannot, and neither can an ended run."""
    live = await _run(log, "a")
    assert await log.claim(live.id, worker="w2", lease=60) is None
    lost = await _run(log, "a", "b", new=_new(lease=0.0))
    claimed = await log.claim(lost.id, worker="w2", lease=60)
    assert claimed is not None
    assert (claimed.epoch, claimed.worker, claimed.last_seq, claimed.status) == (2, "w2", 2, "running")
    assert await log.claim(lost.id, worker="w3", lease=60) is None
    ended = await _run(log, "a", ended=True, new=_new(lease=0.0))
    assert await log.claim(ended.id, worker="w2", lease=60) is None
    queued = await _run(log, new=_new(worker=None))
    taken = await log.claim(queued.id, worker="w2", lease=60)
    assert taken is not None
    assert taken.status == "running"
    await _raises(RunNotFound, log.claim("no-such-run", worker="w2", lease=60))


async def a_zombie_cannot_write(log: EventLog) -> None:
    """Once a run was claimed, the owner before it is fenced, and the new one goes on without a gap."""
    run = await _run(log, "a", new=_new(lease=0.0))
    claimed = await log.claim(run.id, worker="w2", lease=60)
    assert claimed is not None
    zombie = await log.append(run.id, epoch=1, first_seq=2, events=[_token("zombie")])
    heir = await log.append(run.id, epoch=2, first_seq=2, events=[_token("heir"), _END])
    assert (zombie.outcome, heir.outcome) == ("fenced", "ok")
    assert [record.data for record in await _all(log, run.id)] == [_token("a"), _token("heir"), _END]


async def reaping_claims_what_was_left_behind(log: EventLog) -> None:
    """Every run whose lease is over, of the wanted sources, once, and no other."""
    lost = await _run(log, "a", new=_new(lease=0.0, source="mine"))
    other = await _run(log, "a", new=_new(lease=0.0, source="other"))
    await _run(log, "a", new=_new(source="mine"))
    reaped = await log.reap(worker="w2", lease=60, sources=["mine"])
    assert [(run.id, run.epoch, run.worker) for run in reaped] == [(lost.id, 2, "w2")]
    assert list(await log.reap(worker="w3", lease=60, sources=["mine"])) == []
    assert [run.id for run in await log.reap(worker="w3", lease=60)] == [other.id]


async def renewing_extends_every_lease_of_a_worker(log: EventLog) -> None:
    """And names the runs; those that ended, or were taken over, are not among them."""
    run = await _run(log, "a", new=_new(lease=0.0))
    await _run(log, "a", ended=True, new=_new(lease=0.0))
    held = await log.renew("w1", lease=60)
    assert [(lease.run_id, lease.epoch, lease.cancel_requested) for lease in held] == [(run.id, 1, False)]
    assert await log.claim(run.id, worker="w2", lease=60) is None
    await log.release(run.id, epoch=1)
    assert await log.claim(run.id, worker="w2", lease=60) is not None
    assert list(await log.renew("w1", lease=60)) == []


async def releasing_lets_others_claim_at_once(log: EventLog) -> None:
    """Only the owner of the epoch can, and an ended run stays as it is."""
    run = await _run(log, "a")
    await log.release(run.id, epoch=7)
    assert await log.claim(run.id, worker="w2", lease=60) is None
    await log.release(run.id, epoch=1)
    claimed = await log.claim(run.id, worker="w2", lease=60)
    assert claimed is not None
    assert claimed.epoch == 2


async def a_cancel_request_is_noted_and_told(log: EventLog) -> None:
    """In the run, in every append after it, in the renewal, and to whoever waits for it."""
    run = await _run(log, "a")
    told: list[str] = []

    async def wait() -> None:
        while not told:
            told.extend(await log.cancels("w1", timeout=60))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.lowlevel.checkpoint()
        await log.request_cancel(run.id)
    asked = await log.get(run.id)
    assert (asked.cancel_requested, asked.status) == (True, "running")
    assert told == [run.id]
    assert (await log.request_cancel(run.id)).cancel_requested
    assert [lease.cancel_requested for lease in await log.renew("w1", lease=60)] == [True]
    appended = await log.append(run.id, epoch=1, first_seq=2, events=[encode(End("cancelled"))])
    assert (appended.outcome, appended.cancel_requested) == ("ok", True)
    assert list(await log.cancels("w1", timeout=0.01)) == []
    await _raises(RunNotFound, log.request_cancel("no-such-run"))


async def cancelling_an_ended_run_does_nothing(log: EventLog) -> None:
    """It is returned as it ended."""
    run = await _run(log, "a", ended=True)
    asked = await log.request_cancel(run.id)
    assert (asked.status, asked.cancel_requested) == ("completed", False)


async def watching_is_noted(log: EventLog) -> None:
    """For so many seconds from now, and never for fewer than were said before."""
    run = await _run(log, "a")
    await log.watch(run.id, seconds=100)
    until = (await log.get(run.id)).watched_until
    assert until >= run.created_at + 100
    await log.watch(run.id, seconds=1)
    assert (await log.get(run.id)).watched_until == until


async def runs_are_listed_newest_first_in_pages(log: EventLog) -> None:
    """Of one owner, of one source or thread, from behind a run."""
    ids = [(await _run(log, new=_new(owner="eve", thread_id=f"t{n % 2}"))).id for n in range(5)]
    await _run(log, new=_new(owner="bob"))
    newest = ids[::-1]
    assert [run.id for run in await log.list("eve")] == newest
    assert [run.id for run in await log.list("eve", limit=2)] == newest[:2]
    assert [run.id for run in await log.list("eve", before=newest[1], limit=2)] == newest[2:4]
    assert [run.id for run in await log.list("eve", thread_id="t0")] == [ids[4], ids[2], ids[0]]
    assert list(await log.list("eve", source="other")) == []
    assert list(await log.list("nobody")) == []
    bobs = (await log.list("bob"))[0].id
    await _raises(RunNotFound, log.list("eve", before=bobs))


async def threads_are_listed_newest_first_in_pages(log: EventLog) -> None:
    """The one with the newest run first; runs without a thread are in none."""
    for thread in ("t1", "t2", "t3", "t1"):
        await _run(log, "a", ended=True, new=_new(owner="zoe", thread_id=thread))
    await _run(log, new=_new(owner="zoe"))
    found = await log.threads("zoe")
    assert [(thread.id, thread.runs, thread.last_status) for thread in found] == [
        ("t1", 2, "completed"),
        ("t3", 1, "completed"),
        ("t2", 1, "completed"),
    ]
    assert [thread.id for thread in await log.threads("zoe", limit=1)] == ["t1"]
    assert [thread.id for thread in await log.threads("zoe", before="t1")] == ["t3", "t2"]
    assert list(await log.threads("ann")) == []
    await _raises(ThreadNotFound, log.threads("zoe", before="no-such-thread"))


async def retention_removes_ended_runs_by_count(log: EventLog) -> None:
    """The oldest first. What follows a cursor is then gone, and that is told; a live run is never touched."""
    live = await _run(log, "a")
    old = await _run(log, "a", "b", ended=True)
    kept = await _run(log, "a", ended=True)
    assert await log.trim(Retention(max_runs=1)) == 1
    await _raises(CursorExpired, log.read(old.id, after=0))
    await _raises(CursorExpired, log.read(old.id, after=1))
    trimmed = await log.get(old.id)
    assert (trimmed.first_seq, trimmed.last_seq, trimmed.status) == (4, 3, "completed")
    assert len(await _all(log, kept.id)) == 2
    assert len(await _all(log, live.id)) == 1
    assert await log.trim(Retention(max_runs=1)) == 0


async def retention_removes_ended_runs_by_age_and_bytes(log: EventLog) -> None:
    """And forgets them altogether when that time has come."""
    live = await _run(log, "a")
    old = await _run(log, "x" * 1000, ended=True)
    kept = await _run(log, "x" * 1000, ended=True)
    assert await log.trim(Retention(max_bytes=1500)) == 1
    assert len(await _all(log, kept.id)) == 2
    assert await log.trim(Retention(max_age=-1.0)) == 1
    await _raises(CursorExpired, log.read(kept.id, after=0))
    await log.trim(Retention(max_age=-1.0, forget_after=-1.0))
    await _raises(RunNotFound, log.get(old.id))
    assert len(await _all(log, live.id)) == 1


EVENT_LOG_CHECKS: Sequence[Check] = (
    a_new_run_is_running_or_queued,
    creating_is_idempotent_on_the_run_id,
    creating_is_idempotent_on_the_key,
    records_come_back_in_order_from_any_seq,
    hostile_and_large_events_survive,
    an_append_has_one_of_five_outcomes,
    an_end_closes_the_run_with_its_status,
    a_cursor_that_was_never_issued_is_refused,
    a_read_is_bounded_in_bytes,
    waiting_ends_with_the_next_record,
    waiting_ends_at_the_time_out,
    every_follower_gets_everything_once,
    a_lease_that_is_over_can_be_claimed,
    a_zombie_cannot_write,
    reaping_claims_what_was_left_behind,
    renewing_extends_every_lease_of_a_worker,
    releasing_lets_others_claim_at_once,
    a_cancel_request_is_noted_and_told,
    cancelling_an_ended_run_does_nothing,
    watching_is_noted,
    runs_are_listed_newest_first_in_pages,
    threads_are_listed_newest_first_in_pages,
    retention_removes_ended_runs_by_count,
    retention_removes_ended_runs_by_age_and_bytes,
)
"""One check per promise, each for a log that is empty. Parametrize a test over them to see which one fails."""


async def check_event_log(make: Make, *, checks: Sequence[Check] = EVENT_LOG_CHECKS) -> None:
    """Run every check, each on a new log.

    Args:
        make: Returns an empty log, as an async context manager.
        checks: Which ones.

    Raises:
        AssertionError: A promise is not kept.
        TimeoutError: Something that should end does not.
    """
    for check in checks:
        with anyio.fail_after(SECONDS):
            async with make() as log:
                await check(log)
