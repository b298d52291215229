"""A runnable of every kind, on LangServe or its drop-in: ``python -m tests.langserve.runnables MODULE PORT``."""

from __future__ import annotations

import importlib
import os
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    BaseMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import ConfigurableField, Runnable, RunnableConfig, RunnableGenerator, RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field
from typing_extensions import TypedDict, override

from unspool.testing.langchain import ScriptedChatModel, done, text, tool_call

SEPARATORS = "a\u2028b\u0085c\rd\ne\x1cf\x1dg\x1eh data: [DONE]\n\nevent: end\n\n"


class Place(BaseModel):
    """An input with a structure."""

    city: str
    days: int = Field(3, ge=1)


class Counted(TypedDict):
    """A state, as graphs have it."""

    count: int


class Talk(TypedDict):
    """Messages, as graphs keep them."""

    messages: list[AnyMessage]


@dataclass
class Point:
    """What JSON has no word for."""

    x: int
    when: datetime


def add_one(x: int) -> int:
    """One more."""
    return x + 1


def count_on(state: Any) -> Any:
    """One more, in a state."""
    return state["count"] + 1


async def words(counts: AsyncIterator[int]) -> AsyncIterator[str]:
    """A chunk for each of a number."""
    async for count in counts:
        for index in range(count):
            yield f"w{index} "


async def breaks(inputs: AsyncIterator[int]) -> AsyncIterator[str]:
    """Two chunks, then a failure."""
    async for _ in inputs:
        yield "one "
        yield "two "
        raise ValueError("a secret")


