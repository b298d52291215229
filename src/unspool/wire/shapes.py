"""The token shapes of common guides, so that a page written after one of them works as it is.

Each is server-sent events. What a guide leaves open is settled here: line ends, ``[DONE]`` in a text, errors, and ids
with which an EventSource resumes. ``spec/PROTOCOL.md``, section 6.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args

import msgspec
from typing_extensions import override

from unspool.events import End, Error, Record, Start, ToolCall, ToolEnd
from unspool.wire.base import Codec

T = TypeVar("T")

Shape = Literal["token", "delta", "text", "typed", "named"]
SHAPES: tuple[Shape, ...] = get_args(Shape)

_TOKENS: Mapping[Shape, bytes] = {
    "token": b'data: {"token":%b}\n\n',
    "delta": b'data: {"delta":%b}\n\n',
    "text": b"data: %b\n\n",
    "typed": b'data: {"type":"token","content":%b}\n\n',
    "named": b'event: ai_event\ndata: {"type":"token","content":%b}\n\n',
}

_NOTHING = b"\n"
"""Begins no record."""

_TOKEN = b'{"type":"token",'
_TEXT = b'","text":'
"""What stands before the text of a token. It cannot occur earlier: inside a string a quote is escaped."""

_DONE = "[DONE]"

_BACKSLASH, _BRACKET = b"\\["  # as numbers: those are found in bytes ten times as fast

_encode = msgspec.json.Encoder().encode
_decode_text = msgspec.json.Decoder(str).decode


class ShapeSse(Codec):
    """Records in one of the shapes.

    Args:
        shape: Which.
        ids: Whether frames have ids, for EventSource. Without, a frame is all of what stands between empty lines, as
            readers expect that split there and look for ``data: `` at the beginning.
        run_id: Put before each id, for a client that learns of its run only from the ids.
        retry_ms: What EventSource waits before it reconnects.
    """

    stateful = True

    def __init__(self, shape: Shape, *, ids: bool = True, run_id: str | None = None, retry_ms: int = 1000) -> None:
        self._open = b"retry: %d\n\n" % retry_ms if ids else b""
        # `%.0a` takes the seq and writes nothing: all frames are made in the same way.
        self._id = b"%.0a" if not ids else b"id: %d\n" if run_id is None else b"id: " + run_id.encode() + b":%d\n"
        self._frame = self._id + _TOKENS[shape]
        self._plain = shape == "text"
        self._other = {"text": self._lines, "typed": self._typed, "named": self._named}.get(shape, self._flags)
        self._prefix = _NOTHING
        self._error: Error | None = None
        self._after_cr = False

    @property
    @override
    def media_type(self) -> str:
        return "text/event-stream; charset=utf-8"

    @override
    def skip(self, records: Sequence[Record]) -> None:
        self.encode(records)

    @override
    def open(self) -> bytes:
        return self._open

    @override
    def encode(self, records: Sequence[Record]) -> bytes:
        out: list[bytes] = []
        for record in records:
            data = record.data
            if not data.startswith(self._prefix):
                if not data.startswith(_TOKEN):
                    self._add(out, record.seq, self._other(record))
                    continue
                self._prefix = data[: data.index(_TEXT) + len(_TEXT)]
            text = data[len(self._prefix) : -1]
            if self._plain:
                if self._after_cr or _BACKSLASH in text or _BRACKET in text:
                    self._add(out, record.seq, self._text(_decode_text(text)))
                    continue
                text = text[1:-1]
            elif not text.isascii():
                text = _one_line(text)
            out.append(self._frame % (record.seq, text))
        return b"".join(out)

    def _add(self, out: list[bytes], seq: int, frames: list[bytes]) -> None:
        if frames:
            # On the last frame alone: who has that one has all of the record.
            frames[-1] = self._id % seq + frames[-1]
            out += frames

    @override
    def heartbeat(self) -> bytes:
        return b":\n\n"

    def _over(self, record: Record) -> bool:
        """Whether the run is over. An error is told then: nothing may follow what a reader takes for the end."""
        if record.type == "error":
            self._error = _event(record, Error)
        return record.is_end

    # -- token and delta --------------------------------------------------------------------------------

    def _flags(self, record: Record) -> list[bytes]:
        if not self._over(record):
            return []
        failed = [] if self._error is None else [b"data: " + _json({"error": self._error.message}) + b"\n\n"]
        return [*failed, b'data: {"done":true}\n\n']

    # -- text -------------------------------------------------------------------------------------------

    def _text(self, text: str) -> list[bytes]:
        """Text as it is. A line end of any kind becomes LF, since a frame cannot hold a CR."""
        if self._after_cr and text.startswith("\n"):
            text = text[1:]
        self._after_cr = text.endswith("\r") if text else False
        return [_data(piece) for piece in _pieces(_lines_of(text)) if piece]

    def _lines(self, record: Record) -> list[bytes]:
        if not self._over(record):
            return []
        failed = [] if self._error is None else [b"event: error_event\n" + _data(self._error.message)]
        return [*failed, b"data: [DONE]\n\n"]

    # -- typed and named --------------------------------------------------------------------------------

    def _typed(self, record: Record) -> list[bytes]:
        return [b"data: " + _json({"type": kind, "content": content}) + b"\n\n" for kind, content in self._said(record)]

    def _named(self, record: Record) -> list[bytes]:
        return [
            b"event: %b\ndata: " % _NAMES[kind] + _json({"type": kind, "content": content}) + b"\n\n"
            for kind, content in self._said(record)
        ]

    def _said(self, record: Record) -> list[tuple[str, str]]:
        self._over(record)
        match record.type:
            case "start":
                return [("start", _event(record, Start).run_id)]
            case "tool_call":
                call = _event(record, ToolCall)
                return [("agent_action", _as_text({"tool": call.name, "input": call.args})), ("tool_start", call.name)]
            case "tool_end":
                ended = _event(record, ToolEnd)
                return [("tool_end", _as_text(ended.result) if ended.error is None else ended.error)]
            case "end":
                status = _event(record, End).status
                return [("complete", status)] if status != "failed" else [("error", self._failure())]
            case _:
                return []

    def _failure(self) -> str:
        return "The run failed." if self._error is None else self._error.message


_NAMES = {
    "start": b"ai_event",
    "complete": b"ai_event",
    "agent_action": b"tool_event",
    "tool_start": b"tool_event",
    "tool_end": b"tool_event",
    "error": b"error_event",
}


def _event(record: Record, kind: type[T]) -> T:
    return msgspec.json.decode(record.data, type=kind)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else _encode(value).decode()


def _json(value: Any) -> bytes:
    return _one_line(_encode(value))


def _one_line(data: bytes) -> bytes:
    """JSON without the characters that some readers take for a line end, though the standard does not."""
    if b"\xe2\x80" in data or b"\xc2\x85" in data:
        for character, escaped in (
            (b"\xe2\x80\xa8", rb"\u2028"),
            (b"\xe2\x80\xa9", rb"\u2029"),
            (b"\xc2\x85", rb"\u0085"),
        ):
            data = data.replace(character, escaped)
    return data


def _lines_of(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _data(text: str) -> bytes:
    return b"".join([b"data: %b\n" % line.encode() for line in _lines_of(text).split("\n")]) + b"\n"


def _pieces(text: str) -> list[str]:
    """The text, cut inside each ``[DONE]`` of its own, so that none of it is taken for the end."""
    if _DONE not in text:
        return [text]
    first, *others = text.split(_DONE)
    pieces = [first]
    for other in others:
        pieces[-1] += _DONE[:3]
        pieces.append(_DONE[3:] + other)
    return pieces
