"""AG-UI with CopilotKit's front end and the older AG-UI client that it is pinned to, as its runtime is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from tests.support.node import Node, node
from tests.support.server import serve
from unspool import SourceError, Unspool
from unspool.events import (
    Interrupt,
    MessageEnd,
    MessageStart,
    Reasoning,
    State,
    StepEnd,
    StepStart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
)
from unspool.sources import Call, Item
from unspool.testing import ScriptedSource
from unspool.testing.codec import HOSTILE


@pytest.fixture(scope="module")
def front_end() -> Iterator[Node]:
    """The process that CopilotKit runs in."""
    with node(Path(__file__).with_name("front_end.mjs")) as process:
        yield process


def _app(source: object) -> FastAPI:
    app = FastAPI()
    Unspool(heartbeat=0.3, grace=0.2).add_routes(app, source, path="/agent", protocols=["ag-ui"], playground=False)
    return app


async def test_text_reasoning_tools_and_state_are_what_it_shows(front_end: Node) -> None:
    source = ScriptedSource(
        [
            StepStart("s1", "work"),
            MessageStart("m1"),
            Reasoning("m1", "hm"),
            *(Token("m1", text) for text in HOSTILE),
            ToolStart("c1", "add", "m1"),
            ToolArgs("c1", '{"a"'),
            ToolArgs("c1", ":1}"),
            ToolCall("c1", "add", {"a": 1}),
            MessageEnd("m1"),
            ToolEnd("c1", result={"sum": 1}),
            StepEnd("s1", "work"),
            State(snapshot={"a": 1}),
            State(patch=[{"op": "replace", "path": "/a", "value": 2}]),
            MessageStart("m2"),
            Token("m2", "done"),
            MessageEnd("m2"),
        ]
    )
    async with serve(_app(source)) as url:
        where = {"agent": "whole", "url": f"{url}/agent/ag-ui", "threadId": "t"}
        first = await front_end.ask(**where, ask="one", askId="u1")
        second = await front_end.ask(**where, ask="two", askId="u2")
    run = source.calls[0].run_id
    assert (first["errors"], second["errors"]) == ([], [])
    assert first["messages"] == [
        {"id": "u1", "role": "user", "content": "one"},
        {"id": f"{run}:1", "role": "reasoning", "content": "hm"},
        {
            "id": run,
            "role": "assistant",
            "content": "".join(HOSTILE),
            "toolCalls": [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}],
        },
        {"id": f"{run}:2", "role": "tool", "toolCallId": "c1", "content": '{"sum":1}'},
        {"id": f"{run}:3", "role": "assistant", "content": "done"},
    ]
    assert first["state"] == {"a": 2}
    assert [(call.thread_id, call.input, call.replaces) for call in source.calls] == [
        ("t", "one", None),
        ("t", "two", None),
    ]


async def test_an_error_is_shown_and_what_was_said_before_it_is_kept(front_end: Node) -> None:
    broken = SourceError("The model said no.", code="rate_limit")
    async with serve(_app(ScriptedSource(["so far", "never"], fail={1: [broken]}))) as url:
        told = await front_end.ask(agent="broken", url=f"{url}/agent/ag-ui", threadId="t", ask="go", askId="u")
    assert told["errors"] == [{"code": "agent_run_error_event", "message": "The model said no."}]
    assert told["events"][-1] == {"type": "RUN_ERROR", "message": "The model said no.", "code": "rate_limit"}
    assert [message["content"] for message in told["messages"]] == ["go", "so far"]


class Asks(ScriptedSource):
    """Asks a person, and repeats what they said."""

    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        """Ask, or repeat."""
        self.calls.append(call)
        message_id = f"{call.run_id}-m"
        yield Token(message_id, "How many?" if call.resumes is None else f"So {call.answer}.")
        if call.resumes is None:
            yield Interrupt("i1", "How many?")


async def test_an_interrupt_is_asked_and_answered(front_end: Node) -> None:
    source = Asks([])
    async with serve(_app(source)) as url:
        where = {"agent": "asks", "url": f"{url}/agent/ag-ui", "threadId": "t"}
        asked = await front_end.ask(**where, ask="go", askId="u")
        answer = {"interruptId": "i1", "status": "resolved", "payload": 3}
        told = await front_end.ask(**where, resume=[answer])
    assert [(one["id"], one["message"]) for one in asked["pending"]] == [("i1", "How many?")]
    assert (told["errors"], told["pending"]) == ([], [])
    assert [message["content"] for message in told["messages"]] == ["go", "How many?", "So {'i1': 3}."]
    assert source.calls[1].resumes == source.calls[0].run_id


async def test_a_front_end_that_stops_leaves_the_run_to_those_who_follow_it(front_end: Node) -> None:
    source = ScriptedSource(["a", "b"], stall_at=1)
    async with serve(_app(source)) as url, httpx.AsyncClient(timeout=20) as http:
        where: dict[str, Any] = {"agent": "stops", "url": f"{url}/agent/ag-ui", "threadId": "t"}
        told = await front_end.ask(**where, ask="go", askId="u", stopAfter="TEXT_MESSAGE_CONTENT")
        assert [message["content"] for message in told["messages"]] == ["go", "a"]
        source.release()
        run = f"{url}/agent/runs/{source.calls[0].run_id}"
        with anyio.fail_after(10):
            await http.get(f"{run}/stream")
        assert (await http.get(run)).json()["output"] == "ab"
