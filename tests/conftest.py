"""What every test may use, and the order in which they run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

TESTS = Path(__file__).parent
LONGEST_FIRST = ("matrix", "browser", "runs", "examples", "copilotkit", "langserve", "repo", "cli", "local", "sources")
"""Directories whose files start processes, browsers and models. Begun last, one would keep other workers waiting."""

_LAST_LINE = "-----END CERTIFICATE-----\n"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Unspool runs on asyncio, as uvicorn, LangGraph and the model SDKs do."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """HTTP clients trust the first authority of their list alone.

    No test speaks TLS. Each client that is made reads the list, which takes 25 ms of CPU for the whole one.
    """
    certificate, end, _ = Path(certifi.where()).read_text().partition(_LAST_LINE)
    path = tmp_path_factory.mktemp("authority") / "one.pem"
    path.write_text(certificate + end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(path))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the directories of ``LONGEST_FIRST`` before the others; the order within them stays."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.relative_to(TESTS).parts[0], len(places)))
