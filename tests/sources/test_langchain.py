"""LangChain runnables as sources: the thread's history, and models that are called in unusual ways."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import pytest
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.chat_history import InMemoryChatMessageHistory
from langchain_core.language_models import LLM
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import GenerationChunk
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from tests.support.sources import apart, collect
from unspool.closing import opened
from unspool.events import (
    FilePart,
    Message,
    MessageEnd,
    MessageStart,
    TextPart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolPart,
    ToolStart,
    Usage,
)
from unspool.sources import Call, Output, adapt
from unspool.sources.base import Past
from unspool.testing import FakeOpenAI, check_source
from unspool.testing.langchain import ScriptedChatModel, done, text, tool_call
from unspool.testing.script import CallTool, Refuse, Say, Stall, Tokens


def _of(events: Sequence[Any], *kinds: type) -> list[Any]:
    return [event for event in events if isinstance(event, kinds)]


def _model(server: FakeOpenAI, **more: Any) -> ChatOpenAI:
    options: dict[str, Any] = {"api_key": "none", "max_retries": 0, "stream_usage": True, "timeout": apart(), **more}
    return ChatOpenAI(base_url=server.base_url, model="fake-model", **options)


def _with_past(*messages: Message) -> dict[str, Any]:
    async def history() -> Sequence[Past]:
        return [Past(run_id="p", status="completed", messages=messages)]

    return {"thread_id": "t", "load_history": history}


def _said(role: str, *parts: Any) -> Message:
    return Message(id="m", role=role, parts=[TextPart(text=part) if isinstance(part, str) else part for part in parts])


CALL = ToolPart(call_id="c1", name="add", status="done", args={"a": 1}, result=3)
CUT = ToolPart(call_id="c2", name="add", status="running", args="{not", args_text="{not")
PICTURE = FilePart(media_type="image/png", data="AAAA")
PAST = [_said("user", "look:", PICTURE), _said("assistant", "hm", CALL, CUT), _said("assistant", "three")]
TOLD = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "look:"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ],
    },
    {
        "role": "assistant",
        "content": "hm",
        "tool_calls": [
            {"type": "function", "id": "c1", "function": {"name": "add", "arguments": '{"a": 1}'}},
            {"type": "function", "id": "c2", "function": {"name": "add", "arguments": "{not"}},
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "3"},
    {"role": "tool", "tool_call_id": "c2", "content": "The call was not completed."},
    {"role": "assistant", "content": "three"},
    {"role": "user", "content": "and?"},
]


async def test_a_chat_model_is_told_what_was_said_in_the_thread() -> None:
    with FakeOpenAI([Say("a", "b"), Tokens(9, 2)]) as server:
        for source in (_model(server), _model(server) | StrOutputParser(), _model(server).with_config(tags=["x"])):
            events = await collect(adapt(source), "and?", **_with_past(*PAST))
            assert events[1:] == [
                Token("run-1-1", "a"),
                Token("run-1-1", "b"),
                Usage(9, 2, 11, model="fake-model"),
                MessageEnd("run-1-1", "stop"),
            ]
        await check_source(lambda: adapt(_model(server)), Call(run_id="r", input="x"))
    assert [request.body["messages"] for request in server.requests[:3]] == [TOLD, TOLD, TOLD]


async def test_a_prompt_with_messages_is_told_what_was_said_in_the_thread() -> None:
    prompt = ChatPromptTemplate.from_messages([("system", "Be {how}."), MessagesPlaceholder("messages")])
    asked = {"how": "brief", "messages": [{"role": "user", "content": "and?"}]}
    with FakeOpenAI([Say("a")]) as server:
        await collect(adapt(prompt | _model(server)), asked, **_with_past(*PAST))
        await collect(adapt(prompt.partial(how="brief") | _model(server)), "and?", **_with_past(*PAST))
    told = [{"role": "system", "content": "Be brief."}, *TOLD]
    assert [request.body["messages"] for request in server.requests] == [told, told]


async def test_a_runnable_that_has_a_memory_or_takes_something_else_gets_its_input_as_it_is() -> None:
    with FakeOpenAI([Say("a")]) as server:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # LangChain's, once in a process
            memory = InMemoryChatMessageHistory()
            chat = RunnableWithMessageHistory(_model(server), lambda: memory, history_factory_config=[])
        await collect(
            adapt(PromptTemplate.from_template("say {messages}") | _model(server)),
            {"messages": "x"},
            **_with_past(*PAST),
        )
        await collect(adapt(chat), "hi", **_with_past(*PAST))
        await collect(adapt(chat), "and?", **_with_past(*PAST))
    said = [[message["content"] for message in request.body["messages"]] for request in server.requests]
    assert said == [["say x"], ["hi"], ["hi", "a", "and?"]]


@tool
def add(a: int) -> int:
    """Add."""
    return a


async def test_a_tool_that_a_chain_runs_answers_the_call_of_its_model() -> None:
    async def run(message: Any) -> dict[str, int]:
        await add.ainvoke({"a": 7})  # nobody asked for this one
        return {"answers": len([await add.ainvoke(call) for call in message.tool_calls])}

    with FakeOpenAI([CallTool("add", '{"a":1}', call_id="c1")]) as server:
        events = await collect(adapt(_model(server).bind_tools([add]) | RunnableLambda(run)), "x")
    assert _of(events, ToolStart, ToolCall, ToolEnd) == [
        ToolStart("c1", "add", "run-1-1"),
        ToolCall("c1", "add", {"a": 1}),
        ToolStart("run-1-call-2", "add"),
        ToolCall("run-1-call-2", "add", {"a": 7}),
        ToolEnd("run-1-call-2", 7),
        ToolEnd("c1", "1"),
    ]
    assert events[-1] == Output({"answers": 1})


async def test_calls_of_tools_that_nobody_runs_are_closed() -> None:
    with FakeOpenAI([CallTool("add", '{"a":1}', call_id="c1")]) as server:
        bound = _model(server).bind_tools([add])
        for source in (bound, bound | RunnableLambda(lambda message: {"done": bool(message)})):
            events = await collect(adapt(source), "x")
            assert _of(events, ToolStart, ToolArgs, ToolCall, ToolEnd) == [
                ToolStart("c1", "add", "run-1-1"),
                ToolArgs("c1", '{"a":1}'),
                ToolCall("c1", "add", {"a": 1}),
                ToolEnd("c1", error="Nobody runs this tool here."),
            ]
    model = ScriptedChatModel.of([*tool_call("add", "c1", '{"a":1}'), *done()])
    assert _of(await collect(adapt(model), "x"), ToolEnd) == [ToolEnd("c1", error="Nobody runs this tool here.")]


async def test_a_refusal_is_text_and_says_so() -> None:
    with FakeOpenAI([Refuse("I ", "won't.")]) as server:
        events = await collect(adapt(_model(server, use_responses_api=True)), "x")
    assert "".join(event.text for event in _of(events, Token)) == "I won't."
    assert events[-1] == MessageEnd("run-1-1", "refusal")


async def test_a_model_that_fails_in_the_middle_leaves_nothing_open_for_the_next_one() -> None:
    failing = ScriptedChatModel.of([*text("a"), *tool_call("add", "c1", '{"a'), TimeoutError()])
    both = failing.with_fallbacks([ScriptedChatModel.of([*text("b"), *done()])])

    async def ask(asked: str) -> Any:
        return await both.ainvoke(asked)

    events = await collect(adapt(RunnableLambda(ask)), "x")
    assert [event for event in events if not isinstance(event, Usage)] == [
        MessageStart("run-1-1"),
        Token("run-1-1", "a"),
        ToolStart("c1", "add", "run-1-1"),
        ToolArgs("c1", '{"a'),
        ToolEnd("c1", error="The call was not completed."),
        MessageEnd("run-1-1", "error"),
        MessageStart("run-1-2"),
        Token("run-1-2", "b"),
        MessageEnd("run-1-2", "stop"),
    ]


class PlainModel(LLM):
    """A model of text, without messages."""

    @property
    def _llm_type(self) -> str:
        return "plain"

    def _call(self, prompt: str, *args: Any, **kwargs: Any) -> str:  # noqa: ARG002
        return prompt


class StreamingModel(PlainModel):
    """One that streams: each says its tokens itself, where it is written to."""

    tells: bool

    async def _astream(
        self,
        prompt: str,
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> AsyncIterator[GenerationChunk]:
        for letter in prompt:
            if self.tells and run_manager is not None:
                await run_manager.on_llm_new_token(letter, chunk=GenerationChunk(text=letter))
            yield GenerationChunk(text=letter)


@pytest.mark.parametrize(
    ("model", "said"),
    [(PlainModel(), ["ab"]), (StreamingModel(tells=True), ["a", "b"]), (StreamingModel(tells=False), ["a", "b"])],
)
async def test_a_model_of_plain_text_speaks_once(model: Any, said: list[str]) -> None:
    events = await collect(adapt(PromptTemplate.from_template("{x}") | model), {"x": "ab"})
    assert [event.text for event in _of(events, Token)] == said
    assert len(_of(events, MessageStart, MessageEnd)) == 2
    assert _of(events, Output) == []


async def test_a_model_of_plain_text_streams_where_its_text_is_not_the_output() -> None:
    shout = StreamingModel(tells=True) | RunnableLambda(lambda said: {"loud": str(said).upper()})
    events = await collect(adapt(shout), "abc")
    assert [event.text for event in _of(events, Token)] == ["a", "b", "c"]
    assert events[-1] == Output({"loud": "ABC"})


async def test_a_model_that_a_sync_function_calls_in_its_thread_streams_as_it_speaks() -> None:
    with FakeOpenAI([Say("a"), Stall(), Say("b")]) as server:

        def inside(asked: str) -> dict[str, str]:
            return {"said": str(_model(server).invoke(asked).content)}

        seen: list[str] = []
        with anyio.fail_after(10):
            async with opened(adapt(RunnableLambda(inside)).stream(Call(run_id="r", input="x"))) as events:
                async for event in events:
                    if isinstance(event, Token):
                        seen.append(event.text)
                        if seen == ["a"]:
                            await server.stalled()
                            server.release()
    assert seen == ["a", "b"]


async def test_closing_while_the_model_stalls_closes_its_request_at_once() -> None:
    with FakeOpenAI([Say("a"), Stall()]) as server, anyio.fail_after(10):
        for number, source in enumerate((_model(server), _model(server) | StrOutputParser())):
            async with opened(adapt(source).stream(Call(run_id="r", input="x"))) as events:
                async for event in events:
                    if isinstance(event, Token):
                        await server.stalled()
                        break
            assert (await server.disconnected(timeout=2)).number == number


@pytest.mark.local_model
async def test_a_real_model_remembers_the_thread(real_model: Any) -> None:
    options: dict[str, Any] = {"api_key": "none", "stream_usage": True, "max_tokens": 16, "timeout": apart()}
    model = ChatOpenAI(base_url=real_model.base_url, model=real_model.name, **options)
    past = _with_past(_said("user", "My name is Ada."), _said("assistant", "Hello Ada."))
    with anyio.fail_after(60):
        async with opened(adapt(model).stream(Call(run_id="run-1", input="Hi.", **past))) as stream:
            events = [event async for event in stream]
    assert len(_of(events, Token)) > 1
    (usage,) = _of(events, Usage)
    assert usage.input_tokens > 30
    assert usage.output_tokens > 1
