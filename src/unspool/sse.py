"""Server-sent events: the WHATWG HTML standard, section 9.2, of 2026-11. Pure: bytes in, frames out."""

from __future__ import annotations

import re

import msgspec

from unspool.errors import TooLarge

MAX_FRAME_BYTES = 8 * 1024 * 1024
"""The largest event that a decoder gathers, unless told."""

_LINE_END = re.compile(rb"\r\n|\r|\n")  # not splitlines(): U+2028, U+0085 and others are data here
_BOM = b"\xef\xbb\xbf"


class Frame(msgspec.Struct, frozen=True):
    """One event of a stream.

    Attributes:
        data: The ``data`` lines, joined by line feeds.
        event: The ``event`` field; ``message`` where there is none.
        id: The last ``id`` that the stream sent, in this event or before it.
    """

    data: str
    event: str = "message"
    id: str = ""


class SseDecoder:
    """Turns the bytes of an event stream, cut anywhere, into frames.

    An event that the end of the stream cuts off is not delivered, as the standard says: whoever reads resumes
    from the last id, and gets it whole. Bytes that are not UTF-8 become U+FFFD.

    Args:
        max_bytes: Of one event, or of one line. More raises TooLarge, and the decoder is of no further use.

    Attributes:
        retry: The last reconnection time that the stream asked for, in milliseconds.
    """

    def __init__(self, *, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self.retry: int | None = None
        self._max_bytes = max_bytes
        self._rest = b""
        self._started = False
        self._skip_lf = False
        self._data: list[bytes] = []
        self._size = 0
        self._event = b""
        self._id = b""

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the events that ``chunk`` completes.

        Raises:
            TooLarge: An event is over the limit.
        """
        if self._skip_lf and chunk:
            # The CR that ended the last chunk ended a line; an LF now belongs to it.
            chunk = chunk.removeprefix(b"\n")
            self._skip_lf = False
        buffer = self._rest + chunk if self._rest else chunk
        if not self._started:
            if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
                self._rest = buffer
                return []
            buffer = buffer.removeprefix(_BOM)
            self._started = True
        lines = _LINE_END.split(buffer) if b"\r" in buffer else buffer.split(b"\n")
        self._skip_lf = buffer.endswith(b"\r")
        self._rest = lines.pop()
        self._check(len(self._rest))
        frames: list[Frame] = []
        for line in lines:
            if line:
                self._field(line)
            else:
                self._dispatch(frames)
        return frames

    def _check(self, more: int) -> None:
        if self._size + more > self._max_bytes:
            raise TooLarge("an event of the stream", limit=self._max_bytes)

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._check(len(value))
            self._size += len(value) + 1
            self._data.append(value)
        elif name == b"event":
            self._event = value
        elif name == b"id":
            if b"\0" not in value:
                self._id = value
        elif name == b"retry" and value.isdigit():
            self.retry = int(value)

    def _dispatch(self, frames: list[Frame]) -> None:
        if self._data:
            frames.append(
                Frame(
                    b"\n".join(self._data).decode("utf-8", "replace"),
                    self._event.decode("utf-8", "replace") or "message",
                    self._id.decode("utf-8", "replace"),
                )
            )
        self._data = []
        self._size = 0
        self._event = b""
