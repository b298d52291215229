"""Faults, by schedule: lost replies, a lost tail, an owner that was taken over, a follower that never reads."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from langchain.agents import create_agent
from langchain_core.tools import tool
from typing_extensions import override

from tests.support.native import events_of, ids_of, stream, text_of
from tests.support.server import serve
from tests.support.sources import apart
from unspool import MemoryLog, Unspool
from unspool.errors import LogUnavailable
from unspool.eventlog import Appended
from unspool.testing import ScriptedSource
from unspool.testing.langchain import ScriptedChatModel, done, text, tool_call


class FaultyLog(MemoryLog):
    """A log that fails on chosen appends.

    Args:
        fail: Maps the number of an append, from 1, to how it breaks: ``before`` it lands, ``after`` it landed (its
            reply is lost), ``forget`` (it answers, and then loses the record).
    """

    def __init__(self, fail: dict[int, str]) -> None:
        super().__init__()
        self._fail = fail
        self.appends = 0

    @override
    async def append(self, run_id: str, *, epoch: int, first_seq: int, events: Sequence[bytes]) -> Appended:
        self.appends += 1
        how = self._fail.get(self.appends)
        if how == "before":
            raise LogUnavailable("scheduled")
        appended = await super().append(run_id, epoch=epoch, first_seq=first_seq, events=events)
        if how == "after":
            raise LogUnavailable("scheduled")
        if how == "forget":
            stored = self._stored(run_id)
            stored.records = stored.records[:-1]
            stored.run = type(stored.run)(**{**_fields(stored.run), "last_seq": stored.run.last_seq - 1})
        return appended


def _fields(run: Any) -> dict[str, Any]:
    return {name: getattr(run, name) for name in run.__struct_fields__}


def _app(source: Any, unspool: Unspool) -> FastAPI:
    app = FastAPI()
    unspool.add_routes(app, source, path="/agent")
    return app


async def _slow(words: str) -> AsyncGenerator[str, None]:
    for word in words.split():
        await anyio.sleep(0.002)
        yield word


@pytest.mark.parametrize("how", ["before", "after"])
async def test_a_log_that_breaks_for_a_moment_costs_nothing(how: str) -> None:
    """Whether the append landed or not: a retry of what landed is a dup, and not a duplicate."""
    log = FaultyLog({2: how, 4: how})
    async with serve(_app(_slow, Unspool(log=log))) as url:
        with anyio.fail_after(20):
            body = (await stream(f"{url}/agent", {"input": "a b c d e f"})).content
    assert text_of(events_of(body)) == "abcdef"
    assert ids_of(body) == [str(seq) for seq in range(1, 11)]
    assert events_of(body)[-1]["status"] == "completed"


async def test_a_log_that_lost_its_tail_ends_the_run_as_log_lost() -> None:
    source = ScriptedSource(["a", "b", "c"], stall_at=1)
    log = FaultyLog({1: "forget"})
    async with serve(_app(source, Unspool(log=log, grace=0.1))) as url, httpx.AsyncClient() as client:
        with anyio.fail_after(20):
            run = url + (await client.post(f"{url}/agent/runs", json={"input": 1})).headers["location"]
            await source.reached.wait()
            source.release()
            while (await client.get(run)).json()["status"] == "running":
                await anyio.sleep(0.01)
            events = events_of((await client.get(f"{run}/stream")).content)
    assert [event["type"] for event in events][-2:] == ["error", "end"]
    assert (events[-2]["code"], events[-1]["status"]) == ("log_lost", "failed")
    assert source.closed == 1


class HoldingLog(FaultyLog):
    """Holds back all appends but the first until ``let_go`` is set."""

    def __init__(self, fail: dict[int, str]) -> None:
        super().__init__(fail)
        self.let_go = anyio.Event()

    @override
    async def append(self, run_id: str, *, epoch: int, first_seq: int, events: Sequence[bytes]) -> Appended:
        if self.appends:
            await self.let_go.wait()
        return await super().append(run_id, epoch=epoch, first_seq=first_seq, events=events)


async def test_a_lost_tail_that_is_missed_only_once_the_source_is_done_ends_the_run_as_log_lost() -> None:
    source = ScriptedSource(["a", "b"])
    log = HoldingLog({1: "forget"})
    async with serve(_app(source, Unspool(log=log, grace=0.1))) as url, httpx.AsyncClient() as client:
        with anyio.fail_after(20):
            run = url + (await client.post(f"{url}/agent/runs", json={"input": 1})).headers["location"]
            while not source.closed:
                await anyio.sleep(0.005)
            await anyio.wait_all_tasks_blocked()
            log.let_go.set()
            events = events_of((await client.get(f"{run}/stream")).content)
    assert [event["type"] for event in events][-2:] == ["error", "end"]
    assert (events[-2]["code"], events[-1]["status"]) == ("log_lost", "failed")


async def test_an_owner_that_was_taken_over_stops_its_source_and_writes_nothing() -> None:
    source = ScriptedSource(["a", "zombie"], stall_at=1)
    log = MemoryLog()
    unspool = Unspool(log=log, lease=600.0, grace=0.1)
    async with serve(_app(source, unspool)) as url, httpx.AsyncClient() as client:
        with anyio.fail_after(20):
            run_id = (await client.post(f"{url}/agent/runs", json={"input": 1})).json()["id"]
            await source.reached.wait()
            while (await log.get(run_id)).last_seq < 3:
                await anyio.sleep(0.005)
            await log.release(run_id, epoch=1)
            heir = await log.claim(run_id, worker="heir", lease=60)
            source.release()
            while unspool.runner.is_active(run_id):
                await anyio.sleep(0.005)
            records = await log.read(run_id, after=0)
    assert heir is not None
    assert heir.epoch == 2
    assert [record.type for record in records] == ["start", "message_start", "token"]
    assert source.closed == 1


async def test_a_follower_that_never_reads_slows_nobody_and_is_dropped() -> None:
    """Its megabytes stay in the log, once; the run ends, another follower gets all of it, and the silent one is cut."""
    word = "x" * 10_000

    async def agent(count: int) -> AsyncGenerator[str, None]:
        for _ in range(count):
            yield word

    unspool = Unspool(log=MemoryLog(), send_timeout=0.5, grace=0.1)
    async with serve(_app(agent, unspool)) as url:
        with anyio.fail_after(60), socket.socket() as silent:
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            silent.connect(("127.0.0.1", int(url.rpartition(":")[2])))
            body = b'{"input": 2000, "run_id": "big"}'
            head = b"POST /agent/stream HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            await anyio.to_thread.run_sync(silent.sendall, head + body)
            while not unspool.runner.followers.count("big"):
                await anyio.sleep(0.005)
            async with httpx.AsyncClient(timeout=60) as client:
                followed = await client.get(f"{url}/agent/runs/big/stream")
            assert len(text_of(events_of(followed.content))) == 2000 * len(word)
            while unspool.runner.followers.count("big"):
                await anyio.sleep(0.05)


def _waiting_tool(log: list[str], ready: anyio.Event) -> Callable[..., Any]:
    @tool
    async def wait(why: str) -> str:
        """Wait."""
        log.append(f"began {why}")
        ready.set()
        try:
            await anyio.sleep_forever()
        finally:
            log.append("stopped")
        return why

    return wait  # type: ignore[return-value]  # a tool is callable


async def test_a_cancel_during_a_tool_stops_the_tool() -> None:
    log: list[str] = []
    ready = anyio.Event()
    model = ScriptedChatModel.of([*tool_call("wait", "c1", '{"why":"x"}'), *done()], [*text("never"), *done()])
    agent = create_agent(model, [_waiting_tool(log, ready)])
    async with serve(_app(agent, Unspool(grace=0.1))) as url, httpx.AsyncClient() as client:
        with anyio.fail_after(20):
            run = url + (await client.post(f"{url}/agent/runs", json={"input": "go"})).headers["location"]
            await ready.wait()
            await client.post(f"{run}/cancel")
            events = events_of((await client.get(f"{run}/stream")).content)
    assert log == ["began x", "stopped"]
    assert events[-1]["status"] == "cancelled"
    assert [event["type"] for event in events if event["type"].startswith("tool")] == [
        "tool_start",
        "tool_args",
        "tool_call",
    ]
    assert len(model.calls) == 1


async def test_a_cancel_during_the_model_call_closes_the_request_to_the_provider() -> None:
    """Seen by the provider: a small server that speaks as much of the protocol as a stream needs, and then stalls."""
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import StreamingResponse
    from starlette.routing import Route

    closed = anyio.Event()
    chunk = (
        b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",'
        b'"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    )

    async def completions(_: Request) -> StreamingResponse:
        async def body() -> AsyncGenerator[bytes, None]:
            try:
                yield chunk
                await anyio.sleep_forever()
            finally:
                closed.set()

        return StreamingResponse(body(), media_type="text/event-stream")

    provider = Starlette(routes=[Route("/v1/chat/completions", completions, methods=["POST"])])
    async with serve(provider) as upstream:
        key = SecretStr("x")
        model = ChatOpenAI(base_url=f"{upstream}/v1", model="m", api_key=key, max_retries=0, timeout=apart())
        async with serve(_app(model, Unspool(grace=0.1))) as url, httpx.AsyncClient(timeout=20) as client:
            with anyio.fail_after(20):
                run = url + (await client.post(f"{url}/agent/runs", json={"input": "go"})).headers["location"]
                while (await client.get(run)).json().get("output") != "a":
                    await anyio.sleep(0.01)
                await client.post(f"{run}/cancel")
                await closed.wait()
                assert events_of((await client.get(f"{run}/stream")).content)[-1]["status"] == "cancelled"
