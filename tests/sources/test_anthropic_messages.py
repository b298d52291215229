"""Anthropic's Messages API as a source, with the real SDK."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from types import SimpleNamespace
from typing import Any

import anthropic
import anyio
import httpx2
import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import RawContentBlockDeltaEvent, TextDelta
from fastapi import FastAPI

from tests.support.native import stream
from tests.support.server import serve
from tests.support.sources import collect
from unspool import Unspool
from unspool.closing import opened
from unspool.errors import InvalidInput, SourceError, classify
from unspool.events import (
    Citation,
    FilePart,
    Message,
    MessageEnd,
    MessageStart,
    Reasoning,
    TextPart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolPart,
    ToolStart,
    Usage,
)
from unspool.local import LocalModel
from unspool.sources import Call, Past, Source, adapt
from unspool.sources.anthropic.events import MessagesTranslation
from unspool.sources.anthropic.messages import anthropic_messages
from unspool.sources.base import CUT_OFF, NOT_RUN, TOOL_FAILED
from unspool.sources.ids import Ids
from unspool.testing import FakeAnthropic, check_source
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
    Search,
    Stall,
    Status,
    Think,
    Tokens,
)

SECONDS = 20
M = "run-1-1"
USAGE = Usage(input_tokens=10, output_tokens=5, total_tokens=15, model="m")
WEATHER = {"name": "get_weather", "description": "…", "input_schema": {"type": "object"}}

Connect = Callable[[FakeAnthropic], Any]


@pytest.fixture
async def connect() -> AsyncGenerator[Connect, None]:
    """Makes async clients, and closes them."""
    async with AsyncExitStack() as stack:

        def client(server: FakeAnthropic) -> AsyncAnthropic:
            made = AsyncAnthropic(base_url=server.base_url, api_key="k", max_retries=0)
            stack.push_async_callback(made.close)
            return made

        yield client


@pytest.fixture(params=["async", "sync"])
def connect_both(request: pytest.FixtureRequest, connect: Connect) -> Iterator[Connect]:
    """Makes async clients in one test, and sync ones in another; closes them."""
    with ExitStack() as stack:

        def client(server: FakeAnthropic) -> Anthropic:
            made = Anthropic(base_url=server.base_url, api_key="k", max_retries=0)
            stack.callback(made.close)
            return made

        yield connect if request.param == "async" else client


async def answered(connect: Connect, *pieces: Piece, **params: Any) -> list[Any]:
    """What the source makes of one answer."""
    with FakeAnthropic(pieces) as server:
        return await collect(anthropic_messages(connect(server), model="m", **params))


def _create(client: Any) -> Source:
    """A plain function that yields the raw events."""

    async def agent(text: str) -> AsyncGenerator[Any, None]:
        messages: Any = [{"role": "user", "content": text}]
        async with await client.messages.create(model="m", max_tokens=9, messages=messages, stream=True) as events:
            async for event in events:
                yield event

    return adapt(agent)


def _stream(client: Any) -> Source:
    """A plain function that yields what the SDK's helper emits."""

    async def agent(text: str) -> AsyncGenerator[Any, None]:
        messages: Any = [{"role": "user", "content": text}]
        async with client.messages.stream(model="m", max_tokens=9, messages=messages) as events:
            async for event in events:
                yield event

    return adapt(agent)


def _returned(client: Any) -> Source:
    """A plain function that returns the stream's manager, unopened."""

    async def agent(text: str) -> Any:
        return client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": text}])

    return adapt(agent)


WAYS: Mapping[str, Callable[[Any], Source]] = {
    "source": lambda client: anthropic_messages(client, model="m"),
    "create": _create,
    "stream": _stream,
    "returned": _returned,
}


