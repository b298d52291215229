"""Runs of the OpenAI Agents SDK that wait for a person."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anyio
import httpx
import pytest
from agents import Agent, HostedMCPTool, RunContextWrapper, Runner, RunResultStreaming, SQLiteSession, function_tool

from tests.sources.agents_sdk import SECONDS, app_of, ask, model_on, of, thread
from tests.support.native import events_of, stream
from tests.support.server import serve
from unspool.closing import opened
from unspool.errors import InvalidInput
from unspool.events import (
    Interrupt,
    MessageEnd,
    MessageStart,
    StepEnd,
    StepStart,
    Token,
    ToolCall,
    ToolEnd,
    ToolStart,
    Usage,
)
from unspool.sources import Call, Keep, Past, adapt
from unspool.sources.openai_agents.source import agents_sdk, show_nested
from unspool.testing import FakeOpenAI
from unspool.testing.script import CallTool, Raw, Say

SCRIPT = (
    [
        CallTool("look", "{}", call_id="l"),
        CallTool("delete", '{"path":"a"}', call_id="a"),
        CallTool("delete", '{"path":"b"}', call_id="b"),
    ],
    [Say("Done.")],
)


class Disk:
    """What the tools did."""

    def __init__(self) -> None:
        self.did: list[str] = []

    def tools(self) -> list[Any]:
        @function_tool(needs_approval=True)
        def delete(context: RunContextWrapper[Any], path: str) -> str:
            """Delete a file."""
            self.did.append(f"delete {path} for {context.context}")
            return f"deleted {path}"

        @function_tool
        def look() -> str:
            """List the files."""
            self.did.append("look")
            return "a, b"

        return [delete, look]


def _past(events: list[Any]) -> Past:
    kept = json.loads(json.dumps(of(events, Keep)[0].value))  # as it comes back from the log
    return Past(run_id="run-1", status="interrupted", interrupts=of(events, Interrupt), kept=kept)


def _answering(past: Past, answer: dict[str, Any]) -> dict[str, Any]:
    return {"value": None, "run_id": "run-2", "resumes": "run-1", "answer": answer, **thread(past)}


@pytest.mark.parametrize("backend", ["responses", "chat"])
async def test_a_run_stops_where_a_person_must_decide_and_goes_on_from_there(backend: str) -> None:
    disk = Disk()
    with FakeOpenAI(*SCRIPT) as server:
        async with model_on(server, backend) as model:
            agent = Agent(name="A", model=model, tools=disk.tools())
            source = agents_sdk(agent, context=lambda call: f"secret {call.run_id}")
            first = await ask(source, legal=False)
            decided = {
                "a": {"decisions": [{"type": "approve"}]},
                "b": {"decisions": [{"type": "reject", "message": "Not b."}]},
            }
            second = await ask(source, **_answering(_past(first), decided))
    assert of(first, Interrupt) == [
        Interrupt(
            path,
            {
                "action_requests": [{"name": "delete", "args": {"path": path}}],
                "review_configs": [{"action_name": "delete", "allowed_decisions": ["approve", "reject"]}],
            },
        )
        for path in ("a", "b")
    ]
    assert of(first, ToolEnd) == [ToolEnd("l", "a, b")]
    assert disk.did == ["look", "delete a for secret run-2"]
    told = json.dumps(server.requests[-1].body)
    assert ("Not b." in told, "deleted a" in told) == (True, True)
    assert of(second, Usage) == ([Usage(10, 5, 15, model="m")] if backend == "responses" else [])
    assert [event for event in second if not isinstance(event, Usage)] == [
        StepStart("run-2-1", "A"),
        ToolStart("a", "delete"),
        ToolCall("a", "delete", {"path": "a"}),
        ToolEnd("a", "deleted a"),
        ToolStart("b", "delete"),
        ToolCall("b", "delete", {"path": "b"}),
        ToolEnd("b", error="A person rejected this call."),
        MessageStart("run-2-2", name="A"),
        Token("run-2-2", "Done."),
        MessageEnd("run-2-2", "stop"),
        StepEnd("run-2-1", "A"),
    ]


async def test_a_tool_that_was_approved_is_shown_as_soon_as_it_runs() -> None:
    seen = asyncio.Event()

    @function_tool(needs_approval=True)
    async def slow() -> str:
        await seen.wait()
        return "done"

    with FakeOpenAI([CallTool("slow", "{}", call_id="s")], [Say("Done.")]) as server:
        async with model_on(server) as model:
            source = adapt(Agent(name="A", model=model, tools=[slow]))
            past = _past(await ask(source, legal=False))
            call = Call(run_id="run-2", resumes="run-1", answer={"s": True}, **thread(past))
            with anyio.fail_after(SECONDS):
                async with opened(source.stream(call)) as events:
                    async for event in events:
                        if isinstance(event, ToolStart):
                            seen.set()


@pytest.mark.parametrize("kind", ["text", "mapping", "nested"])
async def test_what_is_kept_does_not_hold_what_tools_get_as_context(kind: str) -> None:
    disk = Disk()
    script = SCRIPT[0] if kind != "nested" else [CallTool("ask_disk", '{"input":"x"}', call_id="outer")]
    with FakeOpenAI(script, SCRIPT[1]) as server, FakeOpenAI(*SCRIPT) as inner:
        async with model_on(server) as model, model_on(inner) as other:
            tools: list[Any] = disk.tools()
            if kind == "nested":
                tools = [Agent[Any](name="D", model=other, tools=tools).as_tool("ask_disk", "x", on_stream=show_nested)]
            agent = Agent(name="A", model=model, tools=tools)
            value = "secret" if kind == "text" else {"key": "secret"}
            source = agents_sdk(agent, context=lambda _: value)
            first = await ask(source, legal=False)
            assert "secret" not in json.dumps(of(first, Keep)[0].value)
            second = await ask(source, **_answering(_past(first), {"a": True, "b": "reject"}))
    assert disk.did == ["look", f"delete a for {value}"]
    assert [event.call_id for event in of(first, ToolEnd)] == ["l"]
    assert [event.call_id for event in of(second, ToolStart)] == [*(["outer"] if kind == "nested" else []), "a", "b"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"a": True, "b": True, "z": True}, "does not wait for z"),
        ({"a": True}, "need an answer as well: b"),
        ({"a": {"type": "edit", "edited_action": {"name": "delete", "args": {}}}, "b": True}, "approve, reject"),
        ({"a": {"decisions": []}, "b": True}, "one for each call"),
    ],
)
async def test_an_answer_that_was_not_asked_for_is_refused(answer: dict[str, Any], message: str) -> None:
    disk = Disk()
    with FakeOpenAI(*SCRIPT) as server:
        async with model_on(server) as model:
            source = adapt(Agent(name="A", model=model, tools=disk.tools()))
            past = _past(await ask(source, legal=False))
            with pytest.raises(InvalidInput, match=message):
                await ask(source, **_answering(past, answer))
            with pytest.raises(InvalidInput, match="does not wait for an answer"):
                await ask(source, **_answering(Past(run_id="run-1", status="interrupted"), answer))
            with pytest.raises(InvalidInput, match="does not wait for an answer"):
                await ask(source, **_answering(Past(run_id="run-1", status="interrupted", kept={}), answer))
    assert disk.did == ["look"]


@pytest.mark.parametrize("remembers", ["log", "session"])
async def test_a_run_goes_on_over_http_and_the_thread_after_it(remembers: str) -> None:
    disk = Disk()
    session = SQLiteSession("t")
    with FakeOpenAI(*SCRIPT) as server:
        async with model_on(server) as model:
            agent = Agent(name="A", model=model, tools=disk.tools())
            source = agents_sdk(agent, session=None if remembers == "log" else lambda _: session)
            async with serve(app_of(source)) as url, httpx.AsyncClient(timeout=20) as client:
                first = await stream(f"{url}/agent", {"input": "tidy up", "thread_id": "t"})
                run = f"{url}/agent/runs/{first.headers['unspool-run-id']}"
                second = await client.post(f"{run}/resume", json={"answers": {"a": True, "b": False}})
                await stream(f"{url}/agent", {"input": "and?", "thread_id": "t"})
    assert events_of(first.content)[-1]["status"] == "interrupted"
    assert events_of(second.content)[-1]["status"] == "completed"
    asked = server.requests[-1].body["input"]
    outputs = {item["call_id"]: item["output"] for item in asked if item.get("type") == "function_call_output"}
    assert outputs == {"l": "a, b", "a": "deleted a", "b": "A person rejected this call."}
    assert [item["call_id"] for item in asked if item.get("type") == "function_call"] in (["l", "a", "b"], [*"lab"])
    assert [item for item in asked if item.get("role") == "user"][-1]["content"] == "and?"


@pytest.mark.parametrize("remembers", ["log", "session"])
async def test_a_thread_can_go_on_without_an_answer(remembers: str) -> None:
    disk = Disk()
    session = SQLiteSession("t")
    with FakeOpenAI(*SCRIPT) as server:
        async with model_on(server) as model:
            agent = Agent(name="A", model=model, tools=disk.tools())
            source = agents_sdk(agent, session=None if remembers == "log" else lambda _: session)
            async with serve(app_of(source)) as url:
                await stream(f"{url}/agent", {"input": "tidy up", "thread_id": "t"})
                second = await stream(f"{url}/agent", {"input": "never mind", "thread_id": "t"})
    assert events_of(second.content)[-1]["status"] == "interrupted"


async def test_a_run_that_a_function_returned_can_wait_too() -> None:
    disk = Disk()
    with FakeOpenAI(*SCRIPT) as server:
        async with model_on(server) as model:
            agent = Agent(name="A", model=model, tools=disk.tools())

            async def run(value: str) -> RunResultStreaming:
                return Runner.run_streamed(agent, value)

            events = await ask(adapt(run), legal=False)
    assert [event.interrupt_id for event in of(events, Interrupt)] == ["a", "b"]


async def test_a_tool_of_a_server_that_the_provider_calls_can_wait_too() -> None:
    request = {
        "id": "mcpr_1",
        "type": "mcp_approval_request",
        "server_label": "disk",
        "name": "delete",
        "arguments": '{"path":"a"}',
    }
    asks = Raw({"type": "response.output_item.done", "output_index": 0, "item": request})
    config: Any = {
        "type": "mcp",
        "server_label": "disk",
        "server_url": "https://disk.example",
        "require_approval": "always",
    }
    with FakeOpenAI(answer=lambda sent: [asks] if sent.number == 0 else [Say("Done.")]) as server:
        async with model_on(server) as model:
            source = adapt(Agent(name="A", model=model, tools=[HostedMCPTool(tool_config=config)]))
            first = await ask(source)
            await ask(source, **_answering(_past(first), {"mcpr_1": {"type": "reject", "message": "No."}}))
    assert of(first, Interrupt)[0].value["action_requests"] == [{"name": "delete", "args": {"path": "a"}}]
    assert server.requests[1].body["input"][-1] == {
        "type": "mcp_approval_response",
        "approval_request_id": "mcpr_1",
        "approve": False,
        "reason": "No.",
    }
