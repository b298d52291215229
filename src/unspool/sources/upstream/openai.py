"""A server that speaks OpenAI's Chat Completions or Responses, as a source, without OpenAI's SDK."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, cast

from typing_extensions import override

from unspool.closing import opened
from unspool.errors import SourceError, provider_error
from unspool.events import Message, Record
from unspool.sources.base import Call, Item, ResumePoint, Schemas, Source, refuse_config
from unspool.sources.conversation import CHAT_SCHEMAS, conversation
from unspool.sources.ids import Ids
from unspool.sources.openai.chat_chunks import ChatTranslation
from unspool.sources.openai.chat_messages import chat_messages
from unspool.sources.openai.responses_events import ResponsesTranslation
from unspool.sources.openai.responses_items import input_items
from unspool.sources.upstream.http import CLOSED_EARLY, Link, json_of


class OpenAIUpstream(Source):
    """Posts the thread so far, and translates what is streamed back. Tools that the model calls are not run.

    Args:
        link: The base URL; ``/chat/completions`` or ``/responses`` is appended.
        name: What it is called.
        responses: Whether it speaks Responses; otherwise Chat Completions.
        model: The model's name.
        api_key: Sent as a bearer token, unless the headers of the link hold an ``Authorization``.
        instructions: What the model is told before the conversation.
        accept_system: Whether a client may send system messages.
        params: More members of the request's body, such as ``temperature``. ``{"stream_options": None}`` is for
            servers that refuse to be asked for usage.

    Raises:
        TypeError: ``params`` has members that the source sets itself.
    """

    def __init__(
        self,
        link: Link,
        *,
        name: str,
        responses: bool,
        model: str,
        api_key: str | None = None,
        instructions: str | None = None,
        accept_system: bool = False,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        if params and not params.keys().isdisjoint({"model", "messages", "input", "instructions", "stream"}):
            raise TypeError("`params` must not hold model, messages, input, instructions or stream")
        self._link = link
        self._name = name
        self._responses = responses
        self._model = model
        self._key = api_key
        self._instructions = instructions
        self._accept_system = accept_system
        self._params = dict(params or {})

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        refuse_config(call)
        said = await conversation(call, system=self._accept_system)
        path, body = self._request(said)
        translation: ChatTranslation | ResponsesTranslation
        translation = ResponsesTranslation(Ids(call.run_id)) if self._responses else ChatTranslation(Ids(call.run_id))
        fed = False
        async with self._link.client() as http:
            headers = self._authorization(call)
            async with opened(self._link.frames(http, call, "POST", path, headers=headers, body=body)) as frames:
                async for frame in frames:
                    if frame.data == "[DONE]":
                        break
                    fields = json_of(frame)
                    _raise_error(fields)
                    fed = True
                    # Both look into plain dicts; what Responses' events are is asked of an attribute.
                    for event in translation.feed(_Item(fields) if self._responses else fields):
                        yield event
        if not fed:
            raise SourceError(CLOSED_EARLY, retryable=True)
        for event in translation.end():
            yield event

    def _request(self, said: Sequence[Message]) -> tuple[str, dict[str, Any]]:
        body: dict[str, Any] = {"model": self._model, "stream": True}
        if self._responses:
            if self._instructions is not None:
                body["instructions"] = self._instructions
            return "/responses", {**body, "input": input_items(said), **self._params}
        body["messages"] = chat_messages(said, self._instructions)
        body = {**body, "stream_options": {"include_usage": True}, **self._params}
        return "/chat/completions", {key: value for key, value in body.items() if value is not None}

    def _authorization(self, call: Call) -> dict[str, str]:
        given = {name.lower() for name in self._link.headers(call)}
        return {} if self._key is None or "authorization" in given else {"Authorization": f"Bearer {self._key}"}

    @override
    def schemas(self) -> Schemas:
        return CHAT_SCHEMAS

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None


class _Item:
    """A JSON object whose members are attributes; None where there is none. Its members stay what they are."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def __getattr__(self, name: str) -> Any:
        return self._fields.get(name)


def _raise_error(fields: Mapping[str, Any]) -> None:
    """Raise what the SDK would: an object with ``error`` in the stream."""
    error: object = fields.get("error")
    if error and fields.get("type") in {None, "error"}:
        members = cast("Mapping[str, Any]", error) if isinstance(error, Mapping) else {}
        code = members.get("code") or members.get("type")
        raise provider_error(code if isinstance(code, str) else None)
