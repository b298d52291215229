"""Asking a source in a test."""

from __future__ import annotations

from typing import Any

import anyio

from unspool.closing import opened
from unspool.sources import Call, Source
from unspool.testing.source import check_events


async def collect(source: Source, value: Any = "hi", **fields: Any) -> list[Any]:
    """All that it yields for one call, which must be legal. ``fields`` are those of the call."""
    with anyio.fail_after(20):
        async with opened(source.stream(Call(**{"run_id": "run-1", "input": value, **fields}))) as events:
            found = [event async for event in events]
    check_events(found)
    return found
