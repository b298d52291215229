"""Borrow an async iterator, and give it back closed."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio

T = TypeVar("T")

logger = logging.getLogger("unspool")


@asynccontextmanager
async def opened(stream: AsyncIterable[T], *, close_within: float = 5.0) -> AsyncGenerator[AsyncIterator[T], None]:
    """Iterate ``stream``, and close it before leaving, also when leaving by cancellation.

    An async generator that is merely dropped runs its ``finally`` blocks when the garbage collector comes
    by, in another task: a connection to a model stays open, and billed. :func:`contextlib.aclosing` is not
    enough, since in a cancelled scope the first ``await`` of the generator's own cleanup is cancelled too.

    Args:
        stream: Any async iterable. Closed if it has ``aclose()``.
        close_within: Seconds the stream may take to close, even if we are being cancelled. After that it
            is left behind with a warning in the log.
    """
    iterator = aiter(stream)
    try:
        yield iterator
    finally:
        aclose = getattr(iterator, "aclose", None)
        if aclose is not None:
            with anyio.move_on_after(close_within, shield=True) as closing:
                await aclose()
            if closing.cancelled_caught:
                logger.warning("%r did not close within %.1f s", stream, close_within)
