"""Cursors: where a follower is, as clients send it back. ``[run_id ":"] seq``."""

from __future__ import annotations

from typing import NamedTuple

from unspool.errors import CursorUnknown


class Cursor(NamedTuple):
    """A position in a run's log. ``run_id`` is None where the address already says which run."""

    run_id: str | None
    seq: int


def parse_cursor(text: str) -> Cursor:
    """Return the cursor that ``text`` is.

    Raises:
        CursorUnknown: It is none.
    """
    run_id, colon, seq = text.rpartition(":")
    if not (seq.isascii() and seq.isdigit() and len(seq) <= 18) or (colon and not run_id):
        raise CursorUnknown(asked=text[:200], last=0)
    return Cursor(run_id or None, int(seq))


def format_cursor(cursor: Cursor) -> str:
    """The reverse of :func:`parse_cursor`."""
    return str(cursor.seq) if cursor.run_id is None else f"{cursor.run_id}:{cursor.seq}"
