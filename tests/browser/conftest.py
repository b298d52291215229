"""One browser and one server of scripted agents for all tests of a module; each test has a page of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Browser, Page

from tests.browser.pages import chromium, watched_page
from tests.browser.serving import AppServer, app_server


@pytest.fixture(scope="module")
async def browser() -> AsyncGenerator[Browser, None]:
    async with chromium() as made:
        yield made


@pytest.fixture(scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[AppServer, None]:
    async with app_server(tmp_path_factory.mktemp("app")) as served:
        yield served


@pytest.fixture
async def page(browser: Browser, app: AppServer) -> AsyncGenerator[Page, None]:
    """The playground of the agent that is all agents in one: ``/tools …`` is for ``tools``."""
    async with watched_page(browser, app.playground()) as opened:
        yield opened
