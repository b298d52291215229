"""Steps and state in AG-UI: steps are known by their names, and the state is one for the thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jsonpatch

from unspool.events import State, StepEnd, StepStart
from unspool.wire.ag_ui_fields import frame


class Steps:
    """The steps that are open, by our ids. Its methods return the bytes that tell of an event."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def start(self, event: StepStart, _seq: int) -> bytes:
        """A step begins. If one of its name is open, its name gets a number."""
        if event.step_id in self._names:
            return b""
        name, number = event.name, 1
        taken = set(self._names.values())
        while name in taken:
            number += 1
            name = f"{event.name} ({number})"
        self._names[event.step_id] = name
        return frame("STEP_STARTED", stepName=name)

    def end(self, event: StepEnd, _seq: int) -> bytes:
        """A step ends, if it was open."""
        name = self._names.pop(event.step_id, None)
        return b"" if name is None else frame("STEP_FINISHED", stepName=name)

    def end_all(self) -> bytes:
        """All steps end, the newest first."""
        names = list(reversed(self._names.values()))
        self._names.clear()
        return b"".join([frame("STEP_FINISHED", stepName=name) for name in names])

    def open(self) -> bytes:
        """To a client that joins: the steps that are open."""
        return b"".join([frame("STEP_STARTED", stepName=name) for name in self._names.values()])


class States:
    """The states of a run. ``first``: what the client sent, to which they go back if all of them are void."""

    def __init__(self, first: Any) -> None:
        self._first: Any = {} if first is None else first
        self._states: list[tuple[int, State]] = []

    def add(self, event: State, seq: int) -> bytes:
        """The state, or what becomes another of it."""
        self._states.append((seq, event))
        if event.patch is None:
            return frame("STATE_SNAPSHOT", snapshot=event.snapshot)
        return frame("STATE_DELTA", delta=event.patch)

    def cut(self, keep_seq: int) -> bytes:
        """What came after ``keep_seq`` is void: the state is told anew, if that had any."""
        kept = [(seq, state) for seq, state in self._states if seq <= keep_seq]
        if len(kept) == len(self._states):
            return b""
        self._states = kept
        return frame("STATE_SNAPSHOT", snapshot=_folded(self._first, [state for _, state in kept]))


def _folded(state: Any, events: Sequence[State]) -> Any:
    """The state after ``events``."""
    for event in events:
        if event.patch is None:
            state = event.snapshot
            continue
        try:
            state = jsonpatch.apply_patch(state, event.patch)
        except jsonpatch.JsonPatchException:
            continue  # AG-UI's clients leave a patch out that does not fit, too
    return state