async def nothing(inputs: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """A chunk that is null."""
    async for _ in inputs:
        yield None


def by_thread(counts: Iterator[int]) -> Iterator[str]:
    """Chunks from a plain generator."""
    for count in counts:
        for index in range(count):
            yield f"t{index} "


def fails(_: Any) -> Any:
    """A failure whose words are nobody's business."""
    raise ValueError("a secret")


def refuses(_: Any) -> Any:
    """A failure that is meant for the client."""
    raise HTTPException(418, "a teapot", headers={"x-tea": "green"})


def told(_: Any, config: RunnableConfig) -> Any:
    """What of the config has come in."""
    return {key: config.get(key) for key in ("tags", "metadata", "configurable", "run_name", "max_concurrency")} | {
        "limit": config.get("recursion_limit"),
        "run_id": config.get("run_id") and str(config.get("run_id")),
    }


def every_message(_: str) -> list[BaseMessage]:
    """One message of each kind."""
    call = {"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}
    return [
        HumanMessage("hi", id="1"),
        SystemMessage("be brief"),
        AIMessage("", tool_calls=[call], usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}),
        ToolMessage("2", tool_call_id="c1", artifact={"a": 1}),
        FunctionMessage(content="3", name="add"),
        AIMessageChunk(content="piece", tool_call_chunks=[{"name": "add", "args": "{", "id": "c2", "index": 0}]),
        AIMessage([{"type": "text", "text": "blocks"}, {"type": "image_url", "image_url": {"url": "x"}}]),
    ]


def read(messages: list[AnyMessage]) -> list[str]:
    """What kinds of messages have come in."""
    return [f"{type(message).__name__}: {message.content}" for message in messages]


def model() -> ScriptedChatModel:
    """A chat model that calls a tool after what it says."""
    return ScriptedChatModel.of([*text("Hel", "lo"), *tool_call("add", "c1", '{"a":', "1}"), *done()])


def graph() -> Runnable[Any, Any]:
    """A graph of two steps, the second with a model."""

    def greet(state: Talk) -> dict[str, Any]:
        return {"messages": [AIMessage(f"{len(state['messages'])} said", id="m1")]}

    def answer(state: Talk) -> dict[str, Any]:
        return {"messages": [*state["messages"], ScriptedChatModel.of(text("b")).invoke("x")]}

    built = StateGraph(Talk)
    built.add_node("greet", greet)
    built.add_node("ask", answer)
    built.add_edge(START, "greet")
    built.add_edge("greet", "ask")
    built.add_edge("ask", END)
    return built.compile()


@tool
def double(x: int) -> int:
    """Twice as much."""
    return 2 * x


class Finder(BaseRetriever):
    """Finds one document."""

    @override
    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [Document(query)]


def modify(config: dict[str, Any], request: Request) -> dict[str, Any]:
    """Add what a header says; refuse without one."""
    if "x-user" not in request.headers:
        raise HTTPException(401, "who are you?")
    asked = {**config.get("configurable", {}), "user": request.headers["x-user"]}
    return {**config, "configurable": asked, "tags": ["modified"], "metadata": {"by": "server"}}


async def modify_later(config: dict[str, Any], request: Request) -> dict[str, Any]:
    """Add what the body says: it can be read again."""
    return {**config, "metadata": {"keys": sorted(await request.json())}}


def needs_key(x_key: Annotated[str, Header()]) -> None:
    """A dependency."""
    if x_key != "open":
        raise HTTPException(403, "closed")


def prompted() -> Runnable[Any, Any]:
    """A template that requests may change."""
    field = ConfigurableField(id="template", name="Template", description="What is said")
    return PromptTemplate.from_template("say {word}").configurable_fields(template=field)


def build(module: str) -> FastAPI:
    """The app, with the ``add_routes`` of one of the two."""
    api = importlib.import_module(module)
    app = FastAPI()
    add = api.add_routes

    class Upload(api.CustomUserType):  # type: ignore[misc,name-defined]  # whose it is is known at run time only
        """Comes to the runnable as the model."""

        file: str = Field(..., json_schema_extra={"widget": {"type": "base64file"}})
        size: int = 5

    def uploaded(value: Any) -> str:
        return f"{type(value).__name__} {value.file[: value.size]}"

    field = ConfigurableField(id="template", name="Template")
    user = PromptTemplate.from_template("{x}").configurable_fields(template=field)
    everything = ["configurable", "tags", "metadata", "run_id", "max_concurrency", "recursion_limit"]

    add(app, RunnableLambda(add_one), path="/add")
    add(app, RunnableGenerator(words), path="/words")
    add(app, model(), path="/chat")
    add(app, ChatPromptTemplate.from_messages([("human", "{q}")]) | model() | StrOutputParser(), path="/chain")
    add(app, prompted(), path="/prompt")
    add(app, graph(), path="/graph")
    add(app, RunnableLambda(count_on), path="/typed", input_type=Counted)
    add(app, RunnableLambda(lambda p: f"{type(p).__name__}"), path="/place", input_type=Place)
    add(app, RunnableLambda(uploaded).with_types(input_type=Upload), path="/upload")
    add(app, RunnableLambda(fails), path="/fails")
    add(app, RunnableLambda(refuses), path="/refuses")
    add(app, RunnableGenerator(breaks), path="/breaks")
    add(app, RunnableGenerator(nothing), path="/nothing")
    add(app, RunnableGenerator(by_thread), path="/thread")
    add(app, RunnableLambda(every_message), path="/messages")
    add(app, RunnableLambda(read).with_types(input_type=list[AnyMessage]), path="/read")
    add(app, RunnableLambda(lambda _: [Document("p", id="1", metadata={"k": 1})]), path="/documents", input_type=Any)
    add(app, RunnableLambda(lambda _: {1, 2}), path="/set")
    add(app, RunnableLambda(lambda _: Decimal("1.5")), path="/decimal")
    add(app, RunnableLambda(lambda _: {"root": 5, "other": 1}), path="/root")
    add(app, RunnableLambda(lambda _: "text"), path="/misfit", output_type=int)
    add(app, RunnableLambda(lambda _: SEPARATORS), path="/separators")
    add(app, RunnableLambda(_values), path="/values")
    add(app, RunnableLambda(told), path="/told", config_keys=everything)
    add(app, user | RunnableLambda(told), path="/asked")
    add(app, user | RunnableLambda(told), path="/asked-all", config_keys=everything)
    add(app, user | RunnableLambda(told), path="/asked-none", config_keys=[])
    add(app, user | RunnableLambda(told), path="/modified", per_req_config_modifier=modify)
    add(app, RunnableLambda(told), path="/modified-later", config_keys=everything, per_req_config_modifier=modify_later)
    add(app, RunnableLambda(add_one), path="/events", include_callback_events=True)
    add(app, double, path="/tool", include_callback_events=True)
    heard = ChatPromptTemplate.from_messages([("human", "{q}")]) | model() | StrOutputParser()
    add(app, heard, path="/events-chain", include_callback_events=True)
    recovered = RunnableLambda(fails).with_fallbacks([RunnableLambda(add_one)])
    add(app, recovered, path="/events-recovered", include_callback_events=True)
    add(app, Finder(), path="/events-found", include_callback_events=True)
    add(app, RunnableLambda(add_one), path="/guarded", dependencies=[Depends(needs_key)])
    add(app, RunnableLambda(add_one), path="/only", enabled_endpoints=["invoke", "config_hashes"])
    add(app, RunnableLambda(add_one), path="/without", disabled_endpoints=["Batch", "stream_log", "playground"])
    add(app, RunnableLambda(add_one), path="/first", astream_events_version="v1")
    add(app, RunnableLambda(add_one), path="/linked", enable_public_trace_link_endpoint=True)
    add(app, RunnableLambda(add_one), path="/rated", enable_feedback_endpoint=True)
    add(app, RunnableLambda(add_one), path="/listed", stream_log_name_allow_list=["nobody"])
    add(
        app,
        RunnableLambda(add_one).with_config(run_name="bound"),
        path="/listed-bound",
        stream_log_name_allow_list=["nobody"],
    )
    return app


def _values(_: Any) -> Any:
    when = datetime(2026, 11, 21, 12, tzinfo=UTC)
    return {"point": Point(1, when), "pair": (1, 2), "id": uuid.UUID(int=7), "nan": float("nan"), "umlaut": "äöü"}


def build_traced(module: str) -> FastAPI:
    """The app for what LangSmith has a part in."""
    app = FastAPI()
    add = importlib.import_module(module).add_routes
    rated = {"token_feedback_config": {"key_configs": [{"key": "liked"}]}, "enable_feedback_endpoint": True}
    add(app, RunnableLambda(add_one), path="/add", enable_public_trace_link_endpoint=True, **rated)
    add(app, RunnableGenerator(words), path="/words", **rated)
    return app


if __name__ == "__main__":
    make = build_traced if "LANGSMITH_ENDPOINT" in os.environ else build
    uvicorn.run(make(sys.argv[1]), port=int(sys.argv[2]), log_level="error", timeout_graceful_shutdown=1)
