"""How many appends a run takes, and how long an event waits for one: counted in turns of the event loop."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence

import anyio
import pytest
from anyio.lowlevel import checkpoint
from typing_extensions import override

from unspool import MemoryLog
from unspool.eventlog import Appended, tail
from unspool.events import Record, Token
from unspool.runs import Runner, RunOptions, RunRequest
from unspool.runs.writer import GATHER_SECONDS, GATHER_TURNS
from unspool.sources import adapt


class CountingLog(MemoryLog):
    """Counts the appends."""

    def __init__(self) -> None:
        super().__init__()
        self.appends = 0

    @override
    async def append(self, run_id: str, *, epoch: int, first_seq: int, events: Sequence[bytes]) -> Appended:
        self.appends += 1
        return await super().append(run_id, epoch=epoch, first_seq=first_seq, events=events)


async def _records(log: MemoryLog, agent: object) -> list[Record]:
    """Those of a run of ``agent``, named ``run``."""
    with anyio.fail_after(60):
        async with log, Runner(log) as runner:
            mount = runner.mount(adapt(agent), name="agent", options=RunOptions())
            await runner.start(mount, RunRequest(input="go"), owner="o", run_id="run")
            return [record async for batch in tail(log, "run") for record in batch]


async def _turns(log: MemoryLog, last_seq: int) -> int:
    """How often the event loop turns until the run has so many records."""
    turns = 0
    while (await log.get("run")).last_seq < last_seq:
        turns += 1
        await checkpoint()
    return turns


@pytest.mark.parametrize("turns", [1, 3])
async def test_a_source_that_needs_few_turns_for_a_token_takes_few_appends(turns: int) -> None:
    log = CountingLog()

    async def agent(_: str) -> AsyncGenerator[str, None]:
        for number in range(2000):
            for _turn in range(turns):
                await checkpoint()
            yield f"{number} "

    records = await _records(log, agent)
    assert [record.seq for record in records] == list(range(1, 2005))
    said = [record.event for record in records if record.type == "token"]
    assert "".join(event.text for event in said if isinstance(event, Token)) == "".join(f"{n} " for n in range(2000))
    assert log.appends < 1000


async def test_a_token_that_comes_alone_goes_at_once_and_those_right_after_it_some_turns_later() -> None:
    log = MemoryLog()
    took: list[int] = []

    async def agent(_: str) -> AsyncGenerator[str, None]:
        yield "a"
        await _turns(log, 3)
        quiet = time.monotonic() + GATHER_SECONDS
        while time.monotonic() <= quiet:
            await checkpoint()
        yield "b"
        took.append(await _turns(log, 4))
        yield "c"
        await checkpoint()
        yield "d"
        took.append(await _turns(log, 6))

    assert (await _records(log, agent))[-1].is_end
    alone, after = took
    assert alone <= 2
    assert after <= GATHER_TURNS + 2
