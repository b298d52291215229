"""What Pydantic AI agents remember in a thread, and what they wait for a person to decide."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from pydantic_ai import Agent, ApprovalRequired, CallDeferred, DeferredToolRequests, RunContext
from pydantic_ai.agent import WrapperAgent
from pydantic_ai.exceptions import UserError
from pydantic_ai.models.test import TestModel

from tests.sources.test_pydantic_ai import chat_model, collect, messages_model, responses_model, weather
from tests.support.native import events_of, stream
from tests.support.server import serve
from unspool import Unspool
from unspool.errors import InvalidInput
from unspool.events import (
    MAX_EVENT_BYTES,
    Interrupt,
    Message,
    MessageEnd,
    Start,
    TextPart,
    Token,
    ToolEnd,
    ToolPart,
    Transcript,
)
from unspool.sources import Keep, Output, Source
from unspool.sources.approvals import REJECTED
from unspool.sources.base import Past
from unspool.sources.pydantic_ai.source import pydantic_agent
from unspool.testing import FakeAnthropic, FakeOpenAI
from unspool.testing.script import CallTool, Refuse, Say, Think, Turn

both = pytest.mark.parametrize("model_of", [chat_model, responses_model])


class Thread:
    """A thread of one source: what the runner would remember of its runs."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.pasts: list[Past] = []
        self.said: list[list[Any]] = []

    async def ask(self, value: Any = None, **fields: Any) -> list[Any]:
        run_id = f"run-{len(self.pasts) + 1}"
        events = await collect(self._source, value, run_id=run_id, load_history=self._history, **fields)
        self.pasts.append(past(run_id, value, events))
        self.said.append([event for event in events if not isinstance(event, Keep)])
        return self.said[-1]

    async def _history(self) -> Sequence[Past]:
        return self.pasts


def past(run_id: str, value: Any, events: Sequence[Any]) -> Past:
    transcript = Transcript(contiguous=False)
    transcript.fold_event(1, Start(run_id=run_id, source="s", created_at=0, input=value))
    for seq, event in enumerate(events, 2):
        if not isinstance(event, Keep | Output):
            transcript.fold_event(seq, event)
    kept = [event.value for event in events if isinstance(event, Keep)]
    return Past(
        run_id=run_id,
        status="interrupted" if transcript.interrupts else "completed",
        messages=transcript.messages,
        interrupts=transcript.interrupts,
        kept=kept[-1] if kept else None,
    )


def asked_by(server: Any, index: int = -1) -> list[Any]:
    """The messages of a request to Chat Completions."""
    return [
        {key: value for key, value in message.items() if key not in {"tool_calls", "reasoning_content"}}
        for message in server.requests[index].body["messages"]
    ]


@both
async def test_the_next_question_of_a_thread_holds_the_answer_to_the_first(model_of: Any) -> None:
    turns: list[Turn] = [[CallTool("get_weather", '{"city":"Paris"}')], [Say("It is sunny.")]]
    with FakeOpenAI(*turns) as server:
        async with model_of(server) as model:
            app = FastAPI()
            Unspool(grace=0.2).add_routes(app, pydantic_agent(weather(model, system_prompt="Be brief.")), path="/a")
            async with serve(app) as url:
                for question in ("one", "two"):
                    response = await stream(f"{url}/a", {"input": question, "thread_id": "t"})
                    assert events_of(response.content)[-1]["status"] == "completed"
    body = server.requests[2].body
    said = [
        item.get("content") or item.get("output") or "call"
        for item in body.get("messages") or body["input"]
        if item.get("type") != "reasoning"
    ]
    texts = [item if isinstance(item, str) else item[0]["text"] for item in said]
    assert texts == ["Be brief.", "one", "call", "sunny in Paris", "It is sunny.", "two"]


