"""Fills a row of the matrix: plays each scenario once for all that can follow a run, and once for each that cannot."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import anyio
from fastapi import FastAPI

from tests.matrix.javascript import Readers
from tests.matrix.reading import Column, Reading
from tests.matrix.scenarios import AGREED, Assembled, Scenario, assembled, together
from tests.matrix.sources import Playing, Row
from tests.support.server import serve
from unspool import MemoryLog, Transcript, Unspool
from unspool.client import AsyncClient
from unspool.events import Token
from unspool.runs import read_all

SECONDS = 100.0
THREAD = "matrix"
_COUNT = itertools.count()
"""Of threads. Clients keep them by their names, also where a later server has the port of an earlier one."""


@dataclass
class Stage:
    """A server on which one source plays one scenario."""

    url: str
    scenario: Scenario
    playing: Playing
    log: MemoryLog
    client: AsyncClient
    javascript: Readers

    def reading(self, lost: Lost, *, run_id: str = "", thread_id: str = THREAD) -> Reading:
        """What a reader gets."""
        return Reading(self.url, run_id, self.scenario, lost, self.javascript, thread_id, self.playing.source)

    async def truth(self, run_id: str) -> Assembled:
        """What the log holds of a run."""
        transcript = Transcript()
        for record in await read_all(self.log, run_id):
            transcript.fold(record)
        return assembled(transcript)

    async def runs_of(self, thread_id: str) -> list[str]:
        """The runs of a thread, oldest first; at least one."""
        while not (found := (await self.client.runs(thread_id=thread_id))["runs"]):
            await anyio.sleep(0.01)  # a client is about to start it
        return [run["id"] for run in reversed(found)]

    async def cancel_at_text(self, run_id: str) -> None:
        """Cancel a run once all of its text before the stall is there."""
        said = 0
        async with self.client.follow(run_id) as stream:
            async for event in stream:
                said += isinstance(event, Token)
                if said == 2:  # the two pieces before the stall
                    break
        await self.client.cancel(run_id)


class Lost:
    """Lets the answer go on once so many readers have lost their connection."""

    def __init__(self, readers: int, playing: Playing) -> None:
        self._left = readers
        self._playing = playing

    def __call__(self) -> None:
        """One more."""
        self._left -= 1
        if self._left == 0:
            self._playing.release()


@asynccontextmanager
async def staged(row: Row, scenario: Scenario, columns: Sequence[Column], javascript: Readers) -> AsyncIterator[Stage]:
    """Serve the source, for one scenario and these columns."""
    async with AsyncExitStack() as stack:
        playing = await row.play(scenario, stack)
        app, log = FastAPI(), MemoryLog()
        unspool = Unspool(log=log, grace=0.2, playground=False)
        unspool.add_routes(app, playing.source, path="/agent", options=scenario.options)
        for mount in dict.fromkeys(column.mount for column in columns if column.mount is not None):
            mount(app, playing.source)
        url = await stack.enter_async_context(serve(app))
        client = await stack.enter_async_context(AsyncClient(f"{url}/agent"))
        yield Stage(f"{url}/agent", scenario, playing, log, client, javascript)


def groups(row: Row, scenario: Scenario, columns: Sequence[Column]) -> list[list[Column]]:
    """The columns that have the scenario; each group has a server of its own."""
    having = [column for column in columns if column.has(row, scenario)]
    if scenario.name == "long":  # for the source's sake with one column, and for each column's sake with one source
        return [[column for column in having if column is columns[0] or column.long_row == row.name]]
    if scenario.name == "cut":  # the answer goes on when all have lost their connection: once per server
        following = [column for column in having if not column.starts]
        return [following, *([column] for column in having if column.starts)]
    return [having]


async def play(row: Row, scenario: Scenario, columns: Sequence[Column], javascript: Readers) -> None:
    """Read one scenario with all columns that have it.

    Raises:
        AssertionError: A client has something else in the end than the log.
    """
    for group in groups(row, scenario, columns):
        failed: Exception | None = None
        async with staged(row, scenario, group, javascript) as stage:
            try:
                with anyio.fail_after(SECONDS):
                    await _read_all(stage, group)
            except Exception as exc:  # noqa: BLE001 - raised once the server has stopped in good order
                failed = exc
        if failed is not None:
            raise failed


async def _read_all(stage: Stage, columns: Sequence[Column]) -> None:
    async with anyio.create_task_group() as tasks:
        following = [column for column in columns if not column.starts]
        if following:
            tasks.start_soon(follow, stage, following)
        for column in columns:
            if column.starts:
                tasks.start_soon(start_with, stage, column)


async def follow(stage: Stage, columns: Sequence[Column]) -> None:
    """All columns read the same run; and where it asks, the one that goes on with the answer."""
    started = await stage.client.start("go", thread_id=THREAD)
    run_id: str = started["id"]
    await _compared(stage, columns, run_id)
    if stage.scenario.name == "interrupt":
        asked = await stage.client.get(run_id)
        answer = AGREED if "action_requests" in asked["interrupts"][0]["value"] else "yes"
        async with stage.client.resume(run_id, answer) as stream:
            async for _ in stream:
                pass
        await _compared(stage, columns, stream.run_id, answered=True)


async def _compared(stage: Stage, columns: Sequence[Column], run_id: str, *, answered: bool = False) -> None:
    found: dict[str, Assembled] = {}
    lost = Lost(len(columns), stage.playing)

    async def read(column: Column) -> None:
        found[column.name] = await column.read(stage.reading(lost, run_id=run_id))

    async with anyio.create_task_group() as tasks:
        for column in columns:
            tasks.start_soon(read, column)
        if stage.scenario.name == "cancel":
            tasks.start_soon(stage.cancel_at_text, run_id)
    truth = await stage.truth(run_id)
    check_truth(stage.scenario, truth, answered=answered)
    for column in columns:
        check_same(column, found[column.name], truth)


async def start_with(stage: Stage, column: Column) -> None:
    """A column starts its own run, reads it, and answers it where it asks."""
    thread_id = f"{column.name}-{next(_COUNT)}"
    reading = stage.reading(Lost(1, stage.playing), thread_id=thread_id)
    found = Assembled()
    async with anyio.create_task_group() as tasks:
        if stage.scenario.name == "cancel" and not column.stops:
            tasks.start_soon(_cancel_newest, stage, thread_id)
        found = await column.read(reading)
    [run_id] = await stage.runs_of(thread_id)
    truth = await stage.truth(run_id)
    check_truth(stage.scenario, truth)
    check_same(column, found, truth)
    if stage.scenario.name == "interrupt":
        assert column.answer is not None
        found = await column.answer(reading)
        answer = await stage.truth((await stage.runs_of(thread_id))[-1])
        check_truth(stage.scenario, answer, answered=True)
        check_same(column, found, together(truth, answer))


async def _cancel_newest(stage: Stage, thread_id: str) -> None:
    await stage.cancel_at_text((await stage.runs_of(thread_id))[-1])


def check_same(column: Column, found: Assembled, truth: Assembled) -> None:
    """The client has what the log has, as far as the protocol carries it."""
    has, wanted = column.seen(found), column.seen(truth)
    different = {name: (_shown(has[name]), _shown(wanted[name])) for name in has if has[name] != wanted[name]}
    assert not different, f"{column.name}, client and log: {different}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) < 500 else f"{text[:200]} … {text[-200:]}, {len(text)} characters"


def check_truth(scenario: Scenario, truth: Assembled, *, answered: bool = False) -> None:
    """The log has what the scenario is about."""
    if answered:
        assert (truth.status, truth.text[-5:]) == ("completed", "Sent."), truth
    else:
        assert scenario.holds(truth), truth
