"""The two servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.langserve.compare import ORIGINAL, OURS, serving


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of LangServe itself."""
    with serving(ORIGINAL, tmp_path_factory.mktemp("original")) as url:
        yield url


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the drop-in, with the same runnables."""
    with serving(OURS, tmp_path_factory.mktemp("ours")) as url:
        yield url
