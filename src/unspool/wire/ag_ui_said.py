"""What a run says to an AG-UI client: messages, reasoning, tool calls and their results, each with its text so far."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from unspool.wire.ag_ui_fields import frame

Kind = Literal["text", "reasoning", "call", "result"]


class Growing:
    """Text that grows by JSON string literals, and can be cut back to a seq. A few bytes beside the text itself."""

    __slots__ = ("_literals", "_seqs")

    def __init__(self) -> None:
        self._literals = bytearray()
        self._seqs = array("Q")

    def add(self, seqs: Sequence[int], literals: Sequence[bytes]) -> None:
        """Append what the records ``seqs`` said, a literal each."""
        self._seqs.extend(seqs)
        self._literals += b",".join(literals)
        self._literals += b","

    def cut(self, keep_seq: int) -> None:
        """Forget what came after ``keep_seq``."""
        kept = msgspec.json.decode(self._list(), type=list[msgspec.Raw])[: bisect_right(self._seqs, keep_seq)]
        del self._seqs[len(kept) :]
        self._literals = bytearray(b"".join([bytes(literal) + b"," for literal in kept]))

    def _list(self) -> bytes:
        return b"[" + self._literals[:-1] + b"]"

    def __bool__(self) -> bool:
        return bool(self._seqs)

    def __str__(self) -> str:
        return "".join(msgspec.json.decode(self._list(), type=list[str]))


class Said:
    """A message, a tool call or a tool's result, as AG-UI has them.

    Attributes:
        seq: The record that began it.
        kind: What it is.
        id: Of the message, or of the call.
        growing: Its text, or its arguments.
        role: Of a text message. None: AG-UI has none such, and it is left out.
        name: Of the speaker, or of the tool.
        parent: Of a call: the message that makes it. Of a result: the call.
        open: Whether the client was told that it begins, and not yet that it ends.
        done: Of a call: the record that completed its arguments. 0: they are not complete.
    """

    __slots__ = ("done", "growing", "id", "kind", "name", "open", "parent", "role", "seq")

    def __init__(
        self,
        seq: int,
        kind: Kind,
        said_id: str,
        *,
        role: str | None = None,
        name: str | None = None,
        parent: str | None = None,
    ) -> None:
        self.seq = seq
        self.kind: Kind = kind
        self.id = said_id
        self.growing = Growing()
        self.role = role
        self.name = name
        self.parent = parent
        self.open = False
        self.done = 0

    def cut(self, keep_seq: int) -> bool:
        """Forget what came after ``keep_seq``. Return whether anything is left to be shown."""
        self.growing.cut(keep_seq)
        if self.done > keep_seq:
            self.done = 0
        # Clients drop reasoning that a snapshot leaves out only if the snapshot holds some: so it stays, without text.
        return self.seq <= keep_seq or self.kind == "reasoning"


def beginning(said: Said) -> bytes:
    """What tells a client that this begins, or goes on."""
    if said.kind == "text":
        named = {} if said.name is None else {"name": said.name}
        return frame("TEXT_MESSAGE_START", messageId=said.id, role=said.role, **named)
    if said.kind == "reasoning":
        start = frame("REASONING_START", messageId=said.id)
        return start + frame("REASONING_MESSAGE_START", messageId=said.id, role="reasoning")
    return frame("TOOL_CALL_START", toolCallId=said.id, toolCallName=said.name, parentMessageId=said.parent)


def continuing(said: Said) -> bytes:
    """What tells a client that this grows, up to the JSON of the text that is added."""
    kind, key = _CONTENT[said.kind]
    return b'data: {"type":"%b","%b":%b,"delta":' % (kind, key, msgspec.json.encode(said.id))


def ending(said: Said) -> bytes:
    """What tells a client that this ends."""
    if said.kind == "text":
        return frame("TEXT_MESSAGE_END", messageId=said.id)
    if said.kind == "reasoning":
        return frame("REASONING_MESSAGE_END", messageId=said.id) + frame("REASONING_END", messageId=said.id)
    return frame("TOOL_CALL_END", toolCallId=said.id)


def snapshot(said: Sequence[Said]) -> list[dict[str, Any]]:
    """All of this as messages."""
    found: list[dict[str, Any]] = []
    mine: dict[str, dict[str, Any]] = {}
    for item in said:
        if item.kind == "call":
            message = mine.get(item.parent or "")
            if message is None:
                message = mine[item.parent or ""] = {"id": item.parent, "role": "assistant"}
                found.append(message)
            function = {"name": item.name, "arguments": str(item.growing)}
            message.setdefault("toolCalls", []).append({"id": item.id, "type": "function", "function": function})
        elif item.kind == "result":
            found.append({"id": item.id, "role": "tool", "toolCallId": item.parent, "content": str(item.growing)})
        elif item.kind == "reasoning":
            found.append({"id": item.id, "role": "reasoning", "content": str(item.growing)})
        elif item.growing:
            message = mine.get(item.id)
            if message is None:
                message = mine[item.id] = {"id": item.id, "role": item.role}
                found.append(message)
            message["content"] = str(item.growing)
            if item.name is not None:
                message["name"] = item.name
    return found


_CONTENT: dict[Kind, tuple[bytes, bytes]] = {
    "text": (b"TEXT_MESSAGE_CONTENT", b"messageId"),
    "reasoning": (b"REASONING_MESSAGE_CONTENT", b"messageId"),
    "call": (b"TOOL_CALL_ARGS", b"toolCallId"),
}
