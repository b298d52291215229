"""What a run was asked for, as the log keeps it, so that another process can take the run up."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from unspool.access import ANONYMOUS
from unspool.eventlog import Run
from unspool.sources import Call


class RunRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part of a request that decides what the source does.

    Attributes:
        input: Plain JSON data.
        thread_id: The conversation.
        config: Plain JSON data.
        resumes: The interrupted run that this one continues.
        answer: By interrupt id.
        replaces: The run of the thread whose place this one takes.
    """

    input: Any = None
    thread_id: str | None = None
    config: dict[str, Any] = {}
    resumes: str | None = None
    answer: dict[str, Any] | None = None
    replaces: str | None = None

    def encoded(self) -> bytes:
        """The JSON that the log keeps."""
        return msgspec.json.encode(self)

    @classmethod
    def decoded(cls, data: bytes) -> RunRequest:
        """The reverse of :meth:`encoded`."""
        return msgspec.json.decode(data, type=cls)

    def hash(self, source: str) -> str:
        """Two requests are the same if this is: SHA-256 over the source and the request, keys sorted."""
        return hashlib.sha256(msgspec.json.encode([source, self], order="sorted")).hexdigest()

    def call(self, run: Run, *, attempt: int = 1, position: Any = None, replaced: Sequence[str] = ()) -> Call:
        """What the source is given. ``replaced``: the runs of the thread that do not count any more."""
        return Call(
            run_id=run.id,
            owner=None if run.owner == ANONYMOUS.id else run.owner,
            input=self.input,
            thread_id=self.thread_id,
            config=self.config,
            attempt=attempt,
            resumes=self.resumes,
            answer=self.answer,
            position=position,
            replaces=self.replaces,
            replaced=tuple(replaced),
        )