async def test_thinking_keeps_its_signature_in_the_next_run() -> None:
    with FakeAnthropic([Think("hm"), Say("a")]) as server:
        async with messages_model(server) as model:
            thread = Thread(pydantic_agent(Agent(model)))
            await thread.ask("one")
            await thread.ask("two")
    thinking, text = server.requests[1].body["messages"][1]["content"]
    assert (thinking["type"], thinking["thinking"], text["text"]) == ("thinking", "hm", "a")
    assert thinking["signature"]


async def test_runs_that_kept_nothing_are_told_as_they_were_said() -> None:
    parts: list[Any] = [
        TextPart(text="hm", kind="reasoning"),
        TextPart(text="I look"),
        ToolPart(call_id="c1", name="look", status="done", args={"a": 1}, args_text='{"a":1}', result={"b": 2}),
        ToolPart(call_id="c2", name="look", status="running", args={}, args_text="{}"),
        ToolPart(call_id="c3", name="look", args_text='{"cut'),
    ]
    question = Message(id="1", role="user", parts=[TextPart(text="one")])
    with FakeOpenAI([Say("a")]) as server:
        async with chat_model(server) as model:
            thread = Thread(pydantic_agent(Agent(model, system_prompt="Be brief.")))
            answer = Message(id="2", role="assistant", parts=parts)
            thread.pasts = [Past(run_id="run-0", status="cancelled", messages=[question, answer], kept={"other": 1})]
            await thread.ask("two")
    assert asked_by(server) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "I look"},
        {"role": "tool", "content": '{"b":2}', "tool_call_id": "c1"},
        {"role": "tool", "content": '{"error":"The call was not completed."}', "tool_call_id": "c2"},
        {"role": "user", "content": "two"},
    ]
    assert [call["function"] for call in server.requests[0].body["messages"][2]["tool_calls"]] == [
        {"name": "look", "arguments": '{"a":1}'},
        {"name": "look", "arguments": "{}"},
    ]


async def test_a_refusal_is_part_of_the_thread() -> None:
    with FakeOpenAI(answer=lambda request: [Refuse("no.") if request.number == 0 else Say("a")]) as server:
        async with chat_model(server) as model:
            thread = Thread(pydantic_agent(Agent(model)))
            await thread.ask("one")
            await thread.ask("two")
    assert [message["content"] for message in asked_by(server)] == ["one", "no.", "two"]


async def test_messages_that_cannot_be_read_any_more_are_told_as_they_were_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with FakeOpenAI([Say("a")]) as server:
        async with chat_model(server) as model:
            thread = Thread(pydantic_agent(Agent(model)))
            said = [Message(id="1", role="user", parts=[TextPart(text="one")])]
            kept = {"pydantic_ai": {"messages": [{"kind": "nonsense"}], "pending": {}}}
            thread.pasts = [Past(run_id="run-0", status="completed", messages=said, kept=kept)]
            await thread.ask("two")
    assert len(caplog.records) == 1
    assert "run-0" in caplog.text
    assert asked_by(server) == [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]


async def test_messages_that_are_too_large_to_be_kept_are_told_as_they_were_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with FakeOpenAI([Say("a")]) as server:
        async with chat_model(server) as model:
            source = pydantic_agent(Agent(model))
            events = await collect(source, "x" * MAX_EVENT_BYTES)
    assert not [event for event in events if isinstance(event, Keep)]
    assert len(caplog.records) == 1


async def test_what_a_run_waits_for_is_kept_whatever_its_size() -> None:
    with FakeOpenAI(ASKING) as server:
        async with chat_model(server) as model:
            events = await collect(pydantic_agent(sender(model)), "x" * MAX_EVENT_BYTES)
    [keep] = [event for event in events if isinstance(event, Keep)]
    assert list(keep.value["pydantic_ai"]["pending"]) == ["c1", "c2", "c3"]


