"""OpenAI's Responses API, with the real SDK over real HTTP."""

from __future__ import annotations

import pickle
import sys
from collections.abc import AsyncGenerator, Sequence
from types import SimpleNamespace
from typing import Any

import anyio
import openai
import pytest
from fastapi import FastAPI

from tests.sources.conftest import Connect
from tests.support.native import events_of as wire_events
from tests.support.native import stream, text_of
from tests.support.server import serve
from tests.support.sources import collect
from unspool import Unspool
from unspool.closing import opened
from unspool.errors import InvalidInput, SourceError, classify
from unspool.events import (
    Citation,
    Data,
    File,
    FilePart,
    Interrupt,
    Message,
    MessageEnd,
    MessageStart,
    Part,
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
from unspool.sources import Call, Keep, Source
from unspool.sources.base import CUT_OFF, NOT_RUN, TOOL_FAILED, Past
from unspool.sources.ids import Ids
from unspool.sources.openai.responses import responses
from unspool.sources.openai.responses_events import ResponsesTranslation
from unspool.sources.openai.responses_items import input_items
from unspool.testing import FakeOpenAI, check_source
from unspool.testing.script import (
    CallTool,
    Cite,
    Drop,
    Fail,
    Incomplete,
    Picture,
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


async def answered(connect: Connect, *pieces: Piece, **params: Any) -> list[Any]:
    """What the source makes of one answer, without the usage at its end."""
    with FakeOpenAI(pieces) as server:
        found = await collect(responses(connect(server), model="m", **params))
    return [event for event in found if not isinstance(event, Usage)]


def _said(*events: Any, finish: str | None = "stop") -> list[Any]:
    return [MessageStart("run-1-1"), *events, MessageEnd("run-1-1", finish)]


def _item(index: int, **fields: Any) -> Raw:
    """An output item that begins and ends."""
    return Raw(
        {"type": "response.output_item.added", "output_index": index, "item": {**fields, "status": "in_progress"}},
        {"type": "response.output_item.done", "output_index": index, "item": {"status": "completed", **fields}},
    )


async def test_text_thinking_calls_and_usage_are_carried(connect_both: Connect) -> None:
    script = (
        Think("h", "m"),
        Say("Hel", "lo"),
        CallTool("add", '{"a":', "1}", call_id="c1"),
        Tokens(7, 5, reasoning=2, cached=3),
    )
    with FakeOpenAI(script) as server:
        source = responses(connect_both(server), model="m", instructions="Be brief.", temperature=0.5)
        events = await collect(source)
    assert events == [
        MessageStart("run-1-1"),
        Reasoning("run-1-1", "h"),
        Reasoning("run-1-1", "m"),
        Token("run-1-1", "Hel"),
        Token("run-1-1", "lo"),
        ToolStart("c1", "add", "run-1-1"),
        ToolArgs("c1", '{"a":'),
        ToolArgs("c1", "1}"),
        ToolCall("c1", "add", {"a": 1}),
        Usage(7, 5, 12, reasoning_tokens=2, cached_tokens=3, model="m"),
        MessageEnd("run-1-1", "tool_calls"),
        ToolEnd("c1", error=NOT_RUN),
    ]
    assert server.requests[0].body == {
        "model": "m",
        "instructions": "Be brief.",
        "temperature": 0.5,
        "stream": True,
        "input": [{"role": "user", "content": "hi"}],
    }


async def test_it_keeps_the_promises_of_a_source(connect_both: Connect) -> None:
    with FakeOpenAI([Say("a", "b"), CallTool("add", "{}")]) as server:
        client = connect_both(server)
        await check_source(lambda: responses(client, model="m"), Call(run_id="r", input="x"))


async def _stalled_run(source: Source, server: FakeOpenAI, leave: str) -> Any:
    """Leave a run that waits in the middle of its answer; return the request that its server saw cut off."""
    first = anyio.Event()

    async def run() -> None:
        async with opened(source.stream(Call(run_id="r", input="x"))) as events:
            async for event in events:
                if isinstance(event, Token):
                    first.set()
                    if leave == "close":
                        return

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await first.wait()
            if leave == "cancel":
                await server.stalled()
                tasks.cancel_scope.cancel()
        return await server.disconnected(timeout=3)


@pytest.mark.parametrize("leave", ["close", "cancel"])
async def test_the_request_is_closed_at_once_while_it_stalls(connect_both: Connect, leave: str) -> None:
    with FakeOpenAI([Say("a"), Stall(), Say("b")]) as server:
        source = responses(connect_both(server), model="m")
        assert (await _stalled_run(source, server, leave)).number == 0


async def test_a_client_can_be_used_again_after_a_run_was_stopped(connect_both: Connect) -> None:
    """Only the connection of that run is shut down."""
    with FakeOpenAI(answer=lambda request: [Say("a"), Stall()] if request.number == 0 else [Say("b")]) as server:
        source = responses(connect_both(server), model="m")
        await _stalled_run(source, server, "close")
        assert await collect(source) == [*_said(Token("run-1-1", "b"))[:-1], Usage(10, 5, 15, model="m"), _said()[-1]]


async def test_summaries_and_raw_thinking_are_paragraphs(connect: Connect) -> None:
    parts = [
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": i, "delta": text}
        for i, text in [(0, "a"), (0, "b"), (1, "c")]
    ]
    events = await answered(connect, Raw(*parts), Think("d", raw=True), Say("so"), Think("e"))
    assert [event.text for event in events if isinstance(event, Reasoning)] == ["a", "b", "\n\nc", "\n\nd", "e"]


async def test_a_refusal_is_text_and_the_reason_of_the_end(connect: Connect) -> None:
    assert await answered(connect, Refuse("I ", "cannot.")) == _said(
        Token("run-1-1", "I "), Token("run-1-1", "cannot."), finish="refusal"
    )


@pytest.mark.parametrize(("reason", "finish"), [("max_output_tokens", "length"), ("content_filter", "content_filter")])
async def test_an_answer_that_was_cut_short_says_why(connect: Connect, reason: str, finish: str) -> None:
    assert await answered(connect, Say("a"), Incomplete(reason)) == _said(Token("run-1-1", "a"), finish=finish)
    assert await answered(connect, Incomplete(reason)) == _said(finish=finish)
    cut = Raw(
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "add", "arguments": ""},
        },
        {"type": "response.function_call_arguments.delta", "output_index": 0, "item_id": "fc_1", "delta": '{"a'},
    )
    assert await answered(connect, cut, Incomplete(reason)) == _said(
        ToolStart("c1", "add", "run-1-1"), ToolArgs("c1", '{"a'), ToolEnd("c1", error=CUT_OFF), finish=finish
    )


