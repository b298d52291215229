"""The items of a plain function as events: what ``str``, ``dict`` and event structs mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from unspool.errors import InvalidInput, MalformedBody
from unspool.events import (
    AnyEvent,
    Data,
    End,
    MessageEnd,
    MessageStart,
    Reasoning,
    Retry,
    Start,
    StepEnd,
    StepStart,
    Token,
    ToolCall,
    ToolEnd,
    ToolStart,
    Unknown,
    from_dict,
)
from unspool.sources.base import Item, Keep, Output
from unspool.sources.ids import Ids
from unspool.sources.translation import Translations


class Items:
    """Turns the items of one run into events, and sees to it that what is opened is closed.

    ``str`` is text of the current message, which begins with the first of them. A ``dict`` whose ``type`` is that
    of an event is that event; any other is a ``data`` event named ``data``. An event is itself. A token of a
    message that was never started starts it. What the stream of a known SDK yields is translated, as its own source
    does it. What is still open at a normal end is closed then.

    Args:
        run_id: Message ids are made from it, so that they are the same whenever the log is read.
    """

    def __init__(self, run_id: str) -> None:
        self._ids = Ids(run_id)
        self._translations = Translations(self._ids)
        self._current: str | None = None
        self._messages: dict[str, None] = {}
        self._tools: dict[str, None] = {}
        self._ended: set[str] = set()
        self._steps: dict[str, StepStart] = {}

    def text(self, text: str) -> Iterator[AnyEvent]:
        """The events of a piece of text."""
        if not text:
            return
        if self._current is None:
            self._current = self._ids.message()
            self._messages[self._current] = None
            yield MessageStart(self._current)
        yield Token(self._current, text)

    @property
    def current(self) -> str | None:
        """The message that text goes to; None where the next text opens one."""
        return self._current

    def events(self, item: object) -> Iterator[Item]:
        """The events that one item means.

        Raises:
            InvalidInput: It means nothing, or something that only the run itself may say.
        """
        if isinstance(item, str):
            yield from self.text(item)
        elif isinstance(item, dict):
            yield from self._known(self._from_dict(cast("dict[str, Any]", item)))
        elif isinstance(item, Output | Keep):
            yield item
        elif isinstance(item, AnyEvent):
            yield from self._known(item)
        else:
            translation = self._translations.of(item)
            if translation is None:
                raise InvalidInput(
                    f"a source yielded a {type(item).__name__}; it may yield str, dict, events, Output, Keep, and what "
                    "the streams of the SDKs yield that Unspool knows"
                )
            yield from translation.feed(item)

    def _from_dict(self, item: dict[str, Any]) -> AnyEvent:
        kind: object = item.get("type")
        if not isinstance(kind, str):
            return Data("data", item)
        try:
            event = from_dict(item)
        except MalformedBody as exc:
            raise InvalidInput(f"a source yielded an event that is not valid: {exc.message}") from exc
        return Data("data", item) if isinstance(event, Unknown) else event

    def _known(self, event: AnyEvent) -> Iterator[AnyEvent]:
        if isinstance(event, Start | Retry | End):
            raise InvalidInput(f"a source must not yield {type(event).__name__} events: they belong to the run")
        if isinstance(event, Token | Reasoning):
            if not event.text:
                return
            if event.message_id not in self._messages:
                self._messages[event.message_id] = None
                yield MessageStart(event.message_id)
        self._track(event)
        yield event

    def _track(self, event: AnyEvent) -> None:
        match event:
            case MessageStart():
                self._messages[event.message_id] = None
                self._current = event.message_id
            case MessageEnd():
                self._messages.pop(event.message_id, None)
                if self._current == event.message_id:
                    self._current = None
            case ToolStart() | ToolCall():
                self._tools[event.call_id] = None
            case ToolEnd():
                self._tools.pop(event.call_id, None)
                self._ended.add(event.call_id)
            case StepStart():
                self._steps[event.step_id] = event
            case StepEnd():
                self._steps.pop(event.step_id, None)
            case _:
                pass

    def close(self) -> Iterator[Item]:
        """The events that close what is open, the innermost first."""
        for item in self._translations.end():
            # A function that reads a model's stream may run the tools that the model calls, and say so itself.
            if not (isinstance(item, ToolEnd) and item.call_id in self._ended):
                yield item
        for call_id in reversed(list(self._tools)):
            yield ToolEnd(call_id)
        for message_id in reversed(list(self._messages)):
            yield MessageEnd(message_id)
        for step in reversed(list(self._steps.values())):
            yield StepEnd(step.step_id, step.name, step.parent_id)
