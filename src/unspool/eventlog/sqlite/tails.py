"""The newest records of the runs that this process writes, so that their followers need no database."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from unspool.eventlog.packing import up_to_bytes
from unspool.events import Record

ENDED_KEPT = 32
"""Runs that have ended and whose tails stay, for followers that are still reading them."""


class Tail:
    """The records of one run from ``first_seq`` on, without gaps."""

    __slots__ = ("bytes", "ended", "first_seq", "records")

    def __init__(self, first_seq: int) -> None:
        self.first_seq = first_seq
        self.records: list[Record] = []
        self.bytes = 0
        self.ended = False

    @property
    def last_seq(self) -> int:
        """The newest record's seq."""
        return self.first_seq + len(self.records) - 1


class Tails:
    """The tails of all runs that this process writes.

    Args:
        max_bytes: Events of one run that stay in memory. What is older is read from the database.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._live: dict[str, Tail] = {}
        self._ended: OrderedDict[str, Tail] = OrderedDict()

    def is_live(self, run_id: str) -> bool:
        """Whether this process writes the run, as far as it knows."""
        return run_id in self._live

    def open(self, run_id: str, *, last_seq: int) -> None:
        """This process will write the run, after ``last_seq``."""
        self._live[run_id] = Tail(last_seq + 1)

    def add(self, run_id: str, *, first_seq: int, at: float, events: Sequence[bytes]) -> None:
        """Add what was committed."""
        tail = self._live.get(run_id)
        if tail is None or tail.last_seq + 1 != first_seq:
            self._live[run_id] = tail = Tail(first_seq)
        tail.records.extend([Record(seq, at, data) for seq, data in enumerate(events, first_seq)])
        tail.bytes += sum(map(len, events))
        if tail.bytes > self._max_bytes:
            self._shorten(tail)

    def _shorten(self, tail: Tail) -> None:
        """Drop the older half, so that the work per event stays the same however long the run gets."""
        half = len(tail.records) // 2
        tail.bytes -= sum(len(record.data) for record in tail.records[:half])
        tail.records = tail.records[half:]
        tail.first_seq += half

    def end(self, run_id: str) -> None:
        """The run has ended."""
        tail = self._live.pop(run_id, None)
        if tail is not None:
            tail.ended = True
            self._ended[run_id] = tail
            if len(self._ended) > ENDED_KEPT:
                self._ended.popitem(last=False)

    def forget(self, run_id: str) -> None:
        """Another process writes the run now, or its records are gone."""
        self._live.pop(run_id, None)
        self._ended.pop(run_id, None)

    def read(self, run_id: str, *, after: int, limit: int) -> Sequence[Record] | None:
        """What follows ``after``, or None where only the database knows."""
        tail = self._live.get(run_id) or self._ended.get(run_id)
        if tail is None or not tail.first_seq <= after + 1 <= tail.last_seq + 1:
            return None
        start = after + 1 - tail.first_seq
        return up_to_bytes(tail.records[start : start + limit])

    def forget_stale(self, run_id: str, *, last_seq: int) -> bool:
        """Forget a live tail that is behind the database: another process writes the run. Return whether it was."""
        tail = self._live.get(run_id)
        if tail is None or tail.last_seq >= last_seq:
            return False
        self.forget(run_id)
        return True

    def live(self) -> list[str]:
        """The runs that this process writes, as far as it knows."""
        return list(self._live)

    def has_news(self, run_id: str, *, after: int) -> bool:
        """Whether a live run has something past ``after``."""
        tail = self._live.get(run_id)
        return tail is not None and tail.last_seq > after
