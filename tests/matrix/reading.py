"""What a column is given to read a run with, and what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastapi import FastAPI

from tests.matrix.javascript import Readers
from tests.matrix.scenarios import Assembled, Scenario
from tests.matrix.sources import Row

ALL = frozenset({"text", "reasoning", "tools", "status", "error", "asked"})


@dataclass
class Reading:
    """One run, or the place to start one, for one reader.

    Attributes:
        url: Where the agent is mounted.
        run_id: The run to follow; empty for a reader that starts its own.
        lost: What a reader calls once it has lost its connection in the middle: the answer goes on after that.
        javascript: The Node processes.
        thread_id: The conversation that a reader starts its runs in.
        source: What is mounted.
    """

    url: str
    run_id: str
    scenario: Scenario
    lost: Callable[[], None]
    javascript: Readers
    thread_id: str
    source: Any


def _as_it_is(found: Assembled) -> Assembled:
    return found


def _takes_all(_: Row) -> str:
    return ""


class Read(Protocol):
    """Read a run to its end, as the protocol's official client does."""

    async def __call__(self, reading: Reading, /) -> Assembled:
        """Return what the client has then."""
        ...


@dataclass(frozen=True)
class Column:
    """A protocol.

    Attributes:
        group: The table that it is in.
        starts: Whether its clients start the runs that they read. Else they follow one that the test started, or do
            the same once more where nothing can be followed.
        carries: The members of :class:`Assembled` that it has.
        lacks: By scenario, why it has none.
        notes: By scenario, what it is there, where that is something of its own.
        stops: Whether its client cancels the run itself, where the scenario is about that.
        answer: For one that starts its runs: answers the run that it read, and reads the one that goes on.
        shows: What the protocol makes of a value: of a tool's result, for example.
        mount: Adds its routes to the app, where :meth:`Unspool.add_routes` does not.
        refuses: Why it cannot have a row; empty where it can.
        but: By row and scenario, why it cannot have that though it has the scenario.
        long_row: The row whose long answer it carries.
    """

    name: str
    title: str
    group: str
    read: Read
    starts: bool = False
    stops: bool = False
    carries: frozenset[str] = ALL
    lacks: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    answer: Read | None = None
    shows: Callable[[Assembled], Assembled] = _as_it_is
    mount: Callable[[FastAPI, Any], None] | None = None
    refuses: Callable[[Row], str] = _takes_all
    but: Mapping[tuple[str, str], str] = field(default_factory=dict)
    long_row: str = "generator"

    def has(self, row: Row, scenario: Scenario) -> bool:
        """Whether there is something to be read."""
        refused = scenario.name in self.lacks or self.refuses(row) or (row.name, scenario.name) in self.but
        return not refused

    def seen(self, found: Assembled) -> dict[str, Any]:
        """The part of what a run is that the protocol can tell."""
        return self.shows(found).only(self.carries)
