"""What happens in a cell of the matrix: how each scenario is scripted, and what must have come of it in the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from unspool import RunOptions, Transcript
from unspool.events import Error, Interrupt, TextPart, ToolPart
from unspool.testing.script import CallTool, Drop, Piece, Say, Stall, Think

LONG = 10_000
TEXT = ("Hel", "lo, wörld 🌍.\n\ndata: [DONE]\n", "\u2028a ", "\u0085b", " end.")
ADD = CallTool("add", '{"a":', '1,"b":2}', call_id="call-1")
FAILING = CallTool("fail", '{"why":"x"}', call_id="call-1")
SEND = CallTool("send", '{"to":"Ada"}', call_id="call-1")
AGREED: Mapping[str, Any] = {"decisions": [{"type": "approve"}]}


ONCE = RunOptions(retries=0)


@dataclass(frozen=True)
class ToolUse:
    """A tool call as a client has it. ``failed``: with an error instead of a result, and ``result`` is its message."""

    call_id: str
    name: str
    args: Any
    result: Any = None
    failed: bool = False


@dataclass
class Assembled:
    """What a reader has in the end. ``asked``: the values of the interrupts."""

    text: str = ""
    reasoning: str = ""
    tools: list[ToolUse] = field(default_factory=list)
    status: str = ""
    error: str | None = None
    asked: list[Any] = field(default_factory=list)

    def only(self, carried: frozenset[str]) -> dict[str, Any]:
        """The members that a protocol carries."""
        return {name: getattr(self, name) for name in sorted(carried)}


def assembled(transcript: Transcript) -> Assembled:
    """What a transcript holds."""
    parts = [part for message in transcript.messages if message.role == "assistant" for part in message.parts]
    texts = [part for part in parts if isinstance(part, TextPart)]
    return Assembled(
        text="".join(part.text for part in texts if part.kind == "text"),
        reasoning="".join(part.text for part in texts if part.kind == "reasoning"),
        tools=[
            ToolUse(part.call_id, part.name, part.args, part.error or part.result, part.status == "failed")
            for part in parts
            if isinstance(part, ToolPart)
        ],
        status=transcript.status,
        error=_message(transcript.error),
        asked=[_value(interrupt) for interrupt in transcript.interrupts],
    )


def together(first: Assembled, second: Assembled) -> Assembled:
    """A run that asked, and the one that went on with the answer, as one message has them."""
    used = {tool.call_id: tool for tool in [*first.tools, *second.tools]}
    return Assembled(
        text=first.text + second.text,
        reasoning=first.reasoning + second.reasoning,
        tools=list(used.values()),
        status=second.status,
        error=second.error,
        asked=second.asked,
    )


def _message(error: Error | None) -> str | None:
    return None if error is None else error.message


def _value(interrupt: Interrupt) -> Any:
    return interrupt.value


@dataclass(frozen=True)
class Scenario:
    """One situation.

    Attributes:
        short: For the heads of tables.
        title: For their legend.
        turns: What the model says, turn by turn.
        holds: What must be true of what the log has; else a reader that shows nothing would be right.
        options: Of the agent's runs.
    """

    name: str
    short: str
    title: str
    turns: tuple[list[Piece], ...]
    holds: Callable[[Assembled], bool]
    options: RunOptions = ONCE


def _used(found: Assembled, name: str, *, failed: bool) -> bool:
    return bool(found.tools) and found.tools[0].name == name and found.tools[0].failed is failed


_ALL = [
    Scenario(
        "text",
        "text",
        "text, with line ends, `[DONE]` and U+2028 in it",
        ([Say(*TEXT)],),
        lambda found: found.text == "".join(TEXT) and found.status == "completed",
    ),
    Scenario(
        "reasoning",
        "reasoning",
        "reasoning before the text",
        ([Think("Let me ", "see."), Say("Yes.")],),
        lambda found: (found.reasoning, found.text) == ("Let me see.", "Yes."),
    ),
    Scenario(
        "tool",
        "tool call",
        "a tool call with its result",
        ([ADD], [Say("It is ", "3.")]),
        lambda found: _used(found, "add", failed=False) and found.text == "It is 3.",
    ),
    Scenario(
        "tool_error",
        "tool error",
        "a tool call that fails",
        ([FAILING], [Say("It failed.")]),
        lambda found: _used(found, "fail", failed=True),
    ),
    Scenario(
        "upstream_error",
        "upstream error",
        "a provider whose connection breaks in the middle",
        ([Say("Half ", "of it"), Drop()],),
        lambda found: found.text == "Half of it" and found.status == "failed" and bool(found.error),
    ),
    Scenario(
        "cancel",
        "cancel",
        "a run that is cancelled in the middle",
        ([Say("Half ", "of it"), Stall()],),
        lambda found: found.text == "Half of it" and found.status == "cancelled",
    ),
    Scenario(
        "timeout",
        "timeout",
        "a run that takes too long",
        ([Say("Half ", "of it"), Stall()],),
        lambda found: found.text == "Half of it" and found.status == "failed" and bool(found.error),
        RunOptions(retries=0, idle_timeout=1.0),
    ),
    Scenario(
        "interrupt",
        "interrupt",
        "a run that asks a person, and goes on with the answer",
        ([SEND], [Say("Sent.")]),
        lambda found: bool(found.asked) and found.status == "interrupted",
    ),
    Scenario(
        "cut",
        "resume",
        "a connection that is lost in the middle, and made anew",
        ([Say("one ", "two "), Stall(), Say(*(f"{number} " for number in range(3, 40)))],),
        lambda found: found.text.startswith("one two 3 4 ") and found.text.endswith(" 39 "),
    ),
    Scenario(
        "long",
        "10,000 tokens",
        "an answer of 10,000 tokens; each source is read by one client, and each client reads one source",
        ([Say(*(f"{number} " for number in range(LONG)))],),
        lambda found: found.text == "".join(f"{number} " for number in range(LONG)),
    ),
]

SCENARIOS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in _ALL}
