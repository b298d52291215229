"""The page that says what passed: ``docs/compatibility.md``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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


def render(rows: Sequence[Row], columns: Sequence[Column], passed: Collection[Cell]) -> str:
    """The page, with a tick for nothing but what passed."""
    return "\n".join(
        [
            "# What works with what",
            "",
            "Every source was played through every protocol, and read with the protocol's own client. What it had in"
            " the end was what the log's transcript has, as far as the protocol carries it.",
            "",
            f"A cell counts the situations that passed, of {len(COUNTED)}. Where it is fewer, a source or a protocol"
            " does not have the situation: the reasons are below. `tests/matrix` writes this page, and checks it.",
            "",
            *_table(rows, columns, passed),
            "",
            "## The situations",
            "",
            *(f"* {SCENARIOS[name].title}" for name in COUNTED),
            "",
            "Each of them with all sources and all protocols. 10,000 tokens are a matter of either side alone: each"
            f" source sends its own through {columns[0].title}, and each protocol carries those of one source.",
            "",
            "## What a source does not have",
            "",
            *_reasons(rows),
            "",
            "## What a protocol does not have",
            "",
            *_reasons(columns),
            *[line for column in columns for line in _refusals(column, rows)],
            "",
        ]
    )


def _table(rows: Sequence[Row], columns: Sequence[Column], passed: Collection[Cell]) -> list[str]:
    heads = ["", *(column.title for column in columns), "10,000 tokens"]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for row in rows:
        counts = [sum(Cell(row.name, name, column.name) in passed for name in COUNTED) for column in columns]
        long = Cell(row.name, "long", columns[0].name) in passed
        lines.append(_line([row.title, *(f"{count} ✓" if count else "–" for count in counts), "✓" if long else "–"]))
    longs = [Cell(column.long_row, "long", column.name) in passed for column in columns]
    lines.append(_line(["10,000 tokens", *("✓" if long else "–" for long in longs), ""]))
    return lines


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _reasons(sides: Sequence[Row] | Sequence[Column]) -> list[str]:
    """Who has the same reason for the same situations shares a line."""
    titles: dict[tuple[str, str], list[str]] = {}
    for side in sides:
        for reason in dict.fromkeys(side.lacks.values()):
            names = [SCENARIOS[name].title for name, why in side.lacks.items() if why == reason]
            titles.setdefault(("; ".join(names), reason), []).append(side.title)
    return [f"* {', '.join(found)}: {names}: {reason}." for (names, reason), found in titles.items()]


def _refusals(column: Column, rows: Sequence[Row]) -> list[str]:
    reasons = dict.fromkeys(reason for row in rows if (reason := column.refuses(row)))
    titles = {row.name: row.title for row in rows}
    return [
        *(f"* {column.title}: other sources: {reason}." for reason in reasons),
        *(
            f"* {column.title}: {SCENARIOS[name].title}, of {titles[row]}: {reason}."
            for (row, name), reason in column.but.items()
        ),
    ]
