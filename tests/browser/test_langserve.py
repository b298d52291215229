"""The playground where LangServe had its own."""

from __future__ import annotations

import pytest
from fastapi import APIRouter, FastAPI
from playwright.async_api import Browser, Page, expect

from tests.browser.pages import violations, watched_page
from tests.langserve.test_server import HASH, asked
from tests.support.server import serve
from unspool.langserve import add_routes

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


async def _run(page: Page, word: str) -> None:
    await page.get_by_role("textbox").fill(word)
    await page.get_by_role("button", name="Run", exact=True).click()


async def test_the_playground_runs_a_chain_and_keeps_what_was_said_over_a_reload(browser: Browser) -> None:
    router = APIRouter(prefix="/api")
    add_routes(router, asked(), path="/chain")
    app = FastAPI()
    app.include_router(router)
    async with serve(app) as url:
        async with watched_page(browser, f"{url}/api/chain/playground/") as page:
            await _run(page, "hello")
            await expect(page.get_by_text("say hello")).to_be_visible()
            assert await violations(page) == []
            await page.reload()
            await expect(page.get_by_text("say hello")).to_be_visible()
        async with watched_page(browser, f"{url}/api/chain/c/{HASH}/playground/") as shared:
            await expect(shared.get_by_text("say hello")).to_have_count(0)
            await _run(shared, "hello")
            await expect(shared.get_by_text("no hello")).to_be_visible()