async def test_a_call_that_the_model_could_not_finish_is_no_call(connect: Connect) -> None:
    item = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "add", "arguments": '{"a'}
    assert await answered(connect, _item(0, **{**item, "status": "incomplete"}), Incomplete()) == _said(
        ToolStart("c1", "add", "run-1-1"), ToolEnd("c1", error=CUT_OFF), finish="length"
    )


def _fed(*items: Any) -> list[Any]:
    """What a translation makes of items that no server of ours sends."""
    translation = ResponsesTranslation(Ids("run-1"))
    return [event for item in items for event in translation.feed(item)]


CREATED = SimpleNamespace(type="response.created", response=SimpleNamespace(id="resp_1"))
A = SimpleNamespace(type="response.output_text.delta", output_index=0, content_index=0, delta="a")
COMPLETED = SimpleNamespace(type="response.completed", response=SimpleNamespace(id="resp_1"))


def test_a_response_that_was_given_up_is_closed_when_the_next_one_begins() -> None:
    assert _fed(CREATED, A, CREATED, A, COMPLETED) == [
        MessageStart("run-1-1"),
        Token("run-1-1", "a"),
        MessageEnd("run-1-1"),
        MessageStart("run-1-2"),
        Token("run-1-2", "a"),
        MessageEnd("run-1-2", "stop"),
    ]


def test_responses_that_do_not_say_that_they_begin_are_messages_of_their_own() -> None:
    assert [event.message_id for event in _fed(A, COMPLETED, A, COMPLETED) if isinstance(event, MessageEnd)] == [
        "run-1-1",
        "run-1-2",
    ]


