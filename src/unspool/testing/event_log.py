"""The kit for event logs: every sentence of the contract, as a check that a log passes or does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

import anyio
import anyio.lowlevel

from unspool.errors import (
    CursorUnknown,
    IdempotencyConflict,
    RunIdTaken,
    RunNotFound,
)
from unspool.eventlog import READ_BYTES, EventLog, tail
from unspool.events import End, encode
from unspool.testing.event_log_lists import LIST_CHECKS
from unspool.testing.event_log_support import END, Check, all_records, new_run, raises, run_with, token

Make = Callable[[], AbstractAsyncContextManager[EventLog]]

SECONDS = 20.0
"""How long one check may take."""


async def a_new_run_is_running_or_queued(log: EventLog) -> None:
    """A run with a worker is running, one without is queued; both have epoch 1 and no records."""
    running = (await log.create(new_run(thread_id="t"))).run
    queued = (await log.create(new_run(worker=None))).run
    assert (running.status, running.epoch, running.first_seq, running.last_seq) == ("running", 1, 1, 0)
    assert (running.thread_id, running.worker, running.request) == ("t", "w1", b'{"input":1}')
    assert (queued.status, queued.worker, queued.ended) == ("queued", None, False)
    assert await log.get(running.id) == running


async def creating_is_idempotent_on_the_run_id(log: EventLog) -> None:
    """The same id with the same owner and hash is the same run; with another it is taken."""
    new = new_run()
    first = await log.create(new)
    again = await log.create(new)
    assert (first.created, again.created, again.run.id) == (True, False, new.id)
    await raises(RunIdTaken, log.create(new_run(run_id=new.id, request_hash="other")))
    await raises(RunIdTaken, log.create(new_run(run_id=new.id, owner="bob")))


async def creating_is_idempotent_on_the_key(log: EventLog) -> None:
    """The same key of the same owner finds the run, of any number that create it at once; owners share no keys."""
    created: list[str] = []
    fresh: list[bool] = []

    async def create() -> None:
        result = await log.create(new_run(key="k"))
        created.append(result.run.id)
        fresh.append(result.created)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(create)
    assert len(set(created)) == 1, created
    assert fresh.count(True) == 1
    await raises(IdempotencyConflict, log.create(new_run(key="k", request_hash="other")))
    assert (await log.create(new_run(key="k", owner="bob"))).created


async def records_come_back_in_order_from_any_seq(log: EventLog) -> None:
    """What was appended, in however many appends, is read without gaps from behind any seq."""
    run = await run_with(log, "a", "b", "c")
    await log.append(run.id, epoch=1, first_seq=4, events=[token("d")])
    await log.append(run.id, epoch=1, first_seq=5, events=[token("e"), END])
    expected = [token(text) for text in "abcde"] + [END]
    for after in range(7):
        records = await log.read(run.id, after=after)
        assert [record.data for record in records] == expected[after:]
        assert [record.seq for record in records] == list(range(after + 1, 7))
    assert [record.seq for record in await log.read(run.id, after=1, limit=2)] == [2, 3]


async def hostile_and_large_events_survive(log: EventLog) -> None:
    """Line separators of all kinds, NUL and a megabyte come back byte for byte."""
    texts = ["\n", "\r\n", "\u2028\u2029\u0085", "\x00", "data: x\n\n", "[DONE]", "é€😀", "x" * 1_000_000]
    run = await run_with(log, *texts)
    assert [record.data for record in await all_records(log, run.id)] == [token(text) for text in texts]


async def an_append_has_one_of_five_outcomes(log: EventLog) -> None:
    """Fenced before dup before closed before gap; none but ok writes anything."""
    run = await run_with(log, "a", "b")

    async def outcome(epoch: int, first_seq: int, *events: bytes) -> str:
        return (await log.append(run.id, epoch=epoch, first_seq=first_seq, events=events)).outcome

    assert await outcome(1, 4, token("x")) == "gap"
    assert await outcome(2, 3, token("x")) == "fenced"
    assert await outcome(0, 1, token("a")) == "fenced"
    assert await outcome(1, 1, token("a"), token("b")) == "dup"
    assert await outcome(1, 2, token("b")) == "dup"
    assert await outcome(1, 2, token("b"), token("x")) == "gap"
    assert await outcome(1, 3, END) == "ok"
    assert await outcome(1, 3, END) == "dup"
    assert await outcome(1, 4, token("x")) == "closed"
    assert [record.data for record in await all_records(log, run.id)] == [token("a"), token("b"), END]
    await raises(RunNotFound, log.append("no-such-run", epoch=1, first_seq=1, events=[END]))
    try:
        await log.append(run.id, epoch=1, first_seq=4, events=[])
    except ValueError:
        return
    raise AssertionError("an empty append was not refused")


async def an_end_closes_the_run_with_its_status(log: EventLog) -> None:
    """The status of the ``end`` event is the run's, from the same append on."""
    for status in ("completed", "failed", "cancelled", "interrupted"):
        run = await run_with(log, "a")
        await log.append(run.id, epoch=1, first_seq=2, events=[token("b"), encode(End(status))])
        ended = await log.get(run.id)
        assert (ended.status, ended.ended, ended.last_seq) == (status, True, 3)
        assert ended.ended_at is not None
        assert ended.ended_at >= run.created_at


