"""Pydantic AI agents as sources: real agents and real clients, against a fake provider on loopback."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, CustomEvent, ModelRetry, RunContext, ToolFailed
from pydantic_ai.capabilities import AbstractCapability, NativeTool
from pydantic_ai.exceptions import UsageLimitExceeded
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.native_tools import WebSearchTool
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.usage import UsageLimits

from unspool.closing import opened
from unspool.errors import InvalidInput, classify
from unspool.events import (
    Data,
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
from unspool.sources import Call, Keep, Output, Source, adapt
from unspool.sources.base import TOOL_FAILED
from unspool.sources.conversation import NOT_COMPLETED
from unspool.sources.functions import FunctionSource
from unspool.sources.pydantic_ai.parts import RETRIED
from unspool.sources.pydantic_ai.source import pydantic_agent
from unspool.testing import FakeAnthropic, FakeOpenAI, check_source
from unspool.testing.script import (
    CallTool,
    Drop,
    Fail,
    Incomplete,
    Refuse,
    Say,
    Stall,
    Status,
    Think,
    Tokens,
    Turn,
)
from unspool.testing.source import check_events


@asynccontextmanager
async def chat_model(server: Any) -> AsyncGenerator[Model, None]:
    async with AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        yield OpenAIChatModel("fake", provider=OpenAIProvider(openai_client=client))


@asynccontextmanager
async def responses_model(server: Any, name: str = "fake") -> AsyncGenerator[Model, None]:
    async with AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        yield OpenAIResponsesModel(name, provider=OpenAIProvider(openai_client=client))


@asynccontextmanager
async def messages_model(server: Any) -> AsyncGenerator[Model, None]:
    async with AsyncAnthropic(base_url=server.base_url, api_key="none", max_retries=0) as client:
        yield AnthropicModel("claude-fake", provider=AnthropicProvider(anthropic_client=client))


both = pytest.mark.parametrize("model_of", [chat_model, responses_model])
ModelOf = Callable[[Any], Any]


def weather(model: Model | None = None, **options: Any) -> Agent[Any, Any]:
    agent: Agent[Any, Any] = Agent(model, **options)

    @agent.tool_plain
    async def get_weather(city: str) -> str:
        return f"sunny in {city}"

    return agent


async def collect(source: Source, value: Any = "hi", **fields: Any) -> list[Any]:
    """All that a run yields, and what it keeps, which is last but for the output."""
    with anyio.fail_after(20):
        async with opened(source.stream(Call(**{"run_id": "run-1", "input": value, **fields}))) as events:
            return [event async for event in events]


async def told(source: Source, value: Any = "hi", **fields: Any) -> list[Any]:
    """The same without what is kept, and legal."""
    events = await collect(source, value, **fields)
    check_events(events)
    return [event for event in events if not isinstance(event, Keep)]


CALLING = [
    MessageStart("run-1-1"),
    Reasoning("run-1-1", "hm"),
    Token("run-1-1", "let me see"),
    ToolStart("c1", "get_weather", "run-1-1"),
    ToolArgs("c1", '{"ci'),
    ToolArgs("c1", 'ty":"Paris"}'),
    ToolCall("c1", "get_weather", {"city": "Paris"}),
]
TURNS: tuple[Turn, ...] = (
    [Think("hm"), Say("let me see"), CallTool("get_weather", '{"ci', 'ty":"Paris"}', call_id="c1")],
    [Say("It ", "is sunny."), Tokens(20, 7, reasoning=2, cached=3)],
)


@both
async def test_text_reasoning_tools_and_usage_are_carried_as_they_stream(model_of: ModelOf) -> None:
    with FakeOpenAI(*TURNS) as server:
        async with model_of(server) as model:
            events = await told(pydantic_agent(weather(model)))
    reason = "tool_calls" if model_of is chat_model else "stop"
    assert events == [
        *CALLING,
        Usage(10, 5, 15, model="fake"),
        MessageEnd("run-1-1", reason),
        ToolEnd("c1", "sunny in Paris"),
        MessageStart("run-1-2"),
        Token("run-1-2", "It "),
        Token("run-1-2", "is sunny."),
        Usage(20, 7, 27, 2, 3, "fake"),
        MessageEnd("run-1-2", "stop"),
    ]


async def test_a_function_may_yield_the_items_of_a_run() -> None:
    with FakeOpenAI(*TURNS) as server:
        async with chat_model(server) as model:
            agent = weather(model)

            async def answer(question: str) -> AsyncGenerator[Any, None]:
                async with agent.run_stream_events(question) as items:
                    async for item in items:
                        yield item

            events = await told(FunctionSource(answer))
    # The items of a run name a response's usage only in its result.
    assert events == [
        *CALLING,
        MessageEnd("run-1-1"),
        ToolEnd("c1", "sunny in Paris"),
        MessageStart("run-1-2"),
        Token("run-1-2", "It "),
        Token("run-1-2", "is sunny."),
        Usage(10, 5, 15, model="fake"),
        Usage(20, 7, 27, 2, 3, "fake"),
        MessageEnd("run-1-2", "stop"),
    ]


async def test_a_function_may_return_the_stream_of_a_run() -> None:
    agent = weather(TestModel(call_tools=[], custom_output_text="a b"))
    events = await told(FunctionSource(lambda text: agent.run_stream_events(text)))
    assert "".join(event.text for event in events if isinstance(event, Token)) == "a b"
    assert isinstance(events[-1], MessageEnd)


async def test_the_agent_passes_the_kit_for_sources() -> None:
    with FakeOpenAI(*TURNS) as server:
        async with chat_model(server) as model:
            agent = weather(model)
            await check_source(lambda: pydantic_agent(agent), Call(run_id="run-1", input="hi"))


class City(BaseModel):
    name: str
    people: int


@both
async def test_structured_output_streams_as_an_output_tool_and_is_the_output(model_of: ModelOf) -> None:
    turn: Turn = [CallTool("final_result", '{"name":"Paris",', '"people":2}', call_id="c1")]
    with FakeOpenAI(turn) as server:
        async with model_of(server) as model:
            source = adapt(Agent(model, output_type=City, name="cities"))
            events = await told(source)
    assert events == [
        MessageStart("run-1-1"),
        ToolStart("c1", "final_result", "run-1-1"),
        ToolArgs("c1", '{"name":"Paris",'),
        ToolArgs("c1", '"people":2}'),
        ToolCall("c1", "final_result", {"name": "Paris", "people": 2}),
        Usage(10, 5, 15, model="fake"),
        MessageEnd("run-1-1", "tool_calls" if model_of is chat_model else "stop"),
        ToolEnd("c1", "Final result processed."),
        Output({"name": "Paris", "people": 2}),
    ]
    assert source.name == "cities"
    assert source.schemas().output["properties"].keys() == {"name", "people"}


async def test_an_output_that_is_not_accepted_is_asked_for_again_in_another_message() -> None:
    with FakeOpenAI(answer=lambda request: [Say("bad" if request.number == 0 else "good")]) as server:
        async with chat_model(server) as model:
            agent = Agent(model)

            @agent.output_validator
            def check(text: str) -> str:
                if text == "bad":
                    raise ModelRetry("a secret reason")
                return text.upper()

            events = await told(pydantic_agent(agent))
    assert events == [
        MessageStart("run-1-1"),
        Token("run-1-1", "bad"),
        Usage(10, 5, 15, model="fake"),
        MessageEnd("run-1-1", "stop"),
        MessageStart("run-1-2"),
        Token("run-1-2", "good"),
        Usage(10, 5, 15, model="fake"),
        MessageEnd("run-1-2", "stop"),
        Output("GOOD"),
    ]


class NoThinking(AbstractCapability[Any]):
    """Does not accept a response with thinking."""

    async def after_model_request(self, *_: Any, response: ModelResponse, **__: Any) -> ModelResponse:
        if response.thinking:
            raise ModelRetry("a secret reason")
        return response


async def test_calls_of_a_response_that_is_not_accepted_are_closed() -> None:
    with FakeOpenAI(answer=lambda request: TURNS[request.number]) as server:
        async with chat_model(server) as model:
            events = await told(pydantic_agent(weather(model, capabilities=[NoThinking()])))
    assert events == [
        *CALLING,
        Usage(10, 5, 15, model="fake"),
        MessageEnd("run-1-1", "tool_calls"),
        ToolEnd("c1", error=NOT_COMPLETED),
        MessageStart("run-1-2"),
        Token("run-1-2", "It "),
        Token("run-1-2", "is sunny."),
        Usage(20, 7, 27, 2, 3, "fake"),
        MessageEnd("run-1-2", "stop"),
    ]


async def test_calls_that_fail_say_so_without_their_own_text() -> None:
    turns: list[Turn] = [
        [CallTool("nobody", "{}", call_id="c1")],
        [CallTool("get_weather", '{"town":1}', call_id="c2")],
        [CallTool("fails", "{}", call_id="c3"), CallTool("retries", "{}", call_id="c4")],
        [Say("done")],
    ]
    with FakeOpenAI(*turns) as server:
        async with chat_model(server) as model:
            agent = weather(model)

            @agent.tool_plain
            async def fails() -> str:
                raise ToolFailed("a secret")

            @agent.tool_plain
            async def retries() -> str:
                raise ModelRetry("a secret")

            events = await told(pydantic_agent(agent))
    assert sorted((event for event in events if isinstance(event, ToolEnd)), key=lambda end: end.call_id) == [
        ToolEnd("c1", error=RETRIED),
        ToolEnd("c2", error=RETRIED),
        ToolEnd("c3", error=TOOL_FAILED),
        ToolEnd("c4", error=RETRIED),
    ]


async def test_a_tool_that_raises_fails_the_run() -> None:
    with FakeOpenAI([CallTool("breaks", "{}")]) as server:
        async with chat_model(server) as model:
            agent: Agent[None, str] = Agent(model)

            @agent.tool_plain
            async def breaks() -> str:
                raise RuntimeError("a secret")

            with pytest.raises(RuntimeError) as caught:
                await collect(pydantic_agent(agent))
    assert classify(caught.value).code == "internal"


@dataclass(kw_only=True)
class UnspoolTestProgress(CustomEvent):
    done: int


@dataclass(kw_only=True)
class UnspoolTestAudit(CustomEvent, ui=False):
    secret: str


async def test_custom_events_are_data_unless_they_are_for_the_server_alone() -> None:
    agent: Agent[None, str] = Agent(TestModel(custom_output_text="ok"))

    @agent.tool
    async def work(ctx: RunContext[object]) -> str:
        await ctx.emit(UnspoolTestProgress(done=1))
        await ctx.emit(UnspoolTestAudit(secret="s"))
        return "worked"

    events = await told(pydantic_agent(agent))
    assert [event for event in events if isinstance(event, Data)] == [Data("unspool_test_progress", {"done": 1})]


@both
async def test_a_refusal_is_the_answer(model_of: ModelOf) -> None:
    with FakeOpenAI([Refuse("I can", "not.")]) as server:
        async with model_of(server) as model:
            events = await collect(pydantic_agent(Agent(model)))
    assert events == [
        MessageStart("run-1-1"),
        Token("run-1-1", "I cannot."),
        Usage(10, 5, 15, model="fake"),
        MessageEnd("run-1-1", "refusal"),
    ]


@both
async def test_an_answer_that_is_cut_short_says_why(model_of: ModelOf) -> None:
    with FakeOpenAI([Say("a"), Incomplete("max_output_tokens")]) as server:
        async with model_of(server) as model:
            events = await told(pydantic_agent(Agent(model)))
    assert events[-1] == MessageEnd("run-1-1", "length")


@both
@pytest.mark.parametrize(
    ("pieces", "code", "retryable", "retry_after"),
    [
        ([Status(429, code="rate_limit_exceeded", retry_after=2.0)], "rate_limit", True, 2.0),
        ([Say("a"), Fail("rate_limit_exceeded")], "rate_limit", True, None),
        ([Status(400, code="context_length_exceeded")], "validation", False, None),
        ([Status(401)], "auth", False, None),
        ([Say("a"), Drop()], "provider", True, None),
        ([Incomplete("content_filter")], "provider", False, None),
    ],
)
async def test_failures_of_the_provider_are_classified(
    model_of: ModelOf, pieces: list[Any], code: str, retryable: bool, retry_after: float | None
) -> None:
    with FakeOpenAI(pieces) as server:
        async with model_of(server) as model:
            with pytest.raises(Exception) as caught:  # noqa: PT011 - the SDK's own, of several classes
                await collect(pydantic_agent(Agent(model)))
    failure = classify(caught.value)
    assert (failure.code, failure.retryable, failure.retry_after) == (code, retryable, retry_after)
    assert "boom" not in failure.message


async def test_run_params_reach_the_run_and_ours_are_refused() -> None:
    with FakeOpenAI([Say("a")]) as server:
        async with chat_model(server) as model:
            source = pydantic_agent(Agent(), model=model, usage_limits=UsageLimits(output_tokens_limit=1), name="w")
            assert source.name == "w"
            with pytest.raises(UsageLimitExceeded):
                await collect(source)
    with FakeOpenAI([Say("a")]) as server:
        async with responses_model(server) as model:
            await collect(pydantic_agent(Agent(model), capabilities=[NativeTool(WebSearchTool())]))
    assert [tool["type"] for tool in server.requests[0].body["tools"]] == ["web_search"]
    with pytest.raises(TypeError, match="'message_history' cannot be set here"):
        pydantic_agent(Agent(), message_history=[])


@pytest.mark.parametrize("is_async", [False, True])
async def test_dependencies_are_made_for_each_call(is_async: bool) -> None:
    agent = Agent(TestModel(), deps_type=str)

    @agent.tool
    async def who(ctx: RunContext[str]) -> str:
        return ctx.deps

    def deps(call: Call) -> str:
        return f"user of {call.run_id}"

    async def async_deps(call: Call) -> str:
        return deps(call)

    events = await told(pydantic_agent(agent, deps=async_deps if is_async else deps))
    assert [event.result for event in events if isinstance(event, ToolEnd)] == ["user of run-1"]


async def test_a_client_configures_nothing() -> None:
    with pytest.raises(InvalidInput, match="`config` may hold nothing here"):
        await collect(pydantic_agent(Agent(TestModel())), config={"model": "x"})


@both
async def test_closing_the_stream_closes_the_request_while_it_stalls(model_of: ModelOf) -> None:
    with FakeOpenAI([Say("a"), Stall()]) as server, anyio.fail_after(10):
        async with model_of(server) as model:
            async with opened(pydantic_agent(Agent(model)).stream(Call(run_id="run-1", input="hi"))) as events:
                async for event in events:
                    if isinstance(event, Token):
                        break
                await server.stalled()
            await server.disconnected()


async def test_cancelling_the_task_closes_the_request_while_it_stalls() -> None:
    with FakeOpenAI([Stall()]) as server, anyio.fail_after(10):
        async with chat_model(server) as model, anyio.create_task_group() as tasks:
            source = pydantic_agent(Agent(model))
            tasks.start_soon(collect, source)
            await server.stalled()
            tasks.cancel_scope.cancel()
        await server.disconnected()


async def test_cancelling_waits_until_a_tool_that_runs_has_cleaned_up() -> None:
    began = anyio.Event()
    stopped: list[str] = []
    agent: Agent[None, str] = Agent(TestModel())

    @agent.tool_plain
    async def wait() -> str:
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                for _ in range(10):
                    await anyio.lowlevel.checkpoint()
            stopped.append("tool")
        return ""

    async def run() -> None:
        await collect(pydantic_agent(agent))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await began.wait()
            tasks.cancel_scope.cancel()
    assert stopped == ["tool"]


async def test_a_tool_that_does_not_stop_does_not_hold_up_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unspool.sources.pydantic_ai.source.CLOSE_SECONDS", 0.1)
    began, go_on = anyio.Event(), anyio.Event()
    agent: Agent[None, str] = Agent(TestModel())

    @agent.tool_plain
    async def wait() -> str:
        began.set()
        with anyio.CancelScope(shield=True):
            await go_on.wait()
        return ""

    async def run() -> None:
        await collect(pydantic_agent(agent))

    with anyio.fail_after(15):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await began.wait()
            tasks.cancel_scope.cancel()
        go_on.set()


async def test_thinking_of_anthropic_keeps_its_signature_for_the_tools_answer() -> None:
    with FakeAnthropic(*TURNS) as server:
        async with messages_model(server) as model:
            events = await told(pydantic_agent(weather(model)))
    assert [type(event) for event in events if not isinstance(event, Token | ToolArgs)] == [
        MessageStart,
        Reasoning,
        ToolStart,
        ToolCall,
        Usage,
        MessageEnd,
        ToolEnd,
        MessageStart,
        Usage,
        MessageEnd,
    ]
    thinking = server.requests[1].body["messages"][1]["content"][0]
    assert thinking["thinking"] == "hm"
    assert thinking["signature"]


@pytest.mark.local_model
async def test_a_real_model_answers(real_model: Any) -> None:
    async with AsyncOpenAI(base_url=real_model.base_url, api_key="none") as client:
        model = OpenAIChatModel(real_model.name, provider=OpenAIProvider(openai_client=client))
        agent = Agent(model, model_settings={"max_tokens": 16})
        events = await told(pydantic_agent(agent), "Say hello.")
    assert sum(isinstance(event, Token) for event in events) > 1
    assert [event.output_tokens > 1 for event in events if isinstance(event, Usage)] == [True]
    assert isinstance(events[-1], MessageEnd)