def test_what_a_failed_response_took_is_counted() -> None:
    usage = SimpleNamespace(input_tokens=3, output_tokens=0, total_tokens=3)
    error = SimpleNamespace(code="server_error", message="secret")
    failed = SimpleNamespace(type="response.failed", response=SimpleNamespace(usage=usage, error=error, model="m"))
    events = iter(ResponsesTranslation(Ids("run-1")).feed(failed))
    assert next(events) == Usage(3, 0, 3, model="m")
    with pytest.raises(SourceError):
        next(events)


@pytest.mark.parametrize("how", ["event", "failed", "body"])
async def test_a_failure_in_mid_stream_is_raised_with_its_meaning(connect: Connect, how: Any) -> None:
    seen: list[Any] = []
    with FakeOpenAI([Say("a"), Fail("rate_limit_exceeded", "secret", how=how)]) as server:
        source = responses(connect(server), model="m")
        with pytest.raises((SourceError, openai.APIError)) as caught, anyio.fail_after(10):
            async with opened(source.stream(Call(run_id="run-1", input="x"))) as events:
                async for event in events:
                    seen.append(event)
    failure = classify(caught.value)
    assert (failure.code, failure.retryable) == ("rate_limit", True)
    assert "secret" not in failure.message
    assert seen[:2] == [MessageStart("run-1-1"), Token("run-1-1", "a")]


@pytest.mark.parametrize(
    ("piece", "code", "retry_after"),
    [
        (Status(429, "rate_limit_exceeded", retry_after=2.0), "rate_limit", 2.0),
        (Status(401, "invalid_api_key"), "auth", None),
        (Drop(), "provider", None),
    ],
)
async def test_an_http_error_and_a_lost_connection_are_the_sdks(
    connect_both: Connect, piece: Piece, code: str, retry_after: float | None
) -> None:
    with FakeOpenAI([piece]) as server:
        with pytest.raises(openai.APIError) as caught:
            await collect(responses(connect_both(server), model="m"))
    failure = classify(caught.value)
    assert (failure.code, failure.retry_after) == (code, retry_after)


async def test_a_stream_that_just_ends_is_an_error() -> None:
    class Ending:
        async def create(self, **_: Any) -> Any:
            async def items() -> AsyncGenerator[Any, None]:
                for item in list[Any]():
                    yield item

            class Manager:
                async def __aenter__(self) -> Any:
                    return items()

                async def __aexit__(self, *args: object) -> None:
                    pass

            return Manager()

    client = type("Client", (), {"responses": Ending()})()
    with pytest.raises(SourceError, match="closed the stream before its end") as caught:
        await collect(responses(client, model="m"))
    assert classify(caught.value).retryable


async def test_a_search_its_sources_and_citations_are_carried(connect: Connect) -> None:
    events = await answered(connect, Search("q", "http://a"), Say("See ", "ex.org"), Cite("http://a", "A", 4, 10))
    search = events[1].call_id
    assert events == _said(
        ToolStart(search, "web_search", "run-1-1"),
        ToolCall(search, "web_search", {"type": "search", "query": "q"}),
        ToolEnd(search, [{"type": "url", "url": "http://a"}]),
        Token("run-1-1", "See "),
        Token("run-1-1", "ex.org"),
        Citation("run-1-1", "http://a", "A", start=4, end=10),
    )


async def test_citations_count_from_the_start_of_the_message(connect: Connect) -> None:
    """A provider counts from the start of each part."""

    def part(index: int, text: str, *notes: Any) -> Raw:
        at = {"output_index": index, "content_index": 0, "item_id": "msg_1"}
        done = {"type": "output_text", "text": text, "annotations": list(notes)}
        return Raw(
            {"type": "response.output_text.delta", **at, "delta": text},
            {"type": "response.content_part.done", **at, "part": done},
        )

    note = {"type": "url_citation", "url": "http://a", "title": "A", "start_index": 0, "end_index": 1}
    file = {"type": "file_citation", "file_id": "f", "filename": "b.pdf", "index": 1}
    events = await answered(connect, part(0, "äbc"), part(1, "de", note, file))
    assert [event for event in events if isinstance(event, Citation)] == [
        Citation("run-1-1", "http://a", "A", start=3, end=4),
        Citation("run-1-1", title="b.pdf"),
    ]