@pytest.mark.parametrize("way", WAYS)
async def test_what_the_model_does_is_carried_however_it_is_called(connect: Connect, way: str) -> None:
    script = [
        Think("Let me ", "see."),
        Search("rain", "https://a.example", "https://b.example"),
        Say("See "),
        Say("a.example."),
        Cite("https://a.example", "A", 4, 13),
        CallTool("get_weather", '{"city"', ':"Paris"}', call_id="t1"),
        Tokens(12, 7, reasoning=3, cached=2),
    ]
    with FakeAnthropic(script) as server:
        found = await collect(WAYS[way](connect(server)))
    results = [
        {"type": "web_search_result", "title": url, "url": url, "page_age": None}
        for url in ("https://a.example", "https://b.example")
    ]
    assert found == [
        MessageStart(M),
        Reasoning(M, "Let me "),
        Reasoning(M, "see."),
        ToolStart("srvtoolu_1_2", "web_search", M),
        ToolArgs("srvtoolu_1_2", '{"query":"rain"}'),
        ToolCall("srvtoolu_1_2", "web_search", {"query": "rain"}),
        ToolEnd("srvtoolu_1_2", results),
        Token(M, "See "),
        Token(M, "a.example."),
        Citation(M, url="https://a.example", title="A", text="a.example", start=0, end=14),
        ToolStart("t1", "get_weather", M),
        ToolArgs("t1", '{"city"'),
        ToolArgs("t1", ':"Paris"}'),
        ToolCall("t1", "get_weather", {"city": "Paris"}),
        Usage(input_tokens=12, output_tokens=7, total_tokens=19, reasoning_tokens=3, cached_tokens=2, model="m"),
        MessageEnd(M, "tool_use"),
        ToolEnd("t1", error=NOT_RUN),
    ]


async def test_it_passes_the_kit_with_clients_of_both_kinds(connect_both: Connect) -> None:
    with FakeAnthropic([Say("a", "b"), CallTool("f", "{}")]) as server:
        client = connect_both(server)
        await check_source(lambda: anthropic_messages(client, model="m"), Call(run_id="run-1", input="hi"))


@pytest.mark.parametrize(
    ("piece", "reason"),
    [(Refuse("No", "."), "refusal"), (Incomplete(), "max_tokens"), (Say("."), "end_turn")],
)
async def test_why_the_answer_ended_is_what_anthropic_says(connect: Connect, piece: Piece, reason: str) -> None:
    found = await answered(connect, Say("Well"), piece)
    assert found[-2:] == [USAGE, MessageEnd(M, reason)]


async def test_a_call_that_was_cut_off_is_not_taken_for_a_call(connect: Connect) -> None:
    found = await answered(connect, CallTool("f", '{"a": "b', call_id="t"), Incomplete())
    assert found == [
        MessageStart(M),
        ToolStart("t", "f", M),
        ToolArgs("t", '{"a": "b'),
        ToolEnd("t", error=CUT_OFF),
        USAGE,
        MessageEnd(M, "max_tokens"),
    ]


async def test_a_tool_without_arguments_has_an_empty_object(connect: Connect) -> None:
    found = await answered(connect, CallTool("f", call_id="t"))
    assert [event for event in found if isinstance(event, ToolCall | ToolArgs)] == [ToolCall("t", "f", {})]


