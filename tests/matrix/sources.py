"""The rows of the matrix: each a source that plays the scenarios, on a fake provider over real HTTP where it has one.

A new source is a new :class:`Row`; no column knows of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import anyio
from agents import Agent, ModelSettings, OpenAIResponsesModel, function_tool, set_tracing_disabled
from anthropic import AsyncAnthropic
from any_llm import AnyLLM
from fastapi import FastAPI
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_classic.agents import AgentExecutor, create_tool_calling_agent
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import BaseTool, ToolException, tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from openai import AsyncOpenAI
from openai.types.shared import Reasoning
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai import ToolFailed
from pydantic_ai.models.openai import OpenAIResponsesModel as PydanticResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.matrix.scenarios import SCENARIOS, Scenario
from tests.support.server import serve
from tests.support.sources import apart
from unspool import Unspool, agents_sdk, anthropic_messages, any_llm, chat_completions, responses, responses_agent
from unspool import upstream as upstream_of
from unspool.events import Interrupt, ToolCall, ToolEnd, ToolStart
from unspool.events import Reasoning as Thought
from unspool.sources import Call
from unspool.testing import FakeAnthropic, FakeOpenAI
from unspool.testing.script import Say

set_tracing_disabled(True)  # it would send to OpenAI

RUNS_NO_TOOLS = "it calls a model once: its tools are the caller's to run"
CANNOT_ASK = "it has no way to wait for a person"
MODEL_LACKS = {"tool": RUNS_NO_TOOLS, "interrupt": CANNOT_ASK}
MODEL_NOTES = {"tool_error": "the call has no result, and is shown as one that failed"}


@dataclass(frozen=True)
class Playing:
    """A source that plays one scenario. ``release`` ends a stall."""

    source: Any
    release: Callable[[], None]


@dataclass(frozen=True)
class Row:
    """A source.

    Attributes:
        lacks: By scenario, why it has none.
        notes: By scenario, what it is there, where that is something of its own.
        runnable: Whether it is one of LangChain.
    """

    name: str
    title: str
    play: Callable[[Scenario, AsyncExitStack], Awaitable[Playing]]
    lacks: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    runnable: bool = False


# -- functions ----------------------------------------------------------------------------------------------


def _generator(scenario: Scenario) -> tuple[Callable[..., AsyncIterator[Any]], anyio.Event]:
    released = anyio.Event()
    tool_call = {"tool": ("add", {"a": 1, "b": 2}), "tool_error": ("fail", {"why": "x"})}.get(scenario.name)

    async def agent(_: Any, call: Call) -> AsyncIterator[Any]:
        if call.resumes is not None:
            yield "Sent."
            return
        if scenario.name == "interrupt":
            yield Interrupt("ask", {"question": "Send it?"})
            return
        if scenario.name == "reasoning":
            yield Thought("thought", "Let me ")
            yield Thought("thought", "see.")
            yield "Yes."
            return
        if tool_call is not None:
            name, args = tool_call
            yield ToolStart("call-1", name)
            yield ToolCall("call-1", name, args)
            yield ToolEnd("call-1", 3) if name == "add" else ToolEnd("call-1", error="It failed.")
        for piece in scenario.turns[-1]:
            if isinstance(piece, Say):
                for text in piece.texts:
                    yield text
            elif scenario.name == "upstream_error":
                raise ConnectionError("the provider is gone")
            else:
                await released.wait()

    return agent, released


async def _play_generator(scenario: Scenario, _: AsyncExitStack) -> Playing:
    agent, released = _generator(scenario)
    return Playing(agent, released.set)


async def _play_upstream(scenario: Scenario, stack: AsyncExitStack) -> Playing:
    agent, released = _generator(scenario)
    inner = FastAPI()
    Unspool(grace=0.2, playground=False).add_routes(inner, agent, path="/inner", options=SCENARIOS["text"].options)
    url = await stack.enter_async_context(serve(inner))
    return Playing(upstream_of(f"{url}/inner"), released.set)


# -- SDKs ---------------------------------------------------------------------------------------------------


def _server(scenario: Scenario, stack: AsyncExitStack) -> FakeOpenAI:
    return stack.enter_context(FakeOpenAI(*scenario.turns, together=scenario.name == "long"))


async def _client(server: FakeOpenAI, stack: AsyncExitStack) -> AsyncOpenAI:
    client = AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=0)
    stack.push_async_callback(client.close)
    return client


async def _play_responses(scenario: Scenario, stack: AsyncExitStack) -> Playing:
    server = _server(scenario, stack)
    return Playing(responses(await _client(server, stack), model="m"), server.release)


async def _play_chat(scenario: Scenario, stack: AsyncExitStack) -> Playing:
    server = _server(scenario, stack)
    return Playing(chat_completions(await _client(server, stack), model="m"), server.release)


async def _play_any_llm(scenario: Scenario, stack: AsyncExitStack) -> Playing:
    server = _server(scenario, stack)
    llm = AnyLLM.create("openai", "none", server.base_url, unified_exceptions=True, max_retries=0)
    stack.push_async_callback(llm.client.close)  # type: ignore[attr-defined]
    return Playing(any_llm("m", provider=llm), server.release)


async def _play_anthropic(scenario: Scenario, stack: AsyncExitStack) -> Playing:
    server = stack.enter_context(FakeAnthropic(*scenario.turns, together=scenario.name == "long"))
    client = AsyncAnthropic(base_url=server.base_url, api_key="none", max_retries=0)
    stack.push_async_callback(client.close)
    return Playing(anthropic_messages(client, model="m"), server.release)


# -- agents -------------------------------------------------------------------------------------------------


async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


async def fail(why: str) -> str:
    """Fail."""
    raise RuntimeError(f"secret {why}")


async def fail_for_pydantic(why: str) -> str:
    """Fail, as its tools do."""
    raise ToolFailed(f"secret {why}")


async def send(to: str) -> str:
    """Send it."""
    return f"sent to {to}"


async def _play_responses_agent(scenario: Scenario, stack: AsyncExitStack) -> Playing:
    server = _server(scenario, stack)
    client = await _client(server, stack)
    return Playing(responses_agent(client, "m", tools=[add, fail, send], approve=["send"]), server.release)


async def _play_agents_sdk(scenario: Scenario, stack: AsyncExitStack) -> Playing:
    server = _server(scenario, stack)
    model = OpenAIResponsesModel(model="m", openai_client=await _client(server, stack))
    tools: list[Any] = [function_tool(add), function_tool(fail), function_tool(send, needs_approval=True)]
    settings = ModelSettings(reasoning=Reasoning(summary="auto"))
    agent: Agent[Any] = Agent(name="A", model=model, tools=tools, model_settings=settings)
    return Playing(agents_sdk(agent), server.release)


async def _play_pydantic(scenario: Scenario, stack: AsyncExitStack) -> Playing:
    server = _server(scenario, stack)
    provider = OpenAIProvider(openai_client=await _client(server, stack))
    agent: Any = PydanticAgent(PydanticResponsesModel("fake", provider=provider))
    agent.tool_plain(add)
    agent.tool_plain(requires_approval=True)(send)

    agent.tool_plain(name="fail")(fail_for_pydantic)
    return Playing(agent, server.release)


# -- LangChain ----------------------------------------------------------------------------------------------


def _langchain_tools() -> list[BaseTool]:
    async def failing(why: str) -> str:
        """Fail."""
        raise ToolException(f"secret {why}")

    return [tool(add), tool("fail")(failing), tool(send)]


def _langchain_model(server: FakeOpenAI, **options: Any) -> ChatOpenAI:
    common: dict[str, Any] = {"api_key": "none", "max_retries": 0, "stream_usage": True, "timeout": apart()}
    return ChatOpenAI(base_url=server.base_url, model="m", **common, **options)


def _thinking_model(server: FakeOpenAI) -> ChatOpenAI:
    return _langchain_model(server, use_responses_api=True, reasoning={"summary": "auto"})


async def _play_chat_model(scenario: Scenario, stack: AsyncExitStack) -> Playing:
    server = _server(scenario, stack)
    return Playing(_thinking_model(server), server.release)


async def _play_langgraph(scenario: Scenario, stack: AsyncExitStack) -> Playing:
    server = _server(scenario, stack)
    asking: Any = HumanInTheLoopMiddleware(interrupt_on={"send": True})
    graph = create_agent(_thinking_model(server), _langchain_tools(), middleware=[asking], checkpointer=InMemorySaver())
    return Playing(graph, server.release)


async def _play_executor(scenario: Scenario, stack: AsyncExitStack) -> Playing:
    server = _server(scenario, stack)
    prompt = ChatPromptTemplate.from_messages([("human", "{input}"), ("placeholder", "{agent_scratchpad}")])
    tools = _langchain_tools()
    agent = create_tool_calling_agent(_langchain_model(server), tools, prompt)
    return Playing(AgentExecutor(agent=agent, tools=tools), server.release)


ROWS = [
    Row("generator", "[Plain generator](sources/functions.md)", _play_generator),
    Row(
        "chat_model",
        "[LangChain chat model](sources/langchain.md)",
        _play_chat_model,
        MODEL_LACKS,
        MODEL_NOTES,
        runnable=True,
    ),
    Row("langgraph", "[LangGraph](sources/langgraph.md)", _play_langgraph, runnable=True),
    Row(
        "agent_executor",
        "[AgentExecutor](sources/langchain-classic.md)",
        _play_executor,
        {
            "reasoning": "LangChain's model for Chat Completions drops it",
            "interrupt": CANNOT_ASK,
        },
        runnable=True,
    ),
    Row(
        "responses",
        "[OpenAI Responses](sources/openai-responses.md)",
        _play_responses,
        MODEL_LACKS,
        MODEL_NOTES,
    ),
    Row("responses_agent", "[`responses_agent`](sources/responses-agent.md)", _play_responses_agent),
    Row(
        "chat_completions",
        "[Chat Completions](sources/openai-chat.md)",
        _play_chat,
        MODEL_LACKS,
        MODEL_NOTES,
    ),
    Row(
        "any_llm",
        "[any-llm](sources/any-llm.md)",
        _play_any_llm,
        MODEL_LACKS,
        MODEL_NOTES,
    ),
    Row("agents_sdk", "[OpenAI Agents SDK](sources/openai-agents.md)", _play_agents_sdk),
    Row("pydantic_ai", "[Pydantic AI](sources/pydantic-ai.md)", _play_pydantic),
    Row(
        "anthropic",
        "[Anthropic](sources/anthropic-messages.md)",
        _play_anthropic,
        MODEL_LACKS,
        MODEL_NOTES,
    ),
    Row("upstream", "[`upstream`](sources/upstream.md)", _play_upstream),
]
