"""An iteration that runs beside its reader, so that what happens inside of it is seen as it happens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")

CLOSE_SECONDS = 5.0


class Outbox(Generic[T]):
    """What callbacks put in, from any thread, and one reader takes out on the loop it was made on. Never blocks.

    Not bounded: callbacks cannot wait. What bounds it is the model that it listens to, as in LangGraph itself.
    """

    def __init__(self) -> None:
        self._items: list[T] = []
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        # Made anew for each wait, once per token where a model is slow: a bare future costs a third of an event.
        self._waiter: asyncio.Future[None] | None = None

    def put(self, item: T) -> None:
        """Add ``item``."""
        if threading.get_ident() == self._thread:
            self._add(item)
        else:  # a sync function of a runnable, or a sync tool, that calls a model
            self._loop.call_soon_threadsafe(self._add, item)

    def _add(self, item: T) -> None:
        self._items.append(item)
        if self._waiter is not None:
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None

    def close(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self._wake()

    async def drain(self) -> list[T]:
        """Return what is there, waiting for something. Empty: it is closed."""
        while not self._items and not self._closed:
            self._waiter = self._loop.create_future()
            await self._waiter
        items, self._items = self._items, []
        return items


async def driven(work: Callable[[Outbox[T]], Awaitable[None]]) -> AsyncGenerator[T, None]:
    """Yield what ``work`` puts into the outbox that it is given, while it runs. Raises what it raises.

    ``work`` runs in a task of its own, which this generator owns: closing the generator cancels the task, once,
    and waits for its end, up to 5 seconds. (A task group around a ``yield`` would cancel the wrong code: PEP 789.
    And a cancel scope cancels every ``await`` of a clean-up anew, which LangGraph's does not survive: its tools
    would go on.)
    """
    outbox: Outbox[T] = Outbox()

    async def run() -> None:
        try:
            await work(outbox)
        finally:
            outbox.close()

    task = asyncio.create_task(run())
    try:
        while items := await outbox.drain():
            for item in items:
                yield item
        await task
    finally:
        if not task.done():
            task.cancel()
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # raised above, or overtaken by what closes us: not "never retrieved"
