"""An SQLite log whose disk is full, whose file is wrong, or whose writer is killed."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from unspool.errors import LogUnavailable
from unspool.eventlog import Feedback, NewRun, SQLiteLog, tail
from unspool.eventlog.sqlite.schema import _MIGRATIONS
from unspool.events import End, Token, encode
from unspool.runs import read_all


def _new(run_id: str, lease: float = 60.0) -> NewRun:
    return NewRun(id=run_id, owner="a", source="s", request=b"{}", request_hash="h", worker="w", lease=lease)


def _event(text: str) -> bytes:
    return encode(Token("m", text))


async def test_a_full_disk_is_told_and_costs_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    big = _event("x" * 200_000)
    with anyio.fail_after(30):
        async with SQLiteLog(path) as log:
            await log.create(_new("r"))
            await log.append("r", epoch=1, first_seq=1, events=[_event("kept")])
            assert log._writer is not None
            pages = await log._writer.submit(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
            await log._writer.submit(lambda db: db.execute(f"PRAGMA max_page_count = {pages + 2}"))
            for _ in range(2):
                with pytest.raises(LogUnavailable, match="disk is full") as full:
                    await log.append("r", epoch=1, first_seq=2, events=[big])
                assert str(tmp_path) not in full.value.message
            assert [record.data for record in await read_all(log, "r")] == [_event("kept")]
            await log._writer.submit(lambda db: db.execute("PRAGMA max_page_count = 100000"))
            assert (await log.append("r", epoch=1, first_seq=2, events=[big])).outcome == "ok"
        async with SQLiteLog(path) as log:
            assert [record.data for record in await read_all(log, "r")] == [_event("kept"), big]
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_file_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    with anyio.fail_after(30):
        async with SQLiteLog(path) as log:
            await log.create(_new("r"))
            await log.append("r", epoch=1, first_seq=1, events=[_event("kept")])
            assert log._writer is not None
            await log._writer.submit(lambda db: db.execute("PRAGMA query_only = ON"))
            with pytest.raises(LogUnavailable, match="read-only"):
                await log.append("r", epoch=1, first_seq=2, events=[_event("lost")])
            assert [record.data for record in await read_all(log, "r")] == [_event("kept")]


async def test_a_file_that_is_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"not a database, but somebody's notes\n" * 100)
    before = path.read_bytes()
    with pytest.raises(LogUnavailable, match="not an SQLite database"):
        await SQLiteLog(path).__aenter__()
    assert path.read_bytes() == before
    with pytest.raises(LogUnavailable, match="directory"):
        await SQLiteLog(path / "log.sqlite").__aenter__()


async def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    async with SQLiteLog(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LogUnavailable, match="newer Unspool"):
        await SQLiteLog(path).__aenter__()
    assert sqlite3.connect(path).execute("PRAGMA user_version").fetchone() == (99,)


async def test_appends_that_queue_up_share_a_commit(tmp_path: Path) -> None:
    commits: list[str] = []
    with anyio.fail_after(30):
        async with SQLiteLog(tmp_path / "log.sqlite") as log:
            for number in range(50):
                await log.create(_new(f"r{number}"))
            assert log._writer is not None
            await log._writer.submit(
                lambda db: db.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
            )
            async with anyio.create_task_group() as tasks:
                for number in range(50):

                    async def append(run_id: str = f"r{number}") -> None:
                        assert (await log.append(run_id, epoch=1, first_seq=1, events=[_event("a")])).outcome == "ok"

                    tasks.start_soon(append)
            assert {run.last_seq for run in await log.list("a", limit=100)} == {1}
    assert len(commits) < 25


@pytest.mark.parametrize("found_by", ["get", "renew"])
async def test_followers_of_a_process_that_lost_a_run_get_what_its_heir_writes(found_by: str, tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    with anyio.fail_after(30):
        async with SQLiteLog(path) as loser, SQLiteLog(path) as heir:
            await loser.create(_new("r", lease=0.0))
            await loser.append("r", epoch=1, first_seq=1, events=[_event("a")])
            assert await heir.claim("r", worker="heir", lease=60) is not None
            await heir.append("r", epoch=2, first_seq=2, events=[_event("b"), encode(End("completed"))])
            if found_by == "renew":
                await loser.renew("w", lease=60)
            late = [record.seq async for batch in tail(loser, "r", after=1) for record in batch]
    assert late == [2, 3]


async def test_what_cannot_be_written_fails_alone_and_the_log_goes_on(tmp_path: Path) -> None:
    with anyio.fail_after(30):
        async with SQLiteLog(tmp_path / "log.sqlite") as log:
            with pytest.raises(UnicodeEncodeError):
                await log.append("\ud800", epoch=1, first_seq=1, events=[_event("a")])
            assert (await log.create(_new("r"))).created


WRITER = """
import sys, anyio
from tests.eventlog.test_failures import _event, _new
from unspool.eventlog import SQLiteLog

async def main():
    async with SQLiteLog(sys.argv[1]) as log:
        await log.create(_new("r", lease=0.0))
        seq = 0
        while True:
            events = [_event(str(seq + n + 1)) for n in range(seq % 7 + 1)]
            seq = (await log.append("r", epoch=1, first_seq=seq + 1, events=events)).last_seq
            print(seq, flush=True)

anyio.run(main)
"""


@pytest.mark.parametrize("seed", range(6))
async def test_what_was_acknowledged_survives_a_killed_writer(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    wanted = random.Random(seed).randrange(20, 2000)
    with anyio.fail_after(60):
        async with await anyio.open_process(
            [sys.executable, "-c", WRITER, str(path)], stderr=subprocess.STDOUT
        ) as writer:
            assert writer.stdout is not None
            printed = b""
            while not printed.endswith(b"\n") or int(printed.split()[-1]) < wanted:
                printed += await writer.stdout.receive()
            writer.kill()
            await writer.wait()
        acknowledged = int(printed.split()[-1])
        async with SQLiteLog(path) as log:
            records = await read_all(log, "r")
            assert len(records) >= acknowledged
            assert [record.seq for record in records] == list(range(1, len(records) + 1))
            assert [record.data for record in records] == [_event(str(record.seq)) for record in records]
            heir = await log.claim("r", worker="heir", lease=60)
            assert heir is not None
            assert (heir.epoch, heir.last_seq) == (2, len(records))
            zombie = await log.append("r", epoch=1, first_seq=heir.last_seq + 1, events=[_event("x")])
            assert zombie.outcome == "fenced"


async def test_a_file_of_the_first_version_is_migrated_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    db = sqlite3.connect(path)
    db.executescript(_MIGRATIONS[0])
    db.execute("PRAGMA user_version = 1")
    row = ("r1", "ann", "s", "completed", b"{}", "h", 1, None, 0.0, 1, 1, 0, 5.0, 0.0, 6.0, "t", None, 9)
    db.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    db.execute("INSERT INTO batch VALUES ('r1', 1, 1, 1, 6.0, ?)", (encode(End("completed")),))
    db.commit()
    db.close()
    async with SQLiteLog(path) as log:
        run = await log.get("r1")
        assert (run.owner, run.thread_id, run.replaces, run.replaced_by) == ("ann", "t", None, None)
        assert [record.type for record in await log.read("r1", after=0)] == ["end"]
        assert [thread.first_run_id for thread in await log.threads("ann")] == ["r1"]
        await log.put_feedback("r1", Feedback(key="score", at=0.0, score=1))
    async with SQLiteLog(path) as log:
        assert [item.score for item in await log.feedback("r1")] == [1]
