"""LangChain runnables as sources: chat models, ``prompt | model | parser``, RAG chains, anything that streams.

Checked with langchain-core 1.7.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import Runnable, RunnableConfig

# Private, but what LangGraph itself uses to make a model stream when it is called with `invoke`.
from langchain_core.tracers._streaming import _StreamingCallbackHandler
from typing_extensions import override

from unspool.closing import opened
from unspool.events import AnyEvent, Data, MessageEnd, MessageStart, Record, Token, ToolCall, ToolEnd, ToolStart, plain
from unspool.sources.base import Call, Output, ResumePoint, Schemas, Source
from unspool.sources.driving import Outbox, driven
from unspool.sources.langchain_config import allowed_config
from unspool.sources.langchain_messages import ModelRun, messages_of

T = TypeVar("T")

TOOL_FAILED = "The tool failed."
"""What a client is told of a tool's exception; its own text may hold anything."""


class LangChainSource(Source):
    """Any LangChain runnable.

    Carried: text and reasoning of every chat model in it, each call as a message of its own; tool calls with
    their arguments as they stream; tools' results; usage; retrieved documents, as ``data`` named ``documents``;
    an output that is neither a message nor the text that was streamed, in the ``end``.

    The input of a chat model is text or ``{"messages": […]}``; that of other runnables is passed on as it is.
    """

    def __init__(self, runnable: Runnable[Any, Any], *, name: str | None = None) -> None:
        self._runnable = runnable
        self._name = name or runnable.get_name()

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[AnyEvent | Output, None]:
        config = allowed_config(self._runnable, call)
        if isinstance(self._runnable, BaseChatModel):
            events = _model_events(self._runnable, messages_of(call.input), config, call)
        else:
            events = driven(_Chain(self._runnable, call, config).run)
        async with opened(events) as source:
            async for event in source:
                yield event

    @override
    def schemas(self) -> Schemas:
        return schemas_of(self._runnable)

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None


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
) -> AsyncGenerator[AnyEvent | Output, None]:
    """A chat model by itself, with nothing between its stream and ours."""
    run: ModelRun | None = None
    async with opened(model.astream(messages, config)) as chunks:
        async for chunk in chunks:
            if run is None:
                run = ModelRun(chunk, fallback_id=call.run_id)
                yield run.start()
            for event in run.feed(chunk):
                yield event
    if run is not None:
        for event in run.end():
            yield event


class _Chain(BaseCallbackHandler, _StreamingCallbackHandler[Any]):
    """One execution of a runnable, and the callbacks that say what happens inside of it."""

    run_inline = True

    def __init__(self, runnable: Runnable[Any, Any], call: Call, config: RunnableConfig) -> None:
        self._runnable = runnable
        self._call = call
        self._config: RunnableConfig = {**config, "callbacks": [self]}
        self._outbox: Outbox[AnyEvent | Output] = Outbox()
        self._models: dict[UUID, ModelRun] = {}
        self._names: dict[UUID, str | None] = {}
        self._called: set[str] = set()
        self._tools: dict[UUID, str] = {}
        self._said: list[str] = []
        self._spoke = False

    async def run(self, outbox: Outbox[AnyEvent | Output]) -> None:
        """Run it to its end."""
        self._outbox = outbox
        result: Any = None
        own = f"{self._call.run_id[-12:]}-text"
        speaking = False
        async with opened(self._runnable.astream(self._call.input, self._config)) as chunks:
            async for chunk in chunks:
                result = chunk if result is None else _sum(result, chunk)
                if isinstance(chunk, str) and chunk and not self._spoke:
                    # Text that no model streamed: it is the runnable's own.
                    if not speaking:
                        speaking = True
                        outbox.put(MessageStart(own))
                    outbox.put(Token(own, chunk))
        if speaking:
            outbox.put(MessageEnd(own))
        elif not isinstance(result, BaseMessage) and result is not None and result != "".join(self._said):
            outbox.put(Output(plain(result)))

    def _put(self, events: Iterator[AnyEvent]) -> None:
        for event in events:
            if type(event) is Token:
                self._said.append(event.text)
            self._outbox.put(event)

    def _model(self, run_id: UUID, message: BaseMessage) -> ModelRun:
        model = self._models.get(run_id)
        if model is None:
            model = self._models[run_id] = ModelRun(message, name=self._names.get(run_id), fallback_id=str(run_id))
            self._spoke = True
            self._said = []
            self._outbox.put(model.start())
        return model

    @override
    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        self._names[run_id] = (kwargs.get("metadata") or {}).get("lc_agent_name")

    @override
    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID, **kwargs: Any) -> None:
        message = getattr(chunk, "message", None)
        if isinstance(message, AIMessageChunk):
            self._put(self._model(run_id, message).feed(message))

    @override
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        generation = response.generations[0][0] if response.generations and response.generations[0] else None
        if run_id not in self._models and isinstance(generation, ChatGeneration):
            message = generation.message
            if isinstance(message, AIMessage):  # a model that does not stream
                self._put(self._model(run_id, message).feed(message))
        model = self._models.pop(run_id, None)
        if model is not None:
            self._called.update(model.call_ids)
            self._put(model.end())

    @override
    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        call_id = self._tools[run_id] = str(kwargs.get("tool_call_id") or run_id)
        if call_id not in self._called:  # the program called it, not a model
            name = str(kwargs.get("name") or (serialized or {}).get("name") or "tool")
            self._outbox.put(ToolStart(call_id, name))
            self._outbox.put(ToolCall(call_id, name, plain(inputs if inputs is not None else input_str)))

    @override
    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        result = output.content if isinstance(output, BaseMessage) else output
        failed = getattr(output, "status", None) == "error"
        self._outbox.put(
            ToolEnd(self._tools.pop(run_id), None if failed else plain(result), TOOL_FAILED if failed else None)
        )

    @override
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._outbox.put(ToolEnd(self._tools.pop(run_id), error=TOOL_FAILED))

    @override
    def on_retriever_end(self, documents: Sequence[Document], *, run_id: UUID, **kwargs: Any) -> None:
        found = [{"id": d.id, "content": d.page_content, "metadata": plain(d.metadata)} for d in documents]
        self._outbox.put(Data("documents", found, id=str(run_id)))

    @override
    def tap_output_aiter(self, run_id: UUID, output: AsyncIterator[T]) -> AsyncIterator[T]:
        return output

    @override
    def tap_output_iter(self, run_id: UUID, output: Iterator[T]) -> Iterator[T]:
        return output


def _sum(result: Any, chunk: Any) -> Any:
    """Chunks add up where LangChain made them to; else the last one counts."""
    try:
        return result + chunk
    except TypeError:
        return chunk
