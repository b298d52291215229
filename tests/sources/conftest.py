"""The embedded model, started once for all tests of a process that want it, and clients of the model server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import openai
import pytest
from anyio.from_thread import start_blocking_portal

from unspool.local import LocalModel
from unspool.testing import FakeOpenAI

Connect = Callable[[FakeOpenAI], Any]


@pytest.fixture(scope="session")
def real_model() -> Iterator[LocalModel]:
    """The embedded model: ``base_url`` and ``name``. Its watcher lives in a thread of its own, with its own loop."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(LocalModel()) as model:
        yield model


@pytest.fixture
async def connect() -> AsyncGenerator[Connect, None]:
    """Makes async clients, and closes them."""
    async with AsyncExitStack() as stack:

        def client(server: FakeOpenAI) -> openai.AsyncOpenAI:
            made = openai.AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=0)
            stack.push_async_callback(made.close)
            return made

        yield client


@pytest.fixture(params=["async", "sync"])
def connect_both(request: pytest.FixtureRequest, connect: Connect) -> Generator[Connect, None, None]:
    """Makes async clients in one test, and sync ones in another; closes them."""
    with ExitStack() as stack:

        def client(server: FakeOpenAI) -> openai.OpenAI:
            made = openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0)
            stack.callback(made.close)
            return made

        yield connect if request.param == "async" else client