async def a_cursor_that_was_never_issued_is_refused(log: EventLog) -> None:
    """Negative, and past the end; the end itself is fine."""
    run = await run_with(log, "a", "b")
    assert list(await log.read(run.id, after=2)) == []
    await raises(CursorUnknown, log.read(run.id, after=3))
    await raises(CursorUnknown, log.read(run.id, after=-1))
    await raises(RunNotFound, log.read("no-such-run", after=0))
    await raises(RunNotFound, log.get("no-such-run"))


async def a_read_is_bounded_in_bytes(log: EventLog) -> None:
    """It stops at the record that takes it over the limit, and returns one at least."""
    run = await run_with(log, *("x" * (READ_BYTES // 2) for _ in range(5)))
    first = await log.read(run.id, after=0)
    assert 1 <= len(first) < 5
    assert len(await all_records(log, run.id)) == 5


async def waiting_ends_with_the_next_record(log: EventLog) -> None:
    """Also where the record came before the wait began; and when the run ends."""
    run = await run_with(log, "a")
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
            await log.append(run.id, epoch=1, first_seq=seq, events=[token("b")])
            await woken.wait()


async def waiting_ends_at_the_time_out(log: EventLog) -> None:
    """It returns without a record, within about a second more."""
    run = await run_with(log, "a")
    await log.wait(run.id, after=1, timeout=0.01)


async def every_follower_gets_everything_once(log: EventLog) -> None:
    """Any number of them, from any seq, while the run grows and after it has ended."""
    run = await run_with(log)
    got: dict[int, list[bytes]] = {after: [] for after in range(12)}

    async def follow(after: int) -> None:
        while after > (await log.get(run.id)).last_seq:
            await log.wait(run.id, after=0, timeout=60)
            await anyio.lowlevel.checkpoint()
        async for batch in tail(log, run.id, after=after):
            got[after].extend(record.data for record in batch)

    sent = [token(str(n)) for n in range(40)] + [END]
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
    live = await run_with(log, "a")
    assert await log.claim(live.id, worker="w2", lease=60) is None
    lost = await run_with(log, "a", "b", new=new_run(lease=0.0))
    claimed = await log.claim(lost.id, worker="w2", lease=60)
    assert claimed is not None
    assert (claimed.epoch, claimed.worker, claimed.last_seq, claimed.status) == (2, "w2", 2, "running")
    assert await log.claim(lost.id, worker="w3", lease=60) is None
    ended = await run_with(log, "a", ended=True, new=new_run(lease=0.0))
    assert await log.claim(ended.id, worker="w2", lease=60) is None
    queued = await run_with(log, new=new_run(worker=None))
    taken = await log.claim(queued.id, worker="w2", lease=60)
    assert taken is not None
    assert taken.status == "running"
    await raises(RunNotFound, log.claim("no-such-run", worker="w2", lease=60))


async def a_zombie_cannot_write(log: EventLog) -> None:
    """Once a run was claimed, the owner before it is fenced, and the new one goes on without a gap."""
    run = await run_with(log, "a", new=new_run(lease=0.0))
    claimed = await log.claim(run.id, worker="w2", lease=60)
    assert claimed is not None
    zombie = await log.append(run.id, epoch=1, first_seq=2, events=[token("zombie")])
    heir = await log.append(run.id, epoch=2, first_seq=2, events=[token("heir"), END])
    assert (zombie.outcome, heir.outcome) == ("fenced", "ok")
    assert [record.data for record in await all_records(log, run.id)] == [token("a"), token("heir"), END]


async def reaping_claims_what_was_left_behind(log: EventLog) -> None:
    """Every run whose lease is over, of the wanted sources, once, and no other."""
    lost = await run_with(log, "a", new=new_run(lease=0.0, source="mine"))
    other = await run_with(log, "a", new=new_run(lease=0.0, source="other"))
    await run_with(log, "a", new=new_run(source="mine"))
    reaped = await log.reap(worker="w2", lease=60, sources=["mine"])
    assert [(run.id, run.epoch, run.worker) for run in reaped] == [(lost.id, 2, "w2")]
    assert list(await log.reap(worker="w3", lease=60, sources=["mine"])) == []
    assert [run.id for run in await log.reap(worker="w3", lease=60)] == [other.id]


async def renewing_extends_every_lease_of_a_worker(log: EventLog) -> None:
    """And names the runs; those that ended, or were taken over, are not among them."""
    run = await run_with(log, "a", new=new_run(lease=0.0))
    await run_with(log, "a", ended=True, new=new_run(lease=0.0))
    held = await log.renew("w1", lease=60)
    assert [(lease.run_id, lease.epoch, lease.cancel_requested) for lease in held] == [(run.id, 1, False)]
    assert await log.claim(run.id, worker="w2", lease=60) is None
    await log.release(run.id, epoch=1)
    assert await log.claim(run.id, worker="w2", lease=60) is not None
    assert list(await log.renew("w1", lease=60)) == []


async def releasing_lets_others_claim_at_once(log: EventLog) -> None:
    """Only the owner of the epoch can, and an ended run stays as it is."""
    run = await run_with(log, "a")
    await log.release(run.id, epoch=7)
    assert await log.claim(run.id, worker="w2", lease=60) is None
    await log.release(run.id, epoch=1)
    claimed = await log.claim(run.id, worker="w2", lease=60)
    assert claimed is not None
    assert claimed.epoch == 2


async def a_cancel_request_is_noted_and_told(log: EventLog) -> None:
    """In the run, in every append after it, in the renewal, and to whoever waits for it."""
    run = await run_with(log, "a")
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
    await raises(RunNotFound, log.request_cancel("no-such-run"))


async def cancelling_an_ended_run_does_nothing(log: EventLog) -> None:
    """It is returned as it ended."""
    run = await run_with(log, "a", ended=True)
    asked = await log.request_cancel(run.id)
    assert (asked.status, asked.cancel_requested) == ("completed", False)


async def watching_is_noted(log: EventLog) -> None:
    """For so many seconds from now, and never for fewer than were said before."""
    run = await run_with(log, "a")
    await log.watch(run.id, seconds=100)
    until = (await log.get(run.id)).watched_until
    assert until >= run.created_at + 100
    await log.watch(run.id, seconds=1)
    assert (await log.get(run.id)).watched_until == until


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
    *LIST_CHECKS,
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
