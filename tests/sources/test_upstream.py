"""Upstreams over HTTP: OpenAI's two protocols, and what holds for all protocols: limits, errors, redirects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import msgspec
import pytest
from anyio import EndOfStream
from anyio.abc import ByteStream, SocketAttribute
from fastapi import FastAPI

from tests.support.native import events_of, stream, text_of
from tests.support.server import serve
from unspool import Call, add_routes
from unspool.closing import opened
from unspool.errors import InvalidInput, classify
from unspool.events import (
    MessageEnd,
    MessageStart,
    Reasoning,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    Usage,
)
from unspool.local import LocalModel
from unspool.sources import Item
from unspool.sources.base import NOT_RUN
from unspool.sources.upstream.source import Protocol, upstream
from unspool.testing import FakeOpenAI, check_source
from unspool.testing.script import CallTool, Fail, Incomplete, Refuse, Say, Stall, Status, Think, Tokens
from unspool.testing.source import check_events

OPENAI: list[Protocol] = ["openai-chat", "openai-responses"]
CALL = Call(run_id="run", input="Hello")


def model(server: FakeOpenAI, protocol: Protocol, **options: Any) -> Any:
    return upstream(server.base_url, protocol=protocol, model="m", api_key="k", **options)


async def items_of(source: Any, call: Call = CALL) -> list[Item]:
    with anyio.fail_after(20):
        async with opened(source.stream(call)) as items:
            return [item async for item in items]


async def failure_of(source: Any, call: Call = CALL) -> tuple[str, str, bool]:
    """What a client is told, of anything but our own deadline."""
    with anyio.fail_after(20), pytest.raises(Exception) as caught:  # noqa: PT011 - what it is told is compared
        async with opened(source.stream(call)) as items:
            async for _ in items:
                pass
    failure = classify(caught.value)
    return failure.code, failure.message, failure.retryable


# -- OpenAI ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", OPENAI)
async def test_text_thoughts_tools_and_usage(protocol: Protocol) -> None:
    turn = [Think("hm"), Say("Let ", "me see."), CallTool("look", '{"q', '":1}', call_id="c"), Tokens(3, 5)]
    with FakeOpenAI(turn) as server:
        items = await items_of(model(server, protocol))
    check_events(items)
    usage = next(item for item in items if isinstance(item, Usage))
    assert (usage.input_tokens, usage.output_tokens) == (3, 5)
    assert [item for item in items if item is not usage] == [
        MessageStart("run-1"),
        Reasoning("run-1", "hm"),
        Token("run-1", "Let "),
        Token("run-1", "me see."),
        ToolStart("c", "look", "run-1"),
        ToolArgs("c", '{"q'),
        ToolArgs("c", '":1}'),
        ToolCall("c", "look", {"q": 1}),
        MessageEnd("run-1", "tool_calls"),
        ToolEnd("c", error=NOT_RUN),
    ]


@pytest.mark.parametrize("protocol", OPENAI)
async def test_a_refusal_and_a_cut(protocol: Protocol) -> None:
    with FakeOpenAI([Refuse("No.")]) as server:
        refused = await items_of(model(server, protocol))
    with FakeOpenAI([Say("Once"), Incomplete("max_output_tokens")]) as server:
        cut = await items_of(model(server, protocol))
    assert [item for item in refused if not isinstance(item, Usage)] == [
        MessageStart("run-1"),
        Token("run-1", "No."),
        MessageEnd("run-1", "refusal"),
    ]
    assert cut[-1] == MessageEnd("run-1", "length")


@pytest.mark.parametrize("protocol", OPENAI)
async def test_it_keeps_the_promises_of_a_source(protocol: Protocol) -> None:
    with FakeOpenAI([Say("a", "b")]) as server:
        await check_source(lambda: model(server, protocol), CALL)


@pytest.mark.parametrize("protocol", OPENAI)
async def test_the_thread_so_far_and_the_options_are_sent(protocol: Protocol) -> None:
    app = FastAPI()
    with FakeOpenAI([Say("Hello you.")]) as server, anyio.fail_after(20):
        source = model(server, protocol, instructions="Be brief.", params={"temperature": 0.5})
        add_routes(app, source, path="/agent")
        async with serve(app) as url:
            await stream(f"{url}/agent", {"input": "one", "thread_id": "t"})
            got = await stream(f"{url}/agent", {"input": "two", "thread_id": "t"})
        body = dict(server.requests[1].body)
        headers = server.requests[1].headers
    said = body["messages" if protocol == "openai-chat" else "input"]
    assert text_of(events_of(got.content)) == "Hello you."
    assert [entry["role"] for entry in said] == (
        ["system", "user", "assistant", "user"] if protocol == "openai-chat" else ["user", "assistant", "user"]
    )
    assert msgspec.json.encode(said).count(b"Hello you.") == 1
    assert (body["model"], body["stream"], body["temperature"]) == ("m", True, 0.5)
    assert (headers["authorization"], headers["accept-encoding"]) == ("Bearer k", "identity")


async def test_headers_come_before_the_key_and_usage_need_not_be_asked_for() -> None:
    with FakeOpenAI([Say("a")]) as server:
        source = model(
            server,
            "openai-chat",
            headers=lambda call: {"Authorization": f"Bearer {call.run_id}"},
            params={"stream_options": None},
        )
        await items_of(source)
    assert server.requests[0].headers["authorization"] == "Bearer run"
    assert "stream_options" not in server.requests[0].body


@pytest.mark.parametrize("protocol", OPENAI)
async def test_closing_it_in_mid_stall_closes_the_request_at_once(protocol: Protocol) -> None:
    with FakeOpenAI([Say("a"), Stall()]) as server, anyio.fail_after(20):
        async with opened(model(server, protocol).stream(CALL)) as items:
            await anext(items)
            await server.stalled()
        assert (await server.disconnected()).path.endswith(("/chat/completions", "/responses"))


@pytest.mark.parametrize("protocol", OPENAI)
async def test_cancelling_the_task_in_mid_stall_closes_the_request_at_once(protocol: Protocol) -> None:
    with FakeOpenAI([Say("a"), Stall()]) as server, anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(items_of, model(server, protocol))
            await server.stalled()
            tasks.cancel_scope.cancel()
        await server.disconnected()


@pytest.mark.parametrize("protocol", OPENAI)
@pytest.mark.parametrize(
    ("turn", "code"),
    [
        ([Status(429, code="rate_limit_exceeded", retry_after=2.0)], "rate_limit"),
        ([Status(401)], "auth"),
        ([Status(400, code="context_length_exceeded")], "validation"),
        ([Status(500)], "provider"),
        ([Say("a"), Fail("rate_limit_exceeded", how="event")], "rate_limit"),
        ([Say("a"), Fail("rate_limit_exceeded", how="body")], "rate_limit"),
    ],
)
async def test_what_the_server_says_of_a_failure_is_put_in_our_words(
    protocol: Protocol, turn: list[Any], code: str
) -> None:
    with FakeOpenAI(turn) as server:
        found, message, _ = await failure_of(model(server, protocol))
    assert found == code
    assert "boom" not in message


async def test_retry_after_is_passed_on() -> None:
    with FakeOpenAI([Status(429, code="rate_limit_exceeded", retry_after=2.0)]) as server:
        with pytest.raises(httpx.HTTPStatusError) as caught:
            await items_of(model(server, "openai-chat"))
    assert classify(caught.value).retry_after == 2.0


async def test_ten_thousand_tokens() -> None:
    with FakeOpenAI([Say(*["x"] * 10_000)], together=True) as server:
        items = await items_of(model(server, "openai-responses"))
    assert sum(isinstance(item, Token) for item in items) == 10_000


@pytest.mark.local_model
async def test_the_real_model(real_model: LocalModel) -> None:
    source = upstream(
        real_model.base_url, protocol="openai-chat", model=real_model.name, api_key="none", params={"max_tokens": 12}
    )
    items = await items_of(source, Call(run_id="run", input="Say hello."))
    check_events(items)
    assert sum(isinstance(item, Token) for item in items) > 1
    assert next(item for item in items if isinstance(item, Usage)).output_tokens > 1


# -- bytes ----------------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
CHUNKS = [
    b'data: {"choices":[{"index":0,"delta":{"content":"H\xc3\xa9"}}]}',
    b'data: {"choices":[{"index":0,"delta":{"content":"llo"},"finish_reason":"stop"}]}',
    b"data: [DONE]",
]


@asynccontextmanager
async def raw(*parts: bytes, hold: bool = False) -> AsyncIterator[str]:
    """A server that writes these bytes, part by part, and then closes, or holds the connection."""

    async def answer(client: ByteStream) -> None:
        async with client:
            received = b""
            while b"\r\n\r\n" not in received:
                received += await client.receive()
            for part in parts:
                await client.send(part)
                await anyio.lowlevel.checkpoint()
            while hold:
                try:
                    await client.receive()
                except EndOfStream:
                    return

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        yield f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()


def every_byte(body: bytes) -> Sequence[bytes]:
    return [body[i : i + 1] for i in range(len(body))]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
async def test_a_stream_may_be_cut_anywhere_and_hold_comments(line_end: bytes) -> None:
    body = b": hi\n\n" + b"".join(chunk + b"\n\n: ping\n\n" for chunk in CHUNKS)
    async with raw(HEAD, *every_byte(body.replace(b"\n", line_end))) as url:
        items = await items_of(upstream(url, protocol="openai-chat", model="m"))
    assert items == [
        MessageStart("run-1"),
        Token("run-1", "Hé"),
        Token("run-1", "llo"),
        MessageEnd("run-1", "stop"),
    ]


async def test_what_is_done_is_not_waited_for() -> None:
    async with raw(HEAD, *[chunk + b"\n\n" for chunk in CHUNKS], hold=True) as url:
        items = await items_of(upstream(url, protocol="openai-chat", model="m"))
    assert items[-1] == MessageEnd("run-1", "stop")


def with_status(status: bytes, body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join(
        [b"HTTP/1.1 " + status, b"content-length: %d" % len(body), b"connection: close", *headers, b"", body]
    )


CUT = ("provider", "The model provider closed the stream before its end.", True)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (HEAD, CUT),
        (HEAD + CHUNKS[0] + b"\n\n", CUT),
        (HEAD + b"data: nonsense\n\n", ("provider", "The upstream sent an event that cannot be understood.", False)),
        (HEAD + b"data: [1]\n\n", ("provider", "The upstream sent an event that cannot be understood.", False)),
        (
            with_status(b"200 OK", b"<html>", b"content-type: text/html"),
            ("provider", "The upstream did not answer with an event stream.", False),
        ),
        (
            with_status(b"502 Bad Gateway", b"<html>" * 20_000, b"content-type: text/html"),
            ("provider", "The model provider failed.", True),
        ),
    ],
)
async def test_an_answer_that_is_no_good_fails_the_run(answer: bytes, told: tuple[str, str, bool]) -> None:
    async with raw(answer) as url:
        assert await failure_of(upstream(url, protocol="openai-chat", model="m")) == told


@pytest.mark.parametrize("protocol", ["native", "ag-ui", "openai-chat", "openai-responses"])
async def test_an_event_over_the_limit_ends_the_call(protocol: Protocol) -> None:
    options: dict[str, Any] = {"model": "m"} if protocol.startswith("openai") else {}
    told = ("provider", "The upstream sent an event over the limit of 1,000 bytes.", False)
    async with raw(HEAD, b"data: " + b"x" * 1001) as url:
        source = upstream(url, protocol=protocol, max_event_bytes=1000, **options)
        assert await failure_of(source) == told


async def test_an_event_at_the_limit_is_taken() -> None:
    limit = max(len(chunk) for chunk in CHUNKS)
    async with raw(HEAD, *[chunk + b"\n\n" for chunk in CHUNKS]) as url:
        items = await items_of(upstream(url, protocol="openai-chat", model="m", max_event_bytes=limit))
    assert len(items) == 4


@pytest.mark.parametrize("protocol", ["ag-ui", "openai-chat", "openai-responses"])
async def test_silence_ends_the_call(protocol: Protocol) -> None:
    options: dict[str, Any] = {"model": "m"} if protocol.startswith("openai") else {}
    async with raw(HEAD, hold=True) as url:
        code, _, retryable = await failure_of(upstream(url, protocol=protocol, silence=0.2, **options))
    assert (code, retryable) == ("timeout", True)


@pytest.mark.parametrize("protocol", ["native", "ag-ui", "openai-chat", "openai-responses"])
@pytest.mark.parametrize("follow", [False, True])
async def test_a_redirect_is_not_followed(protocol: Protocol, follow: bool) -> None:
    """Also where the given client would."""
    options: dict[str, Any] = {"model": "m", "api_key": "secret"} if protocol.startswith("openai") else {}
    async with raw(b"") as other, httpx.AsyncClient(follow_redirects=follow) as http:
        moved = with_status(b"307 Temporary Redirect", b"", b"location: " + other.encode())
        async with raw(moved) as url:
            told = await failure_of(upstream(url, protocol=protocol, http=http, **options))
        assert not http.is_closed
    assert told == ("provider", "The upstream answered with a redirect, which is not followed.", False)


async def test_nobody_there_is_retryable() -> None:
    for protocol in ("native", "ag-ui"):
        assert (await failure_of(upstream("http://127.0.0.1:9", protocol=protocol)))[::2] == ("provider", True)


# -- options --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["native", "ag-ui", "openai-chat", "openai-responses"])
async def test_config_of_a_client_is_refused(protocol: Protocol) -> None:
    options: dict[str, Any] = {"model": "m"} if protocol.startswith("openai") else {}
    with pytest.raises(InvalidInput, match="`config` may hold nothing here, and not: temperature"):
        await items_of(
            upstream("http://127.0.0.1:9", protocol=protocol, **options),
            Call(run_id="r", input="q", config={"temperature": 2}),
        )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"url": "ftp://example.org"}, ValueError),
        ({"url": "example.org"}, ValueError),
        ({"silence": 0.0}, ValueError),
        ({"max_event_bytes": -1}, ValueError),
        ({"model": "m"}, TypeError),
        ({"protocol": "openai-chat"}, TypeError),
        ({"protocol": "openai-chat", "model": "m", "params": {"stream": False}}, TypeError),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        upstream(**{"url": "http://example.org", **options})


def test_its_name_is_the_host_unless_it_is_given() -> None:
    assert upstream("https://example.org/v1", protocol="ag-ui").name == "example.org"
    assert upstream("https://example.org/v1", protocol="ag-ui", name="writer").name == "writer"