def _block(index: int, block: Mapping[str, Any], *deltas: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


async def test_blocks_of_thinking_are_paragraphs_and_what_is_redacted_is_left_out(connect: Connect) -> None:
    redacted = Raw(*_block(1, {"type": "redacted_thinking", "data": "sealed"}))
    found = await answered(
        connect, Think("one"), redacted, Think("two"), Say("x"), Think("3"), CallTool("f"), Think("4")
    )
    texts = [event.text for event in found if isinstance(event, Reasoning | Token)]
    assert texts == ["one", "\n\n", "two", "x", "3", "4"]


async def test_what_documents_are_cited_for_is_the_block_that_cites_them(connect: Connect) -> None:
    page = {
        "type": "page_location",
        "cited_text": "Rain is wet.",
        "document_index": 0,
        "document_title": "Rain",
        "start_page_number": 1,
        "end_page_number": 2,
    }
    found_in = {
        "type": "search_result_location",
        "cited_text": "Snow",
        "source": "https://snow.example",
        "title": "Snow",
        "search_result_index": 0,
        "start_block_index": 0,
        "end_block_index": 1,
    }
    text = {"type": "text", "text": "", "citations": []}
    cited = [{"type": "citations_delta", "citation": place} for place in (page, found_in)]
    wet = {"type": "text_delta", "text": "it is wet"}
    whole = {"type": "text", "text": "!", "citations": [found_in]}
    raw = Raw(*_block(1, text, *cited, wet), *_block(2, text, cited[0]), *_block(3, whole))
    found = await answered(connect, Say("A 🌧: "), raw)
    assert [event for event in found if isinstance(event, Citation)] == [
        Citation(M, title="Rain", text="Rain is wet.", start=5, end=14),
        Citation(M, url="https://snow.example", title="Snow", text="Snow", start=5, end=14),
        Citation(M, title="Rain", text="Rain is wet."),
        Citation(M, url="https://snow.example", title="Snow", text="Snow", start=14, end=15),
    ]
    assert "".join(event.text for event in found if isinstance(event, Token)) == "A 🌧: it is wet!"


async def test_a_tool_of_the_provider_that_fails_or_is_paused_is_closed(connect: Connect) -> None:
    def use(call_id: str) -> Mapping[str, Any]:
        return {"type": "server_tool_use", "id": call_id, "name": "web_search", "input": {"query": "q"}}

    error = {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}
    result = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": error}
    unknown = {"type": "web_search_tool_result", "tool_use_id": "s0", "content": []}
    roll = {"type": "mcp_tool_use", "id": "m", "name": "roll", "input": {}, "server_name": "dice"}
    said = [{"type": "text", "text": "no"}]
    rolled = {"type": "mcp_tool_result", "tool_use_id": "m", "content": said, "is_error": True}
    blocks = [use("s1"), result, unknown, roll, rolled, use("s2")]
    raw = Raw(*(event for index, block in enumerate(blocks) for event in _block(index, block)))
    found = await answered(connect, raw, Incomplete("pause_turn"))
    assert found == [
        MessageStart(M),
        ToolStart("s1", "web_search", M),
        ToolCall("s1", "web_search", {"query": "q"}),
        ToolEnd("s1", error, TOOL_FAILED),
        ToolStart("m", "roll", M),
        ToolCall("m", "roll", {}),
        ToolEnd("m", said, TOOL_FAILED),
        ToolStart("s2", "web_search", M),
        ToolCall("s2", "web_search", {"query": "q"}),
        USAGE,
        ToolEnd("s2", error=CUT_OFF),
        MessageEnd(M, "pause_turn"),
    ]


async def test_a_function_may_run_the_tools_and_ask_again(connect: Connect) -> None:
    turns: Sequence[Sequence[Piece]] = [[CallTool("f", "{}", call_id="t")], [Say("Done.")]]
    with FakeAnthropic(*turns) as server:
        client = connect(server)

        async def agent(text: str) -> AsyncGenerator[Any, None]:
            messages: list[Any] = [{"role": "user", "content": text}]
            async with client.messages.stream(model="m", max_tokens=9, messages=messages) as events:
                async for event in events:
                    yield event
                messages.append({"role": "assistant", "content": (await events.get_final_message()).content})
            yield ToolEnd("t", 42)
            messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "42"}]})
            async with client.messages.stream(model="m", max_tokens=9, messages=messages) as events:
                async for event in events:
                    yield event

        found = await collect(adapt(agent))
    assert found == [
        MessageStart(M),
        ToolStart("t", "f", M),
        ToolArgs("t", "{}"),
        ToolCall("t", "f", {}),
        USAGE,
        MessageEnd(M, "tool_use"),
        ToolEnd("t", 42),
        MessageStart("run-1-2"),
        Token("run-1-2", "Done."),
        USAGE,
        MessageEnd("run-1-2", "end_turn"),
    ]


