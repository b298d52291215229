"""The checks on what a log tells of runs beside their events: pages, threads, replaced runs, feedback, retention."""

from __future__ import annotations

from collections.abc import Sequence

from unspool.errors import CursorExpired, InvalidInput, RunConflict, RunNotFound, ThreadNotFound
from unspool.eventlog import EventLog, Feedback, Retention
from unspool.testing.event_log_support import END, Check, all_records, new_run, raises, run_with


async def runs_are_listed_newest_first_in_pages(log: EventLog) -> None:
    """Of one owner, of one source or thread, from behind a run."""
    ids = [(await run_with(log, new=new_run(owner="eve", thread_id=f"t{n % 2}"))).id for n in range(5)]
    await run_with(log, new=new_run(owner="bob"))
    newest = ids[::-1]
    assert [run.id for run in await log.list("eve")] == newest
    assert [run.id for run in await log.list("eve", limit=2)] == newest[:2]
    assert [run.id for run in await log.list("eve", before=newest[1], limit=2)] == newest[2:4]
    assert [run.id for run in await log.list("eve", thread_id="t0")] == [ids[4], ids[2], ids[0]]
    assert list(await log.list("eve", source="other")) == []
    assert list(await log.list("nobody")) == []
    bobs = (await log.list("bob"))[0].id
    await raises(RunNotFound, log.list("eve", before=bobs))


async def threads_are_listed_newest_first_in_pages(log: EventLog) -> None:
    """The one with the newest run first; runs without a thread are in none."""
    ids = [
        (await run_with(log, "a", ended=True, new=new_run(owner="zoe", thread_id=thread))).id
        for thread in ("t1", "t2", "t3", "t1")
    ]
    await run_with(log, new=new_run(owner="zoe"))
    found = await log.threads("zoe")
    assert [(thread.id, thread.runs, thread.last_status) for thread in found] == [
        ("t1", 2, "completed"),
        ("t3", 1, "completed"),
        ("t2", 1, "completed"),
    ]
    assert [thread.id for thread in await log.threads("zoe", limit=1)] == ["t1"]
    assert [thread.id for thread in await log.threads("zoe", thread_id="t2")] == ["t2"]
    assert [(thread.first_run_id, thread.first_request) for thread in found] == [
        (run_id, b'{"input":1}') for run_id in (ids[0], ids[2], ids[1])
    ]
    assert [thread.last_run_id for thread in found] == [ids[3], ids[2], ids[1]]
    assert [thread.id for thread in await log.threads("zoe", before="t1")] == ["t3", "t2"]
    assert list(await log.threads("ann")) == []
    await raises(ThreadNotFound, log.threads("zoe", before="no-such-thread"))


async def a_run_takes_the_place_of_another_and_of_what_followed(log: EventLog) -> None:
    """In its thread, of its source, and nowhere else; and again, for those that took a place themselves."""

    async def ask(
        replaces: str | None = None, *, owner: str = "mia", source: str = "agent", thread_id: str = "t"
    ) -> str:
        new = new_run(owner=owner, source=source, thread_id=thread_id, replaces=replaces)
        return (await run_with(log, "a", ended=True, new=new)).id

    async def replaced() -> list[str]:
        return sorted(await log.replaced("mia", source="agent", thread_id="t"))

    ids = [await ask() for _ in range(3)]
    others = [await ask(thread_id="u"), await ask(source="other"), await ask(owner="bob")]
    assert await replaced() == []
    heir = await ask(replaces=ids[1])
    assert await replaced() == ids[1:]
    assert [(await log.get(run_id)).replaced_by for run_id in [*ids, heir]] == [None, heir, heir, None]
    assert (await log.get(heir)).replaces == ids[1]
    assert [(await log.get(run_id)).replaced_by for run_id in others] == [None] * 3
    last = await ask(replaces=ids[0])
    assert await replaced() == sorted([*ids, heir])
    threads = {thread.id: thread for thread in await log.threads("mia", source="agent")}
    assert (threads["t"].runs, threads["t"].first_run_id, threads["t"].last_run_id) == (5, last, last)
    again = await log.create(new_run(run_id=last, owner="mia", thread_id="t", replaces=ids[0]))
    assert not again.created


async def what_cannot_be_replaced_is_refused_and_nothing_is_created(log: EventLog) -> None:
    """Other people's, other sources' and other threads' runs, one that goes on, and one that was replaced."""
    first = await run_with(log, "a", ended=True, new=new_run(owner="lea", thread_id="t"))
    foreign = await run_with(log, "a", ended=True, new=new_run(owner="bob", thread_id="t"))
    source = await run_with(log, "a", ended=True, new=new_run(owner="lea", thread_id="t", source="other"))
    elsewhere = await run_with(log, "a", ended=True, new=new_run(owner="lea", thread_id="u"))
    for run_id in ("no-such-run", foreign.id, source.id):
        await raises(RunNotFound, log.create(new_run(owner="lea", thread_id="t", replaces=run_id)))
    await raises(InvalidInput, log.create(new_run(owner="lea", thread_id="t", replaces=elsewhere.id)))
    await raises(InvalidInput, log.create(new_run(owner="lea", replaces=first.id)))
    live = await run_with(log, "a", new=new_run(owner="lea", thread_id="t"))
    for run_id in (live.id, first.id):
        await raises(RunConflict, log.create(new_run(owner="lea", thread_id="t", replaces=run_id)))
    await log.append(live.id, epoch=1, first_seq=2, events=[END])
    heir = await run_with(log, "a", ended=True, new=new_run(owner="lea", thread_id="t", replaces=first.id))
    await raises(RunConflict, log.create(new_run(owner="lea", thread_id="t", replaces=first.id)))
    assert [run.id for run in await log.list("lea", source="agent", thread_id="t")] == [heir.id, live.id, first.id]