async def test_a_picture_is_a_file_and_its_sketches_pass_by(connect: Connect) -> None:
    events = await answered(connect, Picture("QUJD"))
    call_id = events[1].call_id
    assert [event for event in events if isinstance(event, File | ToolEnd)] == [
        File("image/png", "run-1-1", data="QUJD"),
        ToolEnd(call_id),
    ]
    for sketch in [event for event in events if isinstance(event, Data)]:
        assert (sketch.name, sketch.id, sketch.transient) == ("partial_image", call_id, True)


HOSTED: list[tuple[dict[str, Any], str, Any, Any]] = [
    (
        {"type": "file_search_call", "queries": ["q"], "results": [{"text": "t"}]},
        "file_search",
        {"queries": ["q"]},
        [{"text": "t"}],
    ),
    (
        {"type": "code_interpreter_call", "code": "1", "container_id": "k", "outputs": [{"type": "logs", "logs": "1"}]},
        "code_interpreter",
        {"code": "1", "container_id": "k"},
        [{"type": "logs", "logs": "1"}],
    ),
    (
        {"type": "mcp_call", "name": "roll", "arguments": '{"d":6}', "server_label": "s", "output": "4"},
        "roll",
        {"d": 6},
        "4",
    ),
    (
        {"type": "mcp_list_tools", "server_label": "s", "tools": [{"name": "roll", "input_schema": {}}]},
        "mcp_list_tools",
        {"server_label": "s"},
        ["roll"],
    ),
    ({"type": "new_thing_call", "depth": 3}, "new_thing", {"depth": 3}, None),
]


@pytest.mark.parametrize(("item", "name", "args", "end"), HOSTED)
async def test_the_providers_own_tools_are_tools(
    connect: Connect, item: dict[str, Any], name: str, args: Any, end: Any
) -> None:
    assert await answered(connect, _item(0, id="i1", **item)) == _said(
        ToolStart("i1", name, "run-1-1"), ToolCall("i1", name, args), ToolEnd("i1", end)
    )


@pytest.mark.parametrize("broken", [{"error": {"type": "http_error", "message": "secret"}}, {"status": "failed"}])
async def test_a_tool_of_the_provider_that_failed_does_not_say_why(connect: Connect, broken: dict[str, Any]) -> None:
    item = {"type": "mcp_call", "id": "i1", "name": "roll", "arguments": "{}", "server_label": "s", **broken}
    assert (await answered(connect, _item(0, **item)))[-2] == ToolEnd("i1", error=TOOL_FAILED)


async def test_a_call_that_another_item_answers_ends_with_it(connect: Connect) -> None:
    call = _item(0, id="i1", type="shell_call", call_id="c1", action={"commands": ["ls"]})
    output = [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]
    answer = _item(2, id="i2", type="shell_call_output", call_id="c1", output=output)
    other = _item(1, id="i3", type="shell_call", call_id="c2", action={"commands": ["w"]})
    assert await answered(connect, other, call, answer) == [
        MessageStart("run-1-1"),
        ToolStart("c2", "shell", "run-1-1"),
        ToolCall("c2", "shell", {"action": {"commands": ["w"]}}),
        ToolStart("c1", "shell", "run-1-1"),
        ToolCall("c1", "shell", {"action": {"commands": ["ls"]}}),
        ToolEnd("c1", output),
        MessageEnd("run-1-1", "tool_calls"),
        ToolEnd("c2", error=NOT_RUN),
    ]


@pytest.mark.parametrize(
    ("kind", "delta"),
    [
        ("custom_tool_call", "custom_tool_call_input"),
        ("mcp_call", "mcp_call_arguments"),
        ("code_interpreter_call", "code_interpreter_call_code"),
    ],
)
async def test_arguments_stream_whatever_they_are_called(connect: Connect, kind: str, delta: str) -> None:
    item = {"id": "i1", "type": kind, "name": "t"}
    events = await answered(
        connect,
        Raw(
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": f"response.{delta}.delta", "output_index": 0, "item_id": "i1", "delta": "x y"},
            {"type": "response.output_item.done", "output_index": 0, "item": {**item, "input": "x y"}},
        ),
    )
    assert events[2] == ToolArgs("i1", "x y")


async def test_what_is_unknown_or_empty_is_passed_over(connect: Connect) -> None:
    raw = Raw({"type": "x_app.custom", "k": 1}, {"type": "response.audio.delta", "delta": "AAAA"})
    assert await answered(connect, raw, Say("", "a")) == _said(Token("run-1-1", "a"))


