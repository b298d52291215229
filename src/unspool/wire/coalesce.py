"""Fewer, larger tokens, for a follower that asked for them."""

from __future__ import annotations

from collections.abc import Sequence

from unspool.events import Reasoning, Record, Token, encode


class Coalescer:
    """Merges neighbouring ``token`` (or ``reasoning``) records of one message into one.

    The merged record has the last one's seq, so that a follower resumes behind all of them. Nothing is merged
    across another event, and nothing changes places.

    Args:
        tokens: Merge at most so many into one. None: any number.
    """

    def __init__(self, *, tokens: int | None = None) -> None:
        self._tokens = tokens

    def merge(self, records: Sequence[Record]) -> list[Record]:
        """Return ``records`` with the mergeable ones merged."""
        merged: list[Record] = []
        run: list[tuple[Record, Token | Reasoning]] = []
        for record in records:
            event = record.event if record.type in {"token", "reasoning"} else None
            if isinstance(event, Token | Reasoning):
                if run and not self._continues(run, event):
                    merged.append(_merged(run))
                    run = []
                run.append((record, event))
                continue
            if run:
                merged.append(_merged(run))
                run = []
            merged.append(record)
        if run:
            merged.append(_merged(run))
        return merged

    def _continues(self, run: list[tuple[Record, Token | Reasoning]], event: Token | Reasoning) -> bool:
        last = run[-1][1]
        fits = self._tokens is None or len(run) < self._tokens
        return fits and type(last) is type(event) and last.message_id == event.message_id


def _merged(run: list[tuple[Record, Token | Reasoning]]) -> Record:
    if len(run) == 1:
        return run[0][0]
    last, event = run[-1]
    text = "".join(event.text for _, event in run)
    return Record(last.seq, last.at, encode(type(event)(event.message_id, text)))
