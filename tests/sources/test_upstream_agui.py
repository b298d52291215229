"""AG-UI upstreams: pydantic-ai's own server, and one that sends what it is given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import msgspec
import pytest
from fastapi import FastAPI
from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.messages import ModelMessage, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_ai.ui.ag_ui import AGUIAdapter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tests.support.native import events_of, stream, text_of
from tests.support.server import serve
from unspool import Call, SourceError, add_routes
from unspool.closing import opened
from unspool.errors import InvalidInput
from unspool.events import (
    Data,
    FilePart,
    Interrupt,
    Message,
    MessageEnd,
    MessageStart,
    Part,
    Reasoning,
    State,
    StepEnd,
    StepStart,
    TextPart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolPart,
    ToolStart,
    Usage,
)
from unspool.sources import Item, Keep, Output, Past
from unspool.sources.approvals import Action, asking
from unspool.sources.base import NOT_RUN
from unspool.sources.conversation import NOT_COMPLETED
from unspool.sources.upstream.agui_messages import agui_messages
from unspool.sources.upstream.source import upstream
from unspool.testing import check_source
from unspool.testing.source import check_events

Said = AsyncIterator[str | dict[int, DeltaToolCall] | dict[int, DeltaThinkingPart]]

bodies: list[dict[str, Any]] = []


async def answers(messages: list[ModelMessage], _: AgentInfo) -> Said:
    """Asks for the weather, and then tells it."""
    last = messages[-1].parts[-1]
    if isinstance(last, ToolReturnPart):
        yield "It is "
        yield f"{last.model_response_str()}."
    else:
        yield {0: DeltaThinkingPart(content="hm")}
        yield {1: DeltaToolCall(name="weather", json_args='{"ci', tool_call_id="c1")}
        yield {1: DeltaToolCall(json_args='ty":"Paris"}')}


async def counts(messages: list[ModelMessage], _: AgentInfo) -> Said:
    asked = [part.content for m in messages for part in m.parts if isinstance(part, UserPromptPart)]
    yield f"{len(asked)}: {asked[-1]}"


async def breaks(__: list[ModelMessage], _: AgentInfo) -> Said:
    yield "par"
    raise RuntimeError("the password is hunter2")


@asynccontextmanager
async def pydantic(function: Any, *, approve: bool = False) -> AsyncIterator[str]:
    """A pydantic-ai agent behind its own AG-UI endpoint."""
    agent = Agent(FunctionModel(stream_function=function), output_type=[str, DeferredToolRequests])

    @agent.tool_plain(requires_approval=approve)
    def weather(city: str) -> str:
        return f"sunny in {city}"

    async def run(request: Request) -> Response:
        bodies.append(await request.json())
        return await AGUIAdapter.dispatch_request(request, agent=agent, include_usage=True)

    bodies.clear()
    app = FastAPI()
    app.add_route("/run/", run, methods=["POST"])
    async with serve(app) as url:
        yield f"{url}/run/"


@asynccontextmanager
async def sending(*events: dict[str, Any], stall: bool = False) -> AsyncIterator[tuple[str, anyio.Event]]:
    """A server that sends these events; with ``stall``, nothing more, and the event says that the client left."""
    left = anyio.Event()

    async def said() -> AsyncIterator[bytes]:
        try:
            for event in events:
                yield b": ping\n\ndata: %b\n\n" % msgspec.json.encode(event)
            if stall:
                await anyio.sleep_forever()
        finally:
            left.set()

    async def run(_: Request) -> Response:
        return StreamingResponse(said(), media_type="text/event-stream")

    app = FastAPI()
    app.add_route("/", run, methods=["POST"])
    async with serve(app) as url:
        yield url, left


async def said_by(*events: dict[str, Any]) -> list[Item]:
    with anyio.fail_after(20):
        async with sending(*events) as (url, _):
            return [item async for item in upstream(url, protocol="ag-ui").stream(Call(run_id="r", input="q"))]


FINISHED: dict[str, Any] = {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}


# -- pydantic-ai ----------------------------------------------------------------------------------------


async def test_an_agent_with_tools_and_thoughts() -> None:
    with anyio.fail_after(20):
        async with pydantic(answers) as url:
            items = [i async for i in upstream(url, protocol="ag-ui").stream(Call(run_id="run", input="Weather?"))]
    check_events(items)
    usage = items.pop()
    assert items == [
        MessageStart("run-1"),
        Reasoning("run-1", "hm"),
        MessageEnd("run-1"),
        ToolStart("c1", "weather", "run-1"),
        ToolArgs("c1", '{"ci'),
        ToolArgs("c1", 'ty":"Paris"}'),
        ToolCall("c1", "weather", {"city": "Paris"}),
        ToolEnd("c1", "sunny in Paris"),
        MessageStart("run-2"),
        Token("run-2", "It is "),
        Token("run-2", "sunny in Paris."),
        MessageEnd("run-2"),
    ]
    assert isinstance(usage, Usage)
    assert usage.output_tokens > 0


async def test_it_keeps_the_promises_of_a_source() -> None:
    async with pydantic(answers) as url:
        await check_source(lambda: upstream(url, protocol="ag-ui"), Call(run_id="r", input="Weather?"))


async def test_the_thread_so_far_is_sent_with_each_run() -> None:
    app = FastAPI()
    with anyio.fail_after(20):
        async with pydantic(counts) as url:
            add_routes(app, upstream(url, protocol="ag-ui"), path="/agent")
            async with serve(app) as ours:
                first = await stream(f"{ours}/agent", {"input": "one", "thread_id": "t"})
                second = await stream(f"{ours}/agent", {"input": "two", "thread_id": "t"})
    assert [text_of(events_of(got.content)) for got in (first, second)] == ["1: one", "2: two"]
    sent = bodies[1]
    assert (sent["protocolVersion"], sent["threadId"], sent["runId"]) == ("1.0", "t", second.headers["unspool-run-id"])
    assert [(m["role"], m["content"]) for m in sent["messages"]] == [
        ("user", "one"),
        ("assistant", "1: one"),
        ("user", "two"),
    ]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (True, "It is sunny in Paris."),
        ({"decisions": [{"type": "approve"}]}, "It is sunny in Paris."),
        (
            {
                "decisions": [
                    {"type": "edit", "edited_action": {"name": "weather", "args": {"city": "Rome"}}},
                ]
            },
            "It is sunny in Rome.",
        ),
        ({"decisions": [{"type": "reject", "message": "Not now."}]}, "It is Not now.."),
    ],
)
async def test_a_tool_that_needs_approval_interrupts_the_run(answer: Any, said: str) -> None:
    app = FastAPI()
    with anyio.fail_after(20):
        async with pydantic(answers, approve=True) as url:
            add_routes(app, upstream(url, protocol="ag-ui"), path="/agent")
            async with serve(app) as ours:
                got = await stream(f"{ours}/agent", {"input": "Weather?"})
                run_id = got.headers["unspool-run-id"]
                resumed = await stream_resume(f"{ours}/agent/runs/{run_id}/resume", answer)
    events = events_of(got.content)
    assert [event for event in events if event["type"] == "interrupt"] == [
        {
            "type": "interrupt",
            "interrupt_id": "int-c1",
            "value": {
                "action_requests": [
                    {
                        "name": "weather",
                        "args": {"city": "Paris"},
                        "description": 'Approve weather({"city":"Paris"})?',
                    }
                ],
                "review_configs": [{"action_name": "weather", "allowed_decisions": ["approve", "edit", "reject"]}],
            },
        }
    ]
    assert events[-1]["status"] == "interrupted"
    assert (text_of(resumed), resumed[-1]["status"]) == (said, "completed")
    assert [(event["name"], event["args"]) for event in resumed if event["type"] == "tool_call"] == [
        ("weather", {"city": "Paris"})
    ]


async def stream_resume(url: str, answer: Any) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(timeout=20) as client:
        return events_of((await client.post(url, json={"answer": answer})).content)


async def test_the_words_of_a_failure_are_not_shown() -> None:
    with anyio.fail_after(20):
        async with pydantic(breaks) as url:
            with pytest.raises(SourceError) as caught:
                async for _ in upstream(url, protocol="ag-ui").stream(Call(run_id="r", input="q")):
                    pass
    assert (caught.value.code, caught.value.message) == ("provider", "The model provider failed.")


# -- event by event -------------------------------------------------------------------------------------


async def test_messages_may_interleave_and_hold_tool_calls() -> None:
    items = await said_by(
        {"type": "RUN_STARTED", "threadId": "t", "runId": "r"},
        {"type": "TEXT_MESSAGE_START", "messageId": "x", "name": "bob"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "x", "delta": "a"},
        {"type": "TEXT_MESSAGE_START", "messageId": "y", "role": "developer"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "y", "delta": "b"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "x", "delta": ""},
        {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "f", "parentMessageId": "x"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "x", "delta": "c"},
        {"type": "TOOL_CALL_RESULT", "messageId": "z", "toolCallId": "c", "content": '{"a":[1]}'},
        {"type": "TEXT_MESSAGE_END", "messageId": "x"},
        {"type": "TEXT_MESSAGE_END", "messageId": "y"},
        {**FINISHED, "result": {"n": 1}},
    )
    check_events(items)
    assert items == [
        MessageStart("r-1", name="bob"),
        Token("r-1", "a"),
        MessageStart("r-2", "system"),
        Token("r-2", "b"),
        ToolStart("c", "f", "r-1"),
        Token("r-1", "c"),
        ToolCall("c", "f", {}),
        ToolEnd("c", {"a": [1]}),
        MessageEnd("r-1"),
        MessageEnd("r-2"),
        Output({"n": 1}),
    ]


async def test_chunks_are_closed_by_what_follows() -> None:
    items = await said_by(
        {"type": "REASONING_MESSAGE_CHUNK", "messageId": "h", "delta": "hm"},
        {"type": "TEXT_MESSAGE_CHUNK", "messageId": "x", "delta": "a"},
        {"type": "RAW", "event": {"k": 1}},
        {"type": "TEXT_MESSAGE_CHUNK", "messageId": "y", "delta": "b"},
        {"type": "TEXT_MESSAGE_CHUNK", "delta": "c"},
        {"type": "TOOL_CALL_CHUNK", "toolCallId": "c", "toolCallName": "f", "parentMessageId": "y", "delta": "{"},
        {"type": "TOOL_CALL_CHUNK", "delta": "}"},
        {"type": "TOOL_CALL_CHUNK", "toolCallId": "d", "toolCallName": "g"},
        FINISHED,
    )
    check_events(items)
    assert items == [
        MessageStart("r-1"),
        Reasoning("r-1", "hm"),
        Token("r-1", "a"),
        MessageEnd("r-1"),
        Data("raw", {"k": 1}),
        MessageStart("r-2"),
        Token("r-2", "b"),
        Token("r-2", "c"),
        MessageEnd("r-2"),
        ToolStart("c", "f", "r-2"),
        ToolArgs("c", "{"),
        ToolArgs("c", "}"),
        ToolCall("c", "f", {}),
        ToolStart("d", "g"),
        ToolCall("d", "g", {}),
        ToolEnd("c", error=NOT_RUN),
        ToolEnd("d", error=NOT_RUN),
    ]


async def test_steps_state_and_custom_events() -> None:
    patch = [{"op": "replace", "path": "/a", "value": 2}]
    items = await said_by(
        {"type": "STEP_STARTED", "stepName": "n"},
        {"type": "STEP_STARTED", "stepName": "n"},
        {"type": "STATE_SNAPSHOT", "snapshot": {"a": 1}},
        {"type": "STATE_DELTA", "delta": patch},
        {"type": "STEP_FINISHED", "stepName": "n"},
        {"type": "CUSTOM", "name": "progress", "value": 0.5},
        {"type": "MESSAGES_SNAPSHOT", "messages": []},
        {"type": "ACTIVITY_SNAPSHOT", "timestamp": 1, "messageId": "a", "activityType": "PLAN", "content": {"s": []}},
        {**FINISHED, "usage": [{"model": "m", "inputTokens": 1, "outputTokens": 2, "cachedInputTokens": 1}]},
    )
    check_events(items)
    assert items == [
        StepStart("step-1", "n"),
        StepStart("step-2", "n", "step-1"),
        State(snapshot={"a": 1}),
        State(patch=patch),
        StepEnd("step-2", "n"),
        Data("progress", 0.5),
        Data("activity_snapshot", {"messageId": "a", "activityType": "PLAN", "content": {"s": []}}),
        StepEnd("step-1", "n"),
        Usage(input_tokens=1, output_tokens=2, total_tokens=3, cached_tokens=1, model="m"),
    ]


async def test_a_question_that_is_no_approval_is_passed_on_as_it_is() -> None:
    question = {"id": "i", "reason": "input_required", "message": "Which one?", "responseSchema": {"type": "string"}}
    call = {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "pick"}
    other = {"id": "j", "reason": "tool_call", "toolCallId": "c"}
    items = await said_by(call, {**FINISHED, "outcome": {"type": "interrupt", "interrupts": [question, other]}})
    check_events(items)
    assert items == [
        ToolStart("c", "pick"),
        ToolCall("c", "pick", {}),
        ToolEnd("c", error=NOT_COMPLETED),
        Keep({"waiting": {"j": "c"}}),
        Interrupt("i", {name: question[name] for name in ("reason", "message", "responseSchema")}),
        Interrupt("j", {"reason": "tool_call"}),
    ]


@pytest.mark.parametrize(
    ("events", "code", "message"),
    [
        ([{"type": "RUN_ERROR", "message": "x", "code": "rate_limit_exceeded"}], "rate_limit", None),
        ([{**FINISHED, "outcome": {"type": "cancelled"}}], "cancelled", "The upstream's run was cancelled."),
        ([{"type": "CUSTOM", "name": "x"}], "provider", "The model provider closed the stream before its end."),
        (
            [{"type": "TOOL_CALL_ARGS", "toolCallId": "?", "delta": "x"}],
            "provider",
            "The upstream sent an event that cannot be understood.",
        ),
        (
            [{"type": "TEXT_MESSAGE_CHUNK", "delta": "x"}],
            "provider",
            "The upstream sent an event that cannot be understood.",
        ),
    ],
)
async def test_what_is_wrong_fails_the_run(events: list[dict[str, Any]], code: str, message: str | None) -> None:
    with anyio.fail_after(20):
        async with sending(*events) as (url, _):
            with pytest.raises(SourceError) as caught:
                async for _ in upstream(url, protocol="ag-ui").stream(Call(run_id="r", input="q")):
                    pass
    assert caught.value.code == code
    assert message in {None, caught.value.message}


async def test_the_usage_of_a_run_that_failed_is_not_lost() -> None:
    seen: list[Item] = []
    with anyio.fail_after(20):
        async with sending({"type": "RUN_ERROR", "message": "x", "usage": [{"outputTokens": 2}]}) as (url, _):
            with pytest.raises(SourceError):
                async for item in upstream(url, protocol="ag-ui").stream(Call(run_id="r", input="q")):
                    seen.append(item)
    assert seen == [Usage(output_tokens=2, total_tokens=2)]


async def test_closing_it_closes_the_request_at_once() -> None:
    with anyio.fail_after(20):
        start = {"type": "TEXT_MESSAGE_START", "messageId": "x"}
        async with sending(start, stall=True) as (url, left):
            async with opened(upstream(url, protocol="ag-ui").stream(Call(run_id="r", input="q"))) as items:
                assert await anext(items) == MessageStart("r-1")
            await left.wait()


async def test_what_is_over_is_not_waited_for() -> None:
    with anyio.fail_after(20):
        async with sending(FINISHED, stall=True) as (url, left):
            assert [i async for i in upstream(url, protocol="ag-ui").stream(Call(run_id="r", input="q"))] == []
            await left.wait()


# -- what is sent ---------------------------------------------------------------------------------------


def test_a_conversation_as_messages() -> None:
    files: list[Part] = [
        TextPart(text="see"),
        FilePart(media_type="image/png", data="AAAA"),
        FilePart(media_type="image/*", url="https://example.org/a"),
        FilePart(media_type="application/pdf", url="data:application/pdf;base64,BBBB"),
    ]
    waited = ToolPart(call_id="c", name="f", status="failed", args={"a": 1}, error=NOT_COMPLETED)
    done = ToolPart(call_id="c", name="f", status="done", args={"a": 1}, result=[1])
    messages = [
        Message(id="1", role="user", parts=files),
        Message(id="2", role="assistant", parts=[TextPart(text="hm"), waited]),
        Message(id="3", role="assistant", parts=[done]),
        Message(id="4", role="assistant", parts=[TextPart(text="ok")]),
    ]
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    assert agui_messages(messages) == [
        {
            "id": "1",
            "role": "user",
            "content": [
                {"type": "text", "text": "see"},
                {"type": "image", "source": {"type": "data", "value": "AAAA", "mimeType": "image/png"}},
                {"type": "image", "source": {"type": "url", "value": "https://example.org/a"}},
                {"type": "document", "source": {"type": "data", "value": "BBBB", "mimeType": "application/pdf"}},
            ],
        },
        {"id": "2", "role": "assistant", "content": "hm", "toolCalls": [call]},
        {"id": "c-result", "role": "tool", "toolCallId": "c", "content": "[1]"},
        {"id": "4", "role": "assistant", "content": "ok"},
    ]
    assert agui_messages(messages[1:2], waiting=frozenset({"c"})) == [
        {"id": "2", "role": "assistant", "content": "hm", "toolCalls": [call]}
    ]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "need an answer as well: i, j"),
        ({"i": True}, "need an answer as well: j"),
        ({"i": True, "j": 1, "k": 1}, "does not wait for k"),
        ({"i": "maybe", "j": 1}, "an answer is"),
        ({"i": {"decisions": []}, "j": 1}, "an answer is"),
        ({"i": {"type": "edit", "edited_action": {"args": {}}}, "j": 1}, "what is allowed for f: approve, reject"),
    ],
)
async def test_an_answer_that_does_not_fit_is_refused(answer: Any, message: str) -> None:
    approval = asking([Action("f", {})], allowed=["approve", "reject"])

    async def history() -> Sequence[Past]:
        return [Past(run_id="r1", status="interrupted", interrupts=[Interrupt("i", approval), Interrupt("j")], kept={})]

    call = Call(run_id="r2", resumes="r1", answer=answer, load_history=history)
    with pytest.raises(InvalidInput, match=message):
        await anext(aiter(upstream("http://127.0.0.1:9", protocol="ag-ui").stream(call)))


async def test_other_answers_are_sent_as_they_are() -> None:
    received: list[dict[str, Any]] = []

    async def run(request: Request) -> Response:
        received.append(await request.json())
        return Response(b"data: %b\n\n" % msgspec.json.encode(FINISHED), media_type="text/event-stream")

    async def history() -> Sequence[Past]:
        return [Past(run_id="r1", status="interrupted", interrupts=[Interrupt("i", {"message": "?"})], kept={})]

    app = FastAPI()
    app.add_route("/", run, methods=["POST"])
    call = Call(run_id="r2", resumes="r1", answer={"i": {"n": 1}}, load_history=history)
    with anyio.fail_after(20):
        async with serve(app) as url:
            assert [i async for i in upstream(url, protocol="ag-ui").stream(call)] == []
    assert received[0]["resume"] == [{"interruptId": "i", "status": "resolved", "payload": {"n": 1}}]