async def test_a_client_may_set_nothing(connect: Connect) -> None:
    with FakeOpenAI([Say("a")]) as server:
        client = connect(server)
        source = responses(client, model="m")
        wrong: list[tuple[Any, dict[str, Any]]] = [
            ("x", {"config": {"model": "big"}}),
            (5, {}),
            (None, {"resumes": "r", "answer": {}}),
        ]
        for value, fields in wrong:
            with pytest.raises(InvalidInput):
                await collect(source, value, **fields)
        system = {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]}
        with pytest.raises(InvalidInput, match="system"):
            await collect(source, system)
        await collect(responses(client, model="m", accept_system=True), system)
        assert [request.body["input"] for request in server.requests] == [system["messages"]]
        with pytest.raises(TypeError, match="stream"):
            responses(client, model="m", stream=False)
        assert (source.name, responses(client, model="m", name="n").name) == ("m", "n")


async def test_a_thread_is_told_to_the_model(connect_both: Connect) -> None:
    with FakeOpenAI(answer=lambda request: [Say(f"answer {request.number}")]) as server:
        app, unspool, answer = FastAPI(), Unspool(grace=0.2), list[dict[str, Any]]()
        unspool.add_routes(app, responses(connect_both(server), model="m"), path="/agent")
        with anyio.fail_after(20):
            async with serve(app) as url:
                for question in ("one", "two"):
                    answer = wire_events((await stream(f"{url}/agent", {"input": question, "thread_id": "t"})).content)
        assert text_of(answer) == "answer 1"
        assert server.requests[1].body["input"] == [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "answer 0"},
            {"role": "user", "content": "two"},
        ]


async def test_a_thread_can_be_left_to_the_provider(connect: Connect) -> None:
    """What it never stored is told again, and that nobody ran what it asked for."""
    with FakeOpenAI([Say("a"), CallTool("add", "{}", call_id="c1")]) as server:
        source = responses(connect(server), model="m", memory="server")
        first = await collect(source, "one")
        [kept] = [event.value for event in first if isinstance(event, Keep)]

        async def history() -> Sequence[Past]:
            lost = Message(id="b-input-0", role="user", parts=[TextPart(text="lost")], complete=True)
            stored = Message(id="a-input-0", role="user", parts=[TextPart(text="one")], complete=True)
            return [
                Past(run_id="a", status="completed", messages=[stored], kept=kept),
                Past(run_id="b", status="failed", messages=[lost], kept={"response_id": "resp_9"}),
            ]

        await collect(source, "two", load_history=history)
        assert kept == {"response_id": "resp_1", "calls": ["c1"]}
        first_asked, second_asked = (request.body for request in server.requests)
        assert [body["store"] for body in (first_asked, second_asked)] == [True, True]
        assert second_asked["previous_response_id"] == "resp_1"
        assert second_asked["input"] == [
            {"type": "function_call_output", "call_id": "c1", "output": NOT_RUN},
            {"role": "user", "content": "lost"},
            {"role": "user", "content": "two"},
        ]


def test_a_conversation_becomes_input_items() -> None:
    picture = FilePart(media_type="image/png", data="QUJD")
    asked: list[Part] = [
        TextPart(text="see"),
        picture,
        FilePart(media_type="application/pdf", data="QQ==", name="a.pdf"),
        FilePart(media_type="application/pdf", url="http://a/b.pdf"),
    ]
    tools = [
        ToolPart(call_id="w", name="web_search", status="done", args={"q": 1}),
        ToolPart(call_id="c1", name="add", status="failed", args={}, args_text="{}", error="waits"),
        ToolPart(call_id="c2", name="add", status="failed", args_text='{"a', error="cut"),
    ]
    later: list[Part] = [
        ToolPart(call_id="c1", name="add", status="done", args={"a": 1}, result={"sum": 1}),
        ToolPart(call_id="c3", name="add", status="done", args={}, result="text"),
        TextPart(text="hm", kind="reasoning"),
        TextPart(text="done"),
        picture,
    ]
    messages = [
        Message(id="1", role="user", parts=list(asked)),
        Message(id="2", role="assistant", parts=[TextPart(text="so"), *tools]),
        Message(id="3", role="assistant", parts=list(later)),
    ]
    assert input_items(messages) == [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "data:image/png;base64,QUJD", "detail": "auto"},
                {"type": "input_file", "file_data": "data:application/pdf;base64,QQ==", "filename": "a.pdf"},
                {"type": "input_file", "file_url": "http://a/b.pdf"},
            ],
        },
        {"role": "assistant", "content": "so"},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a":1}'},
        {"type": "function_call", "call_id": "c3", "name": "add", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": '{"sum":1}'},
        {"type": "function_call_output", "call_id": "c3", "output": "text"},
        {"role": "assistant", "content": "done"},
    ]


