"""What an upstream refuses, and what stays between us and it: credentials, runs that nobody wants, long names."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, StreamingResponse

from tests.sources.test_upstream import failure_of, items_of, raw, with_status
from tests.sources.upstream_wire import SAID, serving
from tests.support.proxy import cutting
from tests.support.server import serve
from unspool import Call, SourceError
from unspool.events import AnyEvent, MessageEnd, MessageStart, Start, encode
from unspool.runs.ids import new_run_id
from unspool.sources.upstream.http import MAX_ERROR_BYTES, Link
from unspool.sources.upstream.native import upstream_id
from unspool.sources.upstream.source import upstream
from unspool.testing import ScriptedSource

JSON = b"content-type: application/json"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": {"code": "rate_limit_exceeded"}}, "rate_limit"),
        ({"error": {"code": None, "type": "rate_limit_exceeded"}}, "rate_limit"),
        ({"code": "rate_limit_exceeded"}, "rate_limit"),
        ({"type": "rate_limit_exceeded"}, "rate_limit"),
        ({"error": {"code": "rate_limit_exceeded"}, "more": "x" * MAX_ERROR_BYTES}, "provider"),
        ({"error": "rate_limit_exceeded"}, "provider"),
        (["rate_limit_exceeded"], "provider"),
    ],
)
async def test_an_error_says_its_code_or_its_type_in_a_body_that_is_not_too_large(body: Any, code: str) -> None:
    answer = with_status(b"500 Internal Server Error", json.dumps(body).encode(), JSON)
    async with raw(answer) as url:
        found, _, _ = await failure_of(upstream(url, protocol="openai-chat", model="m"))
    assert found == code


async def test_an_error_in_an_event_of_another_type_does_not_end_the_answer() -> None:
    events = [
        {"type": "response.mcp_call.failed", "error": {"code": "rate_limit_exceeded"}},
        {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": []}},
    ]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    async with raw(head, *[b"data: %b\n\n" % json.dumps(event).encode() for event in events]) as url:
        items = await items_of(upstream(url, protocol="openai-responses", model="m"))
    assert not [item for item in items if isinstance(item, MessageStart)]


@asynccontextmanager
async def answering(answer: Any) -> AsyncIterator[str]:
    app = FastAPI()
    app.add_route("/{path:path}", answer, methods=["GET", "POST"])
    async with serve(app) as url:
        yield url


async def test_credentials_do_not_follow_a_redirect_of_a_short_request() -> None:
    asked: list[str] = []

    async def other(request: Request) -> Any:
        asked.append(request.url.path)
        return JSONResponse({"status": "failed"})

    with anyio.fail_after(20):
        async with answering(other) as target:

            async def moved(request: Request) -> Any:
                return RedirectResponse(f"{target}{request.url.path}")

            async with answering(moved) as url:
                link = Link(url, headers={"authorization": "Bearer secret"})
                async with link.client() as http:
                    assert await link.ask(http, Call(run_id="r", input="q"), "GET", "/runs/r") is None
    assert asked == []


async def test_the_problem_of_the_upstream_is_ours_with_its_words() -> None:
    busy = {
        "type": "urn:unspool:error:overloaded",
        "code": "overloaded",
        "detail": "Busy.",
        "retryable": True,
        "retry_after": 3,
    }

    async def answer(_: Request) -> Any:
        return JSONResponse(busy, 503)

    async with answering(answer) as url:
        with pytest.raises(SourceError) as caught:
            await items_of(upstream(url))
    error = caught.value
    assert (error.code, error.message, error.retryable, error.retry_after) == ("overloaded", "Busy.", True, 3.0)


@pytest.mark.parametrize(
    ("status", "number"), [("failed", 2), ("cancelled", 2), ("running", 1), ("completed", 1), (None, 1)]
)
async def test_a_second_attempt_goes_on_with_the_first_ones_run_unless_that_is_of_no_use(
    status: str | None, number: int
) -> None:
    started: list[str] = []

    async def answer(request: Request) -> Any:
        if request.method == "GET":
            return JSONResponse({"status": status} if status else {}, 200 if status else 404)
        started.append((await request.json())["run_id"])
        events: list[AnyEvent] = [Start("u", "s", 0.0), MessageStart("m"), MessageEnd("m")]
        frames = [b"id: %d\ndata: %b\n\n" % (seq, encode(event)) for seq, event in enumerate(events, 1)]
        end = b'id: 4\ndata: {"type":"end","status":"completed"}\n\n'
        return StreamingResponse(iter([b"".join(frames), end]), media_type="text/event-stream")

    async with answering(answer) as url:
        await items_of(upstream(url), Call(run_id="r", input="q", attempt=2))
    assert started == [upstream_id("r", number)]


async def test_a_run_whose_first_answer_was_lost_is_not_left_running() -> None:
    stalling = ScriptedSource(SAID, stall_at=0)
    with anyio.fail_after(20):
        async with serving(stalling) as inner:
            host, path = inner.rsplit("/", 1)
            async with cutting(host, itertools.chain([1], itertools.repeat(1 << 60))) as proxy:
                with pytest.raises(httpx.TransportError):
                    await items_of(upstream(f"{proxy.url}/{path}"), Call(run_id="r", input="q"))
            while stalling.closed == 0:
                await anyio.sleep(0.005)
            async with httpx.AsyncClient() as http:
                run = await http.get(f"{inner}/runs/{upstream_id('r')}")
    assert run.json()["status"] == "cancelled"


async def test_where_nobody_is_there_is_nothing_to_cancel(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(httpx.ConnectError):
        await items_of(upstream("http://127.0.0.1:9"))
    assert "cancelled" not in caplog.text


async def test_each_event_begins_the_patience_anew() -> None:
    """Without that the waits would grow to many seconds, which is more than the patience."""
    words = ScriptedSource([f"{number} " for number in range(200)])
    with anyio.fail_after(30):
        async with serving(words) as inner:
            host, path = inner.rsplit("/", 1)
            cuts = itertools.chain([1500] * 10, itertools.repeat(1 << 60))
            async with cutting(host, cuts) as proxy:
                source = upstream(f"{proxy.url}/{path}", patience=5.0)
                items = await items_of(source, Call(run_id="r", input="q"))
    assert isinstance(items[-1], MessageEnd)
    assert proxy.connections >= 8


async def test_a_thread_of_any_length_is_a_thread_upstream() -> None:
    scripted = ScriptedSource(SAID)
    with anyio.fail_after(20):
        async with serving(scripted) as inner:
            for run_id, thread_id in (("a", "t" * 128), ("b", "u" * 129), ("c", "v" * 129)):
                call = Call(run_id=run_id, input="q", thread_id=thread_id, owner="ann")
                assert await items_of(upstream(inner), call) == SAID
    threads = [call.thread_id for call in scripted.calls]
    assert len(set(threads)) == 3
    assert all(thread is not None and len(thread) <= 128 for thread in threads)


def test_the_upstreams_run_has_an_id_of_its_own_that_begins_with_the_same_time() -> None:
    ours = new_run_id()
    found = [upstream_id(ours, number) for number in (1, 2)]
    assert all(each.startswith(ours[:13]) and re.fullmatch(r"[0-9a-f-]{46}", each) for each in found)
    assert len({ours, *found}) == 3
    assert re.fullmatch(r"[0-9a-f]{64}", upstream_id("mine"))
