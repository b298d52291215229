"""A source that does what it is told to, at the moment that a test chooses."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import anyio
from typing_extensions import override

from unspool.events import Record
from unspool.sources import Call, Item, ResumePoint, Schemas, Source
from unspool.sources.items import Items


class ScriptedSource(Source):
    """Yields the given items: text, events, dicts and outputs, as a plain generator may.

    Args:
        items: For every call the same.
        name: What it is called.
        stall_at: Before the item with this index (from 0), wait for :meth:`release` or for being closed.
        fail: By index: what to raise instead of that item; once for each call of the list.
        delay: Seconds before each item.
        resume_at: What :meth:`resume_point` answers.

    Attributes:
        calls: What it was asked, in order.
        reached: Set when a call stands at ``stall_at``.
        closed: How many calls have been closed, or ended, with their cleanup done.
    """

    def __init__(
        self,
        items: Sequence[str | Mapping[str, Any] | Item],
        *,
        name: str = "scripted",
        stall_at: int | None = None,
        fail: Mapping[int, Sequence[Exception]] | None = None,
        delay: float = 0.0,
        resume_at: ResumePoint | None = None,
    ) -> None:
        self.calls: list[Call] = []
        self.reached = anyio.Event()
        self.closed = 0
        self._name = name
        self._items = items
        self._stall_at = stall_at
        self._failures = {index: list(errors) for index, errors in (fail or {}).items()}
        self._delay = delay
        self._resume_at = resume_at
        self._released = anyio.Event()

    @property
    @override
    def name(self) -> str:
        return self._name

    def release(self) -> None:
        """Let calls that are stalled go on, and later ones not stall."""
        self._released.set()

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        self.calls.append(call)
        items = Items(call.run_id)
        try:
            for index, item in enumerate(self._items):
                await self._before(index)
                for event in items.events(item):
                    yield event
            for event in items.close():
                yield event
        finally:
            self.closed += 1

    async def _before(self, index: int) -> None:
        if index == self._stall_at and not self._released.is_set():
            self.reached.set()
            await self._released.wait()
        if self._delay:
            await anyio.sleep(self._delay)
        if self._failures.get(index):
            raise self._failures[index].pop(0)

    @override
    def schemas(self) -> Schemas:
        return Schemas()

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return self._resume_at
