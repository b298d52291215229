"""What LangChain's callbacks tell of one execution, as events. Shared by the sources that run a runnable.

Checked with langchain-core 1.7.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any, TypeVar
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult

# Private, but what LangGraph itself uses to make a model stream when it is called with `invoke`.
from langchain_core.tracers._streaming import _StreamingCallbackHandler
from typing_extensions import override

from unspool.events import AnyEvent, Data, MessageEnd, MessageStart, Token, ToolCall, ToolEnd, ToolStart, plain
from unspool.sources.base import TOOL_FAILED, Item
from unspool.sources.driving import Outbox
from unspool.sources.ids import Ids
from unspool.sources.langchain.messages import ModelRun

T = TypeVar("T")


class Callbacks(BaseCallbackHandler, _StreamingCallbackHandler[Any]):
    """Listens to one execution, and puts its events into an outbox.

    Every call of a model is a message of its own. A tool that no model asked for was called by the program, and is
    shown as a call of its own.

    Args:
        outbox: Where the events go.
        run_id: What ids are made from.

    Attributes:
        ids: Makes the ids of the run.
        spoke: Whether a model has said anything.
        own: The message of text that came from the runnable itself, once there is some.
        message_id: The message of the model call that began last.
    """

    run_inline = True

    def __init__(self, outbox: Outbox[Item], run_id: str) -> None:
        self._outbox = outbox
        self.ids = Ids(run_id)
        self.spoke = False
        self.own: str | None = None
        self.message_id: str | None = None
        self._models: dict[UUID, ModelRun] = {}
        self._names: dict[UUID, str | None] = {}
        self._called: dict[str, str] = {}
        self._tools: dict[UUID, str] = {}
        self._open: dict[str, None] = {}
        self._said: list[str] = []

    @property
    def said(self) -> str:
        """The text of the model call that began last."""
        return "".join(self._said)

    def say(self, text: str) -> None:
        """Put a message that no model streamed."""
        message_id = self.ids.message()
        self._said = []
        self._put((MessageStart(message_id), Token(message_id, text), MessageEnd(message_id)))

    def close(self, error: str) -> None:
        """End the tool calls that nobody answered, with ``error``."""
        for call_id in list(self._open):
            self._put((ToolEnd(call_id, error=error),))

    def _put(self, events: Iterable[AnyEvent]) -> None:
        for event in events:
            if isinstance(event, Token):
                self._said.append(event.text)
            elif isinstance(event, ToolStart):
                self._open[event.call_id] = None
            elif isinstance(event, ToolEnd):
                self._open.pop(event.call_id, None)
            self._outbox.put(event)

    def _model(self, run_id: UUID, message: BaseMessage) -> ModelRun:
        model = self._models.get(run_id)
        if model is None:
            model = self._models[run_id] = ModelRun(message, name=self._names.pop(run_id, None), ids=self.ids)
            self.spoke = True
            self.message_id = model.message_id
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
        if not isinstance(message, AIMessageChunk):
            message = AIMessageChunk(content=str(token))  # a model of plain text
        self._put(self._model(run_id, message).feed(message))

    @override
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        generation = response.generations[0][0] if response.generations and response.generations[0] else None
        if run_id not in self._models and generation is not None:
            self._unstreamed(run_id, generation)
        self._names.pop(run_id, None)
        model = self._models.pop(run_id, None)
        if model is not None:
            self._called.update(model.call_ids)
            self._put(model.end())

    def _unstreamed(self, run_id: UUID, generation: Generation) -> None:
        """A model that does not stream, or not to us: the text of a plain one may have come as the runnable's own."""
        message = generation.message if isinstance(generation, ChatGeneration) else AIMessage(generation.text)
        if isinstance(message, AIMessage) and (isinstance(generation, ChatGeneration) or self.own is None):
            self._put(self._model(run_id, message).feed(message))

    @override
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        # The program may go on: with a fallback, or by asking again.
        self._names.pop(run_id, None)
        model = self._models.pop(run_id, None)
        if model is not None:
            self._put(model.abandon())

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
        given: str | None = kwargs.get("tool_call_id")
        asked = self._called.pop(given, None) if given else None
        if asked is None:
            name = str(kwargs.get("name") or (serialized or {}).get("name") or "tool")
            self._start_tool(run_id, name, plain(inputs if inputs is not None else input_str), given=given)
        else:
            self._tools[run_id] = asked

    def _start_tool(
        self, run_id: UUID, name: str, args: Any, *, given: str | None = None, message_id: str | None = None
    ) -> None:
        """Show a call that no model made in a form that is known."""
        call_id = self._tools[run_id] = self.ids.call(given)
        self._put((ToolStart(call_id, name, message_id), ToolCall(call_id, name, args)))

    @override
    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        result = output.content if isinstance(output, BaseMessage) else output
        failed = getattr(output, "status", None) == "error"
        self._end_tool(run_id, None if failed else plain(result), TOOL_FAILED if failed else None)

    @override
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end_tool(run_id, None, TOOL_FAILED)

    def _end_tool(self, run_id: UUID, result: Any, error: str | None) -> None:
        call_id = self._tools.pop(run_id, None)
        if call_id is not None:
            self._put((ToolEnd(call_id, result, error),))

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
