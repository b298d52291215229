"""What happened in a run, for clients that replay it to callback handlers of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult
from typing_extensions import override

_COMMON = ("parent_run_id", "tags", "metadata")

_HIDDEN = {"status_code": 500, "message": "Internal Server Error", "type": "error"}
"""All that a client is told of an exception."""


class CallbackEvents(BaseCallbackHandler):
    """Gathers the events of one run. Its methods are called in the loop's own thread, and in order."""

    run_inline = True

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def _add(self, kind: str, run_id: UUID, known: dict[str, Any], **fields: Any) -> None:
        more = {key: value for key, value in known.items() if key not in _COMMON}
        common = {key: known.get(key) for key in _COMMON}
        self.events.append({"run_id": run_id, **common, **fields, "kwargs": more, "type": kind})

    @override
    def on_chain_start(self, serialized: dict[str, Any] | None, inputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._add("on_chain_start", run_id, kwargs, serialized=serialized, inputs=inputs)

    @override
    def on_chat_model_start(
        self, serialized: dict[str, Any] | None, messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        self._add("on_chat_model_start", run_id, kwargs, serialized=serialized, messages=messages)

    @override
    def on_llm_start(
        self, serialized: dict[str, Any] | None, prompts: list[str], *, run_id: UUID, **kwargs: Any
    ) -> None:
        self._add("on_llm_start", run_id, kwargs, serialized=serialized, prompts=prompts)

    @override
    def on_tool_start(self, serialized: dict[str, Any] | None, input_str: str, *, run_id: UUID, **kwargs: Any) -> None:
        self._add("on_tool_start", run_id, kwargs, serialized=serialized, input_str=input_str)

    @override
    def on_retriever_start(self, serialized: dict[str, Any] | None, query: str, *, run_id: UUID, **kwargs: Any) -> None:
        self._add("on_retriever_start", run_id, kwargs, serialized=serialized, query=query)

    @override
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._add("on_chain_end", run_id, kwargs, outputs=outputs)

    @override
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        told = {"generations": response.generations, "llm_output": response.llm_output, "run": response.run}
        self._add("on_llm_end", run_id, kwargs, response=told)

    @override
    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._add("on_tool_end", run_id, kwargs, output=output)

    @override
    def on_retriever_end(self, documents: Sequence[Document], *, run_id: UUID, **kwargs: Any) -> None:
        self._add("on_retriever_end", run_id, kwargs, documents=documents)

    @override
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._add("on_chain_error", run_id, kwargs, error=_HIDDEN)

    @override
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._add("on_llm_error", run_id, kwargs, error=_HIDDEN)

    @override
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._add("on_tool_error", run_id, kwargs, error=_HIDDEN)

    @override
    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._add("on_retriever_error", run_id, kwargs, error=_HIDDEN)