async def test_files_are_kept_as_they_are() -> None:
    image = {"type": "image", "base64": "//79", "mime_type": "image/png"}
    with FakeOpenAI([Say("a")]) as server:
        async with chat_model(server) as model:
            thread = Thread(pydantic_agent(Agent(model)))
            await thread.ask({"messages": [{"role": "user", "content": [image]}]})
            await thread.ask("two")
    assert asked_by(server)[0]["content"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,//79"}}]


async def test_the_input_may_be_a_chat_with_files_and_results_of_tools() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}}
    seen = {"type": "image", "url": "https://a.example/b.png", "mime_type": "image/png"}
    chat = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": [{"type": "text", "text": "what is this?"}, image, seen]},
    ]
    with FakeOpenAI([Say("a")]) as server:
        async with chat_model(server) as model:
            source = pydantic_agent(Agent(model))
            await collect(source, {"messages": chat})
            asked = asked_by(server)
            called = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            tools = [
                {"role": "assistant", "content": "", "tool_calls": [called]},
                {"role": "tool", "tool_call_id": "c1", "content": "42"},
            ]
            await collect(source, {"messages": [*chat[:1], *tools]})
    assert [(message["role"], message["content"]) for message in asked] == [
        ("user", "one"),
        ("assistant", "a"),
        (
            "user",
            [
                {"type": "text", "text": "what is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}},
                {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
            ],
        ),
    ]
    assert asked_by(server)[-1] == {"role": "tool", "content": "42", "tool_call_id": "c1"}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "an input must be text"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, "must be the user's"),
        ({"messages": [{"role": "system", "content": "a"}]}, "may not send system messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "base64": "§"}]}]}, "not base64"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "url": "file:///etc"}]}]}, "http, https or data"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "url": "data:image/png,x"}]}]},
            "must be base64",
        ),
    ],
)
async def test_an_input_that_is_not_a_chat_is_refused(value: Any, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        await collect(pydantic_agent(Agent(TestModel())), value)


# -- approvals ----------------------------------------------------------------------------------------------


def sender(model: Any, **options: Any) -> Agent[Any, Any]:
    """An agent with a tool that needs approval, one that runs elsewhere, and one that just runs."""
    agent = weather(model, **options)

    @agent.tool_plain(requires_approval=True)
    async def send(to: str) -> str:
        return f"sent to {to}"

    @agent.tool
    async def delete(ctx: RunContext[Any], name: str) -> str:
        if not ctx.tool_call_approved:
            raise ApprovalRequired(metadata={"description": f"Delete {name}?"})
        return f"deleted {name}"

    @agent.tool_plain
    async def measure() -> str:
        raise CallDeferred

    return agent


ASKING: Turn = [
    CallTool("get_weather", '{"city":"Paris"}', call_id="c0"),
    CallTool("send", '{"to":"a"}', call_id="c1"),
    CallTool("delete", '{"name":"b"}', call_id="c2"),
    CallTool("measure", "{}", call_id="c3"),
]
REVIEWS = ["approve", "edit", "reject"]


def answering(request: Any) -> Turn:
    return ASKING if not any(message["role"] == "tool" for message in request.body["messages"]) else [Say("done")]


@asynccontextmanager
async def asking(**options: Any) -> AsyncGenerator[tuple[Any, Thread], None]:
    with FakeOpenAI(answer=answering) as server:
        async with chat_model(server) as model:
            thread = Thread(pydantic_agent(sender(model, **options)))
            await thread.ask("go")
            yield server, thread


async def test_a_tool_that_needs_approval_interrupts_the_run() -> None:
    async with asking() as (_, thread):
        events = thread.said[0]
    assert [event for event in events if isinstance(event, Interrupt)] == [
        Interrupt(
            "c1",
            {
                "action_requests": [{"name": "send", "args": {"to": "a"}}],
                "review_configs": [{"action_name": "send", "allowed_decisions": REVIEWS}],
            },
        ),
        Interrupt(
            "c2",
            {
                "action_requests": [{"name": "delete", "args": {"name": "b"}, "description": "Delete b?"}],
                "review_configs": [{"action_name": "delete", "allowed_decisions": REVIEWS}],
            },
        ),
        Interrupt("c3", {"type": "external_tool", "name": "measure", "args": {}}),
    ]
    assert [event for event in events if isinstance(event, ToolEnd)] == [ToolEnd("c0", "sunny in Paris")]
    assert isinstance(events[-1], Interrupt)


async def test_a_resumed_run_does_what_was_decided() -> None:
    async with asking() as (server, thread):
        edit = {"type": "edit", "edited_action": {"name": "send", "args": {"to": "z"}}}
        reject = {"type": "reject", "message": "not that one"}
        answer = {"c1": {"decisions": [edit]}, "c2": {"decisions": [reject]}, "c3": {"metres": 3}}
        events = await thread.ask(resumes="run-1", answer=answer)
        await thread.ask("and now?")
    assert sorted((e for e in events if isinstance(e, ToolEnd)), key=lambda end: end.call_id) == [
        ToolEnd("c1", "sent to z"),
        ToolEnd("c2", error=REJECTED),
        ToolEnd("c3", {"metres": 3}),
    ]
    assert [event.text for event in events if isinstance(event, Token)] == ["done"]
    results = [
        {"role": "tool", "content": "sunny in Paris", "tool_call_id": "c0"},
        {"role": "tool", "content": "sent to z", "tool_call_id": "c1"},
        {"role": "tool", "content": "not that one", "tool_call_id": "c2"},
        {"role": "tool", "content": '{"metres":3}', "tool_call_id": "c3"},
    ]
    assert [message for message in asked_by(server, 1) if message["role"] == "tool"] == results
    assert asked_by(server, 2)[2:] == [
        *results,
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": "and now?"},
    ]


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (True, ToolEnd("c1", "sent to a")),
        ("approve", ToolEnd("c1", "sent to a")),
        ({"type": "approve"}, ToolEnd("c1", "sent to a")),
        (False, ToolEnd("c1", error=REJECTED)),
        ("reject", ToolEnd("c1", error=REJECTED)),
    ],
)
async def test_an_answer_may_be_one_word(answer: Any, end: ToolEnd) -> None:
    async with asking() as (_, thread):
        events = await thread.ask(resumes="run-1", answer={"c1": answer, "c2": False, "c3": None})
    assert next(event for event in events if isinstance(event, ToolEnd) and event.call_id == "c1") == end


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"c9": True}, "does not wait for c9"),
        ({"c1": True}, "need an answer as well: c2, c3"),
        ({"c1": "perhaps", "c2": True, "c3": 1}, "an answer is"),
        ({"c1": {"decisions": [{"type": "approve"}] * 2}, "c2": True, "c3": 1}, "an answer is"),
        ({"c1": {"type": "edit"}, "c2": True, "c3": 1}, "an edited_action is"),
        (
            {"c1": {"type": "edit", "edited_action": {"name": "x", "args": {}}}, "c2": True, "c3": 1},
            "an edited_action is",
        ),
    ],
)
async def test_an_answer_that_fits_nothing_is_refused(answer: Any, why: str) -> None:
    async with asking() as (_, thread):
        with pytest.raises(InvalidInput, match=why):
            await thread.ask(resumes="run-1", answer=answer)
        with pytest.raises(InvalidInput, match="not the last one"):
            await thread.ask(resumes="run-7", answer=answer)


