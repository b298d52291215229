"""The command line, as a person uses it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from tests.support.native import events_of, stream, text_of
from tests.support.process import ServerProcess, free_port
from tests.support.server import serve
from unspool import SQLiteLog, Unspool
from unspool.cli.app import app as command_line
from unspool.testing import ScriptedSource


def _unspool(*arguments: str, cwd: Path, check: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "unspool.cli", *arguments]
    env = {**os.environ, "COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=check)


AGENT = "async def agent(text):\n    for word in ['a', 'b', text]:\n        yield word\n"


@asynccontextmanager
async def _running(directory: Path, *arguments: str) -> AsyncGenerator[ServerProcess, None]:
    port = free_port()
    command = ["-m", "unspool.cli", *arguments, "--port", str(port)]
    server = ServerProcess(command, port=port, ready="/agent/schemas", env={}, log=directory / "server.log")
    await server.start()
    try:
        yield server
    finally:
        server.end()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["serve", "nothing"], "module:attr"),
        (["serve", "nothing.py:agent"], "no file"),
        (["serve", "no_such_module_here:agent"], "no module"),
        (["serve", "agent.py:other"], "it has: agent"),
        (["serve", "agent.py:agent", "--workers", "2", "--log", "memory"], "share"),
        (["runs", "list", "--log", "nothing.sqlite"], "no event log"),
        (["demo", "--base-url", "http://127.0.0.1:9/v1"], "--model"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(arguments: list[str], says: str, tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(AGENT)
    done = _unspool(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr.replace("\n", " "), done.stderr
    assert "Traceback" not in done.stderr


async def test_a_file_is_served_by_several_workers_and_its_runs_can_be_looked_into(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(AGENT)
    log = tmp_path / "runs.sqlite"
    with anyio.fail_after(90):
        async with _running(
            tmp_path, "serve", str(tmp_path / "agent.py") + ":agent", "--workers", "2", "--log", str(log)
        ) as server:
            response = await stream(f"{server.url}/agent", {"input": "c", "thread_id": "t"})
            assert text_of(events_of(response.content)) == "abc"
            async with httpx.AsyncClient() as client:
                page = await client.get(server.url + "/")
                assert "default-src 'none'" in page.headers["content-security-policy"]
                config = (await client.get(server.url + "/config.json")).json()
                assert (config["title"], config["agents"]) == ("agent.py:agent", [{"name": "agent", "url": "agent"}])
                assert (await client.get(server.url + "/docs")).status_code == 200
                ticket = (await client.post(server.url + "/agent/tickets")).json()["ticket"]
            for _ in range(12):  # a connection each, so that both workers are met
                async with httpx.AsyncClient() as client:
                    params = {"input": "c", "ticket": ticket}
                    assert (await client.get(f"{server.url}/agent/stream", params=params)).status_code == 200
            assert await server.stop() == 0
    run_id = response.headers["unspool-run-id"]
    listed = _unspool("runs", "list", "--log", str(log), cwd=tmp_path, check=True).stdout
    assert run_id in listed
    assert "completed" in listed
    shown = _unspool("runs", "show", run_id, "--log", str(log), cwd=tmp_path, check=True).stdout
    assert "message" in shown
    assert "abc" in shown
    followed = _unspool("runs", "follow", run_id, "--log", str(log), cwd=tmp_path, check=True).stdout
    assert followed.splitlines()[-1].startswith('{"type":"end"')


async def test_a_stored_run_is_replayed_to_whoever_asks(tmp_path: Path) -> None:
    log = tmp_path / "runs.sqlite"
    unspool = Unspool(log=SQLiteLog(log))
    app = FastAPI()
    unspool.add_routes(app, ScriptedSource(["once ", "upon"]), path="/agent")
    async with serve(app) as url:
        run_id = (await stream(f"{url}/agent", {"input": 1})).headers["unspool-run-id"]
    with anyio.fail_after(60):
        async with _running(tmp_path, "replay", run_id, "--log", str(log), "--speed", "0") as server:
            events = events_of((await stream(f"{server.url}/agent", {"input": "anything"})).content)
    assert text_of(events) == "once upon"
    assert events[0]["run_id"] != run_id


async def test_chat_prints_the_answer_and_ctrl_c_stops_it() -> None:
    source = ScriptedSource(["so far ", "never"], stall_at=1)
    app = FastAPI()
    Unspool(grace=0.2).add_routes(app, source, path="/agent")
    with anyio.fail_after(60):
        async with serve(app) as url:
            command = [sys.executable, "-u", "-m", "unspool.cli", "chat", f"{url}/agent"]
            env = {**os.environ, "TERM": "dumb", "NO_COLOR": "1"}
            async with await anyio.open_process(command, env=env, stderr=subprocess.STDOUT) as process:
                assert process.stdin is not None
                assert process.stdout is not None
                await process.stdin.send(b"hello\n")
                printed = b""
                while b"so far" not in printed:
                    printed += await process.stdout.receive()
                await source.reached.wait()
                process.send_signal(signal.SIGINT)
                while b"cancelled" not in printed:
                    printed += await process.stdout.receive()
                await process.stdin.aclose()
                assert await process.wait() == 0
    assert source.calls[0].input == "hello"
    assert source.closed == 1


def test_doctor_and_help_say_what_there_is(tmp_path: Path) -> None:
    assert "langgraph" in _unspool("doctor", cwd=tmp_path, check=True).stdout
    listed = _unspool("--help", cwd=tmp_path, check=True).stdout
    for command in ("serve", "demo", "chat", "runs", "replay", "doctor"):
        assert command in listed
        told = CliRunner().invoke(command_line, [command, "--help"])
        assert (told.exit_code, f"unspool {command}" in told.output) == (0, True)
