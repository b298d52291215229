"""What the readers of a protocol enforce, and what they make of a stream: the AI SDK's, and AG-UI's verifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from ag_ui.core import Event
from pydantic import TypeAdapter

from unspool.wire import SseDecoder

Chunk = dict[str, Any]

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "start": ("messageId",),
    "start-step": (),
    "finish-step": (),
    "reset-step": (),
    "text-start": ("id",),
    "text-delta": ("id", "delta"),
    "text-end": ("id",),
    "reasoning-start": ("id",),
    "reasoning-delta": ("id", "delta"),
    "reasoning-end": ("id",),
    "tool-input-start": ("toolCallId", "toolName"),
    "tool-input-delta": ("toolCallId", "inputTextDelta"),
    "tool-input-available": ("toolCallId", "toolName"),
    "tool-output-available": ("toolCallId",),
    "tool-output-error": ("toolCallId", "errorText"),
    "tool-output-denied": ("toolCallId",),
    "tool-approval-request": ("approvalId", "toolCallId"),
    "source-url": ("sourceId", "url"),
    "source-document": ("sourceId", "mediaType", "title"),
    "file": ("url", "mediaType"),
    "message-metadata": (),
    "error": ("errorText",),
    "abort": ("reason",),
    "finish": ("finishReason",),
}
"""The members of each chunk that are texts."""


def ai_sdk_chunks(body: bytes) -> list[Chunk]:
    """The chunks of a whole response."""
    assert body.endswith(b"data: [DONE]\n\n")
    frames = SseDecoder().feed(body)
    assert [frame.data for frame in frames].count("[DONE]") == 1
    chunks = [msgspec.json.decode(frame.data, type=Chunk) for frame in frames[:-1]]
    for chunk in chunks:
        if not chunk["type"].startswith("data-"):
            assert all(isinstance(chunk[name], str) for name in _REQUIRED[chunk["type"]]), chunk
    return chunks


@dataclass
class AiSdkReader:
    """The message that the chunks of a stream make. What the AI SDK would throw at is an AssertionError.

    Attributes:
        said: The deltas that are left of texts and reasoning: kind, text, and the part's id.
        fired: The chunks of data, also those that are no part of the message.
    """

    version: int
    parts: list[Chunk] = field(default_factory=list[Chunk])
    metadata: Chunk = field(default_factory=dict[str, Any])
    said: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    fired: list[Chunk] = field(default_factory=list[Chunk])
    _open: dict[tuple[str, str], Chunk] = field(default_factory=dict[tuple[str, str], Chunk])
    _partial: set[str] = field(default_factory=set[str])
    _said_before: int = 0

    def read(self, chunk: Chunk) -> None:
        kind: str = chunk["type"]
        match kind.split("-"):
            case ["text" | "reasoning" as what, how]:
                self._text(what, how, chunk)
            case ["tool", *_]:
                self._tool(kind, chunk)
            case ["data", *_]:
                self._data(chunk)
            case ["file"] | ["source", _]:
                self.parts.append(chunk)
            case [_, "step"]:
                self._step(kind)
            case ["start"] | ["message", "metadata"]:
                self.metadata |= chunk.get("messageMetadata") or {}
            case _:
                assert kind in {"error", "abort", "finish"}

    def _text(self, what: str, how: str, chunk: Chunk) -> None:
        key = (what, chunk["id"])
        if how == "start":
            assert key not in self._open
            self._open[key] = {"type": what, "text": "", "state": "streaming"}
            self.parts.append(self._open[key])
        elif how == "delta":
            self._open[key]["text"] += chunk["delta"]
            self.said.append((what, chunk["delta"], chunk["id"]))
        else:
            self._open.pop(key)["state"] = "done"

    def step(self) -> list[Chunk]:
        """The parts of the step that is going on."""
        begun = max((at for at, part in enumerate(self.parts) if part["type"] == "step-start"), default=-1)
        return self.parts[begun + 1 :]

    def _step(self, kind: str) -> None:
        if kind == "start-step":
            self.parts.append({"type": "step-start"})
            self._said_before = len(self.said)
            return
        if kind == "reset-step":
            assert self.version == 7
            del self.parts[len(self.parts) - len(self.step()) :]
            del self.said[self._said_before :]
            self._partial.clear()
            self._open.clear()
        assert not self._open, "a step ends with open parts"

    @property
    def said_in_step(self) -> list[tuple[str, str, str]]:
        """Of what was said, what the last step holds."""
        return self.said[self._said_before :]

    def _tool(self, kind: str, chunk: Chunk) -> None:
        call_id: str = chunk["toolCallId"]
        here: Chunk | None = next((part for part in self.step() if part.get("toolCallId") == call_id), None)
        if kind in {"tool-input-start", "tool-input-available"}:
            if here is None:
                here = {"type": "dynamic-tool", "toolCallId": call_id}
                self.parts.append(here)
            state = "input-streaming" if kind == "tool-input-start" else "input-available"
            here |= {"toolName": chunk["toolName"], "state": state, "output": None, "errorText": None}
            if state == "input-available":
                here["input"] = chunk.get("input")
            else:
                here.pop("input", None)
                self._partial.add(call_id)
            return
        if kind == "tool-input-delta":
            assert call_id in self._partial
            assert here is not None
            assert here["state"] == "input-streaming", "arguments that come too late"
            return
        part = here or next((part for part in reversed(self.parts) if part.get("toolCallId") == call_id), None)
        assert part is not None, f"no call {call_id!r}"
        part["state"] = {
            "tool-output-available": "output-available",
            "tool-output-error": "output-error",
            "tool-output-denied": "output-denied",
            "tool-approval-request": "approval-requested",
        }[kind]
        part |= {"output": chunk.get("output"), "errorText": chunk.get("errorText")}

    def _data(self, chunk: Chunk) -> None:
        self.fired.append(chunk)
        if chunk.get("transient"):
            return
        same = [p for p in self.parts if p["type"] == chunk["type"] and p.get("id") == chunk.get("id") is not None]
        if same:
            same[0]["data"] = chunk["data"]
        else:
            self.parts.append(dict(chunk))

    def finished(self, chunks: list[Chunk]) -> None:
        """The stream is over: nothing is open, and it says how it ended."""
        assert not self._open
        assert not [part for part in self.parts if part.get("state") in {"streaming", "input-streaming"}]
        kinds = [chunk["type"] for chunk in chunks]
        assert kinds[0] == "start"
        assert kinds.count("start") == 1
        assert kinds[-1] in {"finish", "abort"}
        assert sum(kind in {"finish", "abort"} for kind in kinds) == 1


# -- AG-UI ----------------------------------------------------------------------------------------------

_EVENT: TypeAdapter[Any] = TypeAdapter(Event)
_OPENS = {
    "TEXT_MESSAGE_START": ("text", "messageId"),
    "TOOL_CALL_START": ("call", "toolCallId"),
    "REASONING_START": ("span", "messageId"),
    "REASONING_MESSAGE_START": ("reasoning", "messageId"),
    "STEP_STARTED": ("step", "stepName"),
}
_INSIDE = {
    "TEXT_MESSAGE_CONTENT": ("text", "messageId"),
    "TOOL_CALL_ARGS": ("call", "toolCallId"),
    "REASONING_MESSAGE_CONTENT": ("reasoning", "messageId"),
}
_CLOSES = {
    "TEXT_MESSAGE_END": ("text", "messageId"),
    "TOOL_CALL_END": ("call", "toolCallId"),
    "REASONING_END": ("span", "messageId"),
    "REASONING_MESSAGE_END": ("reasoning", "messageId"),
    "STEP_FINISHED": ("step", "stepName"),
}
_ENDS = frozenset({"RUN_FINISHED", "RUN_ERROR"})


def ag_ui_events(body: bytes) -> list[Chunk]:
    """The events of a whole response, in an order that the verifier of AG-UI's client allows."""
    events = [msgspec.json.decode(frame.data, type=Chunk) for frame in SseDecoder().feed(body)]
    opened: set[tuple[str, str]] = set()
    for place, event in enumerate(events):
        read = _EVENT.validate_json(msgspec.json.encode(event), strict=True, extra="forbid")
        assert read.model_dump(mode="json", by_alias=True) == event
        kind = event["type"]
        assert (kind == "RUN_STARTED") == (place == 0)
        assert (kind in _ENDS) == (place == len(events) - 1)
        for table in (_OPENS, _INSIDE, _CLOSES):
            if kind in table:
                name, key = table[kind]
                assert ((name, event[key]) in opened) == (table is not _OPENS), event
                if table is _OPENS:
                    opened.add((name, event[key]))
                elif table is _CLOSES:
                    opened.remove((name, event[key]))
    assert not opened
    return events