@pytest.mark.parametrize("calls", [ASKING[1:], ASKING])
async def test_a_new_question_closes_calls_that_nobody_decided(calls: Turn) -> None:
    with FakeOpenAI(answer=lambda request: calls if request.number == 0 else [Say("a")]) as server:
        async with chat_model(server) as model:
            thread = Thread(pydantic_agent(sender(model)))
            await thread.ask("go")
            events = await thread.ask("never mind")
    assert isinstance(events[-1], MessageEnd)
    assert [message["role"] for message in asked_by(server)] == ["user", "assistant", *["tool"] * len(calls), "user"]


async def test_a_resumed_run_that_was_cut_off_does_not_make_its_calls_twice() -> None:
    async with asking() as (server, thread):
        await thread.ask(resumes="run-1", answer={"c1": True, "c2": True, "c3": 3})
        cut = thread.pasts[1]
        thread.pasts[1] = Past(run_id="run-2", status="cancelled", messages=cut.messages)
        await thread.ask("and now?")
    calls = [call["id"] for message in server.requests[2].body["messages"] for call in message.get("tool_calls", ())]
    assert calls == ["c0", "c1", "c2", "c3"]
    results = [message for message in asked_by(server, 2) if message["role"] == "tool"]
    assert [result["content"] for result in results] == ["sunny in Paris", "sent to a", "deleted b", "3"]


