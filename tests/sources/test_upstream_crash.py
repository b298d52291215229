"""Two server processes in a chain, each on a SQLite file of its own, killed and started again in mid-run."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from tests.runs.crash_app import TOKENS
from tests.support.process import ServerProcess, free_port
from unspool import SQLiteLog
from unspool.client import AsyncClient, Backoff
from unspool.events import Record
from unspool.runs import read_all
from unspool.sources.upstream.native import upstream_id

PATIENT = Backoff(first=0.02, longest=0.2, attempts=1000)
WHOLE = "".join(f"{number} " for number in range(TOKENS))


@asynccontextmanager
async def server(app: str, log: Path, **env: str) -> AsyncGenerator[ServerProcess, None]:
    port = free_port()
    command = ["-m", "uvicorn", f"{app}:make_app", "--factory", "--port", str(port), "--log-level", "warning"]
    everything = {"CRASH_LOG": str(log), "CRASH_GRACE": "0.2", "PYTHONPATH": ".", **env}
    process = ServerProcess(command, port=port, ready="/docs", env=everything, log=log.with_suffix(".txt"))
    await process.start()
    try:
        yield process
    finally:
        process.end()


@pytest.mark.timeout(180)
async def test_a_chain_survives_that_either_end_is_killed_in_mid_run(tmp_path: Path) -> None:
    """Both ends in turn, in one run; and at the end each log holds the whole of it, once."""
    with anyio.fail_after(150):
        async with AsyncExitStack() as stack:
            inner = await stack.enter_async_context(server("tests.runs.crash_app", tmp_path / "inner.sqlite"))
            url = f"{inner.url}/resumable"
            outer = await stack.enter_async_context(
                server("tests.sources.upstream_app", tmp_path / "outer.sqlite", UPSTREAM_URL=url)
            )
            killed = [outer, inner, outer]
            seen: list[Record] = []
            async with AsyncClient(f"{outer.url}/agent", backoff=PATIENT) as client, client.stream("go") as run:
                async for record in run.records():
                    seen.append(record)
                    if record.type == "token" and killed and len(seen) >= 10 * (4 - len(killed)):
                        process = killed.pop(0)
                        process.kill()
                        await process.start()
    assert (run.transcript.status, run.transcript.text) == ("completed", WHOLE)
    assert [record.seq for record in seen] == list(range(1, len(seen) + 1))
    assert killed == []
    async with SQLiteLog(tmp_path / "inner.sqlite") as log:
        listed = await log.list("anonymous")
        assert [(known.id, known.status) for known in listed] == [(upstream_id(run.run_id), "completed")]
    async with SQLiteLog(tmp_path / "outer.sqlite") as log:
        assert [record.data for record in await read_all(log, run.run_id)] == [record.data for record in seen]


async def test_a_server_that_is_told_to_stop_hands_the_upstreams_run_over(tmp_path: Path) -> None:
    with anyio.fail_after(100):
        async with AsyncExitStack() as stack:
            inner = await stack.enter_async_context(server("tests.runs.crash_app", tmp_path / "inner.sqlite"))
            outer = await stack.enter_async_context(
                server(
                    "tests.sources.upstream_app",
                    tmp_path / "outer.sqlite",
                    UPSTREAM_URL=f"{inner.url}/resumable",
                )
            )
            stopped = False
            async with AsyncClient(f"{outer.url}/agent", backoff=PATIENT) as client, client.stream("go") as run:
                async for record in run.records():
                    if record.type == "token" and not stopped:
                        stopped = True
                        await outer.stop()
                        await outer.start()
    assert (run.transcript.status, run.transcript.text) == ("completed", WHOLE)
