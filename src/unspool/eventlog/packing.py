"""What the logs share: the rules on cursors and ends, and many events in one value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from unspool.errors import CursorExpired, CursorUnknown, InvalidInput, RunConflict, RunNotFound
from unspool.eventlog.base import READ_BYTES, NewRun, Outcome, Run
from unspool.events import EndStatus, Record, is_end


class _EndOnly(msgspec.Struct):
    status: EndStatus


def status_after(last: bytes) -> EndStatus | None:
    """The status that an append whose last event is ``last`` gives its run. None: it goes on."""
    return msgspec.json.decode(last, type=_EndOnly).status if is_end(last) else None


def check_cursor(after: int, run: Run) -> None:
    """Refuse a position that the log never issued, or whose sequel is gone.

    Raises:
        CursorUnknown: ``after`` is negative or past the run's last seq.
        CursorExpired: What follows was removed by retention.
    """
    if after < 0 or after > run.last_seq:
        raise CursorUnknown(asked=after, last=run.last_seq)
    if after + 1 < run.first_seq:
        raise CursorExpired(asked=after, first=run.first_seq)


def outcome_of(run_epoch: int, last_seq: int, *, ended: bool, epoch: int, first_seq: int, count: int) -> Outcome:
    """What becomes of an append of ``count`` events from ``first_seq`` on."""
    if epoch != run_epoch:
        return "fenced"
    if first_seq + count - 1 <= last_seq:
        return "dup"
    if ended:
        return "closed"
    return "ok" if first_seq == last_seq + 1 else "gap"


def check_replaced(new: NewRun, run_id: str, run: Run | None) -> Run:
    """Return the run that ``new`` replaces, if it may.

    Raises:
        RunNotFound, InvalidInput, RunConflict: As :meth:`~unspool.eventlog.EventLog.create`.
    """
    if run is None or run.owner != new.owner or run.source != new.source:
        raise RunNotFound(run_id)
    if new.thread_id is None or run.thread_id != new.thread_id:
        raise InvalidInput("`replaces` must name a run of the same thread; give its `thread_id`")
    if run.replaced_by is not None:
        raise RunConflict("the run to replace was replaced before; look at the thread again")
    return run


def check_all_ended(ended: Iterable[bool]) -> None:
    """Refuse to replace runs of which one has not ended. Raises RunConflict."""
    if not all(ended):
        raise RunConflict("the run to replace, or one after it, has not ended; cancel it first")


def up_to_bytes(batch: Sequence[Record]) -> Sequence[Record]:
    """Cut ``batch`` behind the record that takes it over :data:`READ_BYTES`."""
    total = 0
    for index, record in enumerate(batch):
        total += len(record.data)
        if total > READ_BYTES:
            return batch[: index + 1]
    return batch


def pack(events: Sequence[bytes]) -> bytes:
    """Many events as one value, a line each: their JSON holds no raw line end."""
    return b"\n".join(events)


def unpack(packed: bytes, *, first_seq: int, at: float) -> list[Record]:
    """The records in a packed value."""
    return [Record(seq, at, data) for seq, data in enumerate(packed.split(b"\n"), first_seq)]
