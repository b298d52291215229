"""Anthropic's Messages API: what it streams as events.

Items are told apart by their ``type``, and nothing of the SDK is imported: what ``messages.create(stream=True)``
yields, and what ``messages.stream()`` yields, which says every delta twice. Checked with anthropic 2.12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, cast

import msgspec

from unspool.errors import SourceError, provider_error
from unspool.events import (
    Citation,
    MessageEnd,
    MessageStart,
    Reasoning,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    Usage,
    plain,
)
from unspool.sources.base import CUT_OFF, NOT_RUN, TOOL_FAILED, Item
from unspool.sources.ids import Ids
from unspool.sources.openai.responses_items import field
from unspool.sources.translation import Translation


class _Block(msgspec.Struct):
    """The content block that is open."""

    kind: str
    call_id: str = ""
    name: str = ""
    input: Any = None
    start: int = 0
    fragments: list[str] = []
    citations: list[Any] = []


class MessagesTranslation(Translation):
    """The events of one or more answers, one after the other. Each answer is one message.

    Args:
        ids: Makes the ids of messages and calls.
    """

    def __init__(self, ids: Ids) -> None:
        self.calls: dict[str, str] = {}
        """By our id, Anthropic's: the calls that nothing has answered. Whoever answers one takes it out."""
        self.finish_reason: str | None = None
        """Of the last answer."""
        self._ids = ids
        self._message = ""  # none is open
        self._complete = False
        self._begin(None)

    def _begin(self, message: Any) -> None:
        self.finish_reason = None
        self._model: str | None = field(message, "model")
        self._usage: dict[str, Any] = {}
        self._block = _Block("")
        self._served: dict[str, str] = {}  # calls of the provider's own tools, by its id
        self._length = 0  # code points of the message's text
        self._thought = False  # whether the last thing said was a thought

    def feed(self, item: Any) -> Iterable[Item]:
        """The events of one item.

        Raises:
            SourceError: The item says that the model call failed.
        """
        handler = self._HANDLERS.get(item.type)
        return () if handler is None else handler(self, item)

    def end(self) -> Iterable[Item]:
        """The events that close what is open: calls that nobody ran.

        Raises:
            SourceError: It ended before the model was done.
        """
        if self._message or not self._complete:
            raise SourceError("The model provider closed the stream before its end.", retryable=True)
        for call_id in self.calls:
            yield ToolEnd(call_id, error=NOT_RUN)

    def _started(self, item: Any) -> Iterator[Item]:
        if self._message:  # the SDK's user asked again, and the answer before was given up
            yield from self._closed(None)
        self._begin(item.message)
        self._note_usage(item.message.usage)
        self._message = self._ids.message()
        yield MessageStart(self._message)

    # -- blocks -----------------------------------------------------------------------------------------

    def _block_started(self, item: Any) -> Iterator[Item]:
        made = item.content_block
        kind: str = made.type
        block = self._block = _Block(kind, start=self._length)
        if kind == "text":
            block.citations.extend(field(made, "citations") or ())
            yield from self._text(made.text)
        elif kind == "thinking":
            # Blocks are paragraphs, and nothing in their text says so.
            yield from self._thinking(f"\n\n{made.thinking}" if self._thought else made.thinking)
        elif kind.endswith("tool_use"):
            block.call_id, block.name, block.input = self._ids.call(made.id), made.name, made.input
            if kind == "tool_use":
                self.calls[block.call_id] = made.id
            else:
                self._served[made.id] = block.call_id
            self._thought = False
            yield ToolStart(block.call_id, made.name, self._message)
        elif kind.endswith("tool_result"):
            yield from self._answered(made)

    def _delta(self, item: Any) -> Iterable[Item]:
        """The path of every token."""
        delta = item.delta
        kind: str = delta.type
        if kind == "text_delta":
            return self._text(delta.text)
        if kind == "thinking_delta":
            return self._thinking(delta.thinking)
        if kind == "input_json_delta" and delta.partial_json and self._block.call_id:
            self._block.fragments.append(delta.partial_json)
            return (ToolArgs(self._block.call_id, delta.partial_json),)
        if kind == "citations_delta":
            self._block.citations.append(delta.citation)
        return ()

    def _text(self, text: str) -> Iterable[Item]:
        if not text:
            return ()
        self._length += len(text)
        self._thought = False
        return (Token(self._message, text),)

    def _thinking(self, text: str) -> Iterable[Item]:
        if not text:
            return ()
        self._thought = True
        return (Reasoning(self._message, text),)

    def _block_stopped(self, _item: Any) -> Iterator[Item]:
        block, self._block = self._block, _Block("")
        if block.call_id:
            yield from self._called(block)
        for citation in block.citations:
            yield self._citation(citation, block)

    def _called(self, block: _Block) -> Iterator[Item]:
        try:
            args = msgspec.json.decode("".join(block.fragments)) if block.fragments else plain(block.input)
        except msgspec.DecodeError:  # at its limit of tokens the model stops wherever it is
            self.calls.pop(block.call_id, None)
            yield ToolEnd(block.call_id, error=CUT_OFF)
        else:
            yield ToolCall(block.call_id, block.name, args)

    def _answered(self, made: Any) -> Iterator[Item]:
        """The result of one of the provider's own tools comes as a block of its own, whole."""
        call_id = self._served.pop(made.tool_use_id, None)
        if call_id is None:
            return
        content = _readable(plain(made.content))
        failed = bool(field(made, "is_error")) or str(field(content, "type")).endswith("_error")
        yield ToolEnd(call_id, content, TOOL_FAILED if failed else None)

    def _citation(self, found: Any, block: _Block) -> Citation:
        """What a block cites goes for the whole of it: it is as long as what it cites."""
        said = self._length > block.start
        return Citation(
            self._message,
            url=field(found, "url") or field(found, "source"),
            title=field(found, "title") or field(found, "document_title"),
            text=field(found, "cited_text"),
            start=block.start if said else None,
            end=self._length if said else None,
        )

    # -- the end ----------------------------------------------------------------------------------------

    def _changed(self, item: Any) -> Iterable[Item]:
        self._note_usage(item.usage)
        self.finish_reason = field(item.delta, "stop_reason") or self.finish_reason
        return ()

    def _note_usage(self, usage: Any) -> None:
        """Each report is of the whole answer so far; the last one of each number counts."""
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
            self._usage[name] = field(usage, name) or self._usage.get(name, 0)
        thinking: int | None = field(field(usage, "output_tokens_details"), "thinking_tokens")
        self._usage["thinking_tokens"] = thinking or self._usage.get("thinking_tokens", 0)

    def _stopped(self, _item: Any) -> Iterator[Item]:
        used = self._usage
        # Anthropic counts what is cached apart; elsewhere, and here, it is a part of the input.
        asked = used["input_tokens"] + used["cache_read_input_tokens"] + used["cache_creation_input_tokens"]
        yield Usage(
            input_tokens=asked,
            output_tokens=used["output_tokens"],
            total_tokens=asked + used["output_tokens"],
            reasoning_tokens=used["thinking_tokens"],
            cached_tokens=used["cache_read_input_tokens"],
            model=self._model,
        )
        yield from self._closed(self.finish_reason)
        self._complete = True

    def _closed(self, finish: str | None) -> Iterator[Item]:
        for call_id in self._served.values():
            yield ToolEnd(call_id, error=CUT_OFF)
        message, self._message = self._message, ""
        yield MessageEnd(message, finish)

    def _error(self, item: Any) -> Iterable[Item]:
        raise provider_error(field(item.error, "type"))

    _HANDLERS: ClassVar[Mapping[str, Callable[[Any, Any], Iterable[Item]]]] = {
        "message_start": _started,
        "content_block_start": _block_started,
        "content_block_delta": _delta,
        "content_block_stop": _block_stopped,
        "message_delta": _changed,
        "message_stop": _stopped,
        "error": _error,
    }


def _readable(value: Any) -> Any:
    """A result without what only Anthropic can read."""
    if isinstance(value, list):
        return [_readable(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _readable(item) for name, item in fields.items() if not name.startswith("encrypted_")}
    return value
