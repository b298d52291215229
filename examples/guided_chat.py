"""A LangChain chat model for the examples: a provider's as it is, or the embedded one as `guided.py` describes."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr, SecretStr
from typing_extensions import override

from examples.guided import MAX_ARGUMENT_TOKENS, Hint, choose
from examples.models import Model

MAX_TOKENS = 256


def chat_model(model: Model, hints: Sequence[Hint] = (), *, max_tokens: int = 1000) -> ChatOpenAI:
    """A LangChain chat model: the provider's as it is, or the embedded one, guided by ``hints``."""
    kind = GuidedChat if model.embedded else ChatOpenAI
    chat = kind(
        model=model.name,
        root_async_client=model.client,
        async_client=model.client.chat.completions,
        api_key=SecretStr(model.client.api_key),
        max_completion_tokens=min(max_tokens, MAX_TOKENS) if model.embedded else max_tokens,
        stream_usage=True,
        max_retries=0,
    )
    if isinstance(chat, GuidedChat):
        chat._hints = hints
    return chat


class GuidedChat(ChatOpenAI):
    """The embedded model, with tool calls as the module describes. It must be streamed, as Unspool does."""

    _hints: Sequence[Hint] = PrivateAttr(default=())

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in kwargs.pop("tools", [])}
        last = messages[-1]
        hint = choose(self._hints, last.text)
        if isinstance(last, ToolMessage):
            yield _chunk("That was not done." if last.status == "error" else str(last.text))
        elif hint is None or hint.tool not in schemas:
            said = [message for message in messages if message.text and not isinstance(message, ToolMessage)]
            async for chunk in super()._astream(said[-5:], stop, run_manager, **kwargs):
                yield chunk
        else:
            call = tool_call_chunk(name=hint.tool, args="", id=f"call-{uuid.uuid4().hex[:12]}", index=0)
            yield _chunk(tool_call_chunks=[call])
            form = {**hint.form(schemas[hint.tool]), "max_completion_tokens": MAX_ARGUMENT_TOKENS}
            prompt: Any = hint.prompt(last.text)
            async for chunk in super()._astream(prompt, stop, run_manager, **kwargs, **form):
                fragment = str(chunk.message.text)  # the very type: chunks of another do not add up
                chunk.message.content = ""
                if fragment and isinstance(chunk.message, AIMessageChunk):
                    chunk.message.tool_call_chunks = [tool_call_chunk(args=fragment, index=0)]
                yield chunk


def _chunk(content: str = "", **more: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=content, **more))
