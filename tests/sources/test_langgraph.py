"""LangGraph graphs and LangChain runnables as sources, with the real frameworks and a scripted model."""

from __future__ import annotations

from typing import Any, TypedDict

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt

from tests.support.sources import collect
from unspool.closing import opened
from unspool.errors import InvalidInput
from unspool.events import (
    AnyEvent,
    Data,
    Interrupt,
    MessageEnd,
    MessageStart,
    Reasoning,
    Record,
    Retry,
    StepStart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    Transcript,
    Usage,
    encode,
)
from unspool.sources import Call, Output, adapt
from unspool.testing import check_source
from unspool.testing.langchain import ScriptedChatModel, done, reasoning, text, tool_call


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def fail(why: str) -> str:
    """Fail."""
    raise RuntimeError(f"secret {why}")


def _of(events: list[Any], *kinds: type) -> list[Any]:
    return [event for event in events if isinstance(event, kinds)]


async def test_a_chat_model_streams_text_reasoning_and_usage() -> None:
    model = ScriptedChatModel.of([*reasoning("h", "m"), *text("a", "b"), *done("length")])
    events = await collect(adapt(model), "hi")
    assert [event.text for event in _of(events, Reasoning)] == ["h", "m"]
    assert [event.text for event in _of(events, Token)] == ["a", "b"]
    assert _of(events, Usage) == [Usage(5, 7, 12, model="scripted")]
    assert _of(events, MessageEnd)[0].finish_reason == "length"
    assert model.calls[0][0].content == "hi"
    await check_source(lambda: adapt(ScriptedChatModel.of([*text("a"), *done()])), Call(run_id="r", input="x"))


async def test_a_chat_that_is_no_chat_is_refused() -> None:
    wrong: Any
    for wrong in (5, {"messages": []}, {"messages": [{"content": "x"}]}, [{"role": "nobody"}]):
        with pytest.raises(InvalidInput):
            await collect(adapt(ScriptedChatModel.of([*text("a")])), wrong)


async def test_a_chain_streams_its_models_tokens_once() -> None:
    chain = (
        ChatPromptTemplate.from_template("say {x}")
        | ScriptedChatModel.of([*text("a", "b"), *done()])
        | StrOutputParser()
    )
    events = await collect(adapt(chain), {"x": 1})
    assert [event.text for event in _of(events, Token)] == ["a", "b"]
    assert _of(events, Output) == []


async def test_a_chain_that_changes_the_text_or_returns_data_says_so() -> None:
    model = ScriptedChatModel.of([*text("a", "b"), *done()])
    shout = model | StrOutputParser() | RunnableLambda(lambda said: {"loud": str(said).upper()})
    events = await collect(adapt(shout), "hi")
    assert [event.text for event in _of(events, Token)] == ["a", "b"]
    assert _of(events, Output) == [Output({"loud": "AB"})]
    plain = await collect(adapt(RunnableLambda(lambda value: f"{value}!")), "hi")
    assert [event.text for event in _of(plain, Token)] == ["hi!"]


async def test_a_model_that_is_only_invoked_inside_still_streams() -> None:
    model = ScriptedChatModel.of([*text("a", "b"), *done()])

    async def inside(value: str) -> dict[str, int]:
        return {"length": len(str((await model.ainvoke(value)).content))}

    events = await collect(adapt(RunnableLambda(inside)), "hi")
    assert [event.text for event in _of(events, Token)] == ["a", "b"]
    assert _of(events, Output) == [Output({"length": 2})]


def _agent(*turns: Any, tools: Any = (add,), **more: Any) -> Any:
    return create_agent(ScriptedChatModel.of(*turns), list(tools), **more)


async def test_an_agent_streams_parallel_tool_calls_and_their_results() -> None:
    turn = [*tool_call("add", "c1", '{"a":1', ',"b":2}'), *tool_call("add", "c2", '{"a":3,"b":4}', index=1), *done()]
    events = await collect(adapt(_agent(turn, [*text("3 and 7"), *done()])), "sums?")
    assert [(e.call_id, e.text) for e in _of(events, ToolArgs)] == [
        ("c1", '{"a":1'),
        ("c1", ',"b":2}'),
        ("c2", '{"a":3,"b":4}'),
    ]
    assert [(e.call_id, e.args) for e in _of(events, ToolCall)] == [("c1", {"a": 1, "b": 2}), ("c2", {"a": 3, "b": 4})]
    assert {e.call_id: e.result for e in _of(events, ToolEnd)} == {"c1": "3", "c2": "7"}
    assert [e.name for e in _of(events, StepStart)] == ["model", "tools", "tools", "model"]
    assert len(_of(events, MessageStart)) == 2


