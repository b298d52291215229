"""Who is following which run, in this process."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager

import anyio

logger = logging.getLogger("unspool")


class Follower:
    """One response, or one subscription of a WebSocket, that follows a run.

    Attributes:
        run_id: The run.
        closing: Set when the server wants the response to end in good order; the client may resume elsewhere.
        sending_since: When the write that is under way began, on the monotonic clock. None: none is.
    """

    __slots__ = ("_abort", "_close", "closing", "run_id", "sending_since")

    def __init__(self, run_id: str, *, close: Callable[[], None], abort: Callable[[], None]) -> None:
        self.run_id = run_id
        self.closing = False
        self.sending_since: float | None = None
        self._close = close
        self._abort = abort

    def close(self) -> None:
        """Ask it to finish its response and leave."""
        self.closing = True
        self._close()

    def abort(self) -> None:
        """Make it leave in the middle of a write that does not come to an end."""
        self._abort()


class Followers:
    """All followers of this process.

    Args:
        on_last_left: Called with the run id when a run has lost its last follower here.
    """

    def __init__(self, *, on_last_left: Callable[[str], None]) -> None:
        self._by_run: defaultdict[str, set[Follower]] = defaultdict(set)
        self._on_last_left = on_last_left

    def count(self, run_id: str) -> int:
        """How many follow the run here."""
        return len(self._by_run[run_id]) if run_id in self._by_run else 0

    @contextmanager
    def attached(self, follower: Follower) -> Generator[None, None, None]:
        """Count ``follower`` in for as long as the context is entered."""
        run_id = follower.run_id
        self._by_run[run_id].add(follower)
        try:
            yield
        finally:
            self._by_run[run_id].discard(follower)
            if not self._by_run[run_id]:
                del self._by_run[run_id]
                self._on_last_left(run_id)

    def close_all(self) -> None:
        """Ask all to leave, because the server is about to stop."""
        for followers in list(self._by_run.values()):
            for follower in list(followers):
                follower.close()

    async def abort_slow(self, *, after: float) -> None:
        """For ever: make those leave whose socket has not drained for ``after`` seconds.

        One look per second over all of them, so that a write costs no timer.
        """
        while True:
            await anyio.sleep(1.0)
            limit = time.monotonic() - after
            for followers in list(self._by_run.values()):
                for follower in list(followers):
                    if follower.sending_since is not None and follower.sending_since < limit:
                        logger.warning("run %s: a follower did not read for %.0f s; dropped", follower.run_id, after)
                        follower.abort()
