"""Every source through every protocol, read with the protocol's own client, against the transcript of the log."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from tests.matrix.javascript import Readers, javascript
from tests.matrix.page import PAGE, Cell, cells_of, render
from tests.matrix.protocols import COLUMNS
from tests.matrix.running import play
from tests.matrix.scenarios import SCENARIOS, Scenario
from tests.matrix.sources import ROWS, Row

PLANNED = {cell for row in ROWS for scenario in SCENARIOS.values() for cell in cells_of(row, scenario, COLUMNS)}
FAILED: set[Cell] = set()


@pytest.fixture(scope="module")
async def readers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Readers]:
    directory = tmp_path_factory.mktemp("matrix")
    async with javascript(directory) as usual, javascript(directory, newer=True) as newer:
        yield Readers(usual, newer)


@pytest.mark.filterwarnings("ignore::langgraph.warnings.LangGraphDeprecatedSinceV10")  # LangServe's config schema
@pytest.mark.parametrize(
    ("row", "scenario"),
    [
        pytest.param(row, scenario, id=f"{row.name}-{scenario.name}")
        for row in ROWS
        for scenario in SCENARIOS.values()
        if scenario.name not in row.lacks
    ],
)
async def test_clients_of_all_protocols_end_with_what_the_log_holds(
    row: Row, scenario: Scenario, readers: Readers
) -> None:
    cells = cells_of(row, scenario, COLUMNS)
    FAILED.update(cells)
    await play(row, scenario, COLUMNS, readers)
    FAILED.difference_update(cells)


def test_the_page_says_what_passed() -> None:
    """Written anew where ``UNSPOOL_WRITE_PAGE`` is set. What this session did not try counts as it is in the page."""
    page = render(ROWS, COLUMNS, PLANNED, PLANNED - FAILED)
    if os.environ.get("UNSPOOL_WRITE_PAGE"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page


def test_a_tick_stands_where_all_passed() -> None:
    failed = Cell("generator", "tool", "sse")
    pages = [render(ROWS, COLUMNS, PLANNED, passed).splitlines() for passed in (PLANNED, PLANNED - {failed})]
    changed = [(was, line) for was, line in zip(*pages, strict=True) if was != line][1:]  # the first is the sum
    assert [line.partition("]")[0] for _, line in changed] == ["| [Plain generator", "| [SSE", "| [Plain generator"]
    assert [was.count("✓") - line.count("✓") for was, line in changed] == [1, 1, 1]
    assert "| 8 of 9 |" in changed[2][1]
