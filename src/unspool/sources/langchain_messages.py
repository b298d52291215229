"""The messages of LangChain chat models as events. Shared by the LangChain and the LangGraph source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, convert_to_messages

from unspool.errors import InvalidInput
from unspool.events import (
    AnyEvent,
    Citation,
    File,
    MessageEnd,
    MessageStart,
    Reasoning,
    Token,
    ToolArgs,
    ToolCall,
    ToolStart,
    Usage,
    plain,
)


class ModelRun:
    """One call of a chat model: its chunks in, its events out.

    The first chunk's id is the message's: LangChain's later ones may differ (a provider may send its id once).

    Args:
        first: The first chunk, or the whole message.
        name: The agent or graph node that speaks.
    """

    def __init__(self, first: BaseMessage, *, name: str | None = None, fallback_id: str = "") -> None:
        self.message_id = first.id or fallback_id
        self._name = name
        self._calls: dict[object, _Call] = {}
        self._finish: str | None = None
        self._usage: dict[str, int] = {}
        self._model: str | None = None

    def start(self) -> AnyEvent:
        """What goes before the first chunk."""
        return MessageStart(self.message_id, name=self._name)

    def feed(self, message: AIMessage) -> Iterator[AnyEvent]:
        """The events of a chunk, or of a message that came as a whole."""
        content: object = message.content
        if type(content) is str and not message.additional_kwargs:
            if content:
                yield Token(self.message_id, content)
        else:
            for block in message.content_blocks:
                yield from self._block(cast("Mapping[str, Any]", block))
        if isinstance(message, AIMessageChunk):
            for position, chunk in enumerate(message.tool_call_chunks):
                yield from self._call_chunk(cast("Mapping[str, Any]", chunk), position)
        else:
            for call in message.tool_calls:
                yield from self._whole_call(cast("Mapping[str, Any]", call))
        if message.usage_metadata or message.response_metadata:
            self._note(message)

    def _block(self, block: Mapping[str, Any]) -> Iterator[AnyEvent]:
        match block.get("type"):
            case "text":
                if block.get("text"):
                    yield Token(self.message_id, block["text"])
                for note in block.get("annotations") or ():
                    if note.get("type") == "citation":
                        yield Citation(self.message_id, note.get("url"), note.get("title"), note.get("cited_text"))
            case "reasoning":
                if block.get("reasoning"):
                    yield Reasoning(self.message_id, block["reasoning"])
            case "image" | "audio" | "video" | "file":
                media = str(block.get("mime_type") or "application/octet-stream")
                yield File(media, self.message_id, block.get("url"), block.get("base64"))
            case _:
                pass  # tool calls come from `tool_call_chunks`; other blocks have no event

    def _call_chunk(self, chunk: Mapping[str, Any], position: int) -> Iterator[AnyEvent]:
        index = chunk.get("index")
        key: object = index if index is not None else chunk.get("id") or position
        call = self._calls.get(key)
        if call is None:
            call_id = chunk.get("id") or f"{self.message_id}-call-{len(self._calls)}"
            call = self._calls[key] = _Call(call_id, chunk.get("name") or "")
            yield ToolStart(call.id, call.name, self.message_id)
        if chunk.get("args"):
            call.args.append(chunk["args"])
            yield ToolArgs(call.id, chunk["args"])

    def _whole_call(self, call: Mapping[str, Any]) -> Iterator[AnyEvent]:
        call_id = call.get("id") or f"{self.message_id}-call-{len(self._calls)}"
        args = plain(call.get("args"))
        self._calls[call_id] = _Call(call_id, call["name"], [msgspec.json.encode(args).decode()])
        yield ToolStart(call_id, call["name"], self.message_id)

    def _note(self, message: AIMessage) -> None:
        meta = message.response_metadata
        self._finish = meta.get("finish_reason") or meta.get("stop_reason") or self._finish
        self._model = meta.get("model_name") or self._model
        usage = cast("Mapping[str, Any]", message.usage_metadata or {})
        details = {
            "reasoning_tokens": (usage.get("output_token_details") or {}).get("reasoning"),
            "cached_tokens": (usage.get("input_token_details") or {}).get("cache_read"),
        }
        for name in ("input_tokens", "output_tokens", "total_tokens", *details):
            count = details.get(name) or usage.get(name)
            if isinstance(count, int):
                self._usage[name] = self._usage.get(name, 0) + count

    @property
    def call_ids(self) -> list[str]:
        """The tool calls that it made."""
        return [call.id for call in self._calls.values()]

    def end(self) -> Iterator[AnyEvent]:
        """What goes behind the last chunk."""
        for call in self._calls.values():
            yield ToolCall(call.id, call.name, _parsed("".join(call.args)))
        if self._usage:
            yield Usage(model=self._model, **self._usage)
        yield MessageEnd(self.message_id, self._finish)


class _Call:
    __slots__ = ("args", "id", "name")

    def __init__(self, call_id: str, name: str, args: list[str] | None = None) -> None:
        self.id = call_id
        self.name = name
        self.args = args or []


def _parsed(text: str) -> Any:
    """The arguments as JSON; the text itself where the model did not write JSON."""
    try:
        return msgspec.json.decode(text) if text else {}
    except (msgspec.DecodeError, RecursionError):
        return text


def messages_of(value: object) -> list[BaseMessage]:
    """A chat input as messages: text, or ``{"messages": [{"role", "content"}, …]}``, or the list itself.

    Raises:
        InvalidInput: It is none of these.
    """
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    elif isinstance(value, Mapping):
        value = cast("Mapping[str, object]", value).get("messages")
    if not isinstance(value, list) or not value:
        raise InvalidInput('a chat input must be text, or {"messages": [{"role": …, "content": …}, …]}')
    try:
        return convert_to_messages(cast("list[Any]", value))
    except (ValueError, NotImplementedError, TypeError, KeyError) as exc:
        raise InvalidInput("a message of the input is not valid: each needs a role and a content") from exc
