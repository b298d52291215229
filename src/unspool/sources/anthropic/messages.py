"""A call of Anthropic's Messages API as a source. The calls of the official SDK, async or sync; anthropic 2.12."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from typing_extensions import override

from unspool.closing import opened
from unspool.events import Record
from unspool.sources.anthropic.conversation import client_tools, request_messages
from unspool.sources.anthropic.events import MessagesTranslation
from unspool.sources.base import Call, Item, ResumePoint, Schemas, Source, refuse_config
from unspool.sources.conversation import CHAT_SCHEMAS
from unspool.sources.ids import Ids
from unspool.sources.sdk_streams import sdk_stream


def anthropic_messages(
    client: Any,
    *,
    model: str,
    max_tokens: int = 4096,
    system: Any = None,
    name: str | None = None,
    accept_system: bool = False,
    **params: Any,
) -> Source:
    """A model behind Anthropic's Messages API, as a source: one model call for each run.

    Args:
        client: An ``AsyncAnthropic`` or an ``Anthropic`` client. A sync one is used in a thread of its own for each
            run. Not closed.
        model: The model's name.
        max_tokens: How long an answer may be, thinking included.
        system: The system prompt: text, or text blocks.
        name: What to call the source, if not by its model.
        accept_system: Whether a client's input may hold system messages; they are added to ``system``.
        params: Passed on to ``client.messages.create``: ``tools``, ``thinking``, ``temperature`` and so on.

    Raises:
        TypeError: ``params`` hold what the source sets itself.
    """
    wrong = [taken for taken in ("messages", "stream") if taken in params]
    if wrong:
        raise TypeError(f"the source sets {', '.join(wrong)} itself")
    request = {"model": model, "max_tokens": max_tokens, **params}
    return AnthropicMessagesSource(client, request, system=system, name=name or model, accept_system=accept_system)


class AnthropicMessagesSource(Source):
    """See :func:`anthropic_messages`."""

    def __init__(self, client: Any, request: Mapping[str, Any], *, system: Any, name: str, accept_system: bool) -> None:
        self._client = client
        self._request = request
        self._system = system
        self._name = name
        self._accept_system = accept_system
        self._tools = client_tools(request.get("tools"))

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        refuse_config(call)
        asked = await request_messages(call, self._system, tools=self._tools, accept_system=self._accept_system)
        translation = MessagesTranslation(Ids(call.run_id))
        stream = sdk_stream(self._client.messages.create, stream=True, **self._request, **asked)
        async with opened(stream) as items:
            async for item in items:
                for event in translation.feed(item):
                    yield event
        for event in translation.end():
            yield event

    @override
    def schemas(self) -> Schemas:
        return CHAT_SCHEMAS

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None
