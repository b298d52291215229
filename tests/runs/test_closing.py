"""Borrowed iterators are given back closed, whatever happens to the borrower."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator

import anyio
import pytest

from unspool.closing import opened


async def _careful(log: list[str]) -> AsyncGenerator[int, None]:
    try:
        while True:
            yield 1
    finally:
        await anyio.sleep(0.01)  # as closing a connection takes
        log.append("closed")


async def test_a_generator_parked_at_its_yield_is_closed_though_its_borrower_is_cancelled() -> None:
    log: list[str] = []
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:

            async def borrow() -> None:
                async with opened(_careful(log)) as numbers:
                    await anext(numbers)
                    await anyio.sleep_forever()

            tasks.start_soon(borrow)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    assert log == ["closed"]


async def test_a_generator_that_does_not_close_is_left_behind_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def stubborn() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await anyio.sleep_forever()

    with anyio.fail_after(5), caplog.at_level(logging.WARNING, "unspool"):
        async with opened(stubborn(), close_within=0.01) as numbers:
            await anext(numbers)
    assert "did not close within" in caplog.text
