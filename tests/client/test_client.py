"""The Python client against a real server, through a network that cuts."""

from __future__ import annotations

import itertools
import random
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from tests.support.proxy import cutting
from tests.support.server import serve
from unspool import SourceError, Unspool
from unspool.client import AsyncClient, Backoff, Client, Disconnected
from unspool.client.following import Following, error_of
from unspool.errors import CursorUnknown, InvalidInput, MalformedBody, RunCancelled, RunConflict, RunFailed, RunNotFound
from unspool.events import End, Interrupt, Start, Token
from unspool.testing import ScriptedSource

QUICK = Backoff(first=0.001, longest=0.005, attempts=50)


def _app(source: Any) -> FastAPI:
    app = FastAPI()
    Unspool(grace=0.2).add_routes(app, source, path="/agent")
    return app


async def test_a_run_is_streamed_typed() -> None:
    async with serve(_app(ScriptedSource(["a", "b"]))) as url, AsyncClient(f"{url}/agent") as client:
        async with client.stream("hi", thread_id="t") as stream:
            events = [event async for event in stream]
        assert isinstance(events[0], Start)
        assert [event.text for event in events if isinstance(event, Token)] == ["a", "b"]
        assert isinstance(events[-1], End)
        assert (stream.transcript.text, stream.last_seq) == ("ab", 6)
        assert (await client.get(stream.run_id))["output"] == "ab"
        assert (await client.transcript(stream.run_id))["status"] == "completed"
        assert [thread["id"] for thread in (await client.threads())["threads"]] == ["t"]
        assert len((await client.thread("t"))["messages"]) == 2
        assert len((await client.runs(thread_id="t"))["runs"]) == 1
        about = await client.schemas()
        assert (about["name"], about["accepts"]) == ("agent", [])


@pytest.mark.parametrize("seed", range(8))
async def test_nothing_is_lost_or_doubled_however_often_the_connection_is_cut(seed: int) -> None:
    """spec: CUR-4"""
    words = [f"word{n} \u2028é" for n in range(200)]
    source = ScriptedSource(words)
    chance = random.Random(seed)
    cuts = (chance.choice([0, 1, 50, 300, 700, 1500, 4000]) for _ in itertools.count())
    async with serve(_app(source)) as url, cutting(url, cuts) as proxy:
        with anyio.fail_after(30):
            http = httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=0))
            async with http, AsyncClient(f"{proxy.url}/agent", backoff=QUICK, http=http) as client:
                async with client.stream("hi") as stream:
                    seqs = [record.seq async for record in stream.records()]
    assert seqs == list(range(1, len(words) + 5))
    assert stream.transcript.text == "".join(words)
    assert len(source.calls) == 1
    assert proxy.connections > 3


async def test_a_server_that_is_gone_is_given_up_on_in_the_end() -> None:
    async with AsyncClient("http://127.0.0.1:9/agent", backoff=Backoff(first=0.001, attempts=3)) as client:
        with pytest.raises(Disconnected), anyio.fail_after(10):
            await client.invoke("hi")
        with pytest.raises(Disconnected):
            await client.get("x")


async def test_what_cannot_succeed_is_not_tried_again() -> None:
    source = ScriptedSource(["a"], fail={0: [SourceError("no", code="provider")]})
    async with serve(_app(source)) as url, AsyncClient(f"{url}/agent", backoff=QUICK) as client:
        with anyio.fail_after(10):
            with pytest.raises(RunFailed, match="no") as failed:
                await client.invoke("hi")
            assert failed.value.code == "provider"
            with pytest.raises(RunNotFound):
                async with client.follow("no-such-run") as stream:
                    await stream.output()
            with pytest.raises(CursorUnknown):
                async with client.follow(failed.value.run_id or "", after=99) as stream:
                    await stream.output()
            with pytest.raises(InvalidInput):
                await client.start("hi", run_id="not an id")
            with pytest.raises(RunConflict):
                await client.cancel(failed.value.run_id or "")
    assert len(source.calls) == 1


async def test_a_run_is_cancelled_and_keeps_what_it_said() -> None:
    source = ScriptedSource(["a", "never"], stall_at=1)
    async with serve(_app(source)) as url, AsyncClient(f"{url}/agent") as client:
        with anyio.fail_after(10):
            async with client.stream("hi") as stream:
                async for event in stream:
                    if isinstance(event, Token):
                        await stream.cancel()
            with pytest.raises(RunCancelled):
                await stream.output()
    assert stream.transcript.text == "a"


