"""``examples/react-chat`` as a person meets it: built, under a strict policy, in a real browser, on a real server."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.pages import find_chromium
from tests.support.process import ServerProcess, free_port

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
ALL_WORDS = "zero one two three four five six seven eight nine ten"
AXE = ROOT / "node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app's built files."""
    directory = tmp_path_factory.mktemp("react-chat")
    npx = shutil.which("npx")
    assert npx, "Node is missing: make setup says how to get it"
    command = [npx, "--no-install", "vite", "build", "examples/react-chat", "--emptyOutDir", "--outDir", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    return directory


@asynccontextmanager
async def _serving(built: Path, directory: Path) -> AsyncGenerator[ServerProcess, None]:
    port = free_port()
    command = ["-m", "tests.support.browser_app", "--port", str(port), "--log", str(directory / "log.sqlite")]
    command += ["--static", str(built), "--lease", "1"]
    server = ServerProcess(command, port=port, ready="/agent/schemas", env={}, log=directory / "server.log")
    await server.start()
    try:
        yield server
    finally:
        server.end()


@pytest.fixture(scope="module")
async def server(built: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[ServerProcess, None]:
    async with _serving(built, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
async def browser() -> AsyncGenerator[Browser, None]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        await browser.close()


class Chat:
    """The page, and what is wrong with it: errors, refusals of the policy, requests to other hosts."""

    def __init__(self, page: Page, server: ServerProcess) -> None:
        self.page = page
        self.wrong: list[str] = []
        self._server = server
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda said: self.wrong.append(said.text) if "Content Security" in said.text else None)
        page.on("request", lambda request: None if server.url in request.url else self.wrong.append(request.url))

    async def open(self, fragment: str = "") -> None:
        await self.page.goto(f"{self._server.url}/app/{fragment}")

    async def ask(self, text: str) -> None:
        await self.page.get_by_label("Message").fill(text)
        await self.page.keyboard.press("Enter")

    async def release(self, gate: str, passes: int | str = 1) -> None:
        async with httpx.AsyncClient() as client:
            (await client.post(f"{self._server.url}/gate/{gate}?passes={passes}")).raise_for_status()

    async def says(self, text: str) -> None:
        await expect(self.page.get_by_role("article").last).to_have_text(text, timeout=15_000)

    async def asked(self) -> list[str]:
        return await self.page.locator('[data-role="user"]').all_inner_texts()

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).last.click()


@asynccontextmanager
async def _chat(
    browser: Browser, server: ServerProcess, *, size: tuple[int, int] = (1280, 800)
) -> AsyncGenerator[Chat, None]:
    page = await browser.new_page(viewport={"width": size[0], "height": size[1]})
    chat = Chat(page, server)
    await chat.open()
    yield chat
    await page.close()
    assert chat.wrong == []


async def test_an_answer_survives_a_reload_and_a_killed_server(built: Path, browser: Browser, tmp_path: Path) -> None:
    with anyio.fail_after(120):
        async with _serving(built, tmp_path) as server, _chat(browser, server) as chat:
            await chat.ask("/slow reload")
            await chat.says("zero")
            await chat.page.reload()
            await chat.says("zero")
            await chat.release("reload", 2)
            await chat.says("zero one two")

            server.kill()
            await expect(chat.page.get_by_text("Reconnecting")).to_be_visible()
            await chat.says("zero one two")
            await server.start()
            await chat.release("reload", "all")
            await chat.says(ALL_WORDS)
            await expect(chat.page.get_by_text("Reconnecting")).to_be_hidden()


async def test_stop_keeps_what_was_said(browser: Browser, server: ServerProcess) -> None:
    with anyio.fail_after(60):
        async with _chat(browser, server) as chat:
            await chat.ask("/slow stop")
            await chat.says("zero")
            await chat.page.keyboard.press("Escape")
            await expect(chat.page.get_by_text("You stopped this answer.")).to_be_visible()
            await chat.says("zero")


async def test_questions_are_edited_and_asked_again(browser: Browser, server: ServerProcess) -> None:
    with anyio.fail_after(60):
        async with _chat(browser, server) as chat:
            await chat.ask("one")
            await chat.says("You said: one")
            await chat.ask("two")
            await chat.says("You said: two")
            await chat.page.get_by_role("button", name="Edit").first.click()
            await chat.page.get_by_label("Your question").fill("three")
            await chat.press("Ask this instead")
            await chat.says("You said: three")
            assert await chat.asked() == ["three"]
            await chat.press("Ask again")
            await expect(chat.page.get_by_role("article")).to_have_count(2)
            await chat.says("You said: three")


async def test_what_fails_can_be_tried_again(browser: Browser, server: ServerProcess) -> None:
    with anyio.fail_after(60):
        async with _chat(browser, server) as chat:
            await chat.ask("/fail once")
            await expect(chat.page.get_by_role("alert")).to_contain_text("The model is resting.")
            await chat.press("Try again")
            await chat.says("This time it worked.")
            await expect(chat.page.get_by_role("alert")).to_have_count(0)


async def test_the_agents_questions_are_answered_in_place(browser: Browser, server: ServerProcess) -> None:
    with anyio.fail_after(60):
        async with _chat(browser, server) as chat:
            await chat.ask("/ask two things")
            await chat.page.get_by_label("May I /ask two things?").select_option("no")
            await chat.page.get_by_label("Why?").fill("too soon")
            await chat.press("Answer")
            await chat.says("Answered: approve=no, reason=too soon")


async def test_conversations_are_links(browser: Browser, server: ServerProcess) -> None:
    with anyio.fail_after(60):
        async with _chat(browser, server) as chat:
            await chat.ask("first")
            await chat.says("You said: first")
            await chat.press("New chat")
            await expect(chat.page.get_by_text("Ask something.")).to_be_visible()
            await chat.ask("second")
            await chat.says("You said: second")
            links = chat.page.get_by_role("navigation").get_by_role("link")
            await expect(links.nth(0)).to_have_text("second")
            await expect(links.nth(1)).to_have_text("first")
            await links.nth(1).click()
            await chat.says("You said: first")
            await chat.page.go_back()
            await chat.says("You said: second")


async def test_the_end_is_followed_until_the_reader_scrolls_up(browser: Browser, server: ServerProcess) -> None:
    with anyio.fail_after(90):
        async with _chat(browser, server, size=(390, 844)) as chat:
            turns = chat.page.locator(".turns")
            distance = "e => e.scrollHeight - e.scrollTop - e.clientHeight"
            await chat.ask("/long")
            await expect(chat.page.get_by_role("button", name="Stop")).to_be_hidden(timeout=30_000)
            assert await turns.evaluate(distance) <= 1
            width = await chat.page.evaluate("document.documentElement.scrollWidth")
            assert width == 390

            await chat.ask("/slow scroll")
            await chat.says("zero")
            await turns.hover()
            await chat.page.mouse.wheel(0, -2000)
            latest = chat.page.get_by_role("button", name="Jump to latest")
            await expect(latest).to_be_visible()
            top = await turns.evaluate("e => e.scrollTop")
            await chat.release("scroll", "all")
            await chat.says(ALL_WORDS)
            assert await turns.evaluate("e => e.scrollTop") == top
            await latest.click()
            await expect(latest).to_be_hidden()
            assert await turns.evaluate(distance) <= 1


async def test_what_a_model_says_is_text(browser: Browser, server: ServerProcess) -> None:
    with anyio.fail_after(60):
        async with _chat(browser, server) as chat:
            said = '<img src=x onerror="document.title=1"> **a** <b>bold</b>'
            await chat.ask(said)
            await chat.says(f"You said: {said}")
            assert await chat.page.title() == "Chat"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_is_accessible(browser: Browser, server: ServerProcess, scheme: str) -> None:
    with anyio.fail_after(90):
        async with _chat(browser, server) as chat:
            await chat.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            found = {"empty": await _axe(chat.page)}
            await chat.ask("/tools")
            await expect(chat.page.get_by_text("The sky is clear", exact=False)).to_be_visible()
            image = chat.page.get_by_role("img", name="sky.png")
            await expect(image).to_be_visible()
            assert await image.evaluate("e => e.naturalWidth") == 48
            found["tools"] = await _axe(chat.page)
            await chat.ask("/ask two things")
            await expect(chat.page.get_by_label("Why?")).to_be_visible()
            found["questions"] = await _axe(chat.page)
            await chat.press("New chat")
            await chat.ask("/fail internal")
            await expect(chat.page.get_by_role("alert")).to_be_visible()
            found["failure"] = await _axe(chat.page)
            assert found == {"empty": [], "tools": [], "questions": [], "failure": []}


async def _axe(page: Page) -> list[str]:
    """The rules that the page breaks, each with the elements that do."""
    await page.evaluate(AXE.read_text())
    broken: list[str] = await page.evaluate(
        "async () => (await axe.run()).violations.map(v => `${v.id}: ${v.nodes.map(n => n.target).join(', ')}`)"
    )
    return broken