async def feedback_is_kept_by_key_as_long_as_the_run(log: EventLog) -> None:
    """The same key again replaces it; what was given comes back, with the log's time."""
    run = await run_with(log, "a")
    other = await run_with(log, "a")
    assert list(await log.feedback(run.id)) == []
    given = [
        Feedback(key="score", at=0.0, score=True, comment="good \u2028"),
        Feedback(key="b", at=0.0, score=0.5, value={"a": [1, None]}),
        Feedback(key="a", at=0.0, score=3),
    ]
    for feedback in given:
        stored = await log.put_feedback(run.id, feedback)
        assert stored.at >= run.created_at
        assert (stored.key, stored.score, stored.value) == (feedback.key, feedback.score, feedback.value)
    await log.put_feedback(run.id, Feedback(key="score", at=0.0, score=False))
    found = await log.feedback(run.id)
    assert [(item.key, item.score, item.value, item.comment) for item in found] == [
        ("a", 3, None, None),
        ("b", 0.5, {"a": [1, None]}, None),
        ("score", False, None, None),
    ]
    assert found[2].score is False
    assert list(await log.feedback(other.id)) == []
    await raises(RunNotFound, log.put_feedback("no-such-run", given[0]))
    await raises(RunNotFound, log.feedback("no-such-run"))
    await log.append(run.id, epoch=1, first_seq=2, events=[END])
    await log.trim(Retention(max_runs=0))
    assert len(await log.feedback(run.id)) == 3
    await log.trim(Retention(max_age=-1.0, forget_after=-1.0))
    await raises(RunNotFound, log.feedback(run.id))
    assert (await log.create(new_run(run_id=run.id))).created
    assert list(await log.feedback(run.id)) == []


async def what_a_source_keeps_stays_with_its_run(log: EventLog) -> None:
    """The last one counts; only the owner of a live run may store it; it goes with the events."""
    run = await run_with(log, "a")
    other = await run_with(log, "a")
    assert await log.kept(run.id) is None
    assert await log.keep(run.id, epoch=1, kept=b"first")
    assert await log.keep(run.id, epoch=1, kept=b'{"second": "\xe2\x80\xa8"}')
    assert not await log.keep(run.id, epoch=2, kept=b"of a zombie")
    assert await log.kept(run.id) == b'{"second": "\xe2\x80\xa8"}'
    assert await log.kept(other.id) is None
    await log.append(run.id, epoch=1, first_seq=2, events=[END])
    assert not await log.keep(run.id, epoch=1, kept=b"too late")
    assert await log.kept(run.id) == b'{"second": "\xe2\x80\xa8"}'
    assert [record.type for record in await log.read(run.id, after=0)] == ["token", "end"]
    await log.trim(Retention(max_runs=0))
    assert await log.kept(run.id) is None
    await raises(RunNotFound, log.keep("no-such-run", epoch=1, kept=b""))
    await raises(RunNotFound, log.kept("no-such-run"))


async def retention_removes_ended_runs_by_count(log: EventLog) -> None:
    """The oldest first. What follows a cursor is then gone, and that is told; a live run is never touched."""
    live = await run_with(log, "a")
    old = await run_with(log, "a", "b", ended=True)
    kept = await run_with(log, "a", ended=True)
    assert await log.trim(Retention(max_runs=1)) == 1
    await raises(CursorExpired, log.read(old.id, after=0))
    await raises(CursorExpired, log.read(old.id, after=1))
    trimmed = await log.get(old.id)
    assert (trimmed.first_seq, trimmed.last_seq, trimmed.status) == (4, 3, "completed")
    assert len(await all_records(log, kept.id)) == 2
    assert len(await all_records(log, live.id)) == 1
    assert await log.trim(Retention(max_runs=1)) == 0


async def retention_removes_ended_runs_by_age_and_bytes(log: EventLog) -> None:
    """And forgets them altogether when that time has come."""
    live = await run_with(log, "a")
    old = await run_with(log, "x" * 1000, ended=True)
    kept = await run_with(log, "x" * 1000, ended=True)
    assert await log.trim(Retention(max_bytes=1500)) == 1
    assert len(await all_records(log, kept.id)) == 2
    assert await log.trim(Retention(max_age=-1.0)) == 1
    await raises(CursorExpired, log.read(kept.id, after=0))
    await log.trim(Retention(max_age=-1.0, forget_after=-1.0))
    await raises(RunNotFound, log.get(old.id))
    assert len(await all_records(log, live.id)) == 1


LIST_CHECKS: Sequence[Check] = (
    runs_are_listed_newest_first_in_pages,
    threads_are_listed_newest_first_in_pages,
    a_run_takes_the_place_of_another_and_of_what_followed,
    what_cannot_be_replaced_is_refused_and_nothing_is_created,
    feedback_is_kept_by_key_as_long_as_the_run,
    what_a_source_keeps_stays_with_its_run,
    retention_removes_ended_runs_by_count,
    retention_removes_ended_runs_by_age_and_bytes,
)
