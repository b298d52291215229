"""What a browser goes through: no network, another tab, a killed server, each transport. Nothing is lost or doubled."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.pages import watched_page
from tests.browser.serving import AppServer, app_server
from tests.browser.test_playground import SAID_ALL, answer, ask, done, turn
from tests.support.browser_agents import LONG_CHARACTERS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

UNREACHABLE = ("ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING")
"""What Chromium writes to the console of a page without a network."""


def connection(page: Page) -> Locator:
    return page.locator(".connection")


async def choose_transport(page: Page, name: str) -> None:
    await page.get_by_role("button", name="Settings").click()
    await page.get_by_label("Transport").select_option(name)
    await page.keyboard.press("Escape")


async def test_without_a_network_it_says_so_and_goes_on_when_it_is_back(browser: Browser, tmp_path: Path) -> None:
    async with (
        app_server(tmp_path, "--lease", "1") as app,
        watched_page(browser, app.playground(), expected=UNREACHABLE) as page,
    ):
        await ask(page, "/slow offline")
        await expect(answer(page)).to_have_text("zero")
        await page.context.set_offline(True)
        app.server.kill()  # Chromium's offline mode refuses requests, and lets a stream that is open run on
        await expect(connection(page)).to_contain_text("Offline. It goes on when the network is back")
        await app.server.start()
        await expect(connection(page)).to_contain_text("Offline")
        await page.context.set_offline(False)
        await expect(connection(page)).to_contain_text("Live", timeout=30_000)
        await app.release("offline", "all")
        await expect(answer(page)).to_have_text(SAID_ALL, timeout=30_000)


async def test_two_tabs_show_the_same_run(browser: Browser, app: AppServer) -> None:
    async with watched_page(browser, app.playground()) as first:
        await ask(first, "/slow tabs")
        await expect(answer(first)).to_have_text("zero")
        second = await first.context.new_page()
        await second.goto(first.url)
        await expect(answer(second)).to_have_text("zero")
        await app.release("tabs", 2)
        for page in (first, second):
            await expect(answer(page)).to_have_text("zero one two")
        await second.get_by_role("button", name="Stop").click()
        for page in (first, second):
            await expect(turn(page)).to_contain_text("This answer was stopped")
            await expect(answer(page)).to_have_text("zero one two")


@pytest.mark.parametrize(
    ("transport", "words"),
    [("sse", "SSE"), ("ndjson", "NDJSON"), ("eventsource", "EventSource"), ("websocket", "WebSocket")],
)
async def test_each_transport_works_in_a_browser(browser: Browser, app: AppServer, transport: str, words: str) -> None:
    async with watched_page(browser, app.playground()) as page:
        await choose_transport(page, transport)
        await ask(page, f"/slow by-{transport}")
        await expect(answer(page)).to_have_text("zero")
        await expect(connection(page)).to_contain_text(f"Live over {words}")
        await page.reload()
        await expect(answer(page)).to_have_text("zero")
        await app.release(f"by-{transport}", "all")
        await expect(answer(page)).to_have_text(SAID_ALL)


async def test_an_answer_of_20000_characters_is_whole(browser: Browser, app: AppServer) -> None:
    async with watched_page(browser, app.playground()) as page:
        await ask(page, "/long go")
        await done(page)
        thread = page.url.rpartition("/")[2]
        async with httpx.AsyncClient() as client:
            found = (await client.get(f"{app.url}/agent/threads/{thread}")).json()
        said = found["messages"][-1]["parts"][0]["text"]
        assert len(said) >= LONG_CHARACTERS
        chapters = await answer(page).locator("h1, h2, h3").all_text_contents()
        assert chapters == [line.lstrip("# ") for line in said.splitlines() if line.startswith("#")]
