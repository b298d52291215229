"""What every test may use."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Unspool runs on asyncio, as uvicorn, LangGraph and the model SDKs do."""
    return "asyncio"
