"""OpenAI's Chat Completions, with the real SDK over real HTTP."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import anyio
import openai
import pytest
from fastapi import FastAPI
from openai.types.chat import ChatCompletionChunk
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.sources.conftest import Connect
from tests.support.native import stream
from tests.support.server import serve
from tests.support.sources import collect
from unspool import Unspool
from unspool.closing import opened
from unspool.errors import InvalidInput, SourceError, classify
from unspool.events import (
    Citation,
    File,
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
from unspool.sources import Call, adapt
from unspool.sources.base import NOT_RUN
from unspool.sources.conversation import NOT_COMPLETED
from unspool.sources.ids import Ids
from unspool.sources.openai.chat import chat_completions
from unspool.sources.openai.chat_chunks import ChatTranslation
from unspool.testing import FakeOpenAI, check_source
from unspool.testing.script import (
    CallTool,
    Cite,
    Drop,
    Fail,
    Incomplete,
    Piece,
    Raw,
    Refuse,
    Say,
    Stall,
    Status,
    Think,
    Tokens,
)


async def answered(connect: Connect, *pieces: Piece, **params: Any) -> list[Any]:
    """What the source makes of one answer, without the usage at its end."""
    with FakeOpenAI(pieces) as server:
        found = await collect(chat_completions(connect(server), model="m", **params))
    return [event for event in found if not isinstance(event, Usage)]


def _delta(number: int = 0, *, finish: str | None = None, usage: Any = None, **delta: Any) -> dict[str, Any]:
    """A chunk as a server sends it."""
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        "usage": usage,
    }


def _said(*events: Any, finish: str | None = "stop") -> list[Any]:
    return [MessageStart("run-1-1"), *events, MessageEnd("run-1-1", finish)]


async def test_what_a_completion_says_becomes_events(connect_both: Connect) -> None:
    pieces = [
        Think("hm"),
        Say("It ", "is"),
        CallTool("get_weather", '{"ci', 'ty":"Paris"}', call_id="c1"),
        CallTool("get_time", call_id="c2"),
        Cite("https://example.org", "Paris", 3, 5),
        Tokens(10, 7, 2, 4),
    ]
    with FakeOpenAI(pieces) as server:
        found = await collect(
            chat_completions(connect_both(server), model="m", instructions="Be brief.", temperature=0.5)
        )
    assert found == [
        MessageStart("run-1-1"),
        Reasoning("run-1-1", "hm"),
        Token("run-1-1", "It "),
        Token("run-1-1", "is"),
        ToolStart("c1", "get_weather", "run-1-1"),
        ToolArgs("c1", '{"ci'),
        ToolArgs("c1", 'ty":"Paris"}'),
        ToolStart("c2", "get_time", "run-1-1"),
        Citation("run-1-1", "https://example.org", "Paris", start=3, end=5),
        ToolCall("c1", "get_weather", {"city": "Paris"}),
        ToolCall("c2", "get_time", {}),
        Usage(10, 7, 17, 2, 4, "m"),
        MessageEnd("run-1-1", "tool_calls"),
        ToolEnd("c1", error=NOT_RUN),
        ToolEnd("c2", error=NOT_RUN),
    ]
    assert server.requests[0].body == {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
    }


async def test_it_passes_the_kit(connect_both: Connect) -> None:
    with FakeOpenAI([Think("hm"), Say("a", "b"), CallTool("f", "{}", call_id="c")]) as server:
        await check_source(lambda: chat_completions(connect_both(server), model="m"), Call(run_id="r", input="hi"))


async def test_cancelling_or_closing_it_in_a_stall_closes_the_request_at_once(connect_both: Connect) -> None:
    with anyio.fail_after(20), FakeOpenAI([Say("a"), Stall(), Say("b")]) as server:
        source = chat_completions(connect_both(server), model="m")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect, source)
            await server.stalled()
            tasks.cancel_scope.cancel()
        assert (await server.disconnected()).number == 0
        async with opened(source.stream(Call(run_id="r", input="hi"))) as events:
            assert [await anext(events), await anext(events)] == [MessageStart("r-1"), Token("r-1", "a")]
        assert (await server.disconnected()).number == 1


async def test_a_refusal_is_text_whose_reason_says_so(connect: Connect) -> None:
    assert await answered(connect, Refuse("I can", "not.")) == _said(
        Token("run-1-1", "I can"), Token("run-1-1", "not."), finish="refusal"
    )


async def test_an_answer_without_a_word_is_a_message_with_its_reason(connect: Connect) -> None:
    assert await answered(connect, Incomplete("content_filter")) == _said(finish="content_filter")
    assert await answered(connect, Say("a"), Incomplete("max_output_tokens")) == _said(
        Token("run-1-1", "a"), finish="length"
    )


def _fragment(index: int | None = None, given: str | None = None, name: str | None = None, args: Any = None) -> Any:
    fields = {"index": index, "id": given, "function": {"name": name, "arguments": args}}
    return _delta(tool_calls=[{key: value for key, value in fields.items() if value is not None}])


_F = [ToolStart("c1", "f", "run-1-1"), ToolArgs("c1", '{"a"'), ToolArgs("c1", ":1}")]
_F_DONE = ToolCall("c1", "f", {"a": 1})
_OWN = "run-1-call-1"


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param(
            [_fragment(0, "c1", "f", '{"a"'), _fragment(0, "c1", "f", ":1}")], [*_F, _F_DONE], id="all is repeated"
        ),
        pytest.param(
            [_fragment(None, "c1", "f", '{"a"'), _fragment(args=":1}")], [*_F, _F_DONE], id="no index, id once"
        ),
        pytest.param(
            [_fragment(None, "c1", "f", '{"a"'), _fragment(None, "c1", None, ":1}")], [*_F, _F_DONE], id="no index"
        ),
        pytest.param(
            [_fragment(None, "c1", "f", '{"a"'), _fragment(None, "c2", "g"), _fragment(None, "c1", None, ":1}")],
            [*_F[:2], ToolStart("c2", "g", "run-1-1"), _F[2], _F_DONE, ToolCall("c2", "g", {})],
            id="no index, and interleaved",
        ),
        pytest.param(
            [_fragment(0, "c1", None, "{}")],
            [ToolStart("c1", "", "run-1-1"), ToolArgs("c1", "{}"), ToolCall("c1", "", {})],
            id="no name at all",
        ),
        pytest.param(
            [_fragment(0, "c1", None, '{"a"'), _fragment(0, None, "f", ":1}")], [*_F, _F_DONE], id="the name comes late"
        ),
        pytest.param(
            [_fragment(0, "c1", "f", '{"a"'), _fragment(0, "other", None, ":1}")], [*_F, _F_DONE], id="ids that change"
        ),
        pytest.param(
            [_fragment(0, "c1", "f", {"a": 1})], [_F[0], ToolArgs("c1", '{"a":1}'), _F_DONE], id="an object at once"
        ),
        pytest.param(
            [_fragment(0, "c1", "f", "{}"), _fragment(0, "c2", "g", "[]")],
            [
                *(_F[0], ToolArgs("c1", "{}"), ToolStart("c2", "g", "run-1-1"), ToolArgs("c2", "[]")),
                *(ToolCall("c1", "f", {}), ToolCall("c2", "g", [])),
            ],
            id="two with one index",
        ),
        pytest.param(
            [_fragment(0, None, "f", '{"a'), _fragment(1, None, "f", "{}"), _fragment(0, args='":2}')],
            [
                *(ToolStart(_OWN, "f", "run-1-1"), ToolArgs(_OWN, '{"a')),
                *(ToolStart("run-1-call-2", "f", "run-1-1"), ToolArgs("run-1-call-2", "{}"), ToolArgs(_OWN, '":2}')),
                *(ToolCall(_OWN, "f", {"a": 2}), ToolCall("run-1-call-2", "f", {})),
            ],
            id="no ids, and interleaved",
        ),
        pytest.param(
            [
                _fragment(name="f", args="{}"),
                _fragment(name="f", args="x"),
                _fragment(0, None, "g"),
                _fragment(0, None, "h"),
            ],
            [
                *(ToolStart(_OWN, "f", "run-1-1"), ToolArgs(_OWN, "{}")),
                *(ToolStart("run-1-call-2", "f", "run-1-1"), ToolArgs("run-1-call-2", "x")),
                *(ToolStart("run-1-call-3", "g", "run-1-1"), ToolStart("run-1-call-4", "h", "run-1-1")),
                *(ToolCall(_OWN, "f", {}), ToolCall("run-1-call-2", "f", "x")),
                *(ToolCall("run-1-call-3", "g", {}), ToolCall("run-1-call-4", "h", {})),
            ],
            id="nothing but names, and no JSON",
        ),
        pytest.param(
            [_delta(function_call={"name": "f", "arguments": '{"a"'}), _delta(function_call={"arguments": ":1}"})],
            [
                *(ToolStart(_OWN, "f", "run-1-1"), ToolArgs(_OWN, '{"a"'), ToolArgs(_OWN, ":1}")),
                ToolCall(_OWN, "f", {"a": 1}),
            ],
            id="the old function_call",
        ),
        pytest.param(
            [_delta(tool_calls=[{"index": 0, "id": "c1", "type": "custom", "custom": {"name": "f", "input": "4"}}])],
            [_F[0], ToolArgs("c1", "4"), ToolCall("c1", "f", "4")],
            id="a custom tool takes text",
        ),
    ],
)
async def test_tool_calls_are_put_together_however_a_server_cuts_them(
    connect: Connect, chunks: list[Any], expected: list[Any]
) -> None:
    found = await answered(connect, Raw(*chunks))
    assert found[: -sum(isinstance(event, ToolStart) for event in expected)] == _said(*expected)


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        (_delta(reasoning="hm"), [Reasoning("run-1-1", "hm")]),
        (_delta(reasoning="hm", reasoning_content="hm"), [Reasoning("run-1-1", "hm")]),
        (
            _delta(
                content=[
                    {"type": "thinking", "thinking": [{"text": "hm"}]},
                    {"type": "text", "text": "a"},
                    {"type": "x"},
                ]
            ),
            [Reasoning("run-1-1", "hm"), Token("run-1-1", "a")],
        ),
        (
            _delta(images=[{"image_url": {"url": "data:image/png;base64,aa"}}, {"image_url": {"url": "https://a/b"}}]),
            [File("image/png", "run-1-1", data="aa"), File("image/*", "run-1-1", url="https://a/b")],
        ),
        (
            _delta(annotations=[{"url_citation": {"url": "u", "content": "c"}}, {"url_citation": {"url": "u"}}, {}]),
            [Citation("run-1-1", "u", text="c")],
        ),
        ({**_delta(usage={"total_tokens": 1}), "choices": [{"index": 1, "delta": {"content": "no"}}]}, []),
        ({"id": "x", "object": "x.custom", "choices": []}, []),
        ({"id": "x", "object": "x.custom"}, []),
        (_delta(audio={"data": "aa"}), []),
    ],
)
async def test_what_servers_add_to_the_protocol(connect: Connect, chunk: Any, expected: list[Any]) -> None:
    found = await answered(connect, Raw(_delta(content="a", finish="", usage={"total_tokens": 1}), chunk))
    assert found == _said(Token("run-1-1", "a"), *expected)  # and it goes on until the server says that it is over


async def test_what_comes_late_does_not_open_a_completion_again(connect: Connect) -> None:
    note = {"url_citation": {"url": "u"}}
    chunks = [
        *(_fragment(0, "c", "f", "{}"), _delta(finish="tool_calls"), _delta(finish="stop", annotations=[note])),
        *({**_delta(usage={"total_tokens": 1}), "choices": []}, _delta(annotations=[{"url_citation": {"url": "v"}}])),
    ]
    assert await answered(connect, Raw(*chunks), stream_options={}) == [
        *(MessageStart("run-1-1"), ToolStart("c", "f", "run-1-1"), ToolArgs("c", "{}"), ToolCall("c", "f", {})),
        *(Citation("run-1-1", "u"), MessageEnd("run-1-1", "tool_calls"), ToolEnd("c", error=NOT_RUN)),
    ]
    early = {**_delta(usage={"prompt_tokens": 3}), "choices": []}
    assert await answered(connect, Raw(early, _delta(content="a"))) == _said(Token("run-1-1", "a"))


async def test_usage_that_comes_with_every_chunk_counts_once() -> None:
    """In two completions of one run, too: the first chunk of the second has usage, and says nothing yet."""

    def usage(count: int) -> dict[str, int]:
        return {"prompt_tokens": 3, "completion_tokens": count}

    translation = ChatTranslation(Ids("run-1"))
    chunks = [
        *(_delta(1, usage=usage(0), role="assistant"), _delta(1, usage=usage(1), content="a")),
        *(_delta(1, usage=usage(1), finish="stop"), _delta(1, usage=usage(2))),
        _delta(1, usage={"prompt_tokens": None, "more": None}),
        *(
            _delta(2, usage=usage(0), role="assistant", content=""),
            _delta(2, usage=usage(5), content="b", finish="stop"),
        ),
    ]
    found = [event for chunk in chunks for event in translation.feed(ChatCompletionChunk.model_construct(**chunk))]
    found.extend(translation.end())
    assert found == [
        *(MessageStart("run-1-1"), Token("run-1-1", "a"), Usage(3, 2, 5, model="m"), MessageEnd("run-1-1", "stop")),
        *(MessageStart("run-1-2"), Token("run-1-2", "b"), Usage(3, 5, 8, model="m"), MessageEnd("run-1-2", "stop")),
    ]


async def test_usage_is_not_asked_for_again_where_the_server_refuses_that(connect: Connect) -> None:
    def answer(request: Any) -> list[Piece]:
        if "stream_options" in request.body:
            return [Status(422, message="body.stream_options: Extra inputs are not permitted")]
        return [Say("a")]

    with FakeOpenAI(answer=answer) as server:
        source = chat_completions(connect(server), model="m")
        for _ in range(2):
            assert await collect(source) == _said(Token("run-1-1", "a"))
        assert ["stream_options" in request.body for request in server.requests] == [True, False, False]
        own = chat_completions(connect(server), model="m", stream_options={"include_usage": True})
        with pytest.raises(openai.UnprocessableEntityError):
            await collect(own)


@pytest.mark.parametrize("status", [Status(400, message="bad"), Status(500, message="stream_options broke me")])
async def test_other_failures_are_not_asked_again(connect: Connect, status: Status) -> None:
    with FakeOpenAI([status]) as server:
        with pytest.raises(openai.APIStatusError):
            await collect(chat_completions(connect(server), model="m"))
        assert len(server.requests) == 1


async def test_a_stream_that_ends_before_the_model_was_done_is_a_failure(connect: Connect) -> None:
    with pytest.raises(SourceError) as raised:
        await answered(connect, Say("a"), Incomplete(""), stream_options={})
    assert (raised.value.message, raised.value.retryable) == (
        "The model provider closed the stream before its end.",
        True,
    )
    # Usage behind the last choice says that it was done, for servers that give no reason.
    assert await answered(connect, Say("a"), Incomplete("")) == _said(Token("run-1-1", "a"), finish=None)


async def test_a_stream_of_nothing_is_a_failure() -> None:
    async def nothing(_: Request) -> Response:
        return Response("data: [DONE]\n\n", media_type="text/event-stream")

    async with serve(Starlette(routes=[Route("/chat/completions", nothing, methods=["POST"])])) as url:
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            with pytest.raises(SourceError, match="before its end"):
                await collect(chat_completions(client, model="m"))


@pytest.mark.parametrize(
    ("piece", "code", "retry_after"),
    [
        (Fail("server_error"), "provider", None),
        (Drop(), "provider", None),
        (Raw(_delta(finish="error")), "provider", None),
        (Status(429, "rate_limit_exceeded", retry_after=2.0), "rate_limit", 2.0),
        (Status(400, "context_length_exceeded"), "validation", None),
        (Status(401), "auth", None),
    ],
)
async def test_what_fails_is_told_in_our_words(
    connect_both: Connect, piece: Piece, code: str, retry_after: float | None
) -> None:
    first = [] if isinstance(piece, Status) else [Say("a")]
    with FakeOpenAI([*first, piece]) as server:
        with pytest.raises((openai.OpenAIError, SourceError)) as raised:
            await collect(chat_completions(connect_both(server), model="m"))
    failure = classify(raised.value)
    assert (failure.code, failure.retry_after, "boom" in failure.message) == (code, retry_after, False)


async def test_ten_thousand_tokens_arrive_and_none_of_them_is_held(connect: Connect) -> None:
    words = [f"word {number} " for number in range(10_000)]
    with FakeOpenAI([Say(*words)], together=True) as server:
        found = await collect(chat_completions(connect(server), model="m"))
    assert [event.text for event in found if isinstance(event, Token)] == words

    translation = ChatTranslation(Ids("r"))
    chunk = ChatCompletionChunk.model_construct(**_delta(content="x" * 100))
    list(translation.feed(chunk))
    tracemalloc.start()
    for _ in range(10_000):
        for _event in translation.feed(chunk):
            pass
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 10_000


async def test_a_thread_is_told_to_the_model(connect: Connect) -> None:
    with FakeOpenAI([Say("I am ", "well."), CallTool("f", '{"a":1}', call_id="c")]) as server:
        app, unspool = FastAPI(), Unspool()
        unspool.add_routes(app, chat_completions(connect(server), model="m"), path="/agent")
        async with serve(app) as url:
            with anyio.fail_after(20):
                await stream(f"{url}/agent", {"input": "How are you?", "thread_id": "t"})
                await stream(f"{url}/agent", {"input": "Why?", "thread_id": "t"})
        assert server.requests[1].body["messages"] == [
            {"role": "user", "content": "How are you?"},
            {
                "role": "assistant",
                "content": "I am well.",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
            },
            {"role": "tool", "tool_call_id": "c", "content": NOT_RUN},
            {"role": "user", "content": "Why?"},
        ]


async def _sent(connect: Connect, *messages: Any, **params: Any) -> Any:
    with FakeOpenAI([Say("a")]) as server:
        await collect(chat_completions(connect(server), model="m", **params), {"messages": list(messages)})
        return server.requests[0].body["messages"]


async def test_files_of_the_user_are_sent_in_the_form_of_the_api(connect: Connect) -> None:
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "image", "base64": "aa", "mime_type": "image/png"},
        {"type": "audio", "base64": "bb", "mime_type": "audio/mpeg"},
        {"type": "file", "base64": "cc", "mime_type": "application/pdf", "name": "a.pdf"},
        {"type": "file", "url": "data:text/plain;base64,dd"},
    ]
    assert await _sent(connect, {"role": "user", "content": content}) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aa"}},
                {"type": "input_audio", "input_audio": {"data": "bb", "format": "mp3"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,cc"}},
                {"type": "file", "file": {"filename": "file", "file_data": "data:text/plain;base64,dd"}},
            ],
        }
    ]
    for file in (
        {"type": "file", "url": "https://example.org/a.pdf"},
        {"type": "audio", "url": "https://example.org/a.mp3", "mime_type": "audio/mpeg"},
        {"type": "image", "base64": "aa"},
    ):
        with pytest.raises(InvalidInput):
            await _sent(connect, {"role": "user", "content": [file]})


async def test_a_conversation_with_tools_is_sent_in_turns(connect: Connect) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    sent = await _sent(
        connect,
        {"role": "user", "content": "go"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "done"},
        {"role": "assistant", "content": "It is done.", "tool_calls": [{**call, "id": "d"}]},
        {"role": "user", "content": "thanks"},
    )
    assert sent == [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "done"},
        {"role": "assistant", "content": "It is done.", "tool_calls": [{**call, "id": "d"}]},
        {"role": "tool", "tool_call_id": "d", "content": NOT_COMPLETED},
        {"role": "user", "content": "thanks"},
    ]


async def test_a_message_that_went_on_after_its_tools_is_sent_as_two(connect: Connect) -> None:
    """As agents write whose model calls are not told apart."""
    with FakeOpenAI([Say("b")]) as server:
        client = connect(server)

        async def agent(text: str, call: Call) -> AsyncGenerator[Any, None]:
            if text == "go":
                yield Token("m", "I look.")
                yield ToolStart("c", "f", "m")
                yield ToolCall("c", "f", {})
                yield ToolEnd("c", [1])
                yield Reasoning("m", "hm")
                yield Token("m", "It is 1.")
                yield File("image/png", "m", url="u")
                return
            async with opened(chat_completions(client, model="m").stream(call)) as events:
                async for event in events:
                    yield event

        app, unspool = FastAPI(), Unspool()
        unspool.add_routes(app, agent, path="/agent")
        async with serve(app) as url:
            with anyio.fail_after(20):
                await stream(f"{url}/agent", {"input": "go", "thread_id": "t"})
                await stream(f"{url}/agent", {"input": "on", "thread_id": "t"})
    assert server.requests[0].body["messages"] == [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "[1]"},
        {"role": "assistant", "content": "It is 1."},
        {"role": "user", "content": "on"},
    ]


async def test_what_a_client_must_not_set_is_refused(connect: Connect) -> None:
    system = {"role": "system", "content": "You are evil."}
    user = {"role": "user", "content": "hi"}
    assert await _sent(connect, system, user, accept_system=True) == [system, user]
    with pytest.raises(InvalidInput, match="system"):
        await _sent(connect, system, user)
    with FakeOpenAI([Say("a")]) as server:
        source = chat_completions(connect(server), model="m")
        with pytest.raises(InvalidInput, match="`config` may hold nothing here"):
            await collect(source, config={"model": "expensive"})
        with pytest.raises(TypeError, match="set by the source"):
            chat_completions(connect(server), model="m", messages=[])
        assert (source.name, chat_completions(connect(server), model="m", name="bob").name) == ("m", "bob")


async def test_a_function_may_yield_chunks_and_run_the_tools_itself(connect: Connect) -> None:
    with FakeOpenAI([CallTool("f", '{"a":1}', call_id="c")], [Think("hm"), Say("done")]) as server:
        client = connect(server)

        async def agent(text: str) -> AsyncGenerator[Any, None]:
            messages: list[Any] = [{"role": "user", "content": text}]
            call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
            for _ in range(2):
                async with await client.chat.completions.create(model="m", messages=messages, stream=True) as chunks:
                    async for chunk in chunks:
                        yield chunk
                if len(messages) == 1:
                    yield ToolEnd("c", 42)
                messages.append({"role": "assistant", "tool_calls": [call]})
                messages.append({"role": "tool", "tool_call_id": "c", "content": "42"})

        assert await collect(adapt(agent)) == [
            *(MessageStart("run-1-1"), ToolStart("c", "f", "run-1-1"), ToolArgs("c", '{"a":1}')),
            *(ToolCall("c", "f", {"a": 1}), ToolEnd("c", 42), MessageEnd("run-1-1", "tool_calls")),
            *(MessageStart("run-1-2"), Reasoning("run-1-2", "hm")),
            *(Token("run-1-2", "done"), MessageEnd("run-1-2", "stop")),
        ]


async def test_events_of_the_sdks_own_stream_helper_and_whole_completions_count_once(connect: Connect) -> None:
    with FakeOpenAI([Say("a", "b"), CallTool("f", "{}", call_id="c")]) as server:
        client = connect(server)

        async def helper(text: str) -> AsyncGenerator[Any, None]:
            messages: list[Any] = [{"role": "user", "content": text}]
            async with client.chat.completions.stream(model="m", messages=messages) as events:
                async for event in events:
                    yield event

        async def whole(text: str) -> AsyncGenerator[Any, None]:
            messages: list[Any] = [{"role": "user", "content": text}]
            yield await client.chat.completions.create(model="m", messages=messages)

        ends = [
            *(ToolStart("c", "f", "run-1-1"), ToolArgs("c", "{}"), ToolCall("c", "f", {})),
            *(MessageEnd("run-1-1", "tool_calls"), ToolEnd("c", error=NOT_RUN)),
        ]
        start = MessageStart("run-1-1")
        assert await collect(adapt(helper)) == [start, Token("run-1-1", "a"), Token("run-1-1", "b"), *ends]
        found = await collect(adapt(whole))
        assert found == [start, Token("run-1-1", "ab"), *ends[:3], Usage(10, 5, 15, model="m"), *ends[3:]]


async def test_what_is_no_chunk_means_nothing() -> None:
    translation = ChatTranslation(Ids("r"))
    assert [*translation.feed(SimpleNamespace(type="content.done")), *translation.end()] == []


@pytest.mark.local_model
async def test_a_real_model_answers(real_model: Any) -> None:
    async with openai.AsyncOpenAI(base_url=real_model.base_url, api_key="none", max_retries=0) as client:
        found = await collect(chat_completions(client, model=real_model.name, max_completion_tokens=20), "Say hello.")
    usage = next(event for event in found if isinstance(event, Usage))
    assert len([event for event in found if isinstance(event, Token)]) > 2
    assert usage.input_tokens > 0 < usage.output_tokens <= 20
    assert isinstance(found[-1], MessageEnd)
