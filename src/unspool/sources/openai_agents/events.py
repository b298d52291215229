"""What the runs of the OpenAI Agents SDK stream, as events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import msgspec

from unspool.events import (
    MessageEnd,
    MessageStart,
    StepEnd,
    StepStart,
    Token,
    ToolCall,
    ToolEnd,
    ToolStart,
    Usage,
    plain,
)
from unspool.sources.approvals import REJECTED
from unspool.sources.base import TOOL_FAILED, Item
from unspool.sources.conversation import NOT_COMPLETED
from unspool.sources.ids import Ids
from unspool.sources.openai.responses_events import ResponsesTranslation
from unspool.sources.openai.responses_items import field, name_of, parsed
from unspool.sources.translation import Translation

FAILED_TEXT = "An error occurred while running the tool"
"""How the text begins that the SDK gives the model for a tool that raised. There is no flag; and versions before 0.24
put the exception's own text behind it."""

IS_ERROR = "unspool_is_error"
"""Where a run notes, in the custom data of a tool's output, that an MCP server flagged the output as an error."""


class AgentsTranslation(Translation):
    """The items of ``RunResultStreaming.stream_events()`` in, events out.

    Each agent that works is a step, from when it takes over until another does. A hand-off is shown as what it is to
    the model, the call of a tool: its arguments may hold what the next agent is told.

    Args:
        ids: Makes the ids.
        parent_id: The step that the agents work in, if they are another agent's tool.
    """

    def __init__(self, ids: Ids, *, parent_id: str | None = None) -> None:
        self.used = Usage()
        """What the model calls took so far."""
        self.past: dict[str, tuple[str, Any]] = {}
        """Name and arguments of the calls that the run goes on with, by the provider's id; shown when they go on."""
        self.rejected: set[str] = set()
        """Those of them that a person rejected."""
        self._ids = ids
        self._responses = ResponsesTranslation(ids)
        self._parent = parent_id
        self._step: StepStart | None = None
        self._streamed = False
        self._spoke = False
        self._message: str | None = None
        self._calls: dict[str, str] = {}
        self._open: dict[str, None] = {}
        self._early: dict[str, list[Callable[[str], Iterator[Item]]]] = {}
        self._inner: dict[str, AgentsTranslation] = {}

    def feed(self, item: Any) -> Iterator[Item]:
        """The events of one item.

        Raises:
            SourceError: The model call failed.
        """
        match item.type:
            case "raw_response_event":
                yield from self._raw(item.data)
            case "run_item_stream_event":
                yield from self._item(item.name, item.item)
            case "agent_updated_stream_event":
                yield from self._works(item.new_agent.name)
            case _:
                pass

    def _raw(self, data: Any) -> Iterator[Item]:
        self._streamed = True
        for event in self._responses.feed(data):
            yield event
            match event:
                case Token():
                    self._spoke = True
                case MessageStart():
                    self._message = event.message_id
                case MessageEnd():
                    self._message = None
                case ToolStart():
                    self._open[event.call_id] = None
                    self._calls[key_of(data.item)] = event.call_id
                case ToolCall():
                    yield from self._called(key_of(data.item), event.call_id)
                case ToolEnd():
                    self._open.pop(event.call_id, None)
                case Usage():
                    self.used = _sum(self.used, event)
                case _:
                    pass

    def _works(self, name: str) -> Iterator[Item]:
        if self._step is None or self._step.name != name:
            yield from self._left()
            self._responses.name = name
            self._step = StepStart(self._ids.message(), name, self._parent)
            yield self._step

    def _left(self) -> Iterator[Item]:
        if self._step is not None:
            yield StepEnd(self._step.step_id, self._step.name, self._step.parent_id)
            self._step = None

    def _item(self, name: str, item: Any) -> Iterator[Item]:
        raw = item.raw_item
        match name:
            case "message_output_created":
                if not self._spoke:
                    yield from self._whole(raw)
                self._spoke = False
            case "tool_called" | "handoff_requested":
                if key_of(raw) not in self._calls:
                    yield from self._again(key_of(raw), name_of(raw), parsed(field(raw, "arguments")))
            case "tool_output":
                yield from self.ended(
                    key_of(raw), item.output, failed=bool(field(field(item, "custom_data"), IS_ERROR))
                )
            case "handoff_occured":
                yield from self.ended(key_of(raw), parsed(field(raw, "output")))
            case _:
                pass

    def _whole(self, raw: Any) -> Iterator[Item]:
        """A message that was not streamed: the model cannot, or the SDK wrote it itself."""
        texts = [field(part, "text") or field(part, "refusal") for part in field(raw, "content") or ()]
        text = "".join(text for text in texts if text)
        if text:
            message_id = self._ids.message()
            yield MessageStart(message_id, name=self._responses.name)
            yield Token(message_id, text)
            yield MessageEnd(message_id)

    # -- tools: ``key`` is the provider's id of a call ----------------------------------------------------

    def started(self, key: str) -> Iterator[Item]:
        """A tool begins to run: shown here if its call was shown by the run that this one goes on with."""
        if key not in self._calls and key in self.past:
            yield from self._again(key, *self.past[key])

    def ended(self, key: str, output: object, *, failed: bool = False) -> Iterator[Item]:
        """A tool answered. What is told twice is shown once.

        Args:
            key: Its call.
            output: What it returned, or what the model is told instead.
            failed: The tool says so of itself.
        """
        result = _result(output)
        if key in self.rejected:
            end = ToolEnd("", error=REJECTED)
        elif failed or (isinstance(result, str) and result.startswith(FAILED_TEXT)):
            end = ToolEnd("", error=TOOL_FAILED)
        else:
            end = ToolEnd("", result)
        yield from self._once_called(key, lambda call_id: self._closed(call_id, end))

    def nested(self, key: str, item: Any) -> Iterator[Item]:
        """The events of an item of the agent that is this tool."""
        yield from self._once_called(key, lambda call_id: self._inside(call_id, item))

    def _once_called(self, key: str, then: Callable[[str], Iterator[Item]]) -> Iterator[Item]:
        """A tool may be faster than the stream in which its call is told."""
        yield from self.started(key)
        if key in self._calls:
            yield from then(self._calls[key])
        else:
            self._early.setdefault(key, []).append(then)

    def _again(self, key: str, name: str, args: Any) -> Iterator[Item]:
        call_id = self._calls[key] = self._ids.call(key)
        self._open[call_id] = None
        yield ToolStart(call_id, name)
        yield ToolCall(call_id, name, args)
        yield from self._called(key, call_id)

    def _called(self, key: str, call_id: str) -> Iterator[Item]:
        for then in self._early.pop(key, ()):
            yield from then(call_id)

    def _inside(self, call_id: str, item: Any) -> Iterator[Item]:
        if call_id not in self._inner:
            step = None if self._step is None else self._step.step_id
            self._inner[call_id] = AgentsTranslation(self._ids, parent_id=step)
            self._inner[call_id].past, self._inner[call_id].rejected = self.past, self.rejected
        yield from self._inner[call_id].feed(item)

    def _closed(self, call_id: str, end: ToolEnd) -> Iterator[Item]:
        if call_id not in self._open:
            return
        yield from self._inner_end(call_id)
        self._responses.calls.pop(call_id, None)
        del self._open[call_id]
        yield msgspec.structs.replace(end, call_id=call_id)

    def _inner_end(self, call_id: str) -> Iterator[Item]:
        inner = self._inner.pop(call_id, None)
        if inner is not None:
            yield from inner.end()
            self.used = _sum(self.used, inner.used)

    # -- the end ----------------------------------------------------------------------------------------

    def end(self, *, waits: bool = False) -> Iterator[Item]:
        """What closes all that is open.

        Args:
            waits: For a person. The calls that are open then stay so, for another run to end them.

        Raises:
            SourceError: The stream ended before the model was done.
        """
        if waits:
            for inner in self._inner.values():
                yield from inner.end(waits=True)
            self._open.clear()
        for call_id in list(self._open):
            yield from self._closed(call_id, ToolEnd("", error=NOT_COMPLETED))
        self._responses.calls.clear()
        if self._parent is None and self._streamed:
            yield from self._responses.end()
        elif self._message is not None:  # an agent that is a tool, and that failed: only the tool has
            yield MessageEnd(self._message)
        yield from self._left()


def key_of(raw: Any) -> str:
    """The provider's id of a call. Not the id of its item, if it has both: chat backends send the same for all."""
    return str(field(raw, "call_id") or field(raw, "id"))


def _result(output: object) -> Any:
    """What a tool returned; the text, where it is one block of text, as MCP servers send it."""
    value: Any = plain(output)
    if isinstance(value, dict) and cast("dict[str, Any]", value).get("type") == "text" and "text" in value:
        return value["text"]
    return value


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.total_tokens + other.total_tokens,
        one.reasoning_tokens + other.reasoning_tokens,
        one.cached_tokens + other.cached_tokens,
    )