async def test_an_answer_that_was_given_up_is_closed_when_another_begins(connect: Connect) -> None:
    with FakeAnthropic([Say("a", "b")]) as server:
        client = connect(server)

        async def agent(text: str) -> AsyncGenerator[Any, None]:
            for wanted in ("text", "message_stop"):
                messages: Any = [{"role": "user", "content": text}]
                async with client.messages.stream(model="m", max_tokens=9, messages=messages) as events:
                    async for event in events:
                        yield event
                        if event.type == wanted:
                            break

        found = await collect(adapt(agent))
    assert found[:4] == [MessageStart(M), Token(M, "a"), MessageEnd(M), MessageStart("run-1-2")]


FAILURES: Sequence[tuple[Piece, tuple[str, bool, float | None]]] = [
    (Status(429, retry_after=3), ("rate_limit", True, 3.0)),
    (Status(529), ("overloaded", True, None)),
    (Status(401), ("auth", False, None)),
    (Status(413), ("validation", False, None)),
    (Fail("overloaded_error"), ("overloaded", True, None)),
    (Fail("api_error"), ("provider", True, None)),
    (Drop(), ("provider", True, None)),
]


@pytest.mark.parametrize(("piece", "wanted"), FAILURES, ids=[str(piece) for piece, _ in FAILURES])
async def test_a_failure_becomes_a_known_error_however_late_it_comes(
    connect: Connect, piece: Piece, wanted: tuple[str, bool, float | None]
) -> None:
    with pytest.raises((anthropic.APIError, anthropic.AnthropicError, httpx2.TransportError)) as raised:
        await answered(connect, Say("a"), piece)
    failure = classify(raised.value)
    assert (failure.code, failure.retryable, failure.retry_after) == wanted
    assert "boom" not in failure.message


def test_an_error_that_comes_as_an_item_is_raised() -> None:
    item = SimpleNamespace(type="error", error=SimpleNamespace(type="overloaded_error", message="secret"))
    with pytest.raises(SourceError, match="overloaded") as raised:
        list(MessagesTranslation(Ids("run-1")).feed(item))
    assert (raised.value.code, raised.value.retryable) == ("overloaded", True)


def test_usage_is_put_together_from_what_comes_first_and_what_comes_last() -> None:
    def usage(**numbers: int) -> Any:
        return SimpleNamespace(**numbers)

    first = usage(input_tokens=5, cache_read_input_tokens=3, cache_creation_input_tokens=2, output_tokens=1)
    translation = MessagesTranslation(Ids("run-1"))
    items = [
        SimpleNamespace(type="message_start", message=SimpleNamespace(model="m", usage=first)),
        SimpleNamespace(
            type="message_delta", delta=SimpleNamespace(stop_reason="end_turn"), usage=usage(output_tokens=4)
        ),
        SimpleNamespace(type="message_stop"),
    ]
    assert [event for item in items for event in translation.feed(item)] == [
        MessageStart(M),
        Usage(input_tokens=10, output_tokens=4, total_tokens=14, cached_tokens=3, model="m"),
        MessageEnd(M, "end_turn"),
    ]


async def test_a_stream_that_ends_before_the_model_was_done_is_a_failure(connect: Connect) -> None:
    with FakeAnthropic([Say("a")]) as server:
        translation = MessagesTranslation(Ids("run-1"))
        with anyio.fail_after(SECONDS):
            messages: Any = [{"role": "user", "content": "hi"}]
            events = await connect(server).messages.create(model="m", max_tokens=9, messages=messages, stream=True)
            seen = [event async for event in events]
    for event in seen[:-1]:
        list(translation.feed(event))
    with pytest.raises(SourceError, match="closed the stream before its end") as raised:
        list(translation.end())
    assert raised.value.retryable
    list(translation.feed(seen[-1]))
    assert list(translation.end()) == []
    list(translation.feed(seen[0]))
    for one in (translation, MessagesTranslation(Ids("run-1"))):
        with pytest.raises(SourceError):
            list(one.end())


