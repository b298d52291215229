"""LangChain's classic agents as sources, over real HTTP."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from langchain_classic.agents import AgentExecutor, create_react_agent, create_tool_calling_agent
from langchain_classic.memory import ConversationBufferMemory
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import APIConnectionError

from tests.support.sources import apart, collect
from unspool.closing import opened
from unspool.errors import InvalidInput
from unspool.events import (
    Message,
    MessageEnd,
    MessageStart,
    TextPart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    Usage,
    encode,
)
from unspool.sources import Call, Keep, Output
from unspool.sources.base import Past
from unspool.sources.langchain.classic import AgentExecutorSource
from unspool.testing import FakeOpenAI, check_source
from unspool.testing.model_server import ModelServer, Request
from unspool.testing.script import CallTool, Drop, Piece, Say, Stall, Tokens

THOUGHT: list[Piece] = [
    Say("I look it up.\n", "Action: look_up\n", "Action Input: ", "capital of France\n"),
    Tokens(20, 7),
]
ANSWER: list[Piece] = [Say("I know.\n", "Final Answer:", " Par", "is")]


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def look_up(what: str) -> str:
    """Look something up."""
    return f"{what.strip()} {threading.current_thread() is threading.main_thread()}"


@tool(return_direct=True)
def ask_desk(what: str) -> str:
    """Ask the desk."""
    return f"desk: {what}"


@tool
def fail(why: str) -> str:
    """Fail."""
    raise RuntimeError(f"secret {why}")


def _of(events: Sequence[Any], *kinds: type) -> list[Any]:
    return [event for event in events if isinstance(event, kinds)]


def _model(server: ModelServer) -> ChatOpenAI:
    options: dict[str, Any] = {"api_key": "none", "max_retries": 0, "stream_usage": True, "timeout": apart()}
    return ChatOpenAI(base_url=server.base_url, model="fake-model", **options)


def _calling(server: ModelServer, *tools: Any, **more: Any) -> AgentExecutorSource:
    prompt = ChatPromptTemplate.from_messages(
        [
            ("system", "Be brief."),
            ("placeholder", "{chat_history}"),
            ("human", "{input}"),
            ("placeholder", "{agent_scratchpad}"),
        ]
    )
    given = list(tools or (add,))
    return AgentExecutorSource(
        AgentExecutor(agent=create_tool_calling_agent(_model(server), given, prompt), tools=given, **more)
    )


def _writing(server: ModelServer, **more: Any) -> AgentExecutorSource:
    """An agent that writes its actions as text."""
    prompt = PromptTemplate.from_template("{tools} {tool_names}\n{chat_history}\nQuestion: {input}\n{agent_scratchpad}")
    agent = create_react_agent(_model(server), [look_up], prompt)
    return AgentExecutorSource(AgentExecutor(agent=agent, tools=[look_up], **more))


def _react(request: Request) -> Any:
    """Text agents write all that happened into one question."""
    return ANSWER if "Observation:" in str(request.body["messages"]) else THOUGHT


async def test_an_agent_that_calls_tools_streams_its_calls_their_results_and_its_answer() -> None:
    calls = [CallTool("add", '{"a":1', ',"b":2}', call_id="c1"), CallTool("add", '{"a":3,"b":4}', call_id="c2")]
    with FakeOpenAI([*calls, Tokens(9, 3)], [Say("3 and", " 7"), Tokens(30, 4)]) as server:
        events = await collect(_calling(server), "sums?")
        again = await _calling(server)._executor.ainvoke({"input": "sums?"})
    ends = {event.call_id: event for event in _of(events, ToolEnd)}
    assert [event for event in events if not isinstance(event, ToolEnd)] == [
        MessageStart("run-1-1"),
        ToolStart("c1", "add", "run-1-1"),
        ToolArgs("c1", '{"a":1'),
        ToolArgs("c1", ',"b":2}'),
        ToolStart("c2", "add", "run-1-1"),
        ToolArgs("c2", '{"a":3,"b":4}'),
        ToolCall("c1", "add", {"a": 1, "b": 2}),
        ToolCall("c2", "add", {"a": 3, "b": 4}),
        Usage(9, 3, 12, model="fake-model"),
        MessageEnd("run-1-1", "tool_calls"),
        MessageStart("run-1-2"),
        Token("run-1-2", "3 and"),
        Token("run-1-2", " 7"),
        Usage(30, 4, 34, model="fake-model"),
        MessageEnd("run-1-2", "stop"),
        Keep({"asked": "sums?", "answered": "3 and 7"}),
    ]
    assert ends == {"c1": ToolEnd("c1", 3), "c2": ToolEnd("c2", 7)}
    assert again["output"] == "3 and 7"


async def test_an_agent_that_writes_its_actions_streams_its_thought_and_the_call_it_means() -> None:
    with FakeOpenAI(answer=_react) as server:
        events = await collect(_writing(server), "capital?")
    assert "".join(event.text for event in _of(events, Token)) == (
        "I look it up.\nAction: look_up\nAction Input: capital of France\nI know.\nFinal Answer: Paris"
    )
    (start,) = _of(events, ToolStart)
    assert start == ToolStart("run-1-call-1", "look_up", "run-1-1")
    assert _of(events, ToolCall) == [ToolCall(start.call_id, "look_up", "capital of France\n")]
    # A sync tool does not run on the loop.
    assert _of(events, ToolEnd) == [ToolEnd(start.call_id, "capital of France False")]
    assert _of(events, Usage)[0] == Usage(20, 7, 27, model="fake-model")
    assert events[-1] == Output("Paris")


async def test_both_kinds_of_agents_pass_the_kit() -> None:
    with FakeOpenAI([CallTool("add", '{"a":1,"b":2}')], [Say("3")]) as server:
        await check_source(lambda: _calling(server), Call(run_id="r", input="x"))
    with FakeOpenAI(answer=_react) as server:
        await check_source(lambda: _writing(server), Call(run_id="r", input="x"))


async def test_a_providers_call_id_that_comes_twice_is_two_calls() -> None:
    turns = [[CallTool("add", f'{{"a":{n},"b":2}}', call_id="same")] for n in (1, 2)]
    with FakeOpenAI(*turns, [Say("done")]) as server:
        events = await collect(_calling(server), "x")
    assert [event.call_id for event in _of(events, ToolStart)] == ["same", "same-2"]
    assert _of(events, ToolEnd) == [ToolEnd("same", 3), ToolEnd("same-2", 4)]


async def test_calls_of_one_tool_that_begin_out_of_order_keep_their_results() -> None:
    second = anyio.Event()

    class Late(AsyncCallbackHandler):
        async def on_agent_action(self, action: Any, **kwargs: Any) -> None:  # noqa: ARG002
            if action.tool_input["a"] == 1:
                await second.wait()
            second.set()

    calls = [CallTool("add", '{"a":1,"b":2}', call_id="c1"), CallTool("add", '{"a":3,"b":4}', call_id="c2")]
    with FakeOpenAI(calls, [Say("3 and 7")]) as server:
        events = await collect(_calling(server, callbacks=[Late()]), "sums?")
    assert {event.call_id: event.result for event in _of(events, ToolEnd)} == {"c1": 3, "c2": 7}


async def test_a_tools_exception_is_raised_and_its_text_not_shown() -> None:
    seen: list[Any] = []
    with FakeOpenAI([CallTool("fail", '{"why":"x"}', call_id="c1")]) as server, anyio.fail_after(10):
        with pytest.raises(RuntimeError, match="secret"):
            async with opened(_calling(server, fail).stream(Call(run_id="r", input="x"))) as events:
                async for event in events:
                    seen.append(event)
    assert _of(seen, ToolEnd) == [ToolEnd("c1", error="The tool failed.")]
    assert not any("secret" in encode(event).decode() for event in seen)


async def test_a_tool_that_is_not_there_fails_and_the_agent_goes_on() -> None:
    with FakeOpenAI([CallTool("nobody", "{}", call_id="c1")], [Say("sorry")]) as server:
        events = await collect(_calling(server), "x")
    assert [(event.call_id, event.name) for event in _of(events, ToolStart)] == [("c1", "nobody")]
    assert _of(events, ToolEnd) == [ToolEnd("c1", error="The tool failed.")]


async def test_an_answer_that_cannot_be_parsed_is_asked_for_again() -> None:
    def answer(request: Request) -> Any:
        return ANSWER if "Invalid" in str(request.body["messages"]) else [Say("no idea")]

    with FakeOpenAI(answer=answer) as server:
        events = await collect(_writing(server, handle_parsing_errors=True), "x")
    assert [len(_of(events, MessageStart)), _of(events, ToolStart), events[-1]] == [2, [], Output("Paris")]


async def test_a_call_that_the_agent_does_not_make_is_closed() -> None:
    with FakeOpenAI([CallTool("add", "]", call_id="c1")]) as server:  # not JSON: to LangChain, it is no call
        events = await collect(_calling(server), "x")
    assert _of(events, ToolCall) == [ToolCall("c1", "add", "]")]
    assert _of(events, ToolEnd) == [ToolEnd("c1", error="The call was not completed.")]


async def test_what_no_model_streamed_is_a_message_of_its_own() -> None:
    with FakeOpenAI(answer=lambda _: THOUGHT) as server:
        events = await collect(_writing(server, max_iterations=2), "x")
    said = "Agent stopped due to iteration limit or time limit."
    assert len(_of(events, ToolEnd)) == 2
    assert events[-4:-1] == [MessageStart("run-1-3"), Token("run-1-3", said), MessageEnd("run-1-3")]
    with FakeOpenAI([CallTool("ask_desk", '{"what":"hi"}')]) as server:
        events = await collect(_calling(server, ask_desk), "x")
    assert events[-4:-1] == [MessageStart("run-1-2"), Token("run-1-2", "desk: hi"), MessageEnd("run-1-2")]


def _told(*pasts: Past) -> dict[str, Any]:
    async def history() -> Sequence[Past]:
        return pasts

    return {"thread_id": "t", "load_history": history}


def _past(asked: str, answered: str, kept: Any = None) -> Past:
    messages = [
        Message(id="u", role="user", parts=[TextPart(text=asked)], complete=True),
        Message(id="a", role="assistant", parts=[TextPart(text=answered)]),
    ]
    return Past(run_id="p", status="completed", messages=messages, kept=kept)


async def test_the_thread_is_told_as_what_was_asked_and_answered() -> None:
    pasts = (
        _past("one?", "Final Answer: 1", {"asked": "one?", "answered": "1"}),
        _past("two?", "it is tw"),  # cut off
    )
    with FakeOpenAI([Say("yes")]) as server:
        await collect(_calling(server), "and?", **_told(*pasts))
        await collect(_calling(server), {"messages": [{"role": "user", "content": "and?"}]}, **_told(*pasts))
    told = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "two?"},
        {"role": "assistant", "content": "it is tw"},
        {"role": "user", "content": "and?"},
    ]
    assert [request.body["messages"] for request in server.requests] == [told, told]
    with FakeOpenAI(ANSWER) as server:
        await collect(_writing(server), "and?", **_told(*pasts))
    text = server.requests[0].body["messages"][0]["content"]
    assert "\nHuman: one?\nAI: 1\nHuman: two?\nAI: it is tw\nQuestion: and?\n" in text


async def test_messages_of_a_chat_without_a_thread_are_its_history() -> None:
    asked = [
        {"role": "user", "content": "one?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "and?"},
    ]
    with FakeOpenAI([Say("yes")]) as server:
        events = await collect(_calling(server), {"messages": asked})
    assert server.requests[0].body["messages"][1:] == asked
    assert events[-1] == Keep({"asked": "and?", "answered": "yes"})


async def test_a_memory_of_its_own_is_not_overruled() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # LangChain's, once in a process
        memory = ConversationBufferMemory(memory_key="chat_history", return_messages=True, output_key="output")
    memory.chat_memory.add_message(AIMessage("before"))
    with FakeOpenAI([Say("yes")]) as server:
        await collect(_calling(server, memory=memory), "and?", **_told(_past("one?", "1")))
    assert [message["content"] for message in server.requests[0].body["messages"]] == ["Be brief.", "before", "and?"]


@pytest.mark.parametrize("wrong", [5, None, {"messages": []}, {"messages": [{"role": "assistant", "content": "x"}]}])
async def test_an_input_that_cannot_be_understood_is_refused(wrong: Any) -> None:
    with FakeOpenAI([Say("yes")]) as server:
        with pytest.raises(InvalidInput):
            await collect(_calling(server), wrong)
        with pytest.raises(InvalidInput, match="config"):
            await collect(_calling(server), "x", config={"callbacks": []})
        assert set(_calling(server).schemas().input["properties"]) == {"chat_history", "input"}
    assert server.requests == []


async def test_closing_while_the_model_stalls_closes_its_request_at_once() -> None:
    with FakeOpenAI([Say("a"), Stall(), Say("never")]) as server, anyio.fail_after(10):
        async with opened(_calling(server).stream(Call(run_id="r", input="x"))) as events:
            async for event in events:
                if isinstance(event, Token):
                    await server.stalled()
                    break
        assert (await server.disconnected(timeout=2)).number == 0


async def test_a_connection_that_is_cut_fails_the_run() -> None:
    with FakeOpenAI([Say("a"), Drop()]) as server:
        with pytest.raises(APIConnectionError):
            await collect(_calling(server), "x")


@pytest.mark.local_model
async def test_a_real_model_answers(real_model: Any) -> None:
    prompt = ChatPromptTemplate.from_messages([("human", "{input}"), ("placeholder", "{agent_scratchpad}")])
    options: dict[str, Any] = {"api_key": "none", "stream_usage": True, "max_tokens": 16, "timeout": apart()}
    model = ChatOpenAI(base_url=real_model.base_url, model=real_model.name, **options)
    source = AgentExecutorSource(AgentExecutor(agent=create_tool_calling_agent(model, [], prompt), tools=[]))
    events = []
    with anyio.fail_after(60):
        async with opened(source.stream(Call(run_id="run-1", input="Say hello."))) as stream:
            events = [event async for event in stream]
    assert len(_of(events, Token)) > 1
    assert [type(event) for event in events[-3:]] == [Usage, MessageEnd, Keep]
    assert _of(events, Usage)[0].output_tokens > 1
