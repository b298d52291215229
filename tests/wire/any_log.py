"""Any log that a run may leave, as a Hypothesis strategy: what overlaps, what is cut off, what is void."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hypothesis import strategies as st

from unspool.events import (
    AnyEvent,
    Citation,
    Data,
    End,
    Error,
    File,
    Interrupt,
    MessageEnd,
    MessageStart,
    Reasoning,
    Record,
    Retry,
    Role,
    Start,
    State,
    StepEnd,
    StepStart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    Unknown,
    Usage,
)
from unspool.testing.codec import records_of

TROUBLE = (
    *("a", " ", "\n", "\r", "\r\n", "\n\n", "\u2028", "\u2029", "\u0085", "\x00", "\x0b", "\x1f", "\ufeff", "\t"),
    *('"', "\\", '","text":"', '"}\n\n', "data:", "data: ", "event: end\n", "id: 9\n", ":", "[DONE]", "[DO", "NE]"),
    *("😀", "é", "\U0010fffd", "\u200d", "{", "null", "__proto__"),
)
"""What texts are made of."""

IDS = ("1", "2", 'm","text":"', "é\u2028\n", "__proto__")
"""Few, so that an id comes again where it may."""

texts = st.lists(st.sampled_from(TROUBLE), min_size=1, max_size=3).map("".join)
_keys = st.sampled_from(("a", "ab", "type", "__proto__", "constructor", "prototype", "\u2028"))
_leaves = st.none() | st.booleans() | st.sampled_from((0, -1, 1.5, 2**53)) | texts
values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_keys, inner, max_size=2),
    max_leaves=3,
)
roles: st.SearchStrategy[Role] = st.sampled_from(("assistant", "assistant", "assistant", "user", "system", "tool"))

Ending = Literal["completed", "failed", "cancelled", "interrupted"]


@dataclass
class _World:
    """What is going on at one place of a log."""

    messages: dict[str, bool] = field(default_factory=dict[str, bool])  # by id: whether it is open
    calls: dict[str, Literal["begun", "called", "answered"]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict[str, str])
    args: dict[str, Any] = field(default_factory=dict[str, Any])
    steps: dict[str, tuple[str, str | None]] = field(default_factory=dict[str, tuple[str, str | None]])
    done_steps: int = 0
    state: Any = None
    interrupts: int = 0

    def copy(self) -> _World:
        return replace(
            self,
            messages=dict(self.messages),
            calls=dict(self.calls),
            names=dict(self.names),
            args=dict(self.args),
            steps=dict(self.steps),
        )

    def open_messages(self) -> list[str]:
        return [key for key, is_open in self.messages.items() if is_open]

    def calls_that(self, *phases: str) -> list[str]:
        return [key for key, phase in self.calls.items() if phase in phases]


class _Writer:
    """Draws one event after the other, each of which may follow what came before."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw
        self.world = _World()
        self.events: list[AnyEvent] = [Start("run-1", "agent", 1.0, input=draw(st.none() | texts))]
        self._worlds = [(1, self.world.copy())]  # after each event that counts
        self._attempt = 1

    def _one_of(self, found: Sequence[Any]) -> Any:
        return self._draw(st.sampled_from(found))

    def add(self) -> None:
        world = self.world
        can: list[Callable[[], AnyEvent]] = [
            *(self._message, self._message, self._step, self._state, self._data, self._other, self._retry),
            *([self._say] * 6 + [self._end_message] if world.open_messages() else [self._stray]),
            *([self._tool, self._tool] if len(world.calls) < len(IDS) else []),
            *([self._arguments, self._arguments, self._call] if world.calls_that("begun") else []),
            *([self._answer, self._answer] if world.calls_that("begun", "called") else []),
            *([self._end_step] if world.steps else []),
            *([self._ask] if world.calls_that("called") or self._draw(st.booleans()) else []),
        ]
        event = self._one_of(can)()
        self.events.append(event)
        if not isinstance(event, Retry):
            self._worlds.append((len(self.events), self.world.copy()))

    def end(self) -> None:
        ending: Ending | Literal["lost"] = self._one_of(
            ("completed", "completed", "failed", "cancelled", "interrupted", "lost")
        )
        if ending == "interrupted" and not self.world.interrupts:
            self.events.append(self._ask())
        if ending == "failed":
            self.events.append(Error("provider", self._draw(texts), retryable=True, detail=self._draw(values)))
        if ending == "lost":
            self.events.append(Error("lost", "The process that ran this run has died.", retryable=True))
        status: Ending = "failed" if ending == "lost" else ending
        self.events.append(End(status, self._draw(values) if status == "completed" else None))

    # -- messages ---------------------------------------------------------------------------------------

    def _message(self) -> AnyEvent:
        free = [key for key in IDS if key not in self.world.messages]
        if not free:
            return self._stray()
        message_id = free[0]
        self.world.messages[message_id] = True
        return MessageStart(message_id, self._draw(roles), self._one_of((None, None, "writer")))

    def _say(self) -> AnyEvent:
        kind: type[Token | Reasoning] = self._one_of((Token, Token, Reasoning))
        return kind(self._one_of(self.world.open_messages()), self._draw(texts))

    def _stray(self) -> AnyEvent:
        """Of a message that nothing begins, or that is over."""
        message_id: str = self._one_of([key for key in IDS if not self.world.messages.get(key)] or list(IDS))
        self.world.messages.setdefault(message_id, False)
        return Token(message_id, self._draw(texts))

    def _end_message(self) -> AnyEvent:
        message_id = self._one_of(self.world.open_messages())
        self.world.messages[message_id] = False
        return MessageEnd(message_id, self._one_of((None, "stop", "tool_calls", "end_turn", "x")))

    # -- tools ------------------------------------------------------------------------------------------

    def _tool(self) -> AnyEvent:
        """A call begins; or comes whole; or an answer comes to a call of an earlier run."""
        world = self.world
        call_id = next(key for key in IDS if key not in world.calls)
        world.names[call_id] = name = self._one_of(("add", "rm", "\u2028"))
        world.args[call_id] = None
        how = self._one_of(("begun", "begun", "called", "answered"))
        world.calls[call_id] = how
        if how == "begun":
            return ToolStart(call_id, name, self._one_of([None, *world.open_messages()]))
        if how == "called":
            world.args[call_id] = self._draw(values)
            return ToolCall(call_id, name, world.args[call_id])
        return self._ended(call_id)

    def _arguments(self) -> AnyEvent:
        return ToolArgs(self._one_of(self.world.calls_that("begun")), self._draw(texts))

    def _call(self) -> AnyEvent:
        call_id = self._one_of(self.world.calls_that("begun"))
        self.world.calls[call_id] = "called"
        self.world.args[call_id] = self._draw(values)
        return ToolCall(call_id, self.world.names[call_id], self.world.args[call_id])

    def _answer(self) -> AnyEvent:
        call_id = self._one_of(self.world.calls_that("begun", "called"))
        self.world.calls[call_id] = "answered"
        return self._ended(call_id)

    def _ended(self, call_id: str) -> ToolEnd:
        if self._draw(st.booleans()):
            return ToolEnd(call_id, self._draw(values))
        return ToolEnd(call_id, error=self._draw(texts))

    # -- steps, state and all else ----------------------------------------------------------------------

    def _step(self) -> AnyEvent:
        world = self.world
        step_id = f"s{world.done_steps + len(world.steps)}"
        parent = self._one_of([None, *world.steps])
        world.steps[step_id] = step = (self._one_of(("plan", "plan", "plan (2)", "\u2028")), parent)
        return StepStart(step_id, *step)

    def _end_step(self) -> AnyEvent:
        step_id = self._one_of(list(self.world.steps))
        self.world.done_steps += 1
        return StepEnd(step_id, *self.world.steps.pop(step_id))

    def _state(self) -> AnyEvent:
        world = self.world
        if isinstance(world.state, dict) and self._draw(st.booleans()):
            value = self._draw(values)
            world.state = {**world.state, "a": value}
            return State(patch=[{"op": "add", "path": "/a", "value": value}])
        world.state = self._draw(st.dictionaries(_keys, values, max_size=2) | values)
        return State(world.state)

    def _data(self) -> AnyEvent:
        name, data_id = self._one_of(("note", "\u2028")), self._one_of((None, "1", "2"))
        return Data(name, self._draw(values), data_id, self._draw(st.booleans()))

    def _other(self) -> AnyEvent:
        message_id: str = self._one_of(list(self.world.messages) or ["1"])
        self.world.messages.setdefault(message_id, False)
        found: AnyEvent = self._one_of(
            (
                Citation(message_id, url="https://example.org/\u2028", title=self._draw(st.none() | texts)),
                Citation(message_id, text=self._draw(texts), start=0, end=1),
                File("image/png", message_id, data="aGk=", name=self._draw(st.none() | texts)),
                File("text/plain", url="https://example.org/a"),
                Usage(1, 2, 3, 1, 1, model=self._one_of((None, "m"))),
                Unknown("novelty", {"type": "novelty", "x": self._draw(texts)}),
                Unknown("end_of", {"type": "end_of"}),
            )
        )
        return found

    def _ask(self) -> Interrupt:
        self.world.interrupts += 1
        interrupt_id = f"i{self.world.interrupts}"
        waiting = [call for call in self.world.calls_that("called") if self._draw(st.booleans())]
        if not waiting:
            return Interrupt(interrupt_id, self._draw(values))
        asked = [{"name": self.world.names[call], "args": self.world.args[call]} for call in waiting]
        allowed = [{"action_name": self.world.names[call], "allowed_decisions": ["approve"]} for call in waiting]
        return Interrupt(interrupt_id, {"action_requests": asked, "review_configs": allowed})

    def _retry(self) -> AnyEvent:
        keep = self._draw(st.integers(1, len(self.events)))
        self._worlds = [(seq, world) for seq, world in self._worlds if seq <= keep]
        self.world = self._worlds[-1][1].copy()
        self._attempt += 1
        return Retry(self._attempt, "lost", keep)


@st.composite
def any_log(draw: Callable[[st.SearchStrategy[Any]], Any], *, max_events: int = 24) -> list[Record]:
    """The records of a run that has ended, with so many events at most, and a few more for its start and its end."""
    writer = _Writer(draw)
    for _ in range(draw(st.integers(0, max_events))):
        writer.add()
    writer.end()
    return records_of(writer.events)
