"""Waiting for a run to grow, at no cost per wait: plain futures, and one slow clock for all time-outs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager

import anyio


class Waiters:
    """Who waits for which key. One event loop only.

    A wait is one future. Waking is O(waiters of that key). Time-outs are looked at once per second, for all.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, list[tuple[float, asyncio.Future[None]]]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    def waited_for(self) -> list[str]:
        """The keys that somebody waits for."""
        return list(self._by_key)

    @contextmanager
    def waiting(self, key: str, timeout: float) -> Generator[asyncio.Future[None], None, None]:
        """Wait for ``key``, from here on: the future is done when it is woken, or a second after the time-out."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (time.monotonic() + timeout, future)
        self._by_key.setdefault(key, []).append(entry)
        try:
            yield future
        finally:
            entries = self._by_key.get(key)
            if entries is not None and entry in entries:
                entries.remove(entry)
                if not entries:
                    del self._by_key[key]

    async def wait(self, key: str, timeout: float) -> None:
        """Return when ``key`` is woken, or up to a second after ``timeout`` seconds."""
        with self.waiting(key, timeout) as woken:
            await woken

    def wake(self, key: str) -> None:
        """Wake everybody who waits for ``key``."""
        for _, future in self._by_key.pop(key, ()):
            if not future.done():
                future.set_result(None)

    def wake_all(self) -> None:
        """Wake everybody."""
        for key in list(self._by_key):
            self.wake(key)

    async def run_clock(self) -> None:
        """For ever: wake those whose time is over."""
        while True:
            await anyio.sleep(1.0)
            self._expire(time.monotonic())

    def _expire(self, now: float) -> None:
        for key, entries in list(self._by_key.items()):
            due = [entry for entry in entries if entry[0] <= now]
            if not due:
                continue
            for _, future in due:
                if not future.done():
                    future.set_result(None)
            left = [entry for entry in entries if entry[0] > now]
            if left:
                self._by_key[key] = left
            else:
                del self._by_key[key]