async def test_a_tools_exception_is_not_shown_and_is_raised() -> None:
    turn = [*tool_call("fail", "c1", '{"why":"x"}'), *done()]
    seen: list[Any] = []
    with pytest.raises(RuntimeError, match="secret"):
        async with opened(adapt(_agent(turn, tools=[fail])).stream(Call(run_id="r", input="x"))) as events:
            async for event in events:
                seen.append(event)
    assert _of(seen, ToolEnd) == [ToolEnd("c1", error="The tool failed.")]
    assert not any("secret" in encode(event).decode() for event in seen)


async def test_arguments_that_are_no_json_are_passed_on_as_text() -> None:
    events = await collect(adapt(_agent([*tool_call("add", "c1", "{not"), *done()], [*text("sorry"), *done()])), "x")
    assert _of(events, ToolCall)[0].args == "{not"
    assert _of(events, ToolEnd)[0].error == "The tool failed."


async def test_a_message_keeps_the_first_id_that_its_provider_sent() -> None:
    turn = [AIMessageChunk(content="a", id="msg_1"), AIMessageChunk(content="b"), *done()]
    events = await collect(adapt(_agent(turn, tools=[])), "x")
    assert {event.message_id for event in _of(events, MessageStart, Token, MessageEnd)} == {"msg_1"}


