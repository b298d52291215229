"""The demo as a person meets it: a real browser, the real model, a server that is killed."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.support.process import ServerProcess, free_port
from unspool import SQLiteLog, Transcript
from unspool.runs import read_all

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
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


@asynccontextmanager
async def _browser() -> AsyncGenerator[Browser, None]:
    chromium = shutil.which("chromium")
    assert chromium, "Chromium is missing: make setup installs it"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        await browser.close()


async def _ask(page: Page, text: str) -> None:
    await page.get_by_label("Message").fill(text)
    await page.keyboard.press("Enter")


async def _answer(page: Page) -> str:
    answers = page.locator(".run").last.locator(".message.assistant .text")
    return "".join(await answers.all_text_contents())


async def _grows_past(page: Page, length: int) -> str:
    while len(text := await _answer(page)) <= length:
        await anyio.sleep(0.01)
    return text


async def _done(page: Page) -> None:
    await page.get_by_role("button", name="Send").wait_for(timeout=60_000)


async def _logged(directory: Path) -> Transcript:
    """The newest run, from the log itself."""
    async with SQLiteLog(directory / "runs.sqlite") as log:
        run = (await log.list("anonymous"))[0]
        transcript = Transcript()
        for record in await read_all(log, run.id):
            transcript.fold(record)
    return transcript


async def test_an_answer_survives_reload_kill_and_restart_and_stops_when_told(tmp_path: Path) -> None:
    with anyio.fail_after(200):
        async with _demo(tmp_path) as server, _browser() as browser:
            page = await browser.new_page()
            mistakes: list[str] = []
            page.on("pageerror", lambda error: mistakes.append(str(error)))
            await page.goto(server.url)
            assert "smollm2" in await page.locator("#model").inner_text()
            assert "often wrong" in await page.locator("#note").inner_text()

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
            assert after.startswith(before)
            await _done(page)
            logged = await _logged(tmp_path)
            assert (await _answer(page), logged.status) == (logged.text, "completed")

            # kill -9 in mid-answer, and a restart: it is begun again from the last checkpoint, and completes.
            await _ask(page, LONG)
            await page.get_by_role("button", name="Stop").wait_for()
            await _grows_past(page, 40)
            server.kill()
            await page.get_by_text("Reconnecting").wait_for(timeout=10_000)
            await server.start()
            await _done(page)
            logged = await _logged(tmp_path)
            assert logged.status == "completed"
            assert logged.snapshot().attempt == 2
            assert await _answer(page) == logged.text

            # Stop keeps what was said.
            await _ask(page, LONG)
            await _grows_past(page, 20)
            await page.keyboard.press("Escape")
            await page.get_by_text("You stopped this answer").wait_for()
            await _done(page)
            logged = await _logged(tmp_path)
            assert logged.status == "cancelled"
            assert await _answer(page) == logged.text

            # A tool call is shown.
            await _ask(page, "what is 12 * 34?")
            await _done(page)
            await page.locator(".tool .result").wait_for()
            assert "408" in await page.locator(".tool .result").last.inner_text()
            assert mistakes == []


async def test_what_a_model_says_is_shown_as_text(tmp_path: Path) -> None:
    agent = tmp_path / "agent.py"
    agent.write_text("async def agent(text):\n    yield '<img src=x onerror=\"document.title=1\"> **a** ' + text\n")
    port = free_port()
    command = ["-m", "unspool.cli", "serve", f"{agent}:agent", "--port", str(port), "--log", str(tmp_path / "l.sqlite")]
    server = ServerProcess(command, port=port, ready="/agent/schemas", env={}, log=tmp_path / "server.log")
    with anyio.fail_after(100):
        await server.start()
        try:
            async with _browser() as browser:
                page = await browser.new_page(color_scheme="dark", viewport={"width": 390, "height": 844})
                await page.goto(server.url)
                await _ask(page, "<b>bold</b>")
                await _done(page)
                assert await _answer(page) == '<img src=x onerror="document.title=1"> **a** <b>bold</b>'
                assert await page.locator(".run img, .run b").count() == 0
                width = await page.evaluate("document.documentElement.scrollWidth")
                assert width == 390
        finally:
            server.end()
