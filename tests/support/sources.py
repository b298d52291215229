"""Asking a source in a test."""

from __future__ import annotations

from itertools import count
from typing import Any

import anyio

from unspool.closing import opened
from unspool.sources import Call, Source
from unspool.testing.source import check_events

_SECONDS = count(60)


def apart() -> float:
    """A timeout for a ChatOpenAI that no other one has: so it has connections of its own.

    LangChain shares them between models of one address and one timeout. An address may be that of an earlier test's
    server, and the event loop of the connections to that one is closed.
    """
    return float(next(_SECONDS))


async def collect(source: Source, value: Any = "hi", **fields: Any) -> list[Any]:
    """All that it yields for one call, which must be legal. ``fields`` are those of the call."""
    with anyio.fail_after(20):
        async with opened(source.stream(Call(**{"run_id": "run-1", "input": value, **fields}))) as events:
            found = [event async for event in events]
    check_events(found)
    return found
