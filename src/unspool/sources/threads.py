"""A sync iterator, read from the event loop: in a worker thread, in batches, and closed where it ran."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import TypeVar

import anyio
from anyio.lowlevel import current_token

T = TypeVar("T")

BUFFER = 256
"""Items that the thread may be ahead of its reader."""


class _Stopped(Exception):
    pass


class _Handover:
    """Between the thread that iterates and the loop that reads: a bounded buffer with one wake-up per drain."""

    def __init__(self) -> None:
        self._token = current_token()
        self._changed = threading.Condition()
        self._items: list[object] = []
        self._wake = anyio.Event()
        self._waked = False
        self._stopped = False
        self.done = False
        self.error: Exception | None = None

    def iterate(self, make: Callable[[], Iterable[object]]) -> None:
        """In the thread: hand over item by item until the end, an error, or :meth:`stop`."""
        try:
            iterator = iter(make())
            try:
                for item in iterator:
                    self._put(item)
            finally:
                close = getattr(iterator, "close", None)
                if close is not None:
                    close()
        except _Stopped:
            pass
        except Exception as exc:  # noqa: BLE001 - raised again in the task that reads
            self.error = exc
        finally:
            with self._changed:
                self.done = True
                if not self._stopped:  # nobody reads any more, and the loop may be gone
                    self._wake_reader()

    def _put(self, item: object) -> None:
        with self._changed:
            while len(self._items) >= BUFFER and not self._stopped:
                self._changed.wait()
            if self._stopped:
                raise _Stopped
            self._items.append(item)
            self._wake_reader()

    def _wake_reader(self) -> None:
        if not self._waked:
            self._waked = True
            self._token.native_token.call_soon_threadsafe(self._wake.set)  # type: ignore[attr-defined]

    async def drain(self) -> list[object]:
        """On the loop: return what is there, waiting for something. Empty: the thread is done."""
        while True:
            with self._changed:
                if self._items or self.done:
                    items, self._items = self._items, []
                    self._changed.notify()
                    return items
                self._wake = anyio.Event()
                self._waked = False
            await self._wake.wait()

    def stop(self) -> None:
        """Make the thread leave its iterator at the next item."""
        with self._changed:
            self._stopped = True
            self._changed.notify()


async def iterate_in_thread(
    make: Callable[[], Iterable[T]], *, interrupt: Callable[[], object] | None = None
) -> AsyncGenerator[T, None]:
    """Yield what the iterable that ``make`` returns yields, without blocking the loop.

    The iterable is made, read and closed in one worker thread of its own, with the caller's context variables.
    Closing this generator makes the thread stop at its next item. It is not waited for, since it may be blocked.

    Args:
        make: Called in the thread.
        interrupt: Called on the loop when this generator is closed while the thread is at work: ends what the thread
            is blocked in, if something can. Must not block.
    """
    handover = _Handover()
    context = contextvars.copy_context()
    # Not one of the shared worker threads: those are few, and a run may last for minutes.
    thread = threading.Thread(
        target=context.run, args=(handover.iterate, make), name="unspool-sync-source", daemon=True
    )
    thread.start()
    try:
        while items := await handover.drain():
            for item in items:
                yield item  # type: ignore[misc]  # what the thread put in came from an Iterable[T]
        if handover.error is not None:
            raise handover.error
    finally:
        handover.stop()
        if interrupt is not None and not handover.done:
            interrupt()