async def test_closing_a_run_closes_the_request_at_once_also_while_it_stalls(connect_both: Connect) -> None:
    with FakeAnthropic([Say("a"), Stall(), Say("b")]) as server, anyio.fail_after(SECONDS):
        source = anthropic_messages(connect_both(server), model="m")
        async with opened(source.stream(Call(run_id="run-1", input="hi"))) as events:
            async for event in events:
                if isinstance(event, Token):
                    break
            await server.stalled()
        await server.disconnected()


async def test_cancelling_a_run_closes_the_request_at_once(connect_both: Connect) -> None:
    with FakeAnthropic([Say("a"), Stall(), Say("b")]) as server, anyio.fail_after(SECONDS):
        source = anthropic_messages(connect_both(server), model="m")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect, source)
            await server.stalled()
            tasks.cancel_scope.cancel()
        await server.disconnected()


async def test_a_thread_is_told_to_the_model(connect: Connect) -> None:
    with FakeAnthropic([Think("hm"), Say("I am ", "well."), CallTool("get_weather", '{"a":1}', call_id="t")]) as server:
        app, unspool = FastAPI(), Unspool()
        source = anthropic_messages(
            connect(server), model="m", tools=[WEATHER], system="Be brief.", metadata={"user_id": "u"}
        )
        unspool.add_routes(app, source, path="/agent")
        async with serve(app) as url:
            with anyio.fail_after(SECONDS):
                await stream(f"{url}/agent", {"input": "How are you?", "thread_id": "t"})
                await stream(f"{url}/agent", {"input": "Why?", "thread_id": "t"})
    assert server.requests[1].body == {
        "model": "m",
        "max_tokens": 4096,
        "stream": True,
        "tools": [WEATHER],
        "metadata": {"user_id": "u"},
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "How are you?"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I am well."},
                    {"type": "tool_use", "id": "t", "name": "get_weather", "input": {"a": 1}},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t", "content": NOT_RUN, "is_error": True}],
            },
            {"role": "user", "content": [{"type": "text", "text": "Why?"}]},
        ],
    }


async def _sent(connect: Connect, value: Any, pasts: Sequence[Past] = (), **params: Any) -> Mapping[str, Any]:
    async def history() -> Sequence[Past]:
        return pasts

    with FakeAnthropic([Say("a")]) as server:
        await collect(anthropic_messages(connect(server), model="m", **params), value, load_history=history)
        return server.requests[0].body


def _past(*parts: Any, role: str = "assistant") -> Past:
    return Past(run_id="r", status="completed", messages=[Message(id="m", role=role, parts=list(parts))])


async def test_what_is_said_behind_a_call_comes_behind_its_result(connect: Connect) -> None:
    call = ToolPart(call_id="t", name="get_weather", status="done", args={}, result={"sun": 1})
    hosted = ToolPart(call_id="s", name="web_search", status="done", args={}, result=[])
    cut = ToolPart(call_id="u", name="get_weather", status="failed", args_text='{"a', error=CUT_OFF)
    waiting = ToolPart(call_id="t", name="get_weather", status="running", args={})
    question = _past(TextPart(text="Hi"), role="user")
    pasts = [question, _past(waiting), _past(TextPart(text="I look."), hosted, call, cut, TextPart(text="Sunny."))]
    body = await _sent(connect, "Thanks", pasts, tools=[WEATHER, {"type": "web_search_20250305", "name": "web_search"}])
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t", "name": "get_weather", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": '{"sun":1}'}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Sunny."}]},
        {"role": "user", "content": [{"type": "text", "text": "Thanks"}]},
    ]
    without = await _sent(connect, "Thanks", pasts)
    assert without["messages"][1:2] == [
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}, {"type": "text", "text": "Sunny."}]}
    ]


