"""Every event log keeps every promise of the contract."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from unspool.eventlog import EventLog, MemoryLog, SQLiteLog
from unspool.testing import EVENT_LOG_CHECKS, check_event_log
from unspool.testing.event_log_support import Check


class TwoProcesses:
    """Two logs on one file, as two processes have them: one runs the runs, the other one follows and cancels."""

    _OWNERS = frozenset({"create", "append", "claim", "reap", "renew", "release", "cancels"})

    def __init__(self, owner: EventLog, other: EventLog) -> None:
        self._owner = owner
        self._other = other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._owner if name in self._OWNERS else self._other, name)


@asynccontextmanager
async def _two(path: Path) -> AsyncGenerator[Any, None]:
    async with SQLiteLog(path) as first, SQLiteLog(path) as second:
        yield TwoProcesses(first, second)


def _make(kind: str, directory: Path) -> AbstractAsyncContextManager[EventLog]:
    match kind:
        case "memory":
            return MemoryLog()
        case "sqlite":
            return SQLiteLog(directory / "log.sqlite")
        case "sqlite, nothing in memory":
            return SQLiteLog(directory / "log.sqlite", live_bytes=1)
        case _:
            return _two(directory / "log.sqlite")


@pytest.mark.parametrize("check", EVENT_LOG_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", ["memory", "sqlite", "sqlite, nothing in memory", "two processes on one file"])
async def test_a_log_keeps_its_promise(kind: str, check: Check, tmp_path: Path) -> None:
    await check_event_log(lambda: _make(kind, tmp_path), checks=[check])


async def test_the_kit_finds_a_log_that_forgets_the_epoch() -> None:
    class Forgetful(MemoryLog):
        async def append(self, run_id: str, *, epoch: int, first_seq: int, events: Any) -> Any:  # noqa: ARG002
            run = await self.get(run_id)
            return await super().append(run_id, epoch=run.epoch, first_seq=first_seq, events=events)

    with pytest.raises(AssertionError):
        await check_event_log(Forgetful)


async def test_the_kit_finds_a_log_that_loses_a_wake_up() -> None:
    class Sleepy(MemoryLog):
        async def wait(self, run_id: str, *, after: int, timeout: float) -> None:  # noqa: ARG002
            await anyio.sleep_forever()

    checks = [check for check in EVENT_LOG_CHECKS if check.__name__ == "waiting_ends_with_the_next_record"]
    with pytest.raises(TimeoutError), anyio.fail_after(0.5):
        await check_event_log(Sleepy, checks=checks)
