"""What a codec is: records in, bytes out. Pure: no I/O, no clock, no framework."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from unspool.events import Record


class Codec(Protocol):
    """Puts the records of one run into the bytes of one protocol, for one follower.

    A state machine with one instance per response: :meth:`open` once, then :meth:`encode` for every batch,
    in order, from any seq on. However the run ends, and wherever a follower joins, the bytes are legal in
    the protocol. Implementations pass :func:`unspool.testing.check_codec`.

    Attributes:
        stateful: Whether what it writes depends on earlier records. Then :meth:`skip` is given, before :meth:`open`,
            all records that a follower has already which joins behind the first.
    """

    stateful: ClassVar[bool]

    @property
    def media_type(self) -> str:
        """The ``Content-Type`` of the response."""
        ...

    def skip(self, records: Sequence[Record]) -> None:
        """Take note of records that the follower has already."""
        ...

    def open(self) -> bytes:
        """What goes before the first record. May be empty."""
        ...

    def encode(self, records: Sequence[Record]) -> bytes:
        """The bytes of one batch. May be empty, where the protocol has no word for what happened."""
        ...

    def heartbeat(self) -> bytes:
        """What keeps an idle connection open, and clients ignore."""
        ...
