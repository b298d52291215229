"""The page that says what passed: ``docs/compatibility.md``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tests.matrix.reading import Column
from tests.matrix.running import groups
from tests.matrix.scenarios import SCENARIOS, Scenario
from tests.matrix.sources import Row

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
COUNTED = [name for name in SCENARIOS if name != "long"]


class Cell(NamedTuple):
    """One scenario of one source, read with the client of one protocol."""

    row: str
    scenario: str
    column: str


def cells_of(row: Row, scenario: Scenario, columns: Sequence[Column]) -> set[Cell]:
    """What a test of one scenario of one source shows."""
    if scenario.name in row.lacks:
        return set()
    return {Cell(row.name, scenario.name, one.name) for group in groups(row, scenario, columns) for one in group}


def render(rows: Sequence[Row], columns: Sequence[Column], planned: Collection[Cell], passed: Collection[Cell]) -> str:
    """The page: numbers count what passed, and a tick stands where all passed that were planned."""
    of_row = [(row, {cell for cell in planned if cell.row == row.name}) for row in rows]
    of_column = [(column, {cell for cell in planned if cell.column == column.name}) for column in columns]
    parts = [
        ["# What works with what"],
        [
            f"{len(rows)} sources, {len(columns)} clients and {len(SCENARIOS)} situations: {len(passed):,} combinations"
            " were played, each read with the protocol's own client. What the client had in the end was what the log's"
            " transcript has, as far as the protocol carries it. `tests/matrix` plays them, and writes this page."
        ],
        ["## Sources"],
        ["A tick: what the source did arrived at every client that has the situation."],
        _ticks("Source", of_row, passed),
        _words(rows),
        ["## Clients"],
        ["A tick: the client had it from every source that has the situation."],
        _ticks("Client", of_column, passed),
        [*_words(columns), *_refusals(rows, columns)],
        ["## Situations"],
        [f"* **{scenario.short}**: {scenario.title}" for scenario in SCENARIOS.values()],
        ["## Each source with each client"],
        [f"How many situations passed, of {len(COUNTED)}. What is not among them, one of the two does not have."],
        *_grids(rows, columns, planned, passed),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _ticks(head: str, sides: Sequence[tuple[Row | Column, set[Cell]]], passed: Collection[Cell]) -> list[str]:
    def tick(planned: set[Cell], name: str) -> str:
        cells = {cell for cell in planned if cell.scenario == name}
        return "✓" if cells and cells <= set(passed) else "–"

    lines = [[side.title, *(tick(planned, name) for name in SCENARIOS)] for side, planned in sides]
    return _table([head, *(scenario.short for scenario in SCENARIOS.values())], lines)


def _grids(
    rows: Sequence[Row], columns: Sequence[Column], planned: Collection[Cell], passed: Collection[Cell]
) -> list[list[str]]:
    def count(row: Row, column: Column) -> str:
        pair = {Cell(row.name, name, column.name) for name in COUNTED} & set(planned)
        found = len(pair & set(passed))
        if not pair:
            return "–"
        return f"{found} ✓" if found == len(pair) else f"{found} of {len(pair)}"

    grids: list[list[str]] = []
    for title, found in groupby(columns, key=lambda column: column.group):
        group = list(found)
        served = [row for row in rows if not all(column.refuses(row) for column in group)]
        lines = [[row.title, *(count(row, column) for column in group)] for row in served]
        grids += [[f"### {title}"], _table(["Source", *(column.title for column in group)], lines)]
    return grids


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    marks = ["---", *[":-:"] * (len(heads) - 1)]
    return [f"| {' | '.join(line)} |" for line in [heads, marks, *lines]]


def _words(sides: Sequence[Row] | Sequence[Column]) -> list[str]:
    """Why there is no tick, and what is to be said of one. Who has the same to say shares a line."""
    return [*_shared(sides, "no ", lambda side: side.lacks), *_shared(sides, "", lambda side: side.notes)]


def _shared(
    sides: Sequence[Row] | Sequence[Column], verb: str, words: Callable[[Row | Column], Mapping[str, str]]
) -> list[str]:
    titles: dict[tuple[str, str], list[str]] = {}
    for side in sides:
        for word in dict.fromkeys(words(side).values()):
            names = ", ".join(SCENARIOS[name].short for name, why in words(side).items() if why == word)
            titles.setdefault((names, word), []).append(_name(side))
    return [f"* {', '.join(found)}: {verb}**{names}**: {word}." for (names, word), found in titles.items()]


def _name(side: Row | Column) -> str:
    """The title, without the page that it leads to."""
    return side.title.removeprefix("[").partition("](")[0]


def _refusals(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    refusing: dict[str, list[str]] = {}
    for column in columns:
        for reason in dict.fromkeys(filter(None, map(column.refuses, rows))):
            refusing.setdefault(reason, []).append(_name(column))
    titles = {row.name: _name(row) for row in rows}
    return [
        *(f"* {', '.join(found)}: no other sources: {reason}." for reason, found in refusing.items()),
        *(
            f"* {_name(column)}: no **{SCENARIOS[name].short}** of {titles[row]}: {reason}."
            for column in columns
            for (row, name), reason in column.but.items()
        ),
    ]
