"""What the assistant says, and nothing else: for clients that read plain text, or JSON that grows."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from typing_extensions import override

from unspool.events import AnyEvent, End, MessageStart, Record, Retry, Token
from unspool.wire.base import Codec

_BACKSLASH, _QUOTE = b'\\"'
_NONE = b"\n"
"""No event begins so."""


class PlainText(Codec):
    """The text of a run's tokens, as it comes. Where there is none, the output that its end states, as JSON.

    Errors, tools and whatever else is not text are left out, and so is that a ``retry`` voids what was sent.
    """

    stateful = True

    def __init__(self) -> None:
        self._silent: dict[str, int] = {}  # messages that are not the assistant's, by where they began
        self._said = False
        self._head = _NONE  # what a token begins with that goes on where the last one stopped

    @property
    @override
    def media_type(self) -> str:
        return "text/plain; charset=utf-8"

    @override
    def skip(self, records: Sequence[Record]) -> None:
        self.encode(records)

    @override
    def open(self) -> bytes:
        return b""

    @override
    def encode(self, records: Sequence[Record]) -> bytes:
        texts: list[bytes] = []
        for record in records:
            data = record.data
            if data.startswith(self._head):
                text = data[len(self._head) : -2]
                if _BACKSLASH not in text and _QUOTE not in text:  # it is the text itself, as UTF-8
                    texts.append(text)
                    continue
            if record.type in {"message_start", "token", "retry", "end"}:
                texts.append(self._text(record.event, record.seq))
        return b"".join(texts)

    def _text(self, event: AnyEvent, seq: int) -> bytes:
        if isinstance(event, Token) and event.message_id not in self._silent:
            self._said = True
            self._head = msgspec.json.encode({"type": "token", "message_id": event.message_id})[:-1] + b',"text":"'
            return event.text.encode()
        if isinstance(event, MessageStart) and event.role != "assistant":
            self._silent[event.message_id] = seq
            self._head = _NONE
        if isinstance(event, Retry):
            self._silent = {key: began for key, began in self._silent.items() if began <= event.keep_seq}
        if isinstance(event, End) and event.output is not None and not self._said:
            return msgspec.json.encode(event.output)
        return b""

    @override
    def heartbeat(self) -> bytes:
        return b""