async def test_files_of_the_user_are_sent_in_the_form_of_the_api(connect: Connect) -> None:
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "text", "text": " "},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,YQ=="}},
        {"type": "image", "base64": "YQ==", "mime_type": "image/jpeg"},
        {"type": "file", "base64": "YQ==", "mime_type": "application/PDF; a=b", "name": "a.pdf"},
        {"type": "file", "base64": "w6Q=", "mime_type": "text/plain; charset=utf-8", "name": "a.txt"},
    ]
    body = await _sent(connect, {"messages": [{"role": "user", "content": content}]})
    jpeg, pdf = ({"type": "base64", "media_type": kind, "data": "YQ=="} for kind in ("image/jpeg", "application/pdf"))
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {"type": "image", "source": {**jpeg, "media_type": "image/png"}},
        {"type": "image", "source": jpeg},
        {"type": "document", "source": pdf, "title": "a.pdf"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ä"}, "title": "a.txt"},
    ]


async def test_a_file_without_a_form_is_refused_and_then_left_out_of_the_thread(connect: Connect) -> None:
    for block in (
        {"type": "audio", "base64": "YQ==", "mime_type": "audio/mpeg"},
        {"type": "file", "base64": "/w==", "mime_type": "text/plain"},
        {"type": "file", "url": "https://example.org/a.txt", "mime_type": "text/plain"},
    ):
        with pytest.raises(InvalidInput, match="takes images, PDF, and text"):
            await _sent(connect, {"messages": [{"role": "user", "content": [block]}]})
    sound = FilePart(media_type="audio/mpeg", data="YQ==")
    body = await _sent(connect, "hi", [_past(TextPart(text="Hear!"), sound, role="user"), _past(sound, role="user")])
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hear!"}]},
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
    ]


@pytest.mark.parametrize(
    ("system", "sent"),
    [(None, []), ("Be brief.", ["Be brief."]), ([{"type": "text", "text": "Be."}], ["Be."])],
)
async def test_system_messages_of_a_client_are_added_where_they_are_accepted(
    connect: Connect, system: Any, sent: Sequence[str]
) -> None:
    value = {"messages": [{"role": "system", "content": "Rhyme."}, {"role": "user", "content": "hi"}]}
    body = await _sent(connect, value, system=system, accept_system=True)
    assert body["system"] == [{"type": "text", "text": text} for text in (*sent, "Rhyme.")]
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    with pytest.raises(InvalidInput, match="may not send system messages"):
        await _sent(connect, value, system=system)


async def test_a_client_may_configure_nothing_and_the_server_not_what_the_source_sets(connect: Connect) -> None:
    with FakeAnthropic([Say("a")]) as server:
        client = connect(server)
        with pytest.raises(InvalidInput, match="`config` may hold nothing here"):
            await collect(anthropic_messages(client, model="m"), config={"model": "expensive"})
        with pytest.raises(TypeError, match="sets messages, stream itself"):
            anthropic_messages(client, model="m", messages=[], stream=False)
        assert anthropic_messages(client, model="m").name == "m"
        assert anthropic_messages(client, model="m", name="mine").name == "mine"
        assert server.requests == []


def test_ten_thousand_tokens_leave_nothing_behind() -> None:
    translation = MessagesTranslation(Ids("run-1"))
    delta = RawContentBlockDeltaEvent(
        type="content_block_delta", index=0, delta=TextDelta(type="text_delta", text="word ")
    )
    list(translation.feed(delta))
    tracemalloc.start()
    try:
        for _ in range(10_000):
            assert len(list(translation.feed(delta))) == 1
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 10_000


@pytest.mark.local_model
async def test_the_embedded_model_answers(real_model: LocalModel) -> None:
    async with AsyncAnthropic(base_url=real_model.base_url.removesuffix("/v1"), api_key="none") as client:
        with anyio.fail_after(90):
            found = await collect(
                anthropic_messages(client, model=real_model.name, max_tokens=20), "Explain rain simply."
            )
    assert len([event for event in found if isinstance(event, Token)]) > 5
    usage = next(event for event in found if isinstance(event, Usage))
    assert usage.input_tokens > 0 < usage.output_tokens <= 20
    assert isinstance(found[-1], MessageEnd)
    assert found[-1].finish_reason in {"end_turn", "max_tokens"}