@pytest.mark.parametrize("memory", ["thread", "server"])
async def test_an_mcp_tool_that_needs_approval_interrupts_the_run(connect: Connect, memory: Any) -> None:
    request = {
        "type": "mcp_approval_request",
        "id": "mcpr_1",
        "name": "roll",
        "arguments": '{"d":6}',
        "server_label": "s",
    }

    def answer(asked: Any) -> Sequence[Piece]:
        return [_item(0, **request)] if asked.number == 0 else [Say("4")]

    with FakeOpenAI(answer=answer) as server:
        source = responses(connect(server), model="m", memory=memory)
        first = await collect(source, "roll")
        kept, interrupt = first[-2:]
        assert interrupt == Interrupt(
            "mcpr_1",
            {
                "action_requests": [{"name": "roll", "args": {"d": 6}, "description": "MCP server s"}],
                "review_configs": [{"action_name": "roll", "allowed_decisions": ["approve", "reject"]}],
            },
        )

        async def history() -> Sequence[Past]:
            return [Past(run_id="run-1", status="interrupted", interrupts=[interrupt], kept=kept.value)]

        again: dict[str, Any] = {"run_id": "run-2", "resumes": "run-1", "load_history": history}
        for wrong in ({"other": True}, {}, {"mcpr_1": {"decisions": [{"type": "edit"}]}}):
            with pytest.raises(InvalidInput):
                await collect(source, None, answer=wrong, **again)
        reject = {"decisions": [{"type": "reject", "message": "too dear"}]}
        assert Token("run-2-1", "4") in await collect(source, None, answer={"mcpr_1": reject}, **again)
        said = {
            "type": "mcp_approval_response",
            "approval_request_id": "mcpr_1",
            "approve": False,
            "reason": "too dear",
        }
        second = server.requests[1].body
        if memory == "server":
            assert (second["previous_response_id"], second["input"]) == ("resp_1", [said])
        else:
            asked = {**request, "status": "completed"}
            assert second["input"] == [{"role": "user", "content": "roll"}, asked, said]


async def test_ten_thousand_tokens_arrive(connect: Connect) -> None:
    with FakeOpenAI([Say(*["x"] * 10_000)], together=True) as server:
        events = await collect(responses(connect(server), model="m"))
    assert sum(isinstance(event, Token) for event in events) == 10_000


def test_the_ten_thousandth_token_costs_what_the_first_did() -> None:
    """In calls, and in what is held."""
    translation = ResponsesTranslation(Ids("run-1"))
    delta = SimpleNamespace(type="response.output_text.delta", output_index=0, content_index=0, delta="x")
    costs: list[tuple[int, int]] = []
    for _ in range(10):
        calls = 0

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(count)
        for _ in range(1_000):
            for _ in translation.feed(delta):
                pass
        sys.setprofile(None)
        costs.append((calls, len(pickle.dumps(vars(translation)))))
    assert len(set(costs[1:])) == 1  # the first thousand also begin the message


@pytest.mark.local_model
async def test_the_embedded_model_answers(real_model: Any) -> None:
    async with openai.AsyncOpenAI(base_url=real_model.base_url, api_key="none", max_retries=0) as client:
        source = responses(client, model=real_model.name, max_output_tokens=12)
        with anyio.fail_after(60):
            events = await collect(source, "Say hello.")
    assert len([event for event in events if isinstance(event, Token)]) > 2
    [usage] = [event for event in events if isinstance(event, Usage)]
    assert usage.input_tokens > 5
    assert isinstance(events[-1], MessageEnd)
