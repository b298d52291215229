"""No view of the playground has anything wrong that axe can find, light and dark, on a desktop and on a phone."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.pages import DESKTOP, PHONE, violations, watched_page
from tests.browser.serving import AppServer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

Scheme = Literal["light", "dark"]


async def _ask(page: Page, text: str) -> None:
    await page.get_by_role("textbox", name="Message", exact=True).fill(text)
    await expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    await page.keyboard.press("Enter")


async def _conversation(page: Page, app: AppServer, gate: str) -> None:
    """One of everything."""
    await _ask(page, "/tools")
    await expect(page.locator(".citations")).to_be_visible()
    for summary in await page.locator("summary").all():
        if not await summary.evaluate("element => element.parentElement.open"):
            await summary.click()
    assert await violations(page) == []
    await _ask(page, "/ask two")
    await expect(page.locator(".interrupts")).to_be_visible()
    await page.locator(".other-answer summary").first.click()
    assert await violations(page) == []
    await _ask(page, "/fail internal")
    await expect(page.locator(".error-card")).to_be_visible()
    assert await violations(page) == []
    await _ask(page, f"/slow {gate}")
    await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    assert await violations(page) == []
    await app.release(gate, "all")
    await expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    await page.locator(".turn").first.hover()
    await page.locator(".turn").first.get_by_role("button", name="Edit message").click()
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await page.locator(".turn").last.get_by_role("button", name="Good answer").click()
    await expect(page.get_by_label("Comment on the answer")).to_be_visible()
    assert await violations(page) == []
    await _ask(page, "/long")
    await expect(page.locator(".turn").last.get_by_role("button", name="Regenerate")).to_be_visible()
    assert await violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_chat(browser: Browser, app: AppServer, scheme: Scheme) -> None:
    async with watched_page(browser, app.playground(), color_scheme=scheme, viewport=DESKTOP) as page:
        await expect(page.get_by_role("heading", level=2, name="agent", exact=True)).to_be_visible()
        assert await violations(page) == []
        await _conversation(page, app, f"access-{scheme}")
        await page.get_by_role("button", name="Inspect last run").click()
        await expect(page.get_by_role("tab").first).to_be_visible()
        assert await violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone(browser: Browser, app: AppServer, scheme: Scheme) -> None:
    async with watched_page(browser, app.playground(), color_scheme=scheme, viewport=PHONE, has_touch=True) as page:
        await expect(page.get_by_role("heading", level=2, name="agent", exact=True)).to_be_visible()
        assert await violations(page) == []
        await _conversation(page, app, f"phone-{scheme}")
        await page.get_by_role("button", name="Open sidebar").click()
        drawer = page.get_by_role("dialog", name="Conversations")
        await expect(drawer).to_be_visible()
        assert await violations(page) == []
        await drawer.get_by_role("link", name="/tools").first.click()
        await expect(drawer).to_have_count(0)
        await page.get_by_role("button", name="Inspect last run").click()
        await expect(page.get_by_role("dialog", name="Run inspector")).to_be_visible()
        assert await violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_dialogs(browser: Browser, app: AppServer, scheme: Scheme) -> None:
    async with watched_page(browser, app.playground("echo"), color_scheme=scheme) as page:
        await page.get_by_role("button", name="Settings", exact=True).click()
        await page.get_by_role("dialog").get_by_label("API key").check()
        assert await violations(page) == []
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Keyboard shortcuts").click()
        await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        assert await violations(page) == []
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Configuration").click()
        await expect(page.get_by_role("dialog").get_by_label("Shout")).to_be_visible()
        assert await violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_form(browser: Browser, app: AppServer, scheme: Scheme) -> None:
    async with watched_page(browser, app.playground("form"), color_scheme=scheme) as page:
        await page.get_by_label("City").fill("Utrecht")
        assert await violations(page) == []
        await page.get_by_role("button", name="Run", exact=True).click()
        await expect(page.get_by_label("Output")).to_be_visible()
        assert await violations(page) == []


@pytest.mark.parametrize("width", [360, 390, 768, 1024, 1920])
async def test_nothing_is_wider_than_the_page(browser: Browser, app: AppServer, width: int) -> None:
    async with watched_page(browser, app.playground(), viewport={"width": width, "height": 800}) as page:
        await _ask(page, "/tools " + "x" * 400)
        await expect(page.locator(".citations")).to_be_visible()
        await _ask(page, "/long")
        await expect(page.locator(".turn").last.get_by_role("button", name="Regenerate")).to_be_visible()
        widths = await page.evaluate(
            "[document.documentElement, document.querySelector('.scroller')].map(it => it.scrollWidth - it.clientWidth)"
        )
        assert widths == [0, 0]


async def test_the_theme_is_the_systems_until_one_is_chosen(browser: Browser, app: AppServer) -> None:
    async with watched_page(browser, app.playground(), color_scheme="dark") as page:
        background = "getComputedStyle(document.body).backgroundColor"
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        dark = await page.evaluate(background)
        await page.get_by_role("button", name="Theme: system").click()
        light = await page.evaluate(background)
        assert dark != light
        await page.reload()
        await expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
        assert await page.evaluate(background) == light
