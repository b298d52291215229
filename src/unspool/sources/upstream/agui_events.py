"""AG-UI's events as ours. Pure: JSON objects in, events out.

The chunk forms of a message, a tool call or a reasoning message are closed by whatever else comes. Legacy
``THINKING_`` events are read as the ``REASONING_`` events that took their place in 1.0.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, cast

import msgspec

from unspool.errors import SourceError, provider_error
from unspool.events import (
    Data,
    Interrupt,
    MessageEnd,
    MessageStart,
    Reasoning,
    Role,
    State,
    StepEnd,
    StepStart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolPart,
    ToolStart,
    Usage,
)
from unspool.sources.approvals import ALL, Action, asking
from unspool.sources.base import NOT_RUN, Item, Keep, Output
from unspool.sources.conversation import NOT_COMPLETED
from unspool.sources.ids import Ids
from unspool.sources.upstream.http import CLOSED_EARLY

logger = logging.getLogger("unspool")

_ROLES: Mapping[str, Role] = {"assistant": "assistant", "user": "user", "system": "system", "developer": "system"}

Fields = Mapping[str, Any]


class _Tool:
    """A tool call of this run."""

    __slots__ = ("args", "call_id", "called", "ended", "name", "parsed")

    def __init__(self, call_id: str, name: str) -> None:
        self.call_id = call_id
        self.name = name
        self.args: list[str] = []
        self.parsed: Any = None
        self.called = False
        self.ended = False


class AguiTranslation:
    """The events of one run.

    Thinking that comes before a message becomes a part of that message, as our own sources have it.

    Args:
        ids: Makes the ids of messages and calls.
        earlier: Tool calls that an earlier run left to this one, by id: their results may come without a start.

    Attributes:
        finished: Whether the run is over; what may still follow means nothing.
    """

    def __init__(self, ids: Ids, earlier: Mapping[str, ToolPart] | None = None) -> None:
        self.finished = False
        self._ids = ids
        self._earlier = earlier or {}
        self._messages: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._thinking: str | None = None
        self._tools: dict[str, _Tool] = {}
        self._steps: list[tuple[str, str]] = []
        self._step_count = 0
        self._chunk: tuple[str, str] | None = None

    def feed(self, event: Fields) -> Iterable[Item]:
        """The events of one event of AG-UI.

        Raises:
            SourceError: The run failed, or was cancelled.
        """
        kind = str(event.get("type"))
        if kind == "TEXT_MESSAGE_CONTENT" and self._chunk is None:  # the path of every token
            message_id, text = self._texts.get(str(event.get("messageId"))), event.get("delta")
            if message_id is not None and type(text) is str:
                return (Token(message_id, text),) if text else ()
        handler = self._HANDLERS.get(kind)
        if handler is not None:
            return self._handled(kind, handler, event)
        return () if kind in _SILENT else (self._other(kind, event),)

    def end(self) -> Iterable[Item]:
        """Nothing, if the run is over.

        Raises:
            SourceError: It is not.
        """
        if not self.finished:
            raise SourceError(CLOSED_EARLY, retryable=True)
        return ()

    def _handled(self, kind: str, handler: Callable[[Any, Fields], Iterable[Item]], event: Fields) -> Iterator[Item]:
        try:
            if self._chunk is not None and kind != self._chunk[0]:
                yield from self._close_chunk()
            yield from handler(self, event)
        except (KeyError, TypeError, AttributeError) as exc:
            raise SourceError("The upstream sent an event that cannot be understood.") from exc

    def _other(self, kind: str, event: Fields) -> Data:
        """What has no event of ours: activities, sub-agents, and what later versions add."""
        value = {name: item for name, item in event.items() if name not in {"type", "timestamp", "rawEvent"}}
        return Data(kind.lower(), value)

    # -- text -------------------------------------------------------------------------------------------

    def _text_start(self, event: Fields) -> Iterator[Item]:
        given: str = event["messageId"]
        role = _ROLES.get(event.get("role") or "assistant", "assistant")
        if self._thinking is not None and role == "assistant":
            message_id, self._thinking = self._thinking, None
        else:
            yield from self._end_thinking()
            message_id = self._ids.message()
            yield MessageStart(message_id, role, event.get("name"))
        self._messages[given] = self._texts[given] = message_id

    def _text(self, event: Fields) -> Iterator[Item]:
        if event["messageId"] not in self._texts:
            yield from self._text_start(event)
        if event["delta"]:
            yield Token(self._texts[event["messageId"]], event["delta"])

    def _text_end(self, event: Fields) -> Iterator[Item]:
        message_id = self._texts.pop(event["messageId"], None)
        if message_id is not None:
            yield MessageEnd(message_id)

    def _text_chunk(self, event: Fields) -> Iterator[Item]:
        given: str | None = event.get("messageId")
        if self._chunk is None or given not in {None, self._chunk[1]}:
            yield from self._close_chunk()
            if given is None:
                raise KeyError("messageId")
            self._chunk = ("TEXT_MESSAGE_CHUNK", given)
            yield from self._text_start(event)
        if event.get("delta"):
            yield from self._text({"messageId": self._chunk[1], "delta": event["delta"]})

    def _close_chunk(self) -> Iterator[Item]:
        if self._chunk is not None:
            (kind, given), self._chunk = self._chunk, None
            if kind == "TEXT_MESSAGE_CHUNK":
                yield from self._text_end({"messageId": given})
            else:
                yield from self._called(self._tools[given])

    # -- thinking ---------------------------------------------------------------------------------------

    def _think(self, event: Fields) -> Iterator[Item]:
        if not event.get("delta"):
            return
        if self._thinking is None:
            self._thinking = self._ids.message()
            yield MessageStart(self._thinking)
        yield Reasoning(self._thinking, event["delta"])

    def _end_thinking(self) -> Iterator[Item]:
        if self._thinking is not None:
            message_id, self._thinking = self._thinking, None
            yield MessageEnd(message_id)

    # -- tools ------------------------------------------------------------------------------------------

    def _tool_start(self, event: Fields) -> Iterator[Item]:
        given: str = event["toolCallId"]
        parent: object = event.get("parentMessageId")
        message_id = self._messages.get(parent) if isinstance(parent, str) else None
        message_id = message_id or self._thinking
        yield from self._end_thinking()
        before = self._tools.get(given)
        if before is not None and not before.ended:
            yield from self._ended(before, error=NOT_RUN)
        tool = self._tools[given] = _Tool(self._ids.call(given), event["toolCallName"])
        yield ToolStart(tool.call_id, tool.name, message_id)

    def _tool_args(self, event: Fields) -> Iterator[Item]:
        tool = self._tools[event["toolCallId"]]
        if event["delta"] and not tool.called:
            tool.args.append(event["delta"])
            yield ToolArgs(tool.call_id, event["delta"])

    def _tool_end(self, event: Fields) -> Iterator[Item]:
        yield from self._called(self._tools[event["toolCallId"]])

    def _called(self, tool: _Tool) -> Iterator[Item]:
        if not tool.called:
            tool.called = True
            tool.parsed = _parsed("".join(tool.args))
            yield ToolCall(tool.call_id, tool.name, tool.parsed)

    def _tool_chunk(self, event: Fields) -> Iterator[Item]:
        given: str | None = event.get("toolCallId")
        if self._chunk is None or given not in {None, self._chunk[1]}:
            yield from self._close_chunk()
            if given is None:
                raise KeyError("toolCallId")
            self._chunk = ("TOOL_CALL_CHUNK", given)
            yield from self._tool_start(event)
        if event.get("delta"):
            yield from self._tool_args({"toolCallId": self._chunk[1], "delta": event["delta"]})

    def _tool_result(self, event: Fields) -> Iterator[Item]:
        given: str = event["toolCallId"]
        tool = self._tools.get(given)
        if tool is None or tool.ended:
            left = self._earlier.get(given)
            tool = self._tools[given] = _Tool(self._ids.call(given), "tool" if left is None else left.name)
            yield ToolStart(tool.call_id, tool.name)
            if left is not None:
                tool.args.append(msgspec.json.encode(left.args).decode())
        content: object = event["content"]
        # AG-UI has text only. What begins like an object or a list was one; "42" may well be a text.
        is_json = isinstance(content, str) and content[:1] in {"{", "["}
        yield from self._ended(tool, result=_parsed(cast("str", content)) if is_json else content)

    def _ended(self, tool: _Tool, *, result: Any = None, error: str | None = None) -> Iterator[Item]:
        yield from self._called(tool)
        tool.ended = True
        yield ToolEnd(tool.call_id, result, error)

    # -- steps, state and the source's own --------------------------------------------------------------

    def _step_start(self, event: Fields) -> Iterator[Item]:
        self._step_count += 1
        step_id = f"step-{self._step_count}"
        parent = self._steps[-1][0] if self._steps else None
        self._steps.append((step_id, event["stepName"]))
        yield StepStart(step_id, event["stepName"], parent)

    def _step_end(self, event: Fields) -> Iterator[Item]:
        for step_id, name in reversed(self._steps):
            if name == event["stepName"]:
                self._steps.remove((step_id, name))
                yield StepEnd(step_id, name)
                return

    def _snapshot(self, event: Fields) -> Iterator[Item]:
        yield State(snapshot=event["snapshot"])

    def _delta(self, event: Fields) -> Iterator[Item]:
        yield State(patch=event["delta"])

    def _custom(self, event: Fields) -> Iterator[Item]:
        yield Data(str(event["name"]), event.get("value"))

    def _raw(self, event: Fields) -> Iterator[Item]:
        yield Data("raw", event.get("event"))

    # -- the end ----------------------------------------------------------------------------------------

    def _error(self, event: Fields) -> Iterator[Item]:
        self.finished = True
        yield from _usage(event)
        # Its text may be anything, an exception's own for example.
        logger.warning("the upstream's run failed: %s", str(event.get("message"))[:1000])
        code: object = event.get("code")
        raise provider_error(code if isinstance(code, str) else None)

    def _finish(self, event: Fields) -> Iterator[Item]:
        self.finished = True
        outcome: Fields = event.get("outcome") or {}
        interrupts: list[Fields] = outcome.get("interrupts") or []
        waiting = {interrupt.get("toolCallId") for interrupt in interrupts}
        yield from self._end_thinking()
        for given in list(self._texts):
            yield from self._text_end({"messageId": given})
        for given, tool in self._tools.items():
            if not tool.ended:
                yield from self._ended(tool, error=NOT_COMPLETED if given in waiting else NOT_RUN)
        for step_id, name in reversed(self._steps):
            yield StepEnd(step_id, name)
        yield from _usage(event)
        if outcome.get("type") == "cancelled":
            raise SourceError("The upstream's run was cancelled.", code="cancelled")
        if interrupts:
            yield Keep(
                {"waiting": {i["id"]: self._call_id(i["toolCallId"]) for i in interrupts if i.get("toolCallId")}}
            )
            for interrupt in interrupts:
                yield Interrupt(interrupt["id"], self._question(interrupt))
        elif event.get("result") is not None:
            yield Output(event["result"])

    def _call_id(self, given: str) -> str:
        tool = self._tools.get(given)
        return given if tool is None else tool.call_id

    def _question(self, interrupt: Fields) -> dict[str, Any]:
        """What a person is asked: the approval of a tool call in the form that our other sources use, or as it is."""
        properties: Fields = (interrupt.get("responseSchema") or {}).get("properties") or {}
        if "approved" not in properties or not interrupt.get("toolCallId"):
            names = ("reason", "message", "responseSchema", "expiresAt", "metadata")
            return {name: interrupt[name] for name in names if interrupt.get(name) is not None}
        tool = self._tools.get(interrupt["toolCallId"])
        name = "tool" if tool is None else tool.name
        action = Action(name, {} if tool is None else tool.parsed, interrupt.get("message"))
        return asking([action], allowed=ALL if "editedArgs" in properties else ("approve", "reject"))

    _HANDLERS: ClassVar[Mapping[str, Callable[[Any, Fields], Iterable[Item]]]] = {
        "TEXT_MESSAGE_START": _text_start,
        "TEXT_MESSAGE_CONTENT": _text,
        "TEXT_MESSAGE_END": _text_end,
        "TEXT_MESSAGE_CHUNK": _text_chunk,
        "REASONING_MESSAGE_CONTENT": _think,
        "REASONING_MESSAGE_CHUNK": _think,
        "THINKING_TEXT_MESSAGE_CONTENT": _think,
        "TOOL_CALL_START": _tool_start,
        "TOOL_CALL_ARGS": _tool_args,
        "TOOL_CALL_END": _tool_end,
        "TOOL_CALL_CHUNK": _tool_chunk,
        "TOOL_CALL_RESULT": _tool_result,
        "STEP_STARTED": _step_start,
        "STEP_FINISHED": _step_end,
        "STATE_SNAPSHOT": _snapshot,
        "STATE_DELTA": _delta,
        "CUSTOM": _custom,
        "RAW": _raw,
        "RUN_ERROR": _error,
        "RUN_FINISHED": _finish,
    }


_SILENT = frozenset(
    {
        "RUN_STARTED",
        "MESSAGES_SNAPSHOT",
        "REASONING_START",
        "REASONING_MESSAGE_START",
        "REASONING_MESSAGE_END",
        "REASONING_END",
        "REASONING_ENCRYPTED_VALUE",
        "THINKING_START",
        "THINKING_TEXT_MESSAGE_START",
        "THINKING_TEXT_MESSAGE_END",
        "THINKING_END",
    }
)
"""What says nothing that a client needs: what begins and ends is known from what comes."""


def _parsed(text: str) -> Any:
    try:
        return msgspec.json.decode(text) if text else {}
    except (msgspec.DecodeError, RecursionError):
        return text


def _usage(event: Fields) -> Iterator[Item]:
    for usage in cast("list[Fields]", event.get("usage") or []):
        asked, answered = usage.get("inputTokens") or 0, usage.get("outputTokens") or 0
        yield Usage(
            input_tokens=asked,
            output_tokens=answered,
            total_tokens=usage.get("totalTokens") or asked + answered,
            reasoning_tokens=usage.get("reasoningTokens") or 0,
            cached_tokens=usage.get("cachedInputTokens") or 0,
            model=usage.get("model"),
        )
