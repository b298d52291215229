"""LangChain runnables as sources: chat models, ``prompt | model | parser``, RAG chains, anything that streams.

Checked with langchain-core 1.7.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Literal, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSequence
from langchain_core.runnables.base import RunnableBindingBase
from typing_extensions import override

from unspool.closing import opened
from unspool.events import MessageEnd, MessageStart, Record, Token, ToolEnd, plain
from unspool.sources.base import NOT_RUN, Call, Item, Output, ResumePoint, Schemas, Source
from unspool.sources.conversation import said
from unspool.sources.driving import Outbox, driven
from unspool.sources.ids import Ids
from unspool.sources.langchain.callbacks import Callbacks
from unspool.sources.langchain.config import allowed_config
from unspool.sources.langchain.messages import ModelRun, as_langchain, messages_of

Takes = Literal["chat", "messages", "anything"]


class LangChainSource(Source):
    """Any LangChain runnable.

    Carried: text and reasoning of every model in it, each call as a message of its own; tool calls with their
    arguments as they stream; tools' results; usage; retrieved documents, as ``data`` named ``documents``; an output
    that is neither a message nor the text that was streamed, in the ``end``.

    The input of a chat model, and of what begins with one, is text or ``{"messages": […]}``; so is that of a
    runnable that takes ``messages``. Those are given the thread's earlier messages too. Other runnables get their
    input as it is.
    """

    def __init__(self, runnable: Runnable[Any, Any], *, name: str | None = None) -> None:
        self._runnable = runnable
        self._name = name or runnable.get_name()
        self._takes: Takes | None = None

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        config = allowed_config(self._runnable, call)
        given = await self._given(call)
        if isinstance(self._runnable, BaseChatModel):
            events = _model_events(self._runnable, given, config, call)
        else:

            async def run(outbox: Outbox[Item]) -> None:
                await _run(self._runnable, given, config, Callbacks(outbox, call.run_id), outbox)

            events = driven(run)
        async with opened(events) as source:
            async for event in source:
                yield event

    async def _given(self, call: Call) -> Any:
        """What the runnable is called with."""
        if self._takes is None:
            self._takes = takes(self._runnable)
        if self._takes == "anything":
            return call.input
        messages = [*as_langchain(said(await call.history())), *messages_of(call.input)]
        if self._takes == "chat":
            return messages
        more = cast("dict[str, Any]", call.input) if isinstance(call.input, Mapping) else {}
        return {**more, "messages": messages}

    @override
    def schemas(self) -> Schemas:
        return schemas_of(self._runnable)

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None


def takes(runnable: Runnable[Any, Any]) -> Takes:
    """Whether it takes the messages of a chat, and how."""
    first: Any = runnable
    while isinstance(first, RunnableSequence | RunnableBindingBase):
        first = first.first if isinstance(first, RunnableSequence) else first.bound
    if isinstance(first, BaseChatModel):
        return "chat"
    properties: object = schemas_of(runnable).input.get("properties")
    field: object = cast("dict[str, object]", properties).get("messages") if isinstance(properties, dict) else None
    # Typed as what a prompt's placeholder wants. A function's own `messages` may be anything.
    of_messages = isinstance(field, dict) and "AIMessage" in str(cast("dict[str, object]", field).get("items"))
    return "messages" if of_messages else "anything"


def schemas_of(runnable: Runnable[Any, Any]) -> Schemas:
    """What the runnable says of itself; ``{}`` where it cannot."""

    def one(make: Any) -> dict[str, Any]:
        try:
            return cast("dict[str, Any]", make())
        except Exception:  # noqa: BLE001 - user code and pydantic raise anything here; a schema is optional
            return {}

    return Schemas(
        input=one(runnable.get_input_jsonschema),
        output=one(runnable.get_output_jsonschema),
        config=one(runnable.get_config_jsonschema),
    )


async def _model_events(
    model: BaseChatModel, messages: list[BaseMessage], config: RunnableConfig, call: Call
) -> AsyncGenerator[Item, None]:
    """A chat model by itself, with nothing between its stream and ours."""
    run: ModelRun | None = None
    async with opened(model.astream(messages, config)) as chunks:
        async for chunk in chunks:
            if run is None:
                run = ModelRun(chunk, ids=Ids(call.run_id))
                yield run.start()
            for event in run.feed(chunk):
                yield event
    if run is not None:
        for event in run.end():
            yield event
        for call_id in run.call_ids.values():
            yield ToolEnd(call_id, error=NOT_RUN)


async def _run(
    runnable: Runnable[Any, Any], given: Any, config: RunnableConfig, callbacks: Callbacks, outbox: Outbox[Item]
) -> None:
    """Run it to its end, listening."""
    result: Any = None
    async with opened(runnable.astream(given, {**config, "callbacks": [callbacks]})) as chunks:
        async for chunk in chunks:
            result = chunk if result is None else _sum(result, chunk)
            if isinstance(chunk, str) and chunk and not callbacks.spoke:
                # Text that no model streamed: it is the runnable's own.
                if callbacks.own is None:
                    callbacks.own = callbacks.ids.message()
                    outbox.put(MessageStart(callbacks.own))
                outbox.put(Token(callbacks.own, chunk))
    callbacks.close(NOT_RUN)
    if callbacks.own is not None:
        outbox.put(MessageEnd(callbacks.own))
    elif not isinstance(result, BaseMessage) and result is not None and result != callbacks.said:
        outbox.put(Output(plain(result)))


def _sum(result: Any, chunk: Any) -> Any:
    """Chunks add up where LangChain made them to; else the last one counts."""
    try:
        return result + chunk
    except TypeError:
        return chunk