async def test_an_interrupt_is_answered() -> None:
    source = ScriptedSource(["ok?", Interrupt("i1", "?")])
    async with serve(_app(source)) as url, AsyncClient(f"{url}/agent") as client:
        with anyio.fail_after(10):
            async with client.stream("hi") as stream:
                assert [event async for event in stream][-1] == End("interrupted", metrics=stream.transcript.metrics)
            async with client.resume(stream.run_id, True) as second:
                await second.output()
    assert source.calls[1].answer == {"i1": True}


async def test_a_run_takes_the_place_of_another_and_is_scored() -> None:
    async with serve(_app(ScriptedSource(["a"]))) as url, AsyncClient(f"{url}/agent") as client:
        first = await client.start("one", thread_id="t")
        await client.follow(first["id"]).output()
        async with client.stream("two", thread_id="t", replaces=first["id"]) as stream:
            await stream.output()
        third = await client.start("three", thread_id="t", replaces=stream.run_id)
        await client.follow(third["id"]).output()
        assert await client.invoke("four", thread_id="t", replaces=third["id"]) == "a"
        thread = await client.thread("t", transcripts=True)
        assert [run.get("replaced", False) for run in thread["runs"]] == [True, True, True, False]
        assert [message["parts"][0]["text"] for message in thread["messages"]] == ["four", "a"]
        last = thread["runs"][-1]
        assert last["transcript"]["output"] == "a"
        stored = await client.feedback(last["id"], score=True, comment="good", value={"a": 1})
        assert (await client.get(last["id"]))["feedback"] == [
            {name: stored[name] for name in ("key", "at", "score", "value", "comment")}
        ]
        assert (stored["key"], stored["score"], stored["value"]) == ("score", True, {"a": 1})


async def test_a_start_that_finds_a_run_follows_that_one() -> None:
    async with serve(_app(ScriptedSource(["a"]))) as url, AsyncClient(f"{url}/agent") as client:
        async with (
            client.stream("one", idempotency_key="k") as first,
            client.stream("one", idempotency_key="k") as same,
        ):
            assert await same.output() == await first.output() == "a"
        assert same.run_id == first.run_id
        assert (await client.get(same.run_id))["status"] == "completed"


def test_a_connection_that_is_lost_is_made_anew_to_the_run_that_the_server_found() -> None:
    following = Following("mine", start={"input": 1, "run_id": "mine"}, backoff=QUICK)
    following.connected(200, {"unspool-run-id": "theirs"})
    assert following.request()[:2] == ("GET", "/runs/theirs/stream")


async def test_the_sync_client_does_the_same() -> None:
    async with serve(_app(ScriptedSource(["a", "b"]))) as url:

        def use() -> None:
            with Client(f"{url}/agent") as client:
                assert client.invoke("hi") == "ab"
                run = client.start("hi", idempotency_key="k")
                with client.follow(run["id"]) as stream:
                    assert isinstance(list(stream)[-1], End)
                assert client.get(run["id"])["status"] == "completed"
                with pytest.raises(RunNotFound):
                    client.get("no-such-run")

        with anyio.fail_after(10):
            await anyio.to_thread.run_sync(use)


def test_a_gap_is_noticed_and_a_replay_is_not_delivered_twice() -> None:
    """spec: CUR-4"""
    following = Following("r", after=3, backoff=QUICK)
    assert following.request()[2]["Last-Event-ID"] == "3"
    assert following.feed(b'id: 3\ndata: {"type":"token","message_id":"m","text":"a"}\n\n') == []
    with pytest.raises(MalformedBody, match="left out"):
        following.feed(b'id: 5\ndata: {"type":"token","message_id":"m","text":"a"}\n\n')


def test_progress_begins_the_count_of_failures_anew() -> None:
    following = Following("r", after=0, backoff=Backoff(first=0.1, longest=1.0, attempts=3))
    for seq in range(1, 10):
        following.request()
        following.connected(200, {})
        assert 0 <= following.failed(Disconnected("x")) <= 0.1
        following.request()
        following.feed(b'id: %d\ndata: {"type":"token","message_id":"m","text":"a"}\n\n' % seq)
    following.failed(None)
    following.failed(None)
    with pytest.raises(Disconnected):
        following.failed(None)


def test_an_error_without_a_problem_is_understood_by_its_status() -> None:
    assert error_of(401, b"<html>").code == "auth"
    assert error_of(503, b"").code == "overloaded"
    assert error_of(410, b'{"code":"cursor_expired","detail":"x"}').code == "cursor_expired"
