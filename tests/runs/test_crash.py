"""Real server processes on one SQLite file, killed, stopped and started again."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from tests.runs.crash_app import TOKENS
from tests.support.native import events_of, stream, text_of
from tests.support.process import ServerProcess, free_port
from unspool import SQLiteLog
from unspool.client import AsyncClient, Backoff
from unspool.events import Record, is_end
from unspool.runs import read_all

PATIENT = Backoff(first=0.02, longest=0.2, attempts=1000)
WHOLE = "".join(f"{number} " for number in range(TOKENS))


@asynccontextmanager
async def _server(
    directory: Path,
    *,
    app: str = "crash_app",
    workers: int = 1,
    port: int = 0,
    grace: float = 0.2,
    hold: Path | None = None,
) -> AsyncGenerator[ServerProcess, None]:
    port = port or free_port()
    command = [
        "-m",
        "uvicorn",
        f"tests.runs.{app}:make_app",
        "--factory",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    command += ["--workers", str(workers), "--timeout-graceful-shutdown", "5"]
    env = {"CRASH_LOG": str(directory / "log.sqlite"), "CRASH_GRACE": str(grace), "PYTHONPATH": "."}
    if hold is not None:
        env["CRASH_HOLD"] = str(hold)
    server = ServerProcess(command, port=port, ready="/docs", env=env, log=directory / "server.log")
    await server.start()
    try:
        yield server
    finally:
        server.end()


async def _follow(url: str, seen: list[Record]) -> str:
    async with AsyncClient(url, backoff=PATIENT) as client, client.stream("go") as run:
        async for record in run.records():
            seen.append(record)
        return run.transcript.text


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", range(5))
async def test_a_follower_sees_a_run_through_kills_without_gap_or_duplicate(seed: int, tmp_path: Path) -> None:
    """Ten runs are each cut at a seeded point: fifty points over the seeds, and more where a second kill hits."""
    chance = random.Random(seed)
    runs: list[list[Record]] = [[] for _ in range(10)]
    texts: list[str] = []
    hold = tmp_path / "hold"  # no run ends before the last kill, however slow this process is to do it
    async with _server(tmp_path, hold=hold) as server:

        async def follow(seen: list[Record]) -> None:
            await anyio.sleep(chance.uniform(0.0, 0.6))
            texts.append(await _follow(f"{server.url}/resumable", seen))

        with anyio.fail_after(120):
            async with anyio.create_task_group() as tasks:
                for seen in runs:
                    tasks.start_soon(follow, seen)
                for _ in range(2):
                    target = chance.randrange(3, TOKENS)
                    while not any(len(seen) >= target for seen in runs):
                        await anyio.sleep(0.002)
                    server.kill()
                    await server.start()
                hold.touch()
    assert texts == [WHOLE] * 10
    async with SQLiteLog(tmp_path / "log.sqlite") as log:
        listed = await log.list("anonymous")
        assert {run.status for run in listed} == {"completed"}
        assert len(listed) == 10
        stored = [[record.data for record in await read_all(log, run.id)] for run in listed]
    for seen in runs:
        assert [record.seq for record in seen] == list(range(1, len(seen) + 1))
        assert [record.data for record in seen] in stored
        assert sum(is_end(record.data) for record in seen) == 1
    assert any(record.type == "retry" for seen in runs for record in seen)


async def test_a_run_that_cannot_go_on_ends_as_lost(tmp_path: Path) -> None:
    async with _server(tmp_path) as server:
        with anyio.fail_after(60):
            async with AsyncClient(f"{server.url}/forgetful", backoff=PATIENT) as client, client.stream(7) as run:
                killed = False
                async for record in run.records():
                    if record.type == "token" and not killed:
                        killed = True
                        server.kill()
                        await server.start()
    assert run.transcript.status == "failed"
    assert run.transcript.error is not None
    assert (run.transcript.error.code, run.transcript.error.retryable) == ("lost", True)
    assert run.transcript.text.startswith("7 ")


async def test_workers_share_a_file_follow_and_cancel_each_others_runs(tmp_path: Path) -> None:
    """Requests land on whichever worker is free: over many, both sides of every pair are met."""
    async with _server(tmp_path, workers=4) as server:
        with anyio.fail_after(60):
            url = f"{server.url}/resumable"
            async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_keepalive_connections=0)) as client:
                for _ in range(6):
                    started = await client.post(f"{url}/runs", json={"input": 1})
                    run = server.url + started.headers["location"]
                    bodies: list[bytes] = []

                    async def follow(run: str = run, bodies: list[bytes] = bodies) -> None:
                        bodies.append((await client.get(f"{run}/stream")).content)

                    async with anyio.create_task_group() as tasks:
                        for _ in range(4):
                            tasks.start_soon(follow)
                    assert {text_of(events_of(body)) for body in bodies} == {WHOLE}
                    assert len(set(bodies)) == 1
                for _ in range(6):
                    started = await client.post(f"{url}/runs", json={"input": 1})
                    run = server.url + started.headers["location"]
                    await client.post(f"{run}/cancel")
                    events = events_of((await client.get(f"{run}/stream")).content)
                    assert events[-1]["status"] == "cancelled"


async def test_a_server_that_is_told_to_stop_hands_its_runs_over(tmp_path: Path) -> None:
    """What can go on elsewhere goes on there; what cannot ends as lost; what can finish in time does."""
    texts: list[str] = []
    bodies: list[bytes] = []
    async with _server(tmp_path) as server:
        with anyio.fail_after(90):
            async with anyio.create_task_group() as tasks:

                async def resumable() -> None:
                    texts.append(await _follow(f"{server.url}/resumable", seen))

                async def forgetful() -> None:
                    bodies.append((await stream(f"{server.url}/forgetful", {"input": 1})).content)

                seen: list[Record] = []
                tasks.start_soon(resumable)
                tasks.start_soon(forgetful)
                while len(seen) < 5:
                    await anyio.sleep(0.002)
                await server.stop()
                await server.start()
    assert texts == [WHOLE]
    events = events_of(bodies[0])
    assert [event["type"] for event in events][-2:] == ["error", "end"]
    assert events[-2]["code"] == "lost"


async def test_a_server_that_is_told_to_stop_lets_runs_finish_within_the_grace(tmp_path: Path) -> None:
    async with _server(tmp_path, grace=20.0) as server:
        with anyio.fail_after(60):
            body: list[bytes] = []

            async def ask() -> None:
                body.append((await stream(f"{server.url}/forgetful", {"input": 1})).content)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                async with SQLiteLog(tmp_path / "log.sqlite") as log:
                    while not (runs := await log.list("anonymous")) or runs[0].last_seq < 4:
                        await anyio.sleep(0.005)
                await server.stop()
    assert events_of(body[0])[-1]["status"] == "completed"


@pytest.mark.parametrize("edited", ["first", "second"])
async def test_a_killed_run_that_took_the_place_of_others_goes_on_without_them(edited: str, tmp_path: Path) -> None:
    async with _server(tmp_path, app="crash_graph_app") as server:
        with anyio.fail_after(90):
            async with AsyncClient(f"{server.url}/graph", backoff=PATIENT) as client:
                ids: list[str] = []
                for question in ("q1", "q2", "q3"):
                    async with client.stream(question, thread_id="t") as run:
                        await run.output()
                    ids.append(run.run_id)
                replaces = ids[0] if edited == "first" else ids[1]
                killed = 0
                async with client.stream("edited", thread_id="t", replaces=replaces) as run:
                    async for record in run.records():
                        if record.type == "data" and killed < 2 and b"working" in record.data:
                            killed += 1
                            server.kill()
                            await server.start()
                async with client.stream("q4", thread_id="t") as last:
                    await last.output()
    before = "" if edited == "first" else "q1/q1/"
    assert run.transcript.status == "completed"
    assert run.transcript.snapshot().attempt > 1
    assert run.transcript.text == f"{before}edited"
    assert last.transcript.text == f"{before}edited/{before}edited/q4"
