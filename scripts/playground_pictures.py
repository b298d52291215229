"""Takes the pictures of docs/playground.md: ``.venv/bin/python -m scripts.playground_pictures``, from the root.

Needs the built playground (``make playground``) and Debian's chromium. The agents are those of the tests.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Literal

import httpx
from playwright.async_api import Browser, Page, ViewportSize, expect
from tests.browser.pages import chromium
from tests.browser.serving import AppServer, app_server

PICTURES = Path(__file__).parents[1] / "docs/pictures"
SIZE: ViewportSize = {"width": 1180, "height": 720}
PHONE: ViewportSize = {"width": 390, "height": 844}
STEP = 0.3
"""Seconds between the parts of the scripted answer, so that its timeline has lengths."""


async def _asked(app: AppServer) -> str:
    """A run of the agent with tools, that took some time. Returns the hash of its page."""
    async with httpx.AsyncClient() as client:
        body = {"input": "How is the weather in Utrecht?", "thread_id": "weather", "config": {"gate": "pictures"}}
        run_id = (await client.post(f"{app.url}/tools/runs", json=body)).json()["id"]
    for _ in range(5):
        await asyncio.sleep(STEP)
        await app.release("pictures")
    return f"#tools/weather?run={run_id}"


async def _told(app: AppServer) -> str:
    """A run of many tokens."""
    async with httpx.AsyncClient(timeout=60) as client:
        body = {"input": "Tell me a story.", "thread_id": "story", "config": {"characters": 6000, "rate": 300}}
        run_id = (await client.post(f"{app.url}/long/runs", json=body)).json()["id"]
        await client.get(f"{app.url}/long/runs/{run_id}/stream")
    return f"#long/story?run={run_id}"


class Camera:
    """Takes pictures of pages, each in a window of its own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    async def open(self, url: str, *, scheme: Literal["light", "dark"] = "light", size: ViewportSize = SIZE) -> Page:
        """A new page at ``url``."""
        context = await self._browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        page = await context.new_page()
        await page.goto(url)
        return page

    async def take(self, page: Page, name: str) -> None:
        """Save what is shown, and close the page."""
        await page.evaluate("document.fonts.ready")
        await page.screenshot(path=PICTURES / f"{name}.png")
        await page.context.close()


async def _tab(page: Page, name: str) -> None:
    await expect(page.locator(".insp-status")).to_have_text("completed")
    await page.get_by_role("tab", name=name).click()


async def main() -> None:
    """Take them all."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        async with app_server(Path(directory)) as app, chromium() as browser:
            camera = Camera(browser)
            weather, story = await _asked(app), await _told(app)

            page = await camera.open(app.playground("tools") + weather)
            await _tab(page, "Timeline")
            await page.get_by_role("button", name=re.compile("^act")).focus()
            await camera.take(page, "inspector-timeline")

            page = await camera.open(app.playground("tools") + weather, scheme="dark")
            await _tab(page, "Events")
            await page.get_by_label("Search events").fill("weather")
            await page.get_by_role("button", name="Next match").click()
            await page.locator("[data-match=current]").click()
            await camera.take(page, "inspector-events")

            page = await camera.open(app.playground("long") + story)
            await _tab(page, "Charts")
            await camera.take(page, "inspector-charts")

            page = await camera.open(app.playground("tools") + weather.split("?")[0], scheme="dark", size=PHONE)
            await expect(page.locator(".citations")).to_be_visible()
            await camera.take(page, "playground-phone")

            page = await camera.open(app.playground("form"))
            await page.get_by_label("City").fill("Utrecht")
            await page.get_by_label("Nights").fill("99")
            await page.get_by_label("Nights").blur()
            await camera.take(page, "playground-form")


if __name__ == "__main__":
    asyncio.run(main())
