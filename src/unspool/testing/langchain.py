"""A LangChain chat model that says what it is told to, the way real ones do. Needs ``unspool[langchain]``.

None of LangChain's own fakes streams tool calls, reasoning or usage.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import anyio
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr
from typing_extensions import override

Chunk = AIMessageChunk | Exception | float
"""A chunk to stream; an exception to raise; or seconds to stall."""


def text(*pieces: str, **fields: Any) -> list[AIMessageChunk]:
    """Text, a chunk per piece. ``fields`` go into each chunk: ``id="msg_1"``."""
    return [AIMessageChunk(content=piece, **fields) for piece in pieces]


def reasoning(*pieces: str) -> list[AIMessageChunk]:
    """Thinking, a chunk per piece, as models with content blocks send it."""
    return [AIMessageChunk(content=[{"type": "reasoning", "reasoning": piece, "index": 0}]) for piece in pieces]


def tool_call(name: str, call_id: str, *fragments: str, index: int = 0) -> list[AIMessageChunk]:
    """A tool call: name and id first, then its JSON arguments in fragments."""
    first = AIMessageChunk(content="", tool_call_chunks=[tool_call_chunk(name=name, args="", id=call_id, index=index)])
    return [
        first,
        *(
            AIMessageChunk(content="", tool_call_chunks=[tool_call_chunk(args=piece, index=index)])
            for piece in fragments
        ),
    ]


def done(finish_reason: str = "stop", *, input_tokens: int = 5, output_tokens: int = 7) -> list[AIMessageChunk]:
    """The last chunk of a real model: why it stopped, and the usage."""
    last = AIMessageChunk(
        content="",
        response_metadata={"finish_reason": finish_reason, "model_name": "scripted"},
        usage_metadata={
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens,
        },
    )
    last.chunk_position = "last"
    return [last]


class ScriptedChatModel(BaseChatModel):
    """Streams one scripted turn per call, beginning anew behind the last.

    ``ScriptedChatModel.of([*tool_call("add", "c1", '{"a":', "1}"), *done("tool_calls")], [*text("It is 1"), *done()])``

    An exception in a turn is raised at that point; a number stalls for so many seconds. Tools may be bound, and
    are ignored. ``calls`` holds the messages of every call.
    """

    _turns: Sequence[Sequence[Chunk]] = PrivateAttr(default=())  # private: LangChain prints public fields per call
    _calls: list[list[BaseMessage]] = PrivateAttr(default_factory=list)

    @classmethod
    def of(cls, *turns: Sequence[Chunk]) -> ScriptedChatModel:
        """Make a model of its turns."""
        model = cls()
        model._turns = turns
        return model

    @property
    def calls(self) -> list[list[BaseMessage]]:
        """The messages of every call so far."""
        return self._calls

    @property
    @override
    def _llm_type(self) -> str:
        return "scripted"

    @override
    def bind_tools(self, tools: Any, *, tool_choice: Any = None, **kwargs: Any) -> Any:
        return self

    def _next(self, messages: list[BaseMessage]) -> Sequence[Chunk]:
        turn = self._turns[len(self._calls) % len(self._turns)]
        self._calls.append(messages)
        return turn

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._next(messages):
            if isinstance(chunk, Exception):
                raise chunk
            if not isinstance(chunk, AIMessageChunk):
                await anyio.sleep(chunk)
                continue
            await anyio.lowlevel.checkpoint()
            yield ChatGenerationChunk(message=chunk.model_copy())

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self._next(messages):
            if isinstance(chunk, Exception):
                raise chunk
            if isinstance(chunk, AIMessageChunk):
                yield ChatGenerationChunk(message=chunk.model_copy())

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        whole: Any = None
        for chunk in self._stream(messages):
            whole = chunk.message if whole is None else whole + chunk.message
        message = message_chunk_to_message(whole) if whole is not None else AIMessage("")
        return ChatResult(generations=[ChatGeneration(message=message)])
