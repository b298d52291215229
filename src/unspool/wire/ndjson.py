"""Newline-delimited JSON: one value per line, LF only. Pure: bytes in, lines out."""

from __future__ import annotations

from unspool.errors import TooLarge
from unspool.sse import MAX_FRAME_BYTES


class NdjsonDecoder:
    """Turns the bytes of a stream, cut anywhere, into its lines. Empty ones, which are heartbeats, are left out.

    A line that the end of the stream cuts off is not delivered.

    Args:
        max_bytes: Of one line. More raises TooLarge, and the decoder is of no further use.
    """

    def __init__(self, *, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that ``chunk`` completes.

        Raises:
            TooLarge: A line is over the limit.
        """
        first, *others = chunk.split(b"\n")
        self._add(first)
        lines: list[bytes] = []
        for part in others:
            line = b"".join(self._parts)
            if line:
                lines.append(line)
            self._parts = []
            self._size = 0
            self._add(part)
        return lines

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._max_bytes:
            raise TooLarge("a line of the stream", limit=self._max_bytes)
        if part:
            self._parts.append(part)