async def test_a_resumed_run_may_wait_again() -> None:
    turns: list[Turn] = [[CallTool("send", f'{{"to":"{to}"}}', call_id=f"c-{to}")] for to in "ab"]
    with FakeOpenAI(*turns, [Say("done")]) as server:
        async with chat_model(server) as model:
            thread = Thread(pydantic_agent(sender(model)))
            await thread.ask("go")
            again = await thread.ask(resumes="run-1", answer={"c-a": True})
            events = await thread.ask(resumes="run-2", answer={"c-b": True})
    assert [event.interrupt_id for event in again if isinstance(event, Interrupt)] == ["c-b"]
    assert [event for event in events if isinstance(event, ToolEnd)] == [ToolEnd("c-b", "sent to b")]
    assert [message["content"] for message in asked_by(server) if message["role"] == "tool"] == [
        "sent to a",
        "sent to b",
    ]


class Report(BaseModel):
    text: str


@pytest.mark.parametrize("output_type", [Report, [Report, DeferredToolRequests], Report | DeferredToolRequests])
async def test_an_agent_may_ask_whatever_its_output_type(output_type: Any) -> None:
    async with asking(output_type=output_type) as (_, thread):
        events = thread.said[0]
    assert [event.interrupt_id for event in events if isinstance(event, Interrupt)] == ["c1", "c2", "c3"]


@pytest.mark.parametrize("wrapped", [False, True])
async def test_an_agent_with_output_validators_has_to_allow_it_itself(wrapped: bool) -> None:
    with FakeOpenAI(answer=lambda request: ASKING if request.number == 0 else [Say("a")]) as server:
        async with chat_model(server) as model:
            agent = sender(model)
            agent.output_validator(lambda text: text)
            source = pydantic_agent(WrapperAgent(WrapperAgent(agent)) if wrapped else agent)
            with pytest.raises(UserError, match="DeferredToolRequests"):
                await collect(source)
            assert [event.text for event in await collect(source) if isinstance(event, Token)] == ["a"]


async def test_an_approval_over_http_is_shown_and_answered() -> None:
    turns: list[Turn] = [[CallTool("send", '{"to":"a"}', call_id="c1")], [Say("done")]]
    with FakeOpenAI(*turns) as server:
        async with responses_model(server) as model:
            app = FastAPI()
            Unspool(grace=0.2).add_routes(app, pydantic_agent(sender(model)), path="/a")
            async with serve(app) as url, httpx.AsyncClient(timeout=20) as client:
                response = await stream(f"{url}/a", {"input": "go", "thread_id": "t"})
                assert events_of(response.content)[-1]["status"] == "interrupted"
                run = f"{url}/a/runs/{response.headers['unspool-run-id']}"
                decided = {"answers": {"c1": {"decisions": [{"type": "approve"}]}}}
                resumed = events_of((await client.post(f"{run}/resume", json=decided)).content)
    assert [event["result"] for event in resumed if event["type"] == "tool_end"] == ["sent to a"]
    assert [event["text"] for event in resumed if event["type"] == "token"] == ["done"]
    assert resumed[-1]["status"] == "completed"
