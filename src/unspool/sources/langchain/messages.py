"""The messages of LangChain chat models as events, and ours as LangChain's. Shared by all LangChain sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)

from unspool.errors import InvalidInput
from unspool.events import (
    AnyEvent,
    Citation,
    File,
    FilePart,
    Message,
    MessageEnd,
    MessageStart,
    Reasoning,
    TextPart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolPart,
    ToolStart,
    Usage,
    plain,
)
from unspool.sources.conversation import NOT_COMPLETED, arguments_text, result_text
from unspool.sources.ids import Ids

_DULL = {"model_provider"}
"""What LangChain puts into the metadata of every chunk."""


class ModelRun:
    """One call of a chat model: its chunks in, its events out.

    Args:
        first: The first chunk, or the whole message.
        name: The agent or graph node that speaks.
        ids: Makes the ids. None: they are LangChain's own, as a graph's state has them; the message's is that of the
            first chunk, since later ones may differ (a provider may send its id once).
        fallback_id: The message's id where LangChain has none.
    """

    def __init__(
        self, first: BaseMessage, *, name: str | None = None, ids: Ids | None = None, fallback_id: str = ""
    ) -> None:
        self.message_id = first.id or fallback_id if ids is None else ids.message()
        self._ids = ids
        self._name = name
        self._calls: dict[object, _Call] = {}
        self._finish: str | None = None
        self._refused = False
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
        meta = message.response_metadata
        if message.usage_metadata or (meta and meta.keys() != _DULL):
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
            case "non_standard" if (block.get("value") or {}).get("type") == "refusal":
                self._refused = True
                if block["value"].get("refusal"):
                    yield Token(self.message_id, block["value"]["refusal"])
            case _:
                pass  # tool calls come from `tool_call_chunks`; other blocks have no event

    def _call_chunk(self, chunk: Mapping[str, Any], position: int) -> Iterator[AnyEvent]:
        index = chunk.get("index")
        key: object = index if index is not None else chunk.get("id") or position
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = self._new_call(chunk)
            yield ToolStart(call.id, call.name, self.message_id)
        if chunk.get("args"):
            call.args.append(chunk["args"])
            yield ToolArgs(call.id, chunk["args"])

    def _whole_call(self, call: Mapping[str, Any]) -> Iterator[AnyEvent]:
        made = self._new_call(call)
        made.args.append(msgspec.json.encode(plain(call.get("args"))).decode())
        self._calls[made.id] = made
        yield ToolStart(made.id, made.name, self.message_id)

    def _new_call(self, fields: Mapping[str, Any]) -> _Call:
        given: str | None = fields.get("id")
        call_id = self._ids.call(given) if self._ids else given or f"{self.message_id}-call-{len(self._calls)}"
        return _Call(call_id, given or call_id, fields.get("name") or "")

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
    def call_ids(self) -> dict[str, str]:
        """The tool calls that it made: ids by the provider's own."""
        return {call.given: call.id for call in self._calls.values()}

    def end(self) -> Iterator[AnyEvent]:
        """What goes behind the last chunk."""
        for call in self._calls.values():
            yield ToolCall(call.id, call.name, _parsed("".join(call.args)))
        if self._usage:
            yield Usage(model=self._model, **self._usage)
        yield MessageEnd(self.message_id, "refusal" if self._refused else self._finish)

    def abandon(self) -> Iterator[AnyEvent]:
        """What closes it where the call of the model failed in the middle."""
        for call in self._calls.values():
            yield ToolEnd(call.id, error=NOT_COMPLETED)
        yield MessageEnd(self.message_id, "error")


class _Call:
    __slots__ = ("args", "given", "id", "name")

    def __init__(self, call_id: str, given: str, name: str) -> None:
        self.id = call_id
        self.given = given
        self.name = name
        self.args: list[str] = []


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


def as_langchain(messages: Iterable[Message]) -> list[BaseMessage]:
    """Neutral messages as LangChain's: a tool's answer is a message of its own."""
    found: list[BaseMessage] = []
    for message in messages:
        if message.role == "assistant":
            found.extend(_assistant(message))
        else:
            content = cast("Any", _content(message))
            found.append(SystemMessage(content) if message.role == "system" else HumanMessage(content))
    return found


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not any(isinstance(part, FilePart) for part in message.parts):
        return message.text
    blocks: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, TextPart):
            blocks.append({"type": "text", "text": part.text})
        elif isinstance(part, FilePart):
            kind = part.media_type.partition("/")[0]
            block = {"type": kind if kind in {"image", "audio", "video"} else "file"}
            if not part.media_type.endswith("/*"):
                block["mime_type"] = part.media_type
            blocks.append(block | ({"url": part.url} if part.data is None else {"base64": part.data}))
    return blocks


def _assistant(message: Message) -> Iterator[BaseMessage]:
    """What the model said and called; then what the tools answered. Files that it made are left out."""
    tools = [part for part in message.parts if isinstance(part, ToolPart)]
    if not tools and not message.text:
        return
    calls: list[Any] = []
    invalid: list[Any] = []
    for tool in tools:
        if isinstance(tool.args, dict):
            calls.append({"name": tool.name, "args": tool.args, "id": tool.call_id})
        else:
            invalid.append({"name": tool.name, "args": arguments_text(tool), "id": tool.call_id, "error": None})
    yield AIMessage(message.text, tool_calls=calls, invalid_tool_calls=invalid)
    for tool in tools:
        yield ToolMessage(result_text(tool), tool_call_id=tool.call_id, name=tool.name)
