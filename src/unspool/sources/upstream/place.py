"""Where the events of an upstream's run are in ours: the two count differently once either was taken up again.

From one ``start`` on, each event of the upstream is one event of ours. Where that ends (a run was taken up again, on
either side) our log holds a mark: transient ``data`` that says how far the upstream was.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast

import msgspec

from unspool.events import Data, Record, Retry

MARK = "upstream"
"""The name of the ``data`` events that say where the upstream was."""


class Place(msgspec.Struct):
    """How far the upstream's run was read, and what our events of it are.

    Attributes:
        run_id: The upstream's run.
        after: The last seq of it that was read.
        count: Our events that count since our run was begun or taken up.
        parts: Pairs of an upstream's seq and a distance: from that seq on, an event's place among ours is its seq
            plus the distance. Later pairs win.
    """

    run_id: str
    after: int = 0
    count: int = 0
    parts: list[tuple[int, int]] = []

    def begun(self, seq: int) -> None:
        """From the upstream's ``seq`` on, one event there is one event here."""
        self.parts.append((seq, self.count - seq))

    def kept(self, seq: int) -> int:
        """How many of our events count, if those of the upstream up to ``seq`` do; what is behind it is forgotten."""
        while len(self.parts) > 1 and self.parts[-1][0] > seq:
            self.parts.pop()
        return seq + (self.parts[-1][1] if self.parts else 0)


def place_of(records: Sequence[Record], run_ids: Collection[str]) -> Place:
    """Read the place from all that our log holds of a run.

    Args:
        records: From the first one on.
        run_ids: What the upstream's run may be called; the first one is taken where no mark says which.
    """
    last = records[-1].seq
    place = Place(run_id=next(iter(run_ids)))
    read = [0] * (last + 1)
    for record in records:
        seen = None
        if record.type == "start":
            place.after = 1
            place.parts = [(1, 1 - last - 1)]
        elif record.type == "retry":
            place.after = read[cast("Retry", record.event).keep_seq]
        elif (seen := _mark(record, run_ids)) is not None:
            place.run_id, place.after = seen["run_id"], seen["seq"]
        else:
            place.after += 1
        if seen is not None:
            place.parts.append((place.after, record.seq - last - place.after))
        read[record.seq] = place.after
    return place


def _mark(record: Record, run_ids: Collection[str]) -> dict[str, Any] | None:
    if record.type != "data":
        return None
    event = record.event
    if isinstance(event, Data) and event.name == MARK and event.transient and isinstance(event.value, dict):
        value = cast("dict[str, Any]", event.value)
        return value if value.get("run_id") in run_ids else None
    return None
