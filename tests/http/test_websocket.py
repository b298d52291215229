"""Many runs over one WebSocket, on a real server with a real client."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect

from tests.http.test_refusals import _by_header
from tests.support.native import stream
from tests.support.server import serve
from unspool import Unspool
from unspool.testing import ScriptedSource


@asynccontextmanager
async def _socket(source: ScriptedSource, **options: Any) -> AsyncGenerator[tuple[str, ClientConnection], None]:
    app = FastAPI()
    Unspool(grace=0.2, **options).add_routes(app, source, path="/agent")
    async with serve(app) as url:
        with anyio.fail_after(15):
            async with connect(url.replace("http", "ws") + "/agent/ws") as socket:
                yield url, socket


async def _ask(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


async def _next(socket: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await socket.recv())
    return message


async def _until_end(socket: ClientConnection, run_id: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    while not messages or messages[-1]["event"]["type"] != "end":
        message = await _next(socket)
        if message["type"] == "event" and message["run_id"] == run_id:
            messages.append(message)
    return messages


async def test_a_run_is_started_and_followed() -> None:
    """spec: WS-1"""
    async with _socket(ScriptedSource(["a", "b"])) as (_, socket):
        await _ask(socket, type="start", ref="x", input="hi")
        started = await _next(socket)
        messages = await _until_end(socket, started["run_id"])
    assert (started["type"], started["ref"]) == ("started", "x")
    assert [message["seq"] for message in messages] == list(range(1, 7))
    assert messages[0]["event"]["input"] == "hi"


async def test_several_runs_share_a_socket_and_one_is_stopped() -> None:
    """spec: WS-2"""
    source = ScriptedSource(["a", "never"], stall_at=1)
    async with _socket(source) as (_, socket):
        await _ask(socket, type="start", ref="1", input=1, run_id="run-1")
        await _ask(socket, type="start", ref="2", input=2, run_id="run-2")
        await source.reached.wait()
        await _ask(socket, type="stop", run_id="run-1")
        stopped = await _until_end(socket, "run-1")
        source.release()
        other = await _until_end(socket, "run-2")
    assert stopped[-1]["event"]["status"] == "cancelled"
    assert other[-1]["event"]["status"] == "completed"


async def test_a_run_is_resumed_from_a_seq() -> None:
    """spec: WS-3"""
    async with _socket(ScriptedSource(["a", "b"])) as (url, socket):
        run_id = (await stream(f"{url}/agent", {"input": 1})).headers["unspool-run-id"]
        await _ask(socket, type="resume", run_id=run_id, after=4)
        messages = await _until_end(socket, run_id)
    assert [message["seq"] for message in messages] == [5, 6]


async def test_a_heartbeat_is_answered_and_mistakes_are_told() -> None:
    """spec: WS-4, WS-5, LIM-4"""
    async with _socket(ScriptedSource(["a"])) as (_, socket):
        await _ask(socket, type="heartbeat")
        assert await _next(socket) == {"type": "heartbeat"}
        deep = '{"type":"start","input":' + "[" * 200 + "]" * 200 + "}"
        for wrong in ('{"type":"dance"}', "nonsense", '{"type":"stop"}', deep):
            await socket.send(wrong)
            answer = await _next(socket)
            assert (answer["type"], answer["problem"]["code"]) == ("error", "validation")
        await _ask(socket, type="stop", run_id="no-such-run", ref="r")
        answer = await _next(socket)
        assert (answer["problem"]["code"], answer["ref"]) == ("not_found", "r")
        await _ask(socket, type="heartbeat")
        assert await _next(socket) == {"type": "heartbeat"}


async def test_a_socket_without_credentials_is_closed() -> None:
    """spec: WS-6"""
    async with _socket(ScriptedSource(["a"]), authenticate=_by_header) as (_, socket):
        await socket.wait_closed()
        assert socket.close_code == 4401
