"""OpenAI's Chat Completions, and the many servers that speak them.

Checked with openai 3.52, of which nothing is imported.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from typing_extensions import override

from unspool.closing import opened
from unspool.events import Record
from unspool.sources.base import Call, Item, ResumePoint, Schemas, Source, refuse_config
from unspool.sources.conversation import CHAT_SCHEMAS, conversation
from unspool.sources.ids import Ids
from unspool.sources.openai.chat_chunks import ChatTranslation, closed_early
from unspool.sources.openai.chat_messages import chat_messages
from unspool.sources.sdk_streams import sdk_stream


def chat_completions(
    client: Any,
    *,
    model: str,
    instructions: str | None = None,
    name: str | None = None,
    accept_system: bool = False,
    **params: Any,
) -> Source:
    """A model behind OpenAI's Chat Completions, or behind a server that speaks them, as a source.

    The thread so far is sent with each call. Usage is asked for, unless the server turns out to refuse that. Tools
    that the model calls are shown, and not run.

    Args:
        client: An ``openai.AsyncOpenAI`` or ``openai.OpenAI``, or an Azure one. It is not closed.
        model: The model's name.
        instructions: Sent as the first message, with the role ``system``.
        name: What to call the source, if not by its model.
        accept_system: Whether a client may send system messages of its own.
        params: What else ``client.chat.completions.create`` takes, such as ``temperature`` or ``tools``.

    Raises:
        TypeError: ``params`` holds ``messages`` or ``stream``.
    """
    ask = partial(sdk_stream, client.chat.completions.create, model=model)
    return ChatSource(ask, params, instructions=instructions, name=name or model, accept_system=accept_system)


class ChatSource(Source):
    """A source over what is called like ``chat.completions.create`` and streams the same chunks.

    Args:
        ask: Called with ``messages``, ``stream`` and ``params``; yields chunks, and is closed.
        params: What else to call it with.
        name: What to call the source.
        instructions: The first message.
        accept_system: Whether a client may send system messages.
    """

    def __init__(
        self,
        ask: Callable[..., AsyncGenerator[Any, None]],
        params: Mapping[str, Any],
        *,
        name: str,
        instructions: str | None = None,
        accept_system: bool = False,
    ) -> None:
        if not params.keys().isdisjoint({"messages", "stream"}):
            raise TypeError("`messages` and `stream` are set by the source; they cannot be given")
        self._ask = ask
        self._params = params
        self._asks_usage = "stream_options" not in params
        self._instructions = instructions
        self._name = name
        self._accept_system = accept_system

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        refuse_config(call)
        said = await conversation(call, system=self._accept_system)
        translation = ChatTranslation(Ids(call.run_id))
        chunk: Any = None
        async with opened(self._chunks(chat_messages(said, self._instructions))) as chunks:
            async for chunk in chunks:
                for event in translation.feed(chunk):
                    yield event
        if chunk is None:
            raise closed_early()
        for event in translation.end():
            yield event

    async def _chunks(self, messages: Sequence[Mapping[str, Any]]) -> AsyncGenerator[Any, None]:
        if self._asks_usage:
            try:
                async with opened(self._asked(messages, stream_options={"include_usage": True})) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except Exception as exc:
                if not _refuses_usage(exc):
                    raise
                self._asks_usage = False
            else:
                return
        async with opened(self._asked(messages)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _asked(self, messages: Sequence[Mapping[str, Any]], **more: Any) -> AsyncGenerator[Any, None]:
        return self._ask(messages=messages, stream=True, **self._params, **more)

    @override
    def schemas(self) -> Schemas:
        return CHAT_SCHEMAS

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None


def _refuses_usage(exc: Exception) -> bool:
    """Whether a server refused a request for what it holds about usage. 422 is FastAPI's, such as of older vLLM."""
    return getattr(exc, "status_code", None) in {400, 422} and "stream_options" in str(exc)
