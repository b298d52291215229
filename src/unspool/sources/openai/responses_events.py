"""OpenAI's Responses API: what it streams as events.

Items are told apart by their ``type``, and nothing of the SDK is imported: what
``responses.create(stream=True)`` yields, what ``responses.stream()`` yields, and anything else of the same shape.
Checked with openai 3.52.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from unspool.errors import SourceError, provider_error
from unspool.events import (
    Citation,
    Data,
    File,
    MessageEnd,
    MessageStart,
    Reasoning,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    Usage,
)
from unspool.sources.base import CUT_OFF, NOT_RUN, TOOL_FAILED, Item
from unspool.sources.ids import Ids
from unspool.sources.openai.responses_items import NOT_TOOLS, arguments_of, dumped, field, name_of, result_of
from unspool.sources.translation import Translation

_FINISH = {"max_output_tokens": "length"}


class FunctionCall(msgspec.Struct, frozen=True):
    """A call that the model made and that the provider does not run.

    Attributes:
        call_id: Ours, in the events.
        item: What the provider sent: ``function_call``, ``custom_tool_call``, ``computer_call`` and others.
    """

    call_id: str
    item: Any


class ResponsesTranslation(Translation):
    """The events of one or more responses, one after the other. Each response is one message.

    Args:
        ids: Makes the ids of messages and calls.
        name: The agent that speaks; may be set anew between two responses.
    """

    def __init__(self, ids: Ids, *, name: str | None = None) -> None:
        self.name = name
        self.response_id: str | None = None
        self.calls: dict[str, FunctionCall] = {}
        """By our id: the calls that nothing has answered. Whoever answers one takes it out."""
        self.approvals: list[Any] = []
        """The ``mcp_approval_request`` items of the last response."""
        self.output: list[Any] = []
        """The complete items of the last response."""
        self.finish_reason: str | None = None
        """Of the last response."""
        self._ids = ids
        self._begin()
        self._running = self._complete = False

    def _begin(self) -> None:
        self.approvals = []
        self.output = []
        self.finish_reason = None
        self._running = True
        self._message = ""  # none is open
        self._tools: dict[int, str] = {}
        self._texts: dict[tuple[int, int], int] = {}
        self._notes: dict[tuple[int, int], int] = {}
        self._length = 0
        self._thought: tuple[str, int, int] | None = None
        self._refused = False

    def feed(self, item: Any) -> Iterable[Item]:
        """The events of one item.

        Raises:
            SourceError: The item says that the model call failed.
        """
        handler = self._HANDLERS.get(getattr(item, "type", ""))
        if handler is None:
            return ()
        if not self._running:
            self._begin()
        return handler(self, item)

    def end(self) -> Iterable[Item]:
        """The events that close what is open: calls that nobody ran.

        Raises:
            SourceError: It ended before the model was done.
        """
        if self._running or not self._complete:
            raise SourceError("The model provider closed the stream before its end.", retryable=True)
        for call_id in list(self.calls):
            del self.calls[call_id]
            yield ToolEnd(call_id, error=NOT_RUN)

    def _created(self, item: Any) -> Iterator[Item]:
        if self._message:  # the SDK's user asked again, and the response before was given up
            yield from self._closed(None)
        self._begin()
        self.response_id = field(item.response, "id")

    def _open(self) -> Iterator[Item]:
        if not self._message:
            self._message = self._ids.message()
            yield MessageStart(self._message, name=self.name)

    def _closed(self, finish: str | None) -> Iterator[Item]:
        for call_id in self._tools.values():
            yield ToolEnd(call_id, error=CUT_OFF)
        if self._message:
            yield MessageEnd(self._message, finish)

    # -- text -------------------------------------------------------------------------------------------

    def _text(self, item: Any) -> Iterable[Item]:
        """The path of every token."""
        text: str = item.delta
        if not text:
            return ()
        place = (item.output_index, item.content_index)
        if place not in self._texts:
            self._texts[place] = self._length
        self._length += len(text)
        self._thought = None
        if self._message:
            return (Token(self._message, text),)
        return (*self._open(), Token(self._message, text))

    def _refusal(self, item: Any) -> Iterable[Item]:
        self._refused = True
        return self._text(item)

    def _reasoning(self, item: Any) -> Iterator[Item]:
        if not item.delta:
            return
        yield from self._open()
        part: Any = field(item, "summary_index")
        part = part if part is not None else field(item, "content_index") or 0
        place: tuple[str, int, int] = (item.type, item.output_index, part)
        # Parts of a summary are paragraphs, and nothing in their text says so.
        text = item.delta if self._thought in {None, place} else f"\n\n{item.delta}"
        self._thought = place
        yield Reasoning(self._message, text)

    def _annotation(self, item: Any) -> Iterator[Item]:
        place = (item.output_index, item.content_index)
        self._notes[place] = self._notes.get(place, 0) + 1
        return self._citation(item.annotation, place)

    def _part_done(self, item: Any) -> Iterator[Item]:
        """Some servers tell annotations only here."""
        place = (item.output_index, item.content_index)
        for note in (field(item.part, "annotations") or ())[self._notes.get(place, 0) :]:
            yield from self._citation(note, place)

    def _citation(self, note: Any, place: tuple[int, int]) -> Iterator[Item]:
        if note is None:
            return
        yield from self._open()
        base = self._texts.get(place, self._length)
        start, end = field(note, "start_index"), field(note, "end_index")
        yield Citation(
            self._message,
            url=field(note, "url"),
            title=field(note, "title") or field(note, "filename") or field(note, "file_id"),
            start=None if start is None else base + start,
            end=None if end is None else base + end,
        )

    # -- tools ------------------------------------------------------------------------------------------

    def _added(self, item: Any) -> Iterator[Item]:
        made = item.item
        kind: str = field(made, "type") or "message"
        if kind in NOT_TOOLS or kind.endswith("_output"):
            return
        yield from self._open()
        self._thought = None
        call_id = self._ids.call(field(made, "call_id") or field(made, "id"))
        self._tools[item.output_index] = call_id
        yield ToolStart(call_id, name_of(made), self._message)

    def _args(self, item: Any) -> Iterator[Item]:
        call_id = self._tools.get(item.output_index)
        if call_id is not None and item.delta:
            yield ToolArgs(call_id, item.delta)

    def _done(self, item: Any) -> Iterator[Item]:
        made = item.item
        kind: str = field(made, "type") or "message"
        self.output.append(made)
        if kind.endswith("_output"):
            yield from self._answered(made)
        elif kind == "mcp_approval_request":
            self.approvals.append(made)
        elif kind not in NOT_TOOLS:
            if item.output_index not in self._tools:
                yield from self._added(item)
            yield from self._called(made, self._tools.pop(item.output_index))

    def _called(self, made: Any, call_id: str) -> Iterator[Item]:
        status: object = field(made, "status")
        if status == "incomplete":
            yield ToolEnd(call_id, error=CUT_OFF)
            return
        yield ToolCall(call_id, name_of(made), arguments_of(made))
        if field(made, "call_id"):
            self.calls[call_id] = FunctionCall(call_id, made)
            return
        picture: object = field(made, "result")
        if isinstance(picture, str) and field(made, "type") == "image_generation_call":
            yield File(_media_type(field(made, "output_format") or "png"), self._message, data=picture)
        failed = status == "failed" or field(made, "error") is not None
        yield ToolEnd(call_id, None if failed else result_of(made), TOOL_FAILED if failed else None)

    def _answered(self, made: Any) -> Iterator[Item]:
        """The output of a call, where the provider runs the tool in an item of its own."""
        given = field(made, "call_id")
        for call_id, call in list(self.calls.items()):
            if given is not None and field(call.item, "call_id") == given:
                del self.calls[call_id]
                output = dumped(made)
                yield ToolEnd(call_id, output.get("output", output.get("result")))

    def _partial_image(self, item: Any) -> Iterator[Item]:
        call_id = self._tools.get(item.output_index)
        value = {"call_id": call_id, "index": item.partial_image_index, "data": item.partial_image_b64}
        yield Data("partial_image", value, id=call_id, transient=True)

    # -- the end ----------------------------------------------------------------------------------------

    def _completed(self, item: Any) -> Iterator[Item]:
        response = item.response
        reason: str | None = field(field(response, "incomplete_details"), "reason")
        if reason is not None:
            finish = _FINISH.get(reason, reason)
        elif self._refused:
            finish = "refusal"
        else:
            finish = "tool_calls" if self.calls else "stop"
        yield from self._usage(response)
        if finish in {"length", "content_filter"}:
            yield from self._open()  # where nothing was said, the reason is still to be seen
        yield from self._closed(finish)
        self.response_id = field(response, "id") or self.response_id
        self.finish_reason = finish
        self._running = False
        self._complete = True

    def _usage(self, response: Any) -> Iterator[Item]:
        usage = field(response, "usage")
        if usage is not None:
            yield Usage(
                input_tokens=field(usage, "input_tokens") or 0,
                output_tokens=field(usage, "output_tokens") or 0,
                total_tokens=field(usage, "total_tokens") or 0,
                reasoning_tokens=field(field(usage, "output_tokens_details"), "reasoning_tokens") or 0,
                cached_tokens=field(field(usage, "input_tokens_details"), "cached_tokens") or 0,
                model=field(response, "model"),
            )

    def _failed(self, item: Any) -> Iterator[Item]:
        yield from self._usage(item.response)
        raise provider_error(field(field(item.response, "error"), "code"))

    def _error(self, item: Any) -> Iterator[Item]:
        raise provider_error(field(item, "code"))

    _HANDLERS: ClassVar[Mapping[str, Callable[[Any, Any], Iterable[Item]]]] = {
        "response.created": _created,
        "response.output_text.delta": _text,
        "response.refusal.delta": _refusal,
        "response.reasoning_text.delta": _reasoning,
        "response.reasoning_summary_text.delta": _reasoning,
        "response.output_text.annotation.added": _annotation,
        "response.content_part.done": _part_done,
        "response.output_item.added": _added,
        "response.function_call_arguments.delta": _args,
        "response.mcp_call_arguments.delta": _args,
        "response.custom_tool_call_input.delta": _args,
        "response.code_interpreter_call_code.delta": _args,
        "response.shell_call_command.delta": _args,
        "response.image_generation_call.partial_image": _partial_image,
        "response.output_item.done": _done,
        "response.completed": _completed,
        "response.incomplete": _completed,
        "response.failed": _failed,
        "error": _error,
    }


def _media_type(output_format: str) -> str:
    return "image/svg+xml" if output_format == "svg" else f"image/{output_format}"