async def test_two_models_at_once_do_not_mix_and_custom_events_pass() -> None:
    one, two = ScriptedChatModel.of([*text("a", "b"), *done()]), ScriptedChatModel.of([*text("x", "y"), *done()])

    async def first(state: MessagesState) -> dict[str, Any]:
        get_stream_writer()({"progress": 1})
        return {"messages": [await one.ainvoke(state["messages"])]}

    async def second(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await two.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("first", first)
    builder.add_node("second", second)
    for name in ("first", "second"):
        builder.add_edge(START, name)
        builder.add_edge(name, END)
    events = await collect(adapt(builder.compile()), "hi")
    names = {event.message_id: event.name for event in _of(events, MessageStart)}
    said: dict[Any, str] = {}
    for event in _of(events, Token):
        said[names[event.message_id]] = said.get(names[event.message_id], "") + event.text
    assert said == {"first": "ab", "second": "xy"}
    assert Data("custom", {"progress": 1}) in events


class ProcessDied(Exception):
    """Stands for the end of the process: what runs after it is another graph object."""


class Count(TypedDict):
    n: int
    log: list[str]


def _asking_graph(checkpointer: Any) -> Any:
    def ask(state: Count) -> dict[str, Any]:
        answer = interrupt({"ask": f"more than {state['n']}?"})
        return {"n": state["n"] + answer, "log": [*state["log"], "asked"]}

    inner = StateGraph(Count).add_node("ask", ask).add_edge(START, "ask").compile()
    return StateGraph(Count).add_node("inner", inner).add_edge(START, "inner").compile(checkpointer=checkpointer)


async def test_an_interrupt_in_a_subgraph_comes_once_and_can_be_answered() -> None:
    source = adapt(_asking_graph(InMemorySaver()))
    events: list[Any] = []
    async with opened(source.stream(Call(run_id="r1", input={"n": 1, "log": []}, thread_id="t"))) as stream:
        events = [event async for event in stream]
    asked = _of(events, Interrupt)
    assert [event.value for event in asked] == [{"ask": "more than 1?"}]
    answer = Call(run_id="r2", thread_id="t", resumes="r1", answer={asked[0].interrupt_id: 41})
    transcript = Transcript(contiguous=False)
    async with opened(source.stream(answer)) as stream:
        seq = 0
        async for event in stream:
            seq += 1
            if isinstance(event, AnyEvent):
                transcript.fold_event(seq, event)
    assert transcript.state == {"n": 42, "log": ["asked"]}
    with pytest.raises(InvalidInput, match="does not wait"):
        await collect(source, thread_id="t", answer={"other": 1})


@pytest.mark.parametrize(
    "config",
    [
        {"callbacks": []},
        {"configurable": {"thread_id": "other"}},
        {"recursion_limit": 10**9},
        {"tags": "x"},
        {"metadata": 1},
    ],
)
async def test_a_client_cannot_configure_what_it_may_not(config: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="config"):
        await collect(adapt(_agent([*text("a"), *done()], checkpointer=InMemorySaver())), "x", config=config)


def _steps(done_steps: list[str], checkpointer: Any, *, crash_in: str | None = None) -> Any:
    """Three steps, of which one may be the last thing that its process does."""

    def step(name: str) -> Any:
        async def run(state: Count) -> dict[str, Any]:
            if name == crash_in:
                raise ProcessDied
            done_steps.append(name)
            return {"n": state["n"] + 1, "log": [*state["log"], name]}

        return run

    builder = StateGraph(Count)
    for name in ("one", "two", "three"):
        builder.add_node(name, step(name))
    builder.add_edge(START, "one").add_edge("one", "two").add_edge("two", "three")
    return builder.compile(checkpointer=checkpointer)


@pytest.mark.parametrize("lost", range(6))
@pytest.mark.parametrize("crash_in", ["one", "two", "three"])
async def test_a_run_that_died_goes_on_from_the_last_checkpoint_that_the_log_knows(crash_in: str, lost: int) -> None:
    """Whatever of its last events did not reach the log."""
    saver = InMemorySaver()
    done_steps: list[str] = []
    call = Call(run_id="r1", input={"n": 0, "log": []}, thread_id="t")
    events: list[Any] = []
    with pytest.raises(ProcessDied):
        async with opened(adapt(_steps(done_steps, saver, crash_in=crash_in)).stream(call)) as stream:
            async for event in stream:
                events.append(event)
    kept = events[: max(0, len(events) - lost)]
    records = [Record(seq, 0.0, encode(event)) for seq, event in enumerate(kept, 2)]
    records.insert(0, Record(1, 0.0, b'{"type":"start","run_id":"r1","source":"s","created_at":0}'))

    heir = adapt(_steps(done_steps, saver))
    point = await heir.resume_point(call, records)
    assert point is not None
    transcript = Transcript()
    for record in records:
        transcript.fold(record)
    seq = len(records) + 1
    transcript.fold_event(seq, Retry(2, "lost", point.keep_seq))
    again = Call(run_id="r1", input=call.input, thread_id="t", attempt=2, position=point.position)
    async with opened(heir.stream(again)) as stream:
        async for event in stream:
            seq += 1
            assert isinstance(event, AnyEvent)
            transcript.fold_event(seq, event)
    assert transcript.state == {"n": 3, "log": ["one", "two", "three"]}
    final = await _steps([], saver).aget_state({"configurable": {"thread_id": "t"}})
    assert final.values == transcript.state


async def test_a_checkpoint_that_a_retry_made_void_is_not_gone_on_from() -> None:
    """It is still in the checkpointer, but what the log has of it does not count any more."""
    saver = InMemorySaver()
    call = Call(run_id="r1", input={"n": 0, "log": []}, thread_id="t")
    source = adapt(_steps([], saver))
    events = await collect(source, call.input, thread_id="t")
    checkpoints = [
        (seq, event) for seq, event in enumerate(events, 2) if isinstance(event, Data) and event.name == "checkpoint"
    ]
    records = [Record(seq, 0.0, encode(event)) for seq, event in enumerate(events, 2)]
    records.insert(0, Record(1, 0.0, b'{"type":"start","run_id":"r1","source":"s","created_at":0}'))
    kept, first = checkpoints[1]
    records.append(Record(len(records) + 1, 0.0, encode(Retry(2, "lost", kept))))
    point = await source.resume_point(call, records)
    assert point is not None
    assert (point.keep_seq, point.position) == (kept, {"checkpoint": first.value["id"]})


async def test_a_retry_in_the_same_process_does_not_double_the_question() -> None:
    model = ScriptedChatModel.of([TimeoutError()], [*text("yes"), *done()])
    graph = create_agent(model, [], checkpointer=InMemorySaver())
    source = adapt(graph)
    with pytest.raises(TimeoutError):
        await collect(source, "hi?", thread_id="t")
    await collect(source, "hi?", thread_id="t", attempt=2)
    state = await graph.aget_state({"configurable": {"thread_id": "t"}})
    assert [message.content for message in state.values["messages"]] == ["hi?", "yes"]


async def test_closing_stops_the_model_at_once() -> None:
    source = adapt(_agent([*text("a"), 3600.0, *text("never"), *done()]))
    with anyio.fail_after(5):
        async with opened(source.stream(Call(run_id="r", input="x"))) as events:
            async for event in events:
                if isinstance(event, Token):
                    break


pieces = st.lists(st.text("ab {}\n", min_size=1, max_size=5), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(pieces, st.lists(st.integers(0, 9), max_size=2)), min_size=1, max_size=3), pieces)
def test_what_is_streamed_folds_to_what_invoke_returns(
    turns: list[tuple[list[str], list[int]]], last: list[str]
) -> None:
    script: list[list[AIMessageChunk]] = []
    for number, (said, sums) in enumerate(turns):
        calls = [tool_call("add", f"c{number}{i}", f'{{"a":{n},', '"b":1}', index=i) for i, n in enumerate(sums)]
        if sums:
            script.append([*text(*said), *(chunk for call in calls for chunk in call), *done("tool_calls")])
    script.append([*text(*last), *done()])

    async def both() -> tuple[list[Any], Any]:
        events = await collect(adapt(_agent(*script)), "go")
        return events, await _agent(*script).ainvoke({"messages": [{"role": "user", "content": "go"}]})

    events, invoked = anyio.run(both)
    transcript = Transcript()
    for seq, event in enumerate(events, 1):
        transcript.fold_event(seq, event)
    answers = [message for message in invoked["messages"] if message.type == "ai"]
    assert [message.text for message in transcript.messages] == [message.text for message in answers]
    results = {m.tool_call_id: m.content for m in invoked["messages"] if m.type == "tool"}
    assert {event.call_id: event.result for event in _of(events, ToolEnd)} == results
