"""Records: events with their place in a run's log."""

from __future__ import annotations

import msgspec

from unspool.events.encoding import decode, is_end, type_of
from unspool.events.types import AnyEvent


class Record(msgspec.Struct, frozen=True, gc=False):
    """One event in a log, as the bytes that were encoded once, at append.

    Attributes:
        seq: Its position in the run's log: 1, 2, 3, … without gaps. 0 means "before the first".
        at: When it was committed, in seconds since the Unix epoch, by the log's clock. Events that
            were committed together share it.
        data: The event as JSON, on one line, ``type`` first.
    """

    seq: int
    at: float
    data: bytes

    @property
    def type(self) -> str:
        """The event's type, without parsing."""
        return type_of(self.data)

    @property
    def is_end(self) -> bool:
        """Whether nothing follows."""
        return is_end(self.data)

    @property
    def event(self) -> AnyEvent:
        """The event, parsed on every access."""
        return decode(self.data)
