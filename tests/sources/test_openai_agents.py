"""Agents of the OpenAI Agents SDK, on real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from agents import (
    Agent,
    GuardrailFunctionOutput,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunContextWrapper,
    RunItemStreamEvent,
    Runner,
    RunResultStreaming,
    Session,
    SQLiteSession,
    StopAtTools,
    ToolCallItem,
    WebSearchTool,
    function_tool,
    handoff,
    input_guardrail,
    output_guardrail,
)
from openai import AsyncOpenAI
from openai.types.responses import ResponseFunctionToolCall

from tests.sources.agents_sdk import SECONDS, WITH_USAGE, app_of, ask, failing, model_on, of
from tests.support.native import stream
from tests.support.server import serve
from unspool.closing import opened
from unspool.errors import Failure, InvalidInput
from unspool.events import (
    Citation,
    MessageEnd,
    MessageStart,
    Reasoning,
    StepEnd,
    StepStart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    Usage,
)
from unspool.sources import Call, Output, adapt
from unspool.sources.ids import Ids
from unspool.sources.openai_agents.events import AgentsTranslation
from unspool.sources.openai_agents.source import agents_sdk, show_nested
from unspool.testing import FakeOpenAI, check_source
from unspool.testing.script import (
    CallTool,
    Cite,
    Drop,
    Fail,
    Incomplete,
    Refuse,
    Say,
    Search,
    Stall,
    Status,
    Think,
    Tokens,
)

WEATHER = [
    Think("h", "m"),
    CallTool("get_weather", '{"ci', 'ty":"Paris"}', call_id="c1"),
    Tokens(20, 7, reasoning=3, cached=2),
]


@function_tool
def get_weather(city: str) -> str:
    """Say how the weather is."""
    return f"sunny in {city}"


@pytest.mark.parametrize("backend", ["responses", "chat"])
async def test_an_agent_streams_its_thoughts_its_tools_and_its_answer(backend: str) -> None:
    with FakeOpenAI(WEATHER, [Say("It is ", "sunny.")]) as server:
        async with model_on(server, backend) as model:
            agent = Agent(name="A", model=model, model_settings=WITH_USAGE, tools=[get_weather])
            events = await ask(adapt(agent))
            await check_source(lambda: adapt(agent), Call(run_id="r", input="hi"))
    assert events == [
        StepStart("run-1-1", "A"),
        MessageStart("run-1-2", name="A"),
        Reasoning("run-1-2", "h"),
        Reasoning("run-1-2", "m"),
        ToolStart("c1", "get_weather", "run-1-2"),
        ToolArgs("c1", '{"ci'),
        ToolArgs("c1", 'ty":"Paris"}'),
        ToolCall("c1", "get_weather", {"city": "Paris"}),
        Usage(20, 7, 27, 3, 2, "m"),
        MessageEnd("run-1-2", "tool_calls"),
        ToolEnd("c1", "sunny in Paris"),
        MessageStart("run-1-3", name="A"),
        Token("run-1-3", "It is "),
        Token("run-1-3", "sunny."),
        Usage(10, 5, 15, model="m"),
        MessageEnd("run-1-3", "stop"),
        StepEnd("run-1-1", "A"),
    ]


@pytest.mark.parametrize("backend", ["responses", "chat"])
async def test_each_agent_that_takes_over_is_a_step_and_speaks_under_its_name(backend: str) -> None:
    script = [CallTool("transfer_to_french", "{}", call_id="h1")], [Say("Bon", "jour")]
    with FakeOpenAI(*script) as server:
        async with model_on(server, backend) as model:
            french = Agent[Any](name="French", model=model)
            source = adapt(Agent(name="Triage", model=model, handoffs=[handoff(french)]))
            events = await ask(source)
    assert [(type(event), event.name) for event in of(events, StepStart, StepEnd, MessageStart)] == [
        (StepStart, "Triage"),
        (MessageStart, "Triage"),
        (StepEnd, "Triage"),
        (StepStart, "French"),
        (MessageStart, "French"),
        (StepEnd, "French"),
    ]
    assert of(events, ToolStart, ToolEnd) == [
        ToolStart("h1", "transfer_to_french", "run-1-2"),
        ToolEnd("h1", {"assistant": "French"}),
    ]


async def test_the_providers_own_tools_and_citations_are_shown() -> None:
    with FakeOpenAI(
        [Search("weather", "https://w.example"), Say("Sunny."), Cite("https://w.example", "W", 0, 6)]
    ) as server:
        async with model_on(server) as model:
            events = await ask(adapt(Agent(name="A", model=model, tools=[WebSearchTool()])))
    assert [event.name for event in of(events, ToolStart)] == ["web_search"]
    assert len(of(events, ToolEnd)) == 1
    assert of(events, Citation) == [Citation("run-1-2", "https://w.example", "W", None, 0, 6)]


class Silent(OpenAIResponsesModel):
    """A model that says nothing until it has said all, as those do that cannot stream."""

    async def stream_response(self, *args: Any, **more: Any) -> AsyncIterator[Any]:
        async for event in super().stream_response(*args, **more):
            if event.type == "response.completed":
                yield event


async def test_a_model_that_does_not_stream_is_shown_too() -> None:
    with FakeOpenAI(WEATHER, [Say("It is ", "sunny.")]) as server:
        async with AsyncOpenAI(base_url=server.base_url, api_key="none") as client:
            events = await ask(adapt(Agent(name="A", model=Silent("m", client), tools=[get_weather])))
    assert of(events, ToolStart, ToolCall, ToolEnd, MessageStart, Token) == [
        ToolStart("c1", "get_weather"),
        ToolCall("c1", "get_weather", {"city": "Paris"}),
        ToolEnd("c1", "sunny in Paris"),
        MessageStart("run-1-2", name="A"),
        Token("run-1-2", "It is sunny."),
    ]


async def test_a_tool_ends_when_it_ends_and_not_with_the_slowest_of_its_turn() -> None:
    go_on = asyncio.Event()

    @function_tool
    async def slow() -> str:
        await go_on.wait()
        return "slow"

    @function_tool
    def fast() -> str:
        return "fast"

    calls = [CallTool("slow", "{}", call_id="s"), CallTool("fast", "{}", call_id="f")]
    with FakeOpenAI(calls, [Say("both")]) as server:
        async with model_on(server) as model:
            source = adapt(Agent(name="A", model=model, tools=[slow, fast]))
            ends: list[Any] = []
            with anyio.fail_after(SECONDS):
                async with opened(source.stream(Call(run_id="r", input="x"))) as events:
                    async for event in events:
                        if isinstance(event, ToolEnd):
                            ends.append(event)
                            go_on.set()  # so that the slow one ends only once the end of the fast one was seen
    assert ends == [ToolEnd("f", "fast"), ToolEnd("s", "slow")]


def test_a_tool_that_ends_before_its_call_was_told_waits_for_that() -> None:
    translation = AgentsTranslation(Ids("run-1"))
    raw = ResponseFunctionToolCall(arguments="{}", call_id="c", name="fast", type="function_call")
    called = RunItemStreamEvent(item=ToolCallItem(agent=Agent(name="A"), raw_item=raw), name="tool_called")
    assert list(translation.ended("c", "done")) == []
    assert list(translation.feed(called)) == [
        ToolStart("c", "fast"),
        ToolCall("c", "fast", {}),
        ToolEnd("c", "done"),
    ]


async def test_a_tools_exception_is_not_shown() -> None:
    @function_tool
    def fail() -> str:
        raise RuntimeError("secret")

    with FakeOpenAI([CallTool("fail", "{}", call_id="c")], [Say("Sorry")]) as server:
        async with model_on(server) as model:
            events = await ask(adapt(Agent(name="A", model=model, tools=[fail])))
    assert of(events, ToolEnd) == [ToolEnd("c", error="The tool failed.")]
    assert "".join(event.text for event in of(events, Token)) == "Sorry"


@pytest.mark.parametrize("how", ["closed", "cancelled"])
@pytest.mark.parametrize("returned", [False, True])
async def test_leaving_closes_the_stalled_connection_to_the_model_at_once(
    how: str, returned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with FakeOpenAI([Say("a"), Stall(), Say("b")]) as server:
        async with model_on(server) as model:
            agent = Agent(name="A", model=model)

            async def run() -> RunResultStreaming:
                return Runner.run_streamed(agent, "hi")

            source = adapt(run) if returned else adapt(agent)
            before = asyncio.all_tasks()
            with anyio.fail_after(SECONDS):
                async with anyio.create_task_group() as tasks:
                    async with opened(source.stream(Call(run_id="r", input="x")), close_within=3.0) as events:
                        async for event in events:
                            if isinstance(event, Token):
                                break
                        if how == "cancelled":
                            await server.stalled()
                            tasks.start_soon(_cancel_when_stalled, tasks)
                            await anext(events)
                await server.disconnected()
                assert asyncio.all_tasks() - before == set()
    assert [record for record in caplog.records if record.name == "unspool"] == []  # nothing had to be left behind


async def _cancel_when_stalled(tasks: anyio.abc.TaskGroup) -> None:
    await anyio.wait_all_tasks_blocked()
    tasks.cancel_scope.cancel()


async def test_leaving_cancels_the_tools_that_run() -> None:
    cancelled = asyncio.Event()

    @function_tool
    async def wait() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return "never"

    @function_tool
    def now() -> str:
        return "now"

    with FakeOpenAI([CallTool("wait", "{}", call_id="w"), CallTool("now", "{}", call_id="n")]) as server:
        async with model_on(server) as model:
            source = adapt(Agent(name="A", model=model, tools=[wait, now]))
            with anyio.fail_after(SECONDS):
                async with opened(source.stream(Call(run_id="r", input="x"))) as events:
                    async for event in events:
                        if isinstance(event, ToolEnd):
                            break
                await cancelled.wait()


@input_guardrail
async def refuse_input(*_: Any) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info="secret", tripwire_triggered=True)


@output_guardrail
async def refuse_output(*_: Any) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info="secret", tripwire_triggered=True)


FAILURES: dict[str, tuple[list[Any], dict[str, Any], Failure]] = {
    "input guardrail": (
        [Say("a")],
        {"input_guardrails": [refuse_input]},
        Failure(code="validation", message="The input was refused by a guardrail."),
    ),
    "output guardrail": (
        [Say("a")],
        {"output_guardrails": [refuse_output]},
        Failure(code="provider", message="The answer was refused by a guardrail."),
    ),
    "turns": (
        [CallTool("get_weather", '{"city":"P"}')],
        {"tools": [get_weather]},
        Failure(code="internal", message="The agent took more turns than it is allowed."),
    ),
    "unknown tool": (
        [CallTool("nothing", "{}")],
        {},
        Failure(code="provider", message="The model answered in a way that the agent cannot use."),
    ),
    "response.failed": (
        [Say("a"), Fail("rate_limit_exceeded", how="failed")],
        {},
        Failure(code="rate_limit", message="The model provider is limiting requests. Try again later.", retryable=True),
    ),
    "error event": (
        [Say("a"), Fail("context_length_exceeded", how="event")],
        {},
        Failure(code="validation", message="The conversation is too long for the model."),
    ),
    "http": (
        [Status(429, "rate_limit_exceeded", retry_after=2.0)],
        {},
        Failure(
            code="rate_limit",
            message="The model provider is limiting requests. Try again later.",
            retryable=True,
            retry_after=2.0,
        ),
    ),
    "dropped": (
        [Say("a"), Drop()],
        {},
        Failure(code="provider", message="The model provider could not be reached.", retryable=True),
    ),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_a_client_is_told_what_failed_in_our_own_words(case: str) -> None:
    script, more, failure = FAILURES[case]
    with FakeOpenAI(script) as server:
        async with model_on(server) as model:
            _, told = await failing(agents_sdk(Agent(name="A", model=model, **more), max_turns=1))
    assert told == failure
    assert len(server.requests) <= 1  # the turn that it is allowed; and a guardrail may be faster than the request


async def test_a_refusal_is_an_answer() -> None:
    with FakeOpenAI([Refuse("I can", "not.")]) as server:
        async with model_on(server) as model:
            events = await ask(adapt(Agent(name="A", model=model)))
    assert [event.text for event in of(events, Token)] == ["I can", "not."]
    assert of(events, MessageEnd) == [MessageEnd("run-1-2", "refusal")]


async def test_an_answer_that_was_cut_off_is_kept() -> None:
    with FakeOpenAI([Say("half"), Incomplete("max_output_tokens")]) as server:
        async with model_on(server) as model:
            events = await ask(adapt(Agent(name="A", model=model)))
    assert [event.text for event in of(events, Token)] == ["half"]
    assert of(events, MessageEnd) == [MessageEnd("run-1-2", "length")]


@dataclass
class Answer:
    city: str


async def test_an_answer_that_is_data_is_the_output() -> None:
    with FakeOpenAI([Say('{"response":{"city":', '"Paris"}}')]) as server:
        async with model_on(server) as model:
            source = adapt(Agent(name="A", model=model, output_type=Answer))
            events = await ask(source)
    assert events[-1] == Output({"city": "Paris"})
    assert source.schemas().output["properties"] == {"city": {"title": "City", "type": "string"}}


async def test_an_answer_that_no_model_wrote_is_the_output() -> None:
    with FakeOpenAI([CallTool("get_weather", '{"city":"Paris"}', call_id="c")]) as server:
        async with model_on(server) as model:
            behaviour = StopAtTools(stop_at_tool_names=["get_weather"])
            events = await ask(adapt(Agent(name="A", model=model, tools=[get_weather], tool_use_behavior=behaviour)))
    assert of(events, ToolEnd, Output) == [ToolEnd("c", "sunny in Paris"), Output("sunny in Paris")]


async def test_an_agent_may_be_made_for_each_call_and_tools_get_a_context_of_the_call() -> None:
    @function_tool
    def who(context: RunContextWrapper[str]) -> str:
        return context.context

    with FakeOpenAI([CallTool("who", "{}", call_id="c")], [Say("ok")]) as server:
        async with model_on(server) as model:

            async def make(call: Call) -> Agent[Any]:
                return Agent(name=f"for {call.thread_id}", model=model, tools=[who])

            source = agents_sdk(make, context=lambda call: f"context of {call.run_id}", name="mine")
            events = await ask(source, thread_id="t")
    assert source.name == "mine"
    assert of(events, StepStart)[0].name == "for t"
    assert of(events, ToolEnd) == [ToolEnd("c", "context of run-1")]


async def test_a_client_may_configure_nothing() -> None:
    with pytest.raises(InvalidInput, match="`config` may hold nothing here"):
        await ask(adapt(Agent(name="A")), config={"model": "expensive"})


async def test_the_model_is_told_what_was_said_and_done_in_the_thread() -> None:
    with FakeOpenAI(WEATHER, [Say("Sunny.")]) as server:
        async with model_on(server) as model:
            app = app_of(Agent(name="A", model=model, tools=[get_weather]))
            async with serve(app) as url:
                for question in ("weather?", "sure?"):
                    await stream(f"{url}/agent", {"input": question, "thread_id": "t"})
    assert server.requests[2].body["input"] == [
        {"role": "user", "content": "weather?"},
        {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"city":"Paris"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny in Paris"},
        {"role": "assistant", "content": "Sunny."},
        {"role": "user", "content": "sure?"},
    ]


async def test_a_session_remembers_the_thread_and_forgets_what_was_replaced() -> None:
    sessions: dict[str, Session] = {}

    def session(call: Call) -> Session:
        return sessions.setdefault(call.thread_id or "", SQLiteSession(call.thread_id or ""))

    with FakeOpenAI(answer=lambda request: [Say(f"answer {request.number}")]) as server:
        async with model_on(server) as model:
            app = app_of(agents_sdk(Agent(name="A", model=model), session=session))
            async with serve(app) as url:
                await stream(f"{url}/agent", {"input": "one", "thread_id": "t"})
                await sessions["t"].add_items([{"role": "user", "content": "aside"}])
                second = await stream(f"{url}/agent", {"input": "two", "thread_id": "t"})
                replaces = second.headers["unspool-run-id"]
                await stream(f"{url}/agent", {"input": "three", "thread_id": "t", "replaces": replaces})
    asked = [[_text(item["content"]) for item in request.body["input"]] for request in server.requests]
    assert asked == [["one"], ["one", "answer 0", "aside", "two"], ["one", "answer 0", "three"]]


def _text(content: Any) -> str:
    return content if isinstance(content, str) else str(content[0]["text"])


async def test_an_agent_that_is_a_tool_is_shown_inside_of_the_one_that_calls_it() -> None:
    script = [CallTool("ask_poet", '{"input":"rhyme"}', call_id="outer")], [Say("Here.")]
    with FakeOpenAI(*script) as server, FakeOpenAI([Say("so", " it goes")]) as inner:
        async with model_on(server) as model, model_on(inner) as other:
            poet = Agent(name="Poet", model=other).as_tool("ask_poet", "Rhymes.", on_stream=show_nested)
            events = await ask(adapt(Agent(name="A", model=model, tools=[poet])))
    start = next(index for index, event in enumerate(events) if isinstance(event, ToolCall)) + 1
    end = events.index(ToolEnd("outer", "so it goes"))
    inside = [event for event in events[start:end] if getattr(event, "message_id", None) != "run-1-2"]
    assert [event for event in inside if event != Usage(10, 5, 15, model="m")] == [
        StepStart("run-1-3", "Poet", "run-1-1"),
        MessageStart("run-1-4", name="Poet"),
        Token("run-1-4", "so"),
        Token("run-1-4", " it goes"),
        MessageEnd("run-1-4", "stop"),
        StepEnd("run-1-3", "Poet", "run-1-1"),
    ]
    assert of(events, Usage) == [Usage(10, 5, 15, model="m")] * 3


async def test_an_agent_that_is_a_tool_and_fails_is_a_tool_that_failed() -> None:
    script = [CallTool("ask_poet", '{"input":"rhyme"}', call_id="outer")], [Say("Sorry.")]
    with FakeOpenAI(*script) as server, FakeOpenAI([Say("so"), Fail("server_error", "secret")]) as inner:
        async with model_on(server) as model, model_on(inner) as other:
            poet = Agent(name="Poet", model=other).as_tool("ask_poet", "Rhymes.", on_stream=show_nested)
            events = await ask(adapt(Agent(name="A", model=model, tools=[poet])))
    assert of(events, ToolEnd) == [ToolEnd("outer", error="The tool failed.")]
    assert [event.text for event in of(events, Token)] == ["so", "Sorry."]


async def test_what_an_agent_takes_that_is_a_tool_and_is_not_shown_is_counted() -> None:
    script = [CallTool("ask_poet", '{"input":"rhyme"}', call_id="outer")], [Say("Here.")]
    with FakeOpenAI(*script) as server, FakeOpenAI([Say("so it goes"), Tokens(7, 3, 1, 2)]) as inner:
        async with model_on(server) as model, model_on(inner) as other:
            poet = Agent(name="Poet", model=other).as_tool("ask_poet", "Rhymes.")
            events = await ask(adapt(Agent(name="A", model=model, tools=[poet])))
    assert of(events, Usage) == [*[Usage(10, 5, 15, model="m")] * 2, Usage(7, 3, 10, 1, 2)]


async def test_a_function_may_return_a_run_or_yield_what_one_streams() -> None:
    with FakeOpenAI(WEATHER, [Say("Sunny.")]) as server:
        async with model_on(server) as model:
            agent = Agent(name="A", model=model, tools=[get_weather])

            async def returns(value: str) -> RunResultStreaming:
                return Runner.run_streamed(agent, value)

            async def yields(value: str) -> AsyncGenerator[Any, None]:
                async for event in Runner.run_streamed(agent, value).stream_events():
                    yield event

            whole = await ask(adapt(agent))
            assert await ask(adapt(returns)) == whole
            assert await ask(adapt(yields)) == whole


@pytest.mark.local_model
async def test_a_real_model_answers(real_model: Any) -> None:
    async with AsyncOpenAI(base_url=real_model.base_url, api_key="none") as client:
        model = OpenAIChatCompletionsModel(model=real_model.name, openai_client=client)
        settings = ModelSettings(include_usage=True, max_tokens=16, temperature=0.0)
        events = await ask(adapt(Agent(name="A", model=model, model_settings=settings)), "Say hello.", seconds=90.0)
    assert len(of(events, Token)) > 1
    assert of(events, Usage)[0].output_tokens > 1
    assert isinstance(events[-1], StepEnd)
