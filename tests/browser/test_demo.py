"""The demo as a person meets it: a real browser, the real model, a server that is killed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.pages import PHONE, watched_page
from tests.support.process import ServerProcess, free_port
from unspool import SQLiteLog, Transcript
from unspool.runs import read_all

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

LONG = "Tell me a long story about a lighthouse keeper, in detail."


@asynccontextmanager
async def _demo(directory: Path) -> AsyncGenerator[ServerProcess, None]:
    port = free_port()
    command = ["-m", "unspool.cli", "demo", "--port", str(port), "--data", str(directory)]
    env = {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""}
    server = ServerProcess(command, port=port, ready="/agent/schemas", env=env, log=directory / "server.log")
    await server.start()
    try:
        yield server
    finally:
        server.end()


async def _ask(page: Page, text: str) -> None:
    await page.get_by_role("textbox", name="Message", exact=True).fill(text)
    await expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    await page.keyboard.press("Enter")


async def _answer(page: Page) -> str:
    """The last answer as it is copied: a browser's own view of markdown has lost its marks."""
    shown = await page.locator(".turn").last.locator(".message.assistant .text").all_inner_texts()
    return " ".join(" ".join(shown).split())


async def _grows_past(page: Page, length: int) -> str:
    while len(text := await _answer(page)) <= length:
        await anyio.sleep(0.01)
    return text


async def _done(page: Page) -> None:
    await expect(page.locator(".turn").last.get_by_role("button", name="Regenerate")).to_be_attached(timeout=60_000)


async def _copied(page: Page) -> str:
    """The last answer, to the letter."""
    await page.locator(".turn").last.get_by_role("button", name="Copy answer").click()
    await expect(page.locator(".turn").last.get_by_role("button", name="Copied")).to_be_visible()
    copied: str = await page.evaluate("navigator.clipboard.readText()")
    return copied


async def _logged(directory: Path) -> Transcript:
    """The newest run, from the log itself."""
    async with SQLiteLog(directory / "runs.sqlite") as log:
        run = (await log.list("anonymous"))[0]
        transcript = Transcript()
        for record in await read_all(log, run.id):
            transcript.fold(record)
    return transcript


async def test_an_answer_survives_reload_kill_and_restart_and_stops_when_told(browser: Browser, tmp_path: Path) -> None:
    lost = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET")
    with anyio.fail_after(200):
        async with (
            _demo(tmp_path) as server,
            watched_page(browser, server.url, expected=lost, permissions=["clipboard-read", "clipboard-write"]) as page,
        ):
            await expect(page.locator(".model")).to_contain_text("smollm2", ignore_case=True)
            await expect(page.locator(".empty-note")).to_contain_text("often wrong")

            # Tokens arrive over time.
            await _ask(page, LONG)
            lengths = [len(await _grows_past(page, 0))]
            for _ in range(4):
                lengths.append(len(await _grows_past(page, lengths[-1])))
            assert lengths == sorted(set(lengths))

            # A reload in mid-answer: it goes on where it is.
            before = await _answer(page)
            await page.reload()
            after = await _grows_past(page, len(before))
            assert after.startswith(before.rstrip("*_`# "))
            await _done(page)
            logged = await _logged(tmp_path)
            assert (await _copied(page), logged.status) == (logged.text, "completed")

            # kill -9 in mid-answer, and a restart: it is begun again from the last checkpoint, and completes.
            await _ask(page, LONG)
            await page.get_by_role("button", name="Stop").wait_for()
            await _grows_past(page, 40)
            server.kill()
            await expect(page.locator(".connection")).to_contain_text("Reconnecting", timeout=10_000)
            await server.start()
            await _done(page)
            logged = await _logged(tmp_path)
            assert logged.status == "completed"
            assert logged.snapshot().attempt == 2
            assert await _copied(page) == logged.text

            # Stop keeps what was said.
            await _ask(page, LONG)
            await _grows_past(page, 20)
            await page.keyboard.press("Escape")
            await expect(page.locator(".turn").last).to_contain_text("This answer was stopped")
            await _done(page)
            logged = await _logged(tmp_path)
            assert logged.status == "cancelled"
            assert await _copied(page) == logged.text

            # A tool call is shown.
            await _ask(page, "what is 12 * 34?")
            await _done(page)
            await expect(page.locator(".turn").last.locator(".tool .result")).to_contain_text("408")


async def test_what_a_model_says_is_shown_as_text(browser: Browser, tmp_path: Path) -> None:
    agent = tmp_path / "agent.py"
    said = '<img src=x onerror="document.title=1">\n\n**a** '
    agent.write_text(f"async def agent(text):\n    yield {said!r} + text\n")
    port = free_port()
    command = ["-m", "unspool.cli", "serve", f"{agent}:agent", "--port", str(port), "--log", str(tmp_path / "l.sqlite")]
    server = ServerProcess(command, port=port, ready="/agent/schemas", env={}, log=tmp_path / "server.log")
    with anyio.fail_after(100):
        await server.start()
        try:
            async with watched_page(browser, server.url, color_scheme="dark", viewport=PHONE) as page:
                await _ask(page, "<b>bold</b>")
                await _done(page)
                assert await _answer(page) == '<img src=x onerror="document.title=1"> a <b>bold</b>'
                assert await page.locator(".turn img, .turn b").count() == 0
                width = await page.evaluate("document.documentElement.scrollWidth")
                assert width == 390
        finally:
            server.end()
