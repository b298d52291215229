"""Agents whose tools come from a real MCP server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from agents import Agent, Model, handoff
from agents.mcp import MCPServerStreamableHttp
from mcp.server.mcpserver import MCPServer
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.sources.agents_sdk import SECONDS, ask, failing, model_on, of, thread
from tests.support.server import serve
from unspool.closing import opened
from unspool.errors import Failure
from unspool.events import Interrupt, MessageEnd, Token, ToolEnd
from unspool.sources import Call, Keep, Past
from unspool.sources.openai_agents.source import AgentsSource, agents_sdk
from unspool.testing import FakeOpenAI
from unspool.testing.script import CallTool, Say, Stall


class Tools:
    """A real MCP server, and what it sees of its clients."""

    def __init__(self) -> None:
        self.server = MCPServer("tools", log_level="CRITICAL")
        self.started = anyio.Event()
        self.cancelled = anyio.Event()
        self.clients: set[int] = set()
        self.url = ""
        self.server.tool()(self.add)
        self.server.tool()(self.fail)
        self.server.tool()(self.wait)

    async def add(self, a: int, b: int) -> int:
        return a + b

    async def fail(self) -> int:
        raise RuntimeError("secret")

    async def wait(self) -> int:
        self.started.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.cancelled.set()
        return 0

    def app(self) -> ASGIApp:
        inner = self.server.streamable_http_app()

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                self.clients.add(scope["client"][1])
            await inner(scope, receive, send)

        return watched

    def made(self, **options: Any) -> MCPServerStreamableHttp:
        return MCPServerStreamableHttp({"url": f"{self.url}/mcp"}, name="tools", **options)


@asynccontextmanager
async def tool_server() -> AsyncIterator[Tools]:
    tools = Tools()
    async with serve(tools.app()) as url:
        tools.url = url
        yield tools


def _call(name: str, arguments: str = "{}") -> list[Any]:
    return [CallTool(name, arguments, call_id="c")]


def _agent(model: Model, tools: Tools, **options: Any) -> Callable[[Call], Agent[Any]]:
    return lambda call: Agent(name="A", model=model, mcp_servers=[tools.made(**options)])  # noqa: ARG005


@pytest.mark.parametrize(
    ("script", "end"),
    [
        (_call("add", '{"a":1,"b":2}'), ToolEnd("c", "3")),
        (_call("fail"), ToolEnd("c", error="The tool failed.")),
    ],
    ids=["result", "error"],
)
async def test_a_tool_of_an_mcp_server_is_shown_like_any_other(script: list[Any], end: ToolEnd) -> None:
    with FakeOpenAI(script, [Say("ok")]) as server:
        async with tool_server() as tools, model_on(server) as model:
            before = asyncio.all_tasks()
            assert of(await ask(agents_sdk(_agent(model, tools))), ToolEnd) == [end]
            await anyio.wait_all_tasks_blocked()
            assert asyncio.all_tasks() - before == set()  # no connection is left


async def test_the_servers_of_agents_that_take_over_and_of_agents_that_are_tools_are_connected_too() -> None:
    script = [CallTool("transfer_to_adder", "{}", call_id="h")], _call("add", '{"a":1,"b":2}'), [Say("3")]
    with FakeOpenAI(*script) as server:
        async with tool_server() as tools, tool_server() as more, model_on(server) as model:

            def make(call: Call) -> Agent[Any]:
                adder = Agent[Any](name="Adder", model=model, mcp_servers=[tools.made()])
                nested = Agent[Any](name="Nested", model=model, mcp_servers=[more.made()]).as_tool(None, "Nothing.")
                kept.append(adder)  # a hand-off holds its agent weakly
                return Agent(name=call.run_id, model=model, handoffs=[handoff(adder)], tools=[nested])

            kept: list[Agent[Any]] = []
            events = await ask(agents_sdk(make))
            assert more.clients != set()
    assert of(events, ToolEnd)[-1] == ToolEnd("c", "3")


async def test_runs_at_the_same_time_have_connections_of_their_own() -> None:
    script = _call("add", '{"a":1,"b":2}'), [Say("3"), Stall()]
    answers: list[list[Any]] = []
    with FakeOpenAI(*script) as server:
        async with tool_server() as tools, model_on(server) as model:
            source = agents_sdk(_agent(model, tools))

            async def run(run_id: str) -> None:
                answers.append(await ask(source, run_id=run_id))

            with anyio.fail_after(SECONDS):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(run, "r1")
                    tasks.start_soon(run, "r2")
                    await server.stalled(2)
                    assert len(tools.clients) >= 2
                    server.release()
    assert [of(answer, ToolEnd) for answer in answers] == [[ToolEnd("c", "3")]] * 2
    assert source.mcp_in_use == set()


async def test_leaving_while_a_tool_runs_cancels_it_on_its_server() -> None:
    with FakeOpenAI(_call("wait")) as server:
        async with tool_server() as tools, model_on(server) as model:
            source = agents_sdk(_agent(model, tools))
            before = asyncio.all_tasks()
            with anyio.fail_after(SECONDS):
                async with opened(source.stream(Call(run_id="r", input="x")), close_within=4.0) as events:
                    async for event in events:
                        if isinstance(event, MessageEnd):
                            await tools.started.wait()
                            break
                await tools.cancelled.wait()
                await anyio.wait_all_tasks_blocked()
            assert asyncio.all_tasks() - before == set()
            assert source.mcp_in_use == set()


async def test_a_server_that_cannot_be_reached_fails_the_run_in_our_own_words() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # a port on which nobody listens
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/mcp"
        source = agents_sdk(lambda call: Agent(name=call.run_id, mcp_servers=[MCPServerStreamableHttp({"url": url})]))
        _, told = await failing(source)
    assert told == Failure(code="provider", message="A tool server could not be reached.", retryable=True)
    assert source.mcp_in_use == set()


async def test_a_server_that_goes_away_during_the_run_fails_it_in_our_own_words() -> None:
    with FakeOpenAI([Say("a"), Stall(), *_call("add", '{"a":1,"b":2}')], [Say("gone")]) as server:
        async with model_on(server) as model:
            source: list[AgentsSource] = []
            ends: list[Any] = []

            async def run() -> None:
                events, told = await failing(source[0])
                ends.extend([*of(events, ToolEnd), told])

            with anyio.fail_after(SECONDS):
                async with anyio.create_task_group() as tasks:
                    async with tool_server() as tools:
                        source.append(agents_sdk(_agent(model, tools)))
                        tasks.start_soon(run)
                        await server.stalled()
                    server.release()
    assert ends == [
        ToolEnd("c", error="The tool failed."),
        Failure(code="provider", message="A tool server failed."),
    ]


async def test_an_agent_that_all_runs_share_uses_the_connection_that_somebody_made() -> None:
    with FakeOpenAI(_call("add", '{"a":1,"b":2}'), [Say("3")]) as server:
        async with tool_server() as tools, model_on(server) as model:
            shared = tools.made()
            source = agents_sdk(Agent(name="A", model=model, mcp_servers=[shared]))
            with pytest.raises(RuntimeError, match="is not connected"):
                await ask(source)
            async with shared:
                for _ in range(2):
                    assert of(await ask(source), ToolEnd) == [ToolEnd("c", "3")]


async def test_two_runs_cannot_open_one_connection() -> None:
    with FakeOpenAI([Say("a"), Stall()]) as server:
        async with tool_server() as tools, model_on(server) as model:
            agent = Agent[Any](name="A", model=model, mcp_servers=[tools.made()])
            source = agents_sdk(lambda _: agent)
            with anyio.fail_after(SECONDS):
                async with opened(source.stream(Call(run_id="r", input="x"))) as events:
                    await anext(events)
                    await server.stalled()
                    with pytest.raises(RuntimeError, match="is not connected"):
                        await ask(source)
            assert source.mcp_in_use == set()


async def test_leaving_while_a_server_does_not_answer_leaves_nothing_behind() -> None:
    asked = anyio.Event()

    def make(call: Call) -> Agent[Any]:
        asked.set()
        return Agent(name=call.run_id, mcp_servers=[MCPServerStreamableHttp({"url": url})])

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"
        source = agents_sdk(make)
        before = asyncio.all_tasks()
        with anyio.fail_after(SECONDS):
            peers: list[socket.socket] = []
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, source)
                await asked.wait()
                peers.append((await anyio.to_thread.run_sync(silent.accept))[0])
                tasks.cancel_scope.cancel()
            with peers[0] as peer:
                while await anyio.to_thread.run_sync(peer.recv, 65536):  # until the client has gone
                    pass
        assert asyncio.all_tasks() - before == set()
    assert source.mcp_in_use == set()


async def test_a_tool_of_an_mcp_server_can_wait_for_a_person() -> None:
    with FakeOpenAI(_call("add", '{"a":1,"b":2}'), [Say("3")]) as server:
        async with tool_server() as tools, model_on(server) as model:
            source = agents_sdk(_agent(model, tools, require_approval="always"))
            asked = await ask(source, legal=False)
            kept = of(asked, Keep)[0].value
            past = Past(run_id="run-1", status="interrupted", interrupts=of(asked, Interrupt), kept=kept)
            events = await ask(source, None, run_id="run-2", resumes="run-1", answer={"c": True}, **thread(past))
    assert of(asked, Interrupt)[0].value["action_requests"] == [{"name": "add", "args": {"a": 1, "b": 2}}]
    assert of(events, ToolEnd) == [ToolEnd("c", "3")]
    assert [event.text for event in of(events, Token)] == ["3"]
