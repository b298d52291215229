"""Tool calls and their results in AG-UI. A call belongs to a message, and a result is a message of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from unspool.events import ToolArgs, ToolCall, ToolEnd, ToolStart
from unspool.wire.ag_ui_fields import frame
from unspool.wire.ag_ui_said import Said
from unspool.wire.ag_ui_texts import Texts
from unspool.wire.ag_ui_told import Told


class OpenCall(NamedTuple):
    """A tool call that has no result."""

    call_id: str
    name: str
    args: Any


class Tools:
    """The tool calls of a run. Its methods return the bytes that tell of an event.

    Args:
        run_id: The run.
        told: What the client was told.
        texts: The messages that the calls belong to.
        resumes: Whether the run answers interrupts: calls that the client knows go on, and do not begin again.
    """

    def __init__(self, run_id: str, told: Told, texts: Texts, *, resumes: bool) -> None:
        self._run_id = run_id
        self._told = told
        self._texts = texts
        self._known = _call_ids(told.before)
        self._earlier = _unanswered(told.before) if resumes else {}
        self._resumes = resumes
        self._calls: dict[str, Said] = {}

    def _call(self, call_id: str, seq: int, name: str = "", message_id: str | None = None) -> tuple[Said, bytes]:
        """The call of that id, and what tells of it where it is new."""
        said = self._calls.get(call_id)
        if said is not None:
            return said, b""
        speaker = message_id or self._texts.speaker or f"{call_id}-message"
        parent = self._texts.message(speaker, seq)
        if parent.role != "assistant":  # AG-UI has calls in messages of the assistant alone
            parent = self._texts.message(f"{call_id}-message", seq)
        before = self._texts.end_thinking(speaker)
        shown = self._shown(call_id)
        said_id = call_id if call_id not in self._known else f"{self._run_id}:{call_id}"
        said = self._calls[call_id] = Said(seq, "call", shown or said_id, name=name, parent=parent.id)
        if shown is not None:
            said.done = seq
            return said, before
        self._told.said.append(said)
        return said, before + self._told.begin(said)

    def _shown(self, call_id: str) -> str | None:
        """What the client calls a tool call that it knows already, and that goes on in this run."""
        if not self._resumes:
            return None
        waiting = [known for known in self._earlier if known == call_id or known.endswith(f":{call_id}")]
        return waiting[-1] if waiting else call_id if call_id in self._known else None

    def start(self, event: ToolStart, seq: int) -> bytes:
        """The model begins to call."""
        return self._call(event.call_id, seq, event.name, event.message_id)[1]

    def arguments(self, event: ToolArgs, seq: int) -> bytes:
        """A fragment of the arguments."""
        said, begun = self._call(event.call_id, seq)
        return begun if said.done else begun + self._told.add(said, event, seq)

    def call(self, event: ToolCall, seq: int) -> bytes:
        """The arguments are complete."""
        said, begun = self._call(event.call_id, seq, event.name)
        if said.done:
            return begun
        if not said.growing:
            text = msgspec.json.encode(event.args).decode()
            begun += self._told.add(said, ToolArgs(event.call_id, text), seq)
        said.done = seq
        return begun + self._told.end(said)

    def end(self, event: ToolEnd, seq: int) -> bytes:
        """The tool answered."""
        call, begun = self._call(event.call_id, seq)
        ended = self._told.end(call)
        result = event.result if event.error is None else event.error
        content = result if isinstance(result, str) else msgspec.json.encode(result).decode()
        said = Said(seq, "result", self._told.next_id(), parent=call.id)
        said.growing.add([seq], [msgspec.json.encode(content)])
        self._told.said.append(said)
        failed = {} if event.error is None else {"metadata": {"error": event.error}}
        answer = frame(
            "TOOL_CALL_RESULT", messageId=said.id, toolCallId=call.id, content=content, role="tool", **failed
        )
        return begun + ended + answer

    def unanswered(self) -> list[OpenCall]:
        """The calls without a result, in order; of a run that resumes another, those of that one, too."""
        said = self._told.said
        answered = {item.parent for item in said if item.kind == "result"}
        mine = [OpenCall(item.id, item.name or "", _parsed(str(item.growing))) for item in said if item.kind == "call"]
        return [call for call in (*self._earlier.values(), *mine) if call.call_id not in answered]

    def cut(self, keep_seq: int) -> None:
        """Forget what came after ``keep_seq``."""
        self._calls = {key: said for key, said in self._calls.items() if said.seq <= keep_seq}


def _unanswered(messages: Sequence[Mapping[str, Any]]) -> dict[str, OpenCall]:
    """The tool calls in messages of AG-UI that none of them answers, by id."""
    found: dict[str, OpenCall] = {}
    for message in messages:
        if message.get("role") == "tool":
            found.pop(str(message.get("toolCallId")), None)
        for call in message.get("toolCalls") or ():
            function = call["function"]
            found[call["id"]] = OpenCall(call["id"], function["name"], _parsed(function["arguments"]))
    return found


def _call_ids(messages: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The ids of all tool calls in messages of AG-UI."""
    return frozenset(call["id"] for message in messages for call in message.get("toolCalls") or ())


def _parsed(text: str) -> Any:
    """The arguments of a call, or their text where that is not JSON."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
