"""Text and reasoning in the AI SDK's UI message stream: parts with a start, deltas and an end."""

from __future__ import annotations

import msgspec

from unspool.events import Reasoning, Token
from unspool.wire.ai_sdk_parts import chunk

_NONE = b"\n"
"""No event begins so."""


class TextParts:
    """The parts that are open, one for each message that speaks.

    Attributes:
        head: What an event begins with that continues the newest part: all of it but its text.
        delta: What stands in place of the head in the chunk that tells of it.
    """

    def __init__(self) -> None:
        self._open: dict[str, tuple[str, str]] = {}  # by message: kind and id
        self._count = 0
        self.head = _NONE
        self.delta = b""

    def add(self, event: Token | Reasoning) -> bytes:
        """Text for a message."""
        kind, tag = ("text", "token") if isinstance(event, Token) else ("reasoning", "reasoning")
        part = self._open.get(event.message_id)
        before = b""
        if part is None or part[0] != kind:
            before = self.close(event.message_id)
            self._count += 1
            part = self._open[event.message_id] = (kind, f"p{self._count}")
            before += chunk(f"{kind}-start", id=part[1])
        self.head = msgspec.json.encode({"type": tag, "message_id": event.message_id})[:-1] + b',"text":'
        self.delta = b'data: {"type":"%b-delta","id":"%b","delta":' % (kind.encode(), part[1].encode())
        return before + chunk(f"{kind}-delta", id=part[1], delta=event.text)

    def close(self, message_id: str) -> bytes:
        """End the part of a message, if there is one."""
        self.head = _NONE
        part = self._open.pop(message_id, None)
        return b"" if part is None else chunk(f"{part[0]}-end", id=part[1])

    def close_all(self) -> bytes:
        """End all parts."""
        return b"".join([self.close(message_id) for message_id in list(self._open)])

    def drop(self) -> None:
        """Forget the parts: the client did."""
        self._open = {}
        self.head = _NONE
