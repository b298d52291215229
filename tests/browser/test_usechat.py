"""``examples/usechat`` as a person meets it: its page in a real browser, its Python server, and a scripted provider."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from examples.approval import build_in
from examples.models import Build, open_model
from examples.usechat.__main__ import make_app
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.pages import PHONE, violations, watched_page
from tests.support.process import ServerProcess, free_port
from tests.support.server import serve
from unspool import Call
from unspool.testing import FakeOpenAI
from unspool.testing.model_server import Request
from unspool.testing.script import CallTool, Fail, Say, Stall, Turn

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
SECONDS = 100.0
DELETE = CallTool("delete_file", '{"name": ', '"draft.txt"}')


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's built files."""
    directory = tmp_path_factory.mktemp("usechat")
    npx = shutil.which("npx")
    assert npx, "Node is missing: make setup says how to get it"
    command = [npx, "--no-install", "vite", "build", "examples/usechat", "--emptyOutDir", "--outDir", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    return directory


class Chat:
    """The page, the server that it came from, and the provider behind that."""

    def __init__(self, page: Page, url: str, provider: FakeOpenAI) -> None:
        self.page = page
        self.provider = provider
        self._url = url

    async def ask(self, text: str) -> None:
        box = self.page.get_by_role("textbox", name="Message", exact=True)
        await box.fill(text)
        await box.press("Enter")

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def says(self, text: str) -> None:
        """The text of the last answer, without tools and thoughts."""
        await expect(self.page.get_by_role("article", name="Agent").last.locator(".markdown").last).to_have_text(text)

    async def is_ready(self) -> None:
        await expect(self.page.get_by_role("status")).to_have_text("Ready.")

    async def texts(self) -> list[str]:
        return await self.page.get_by_role("article").all_inner_texts()

    async def thread(self) -> str:
        """The chat that is open."""
        fragment: str = await self.page.evaluate("location.hash")
        return fragment.removeprefix("#")

    async def runs(self, thread: str | None = None) -> list[Mapping[str, Any]]:
        """Those of the chat that is open, or of ``thread``: newest first."""
        async with httpx.AsyncClient() as client:
            query = {"thread_id": thread or await self.thread()}
            answer = await client.get(f"{self._url}/agent/runs", params=query)
        found: list[Mapping[str, Any]] = answer.raise_for_status().json()["runs"]
        return found

    async def ends_as(self, status: str, thread: str | None = None) -> None:
        """Follow the newest run to its end."""
        run = (await self.runs(thread))[0]["id"]
        async with httpx.AsyncClient(timeout=30) as client:
            await client.get(f"{self._url}/agent/runs/{run}/stream")
        assert (await self.runs(thread))[0]["status"] == status


Opened = Callable[..., AbstractAsyncContextManager[Chat]]


@pytest.fixture
def opened(browser: Browser, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """Opens the page with the agent for the files in ``tmp_path``, or another one, and a provider for its model."""

    @asynccontextmanager
    async def chat(provider: FakeOpenAI, *, agent: Any = None, **context: Any) -> AsyncIterator[Chat]:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "secret")
        build: Build = partial(build_in, tmp_path) if agent is None else lambda _: agent
        with anyio.fail_after(SECONDS):
            async with serve(make_app(build, open_model("big"), built)) as url:
                async with watched_page(browser, url, **context) as page:
                    await expect(page.get_by_text("The agent looks after a folder")).to_be_visible()
                    yield Chat(page, url, provider)

    expect.set_options(timeout=15_000)
    yield chat
    expect.set_options(timeout=None)


async def test_an_answer_is_streamed_as_markdown_and_html_in_it_is_only_text(opened: Opened) -> None:
    html = '<img src="x" onerror="document.title=1"> ![secret](https://example.org/x.png)'
    with FakeOpenAI([Say("One **two", "**"), Stall(), Say(" ", html)]) as provider:
        async with opened(provider) as chat:
            await chat.ask("<b>Count</b> *all*")
            await chat.says("One two")
            await expect(chat.page.locator("article strong")).to_have_text("two")
            await expect(chat.page.get_by_role("status")).to_have_text("Answering…")
            await expect(chat.page.get_by_role("button", name="Ask again")).to_have_count(0)
            provider.release()
            await chat.is_ready()
            assert await chat.texts() == [
                "<b>Count</b> *all*",
                'One two <img src="x" onerror="document.title=1"> secret',
            ]
            await expect(chat.page.locator("article img")).to_have_count(0)
            await expect(chat.page.get_by_role("link", name="secret")).to_have_attribute("rel", "noreferrer")


async def test_what_a_model_thinks_and_does_is_folded(opened: Opened) -> None:
    async def thinker(_: Call) -> AsyncGenerator[dict[str, Any], None]:
        yield {"type": "message_start", "message_id": "m"}
        yield {"type": "reasoning", "message_id": "m", "text": "They want the sum."}
        yield {"type": "tool_start", "call_id": "t", "name": "add", "message_id": "m"}
        yield {"type": "tool_call", "call_id": "t", "name": "add", "args": {"a": 1, "b": 2}}
        yield {"type": "tool_end", "call_id": "t", "result": {"sum": 3}}
        yield {"type": "tool_start", "call_id": "u", "name": "divide", "message_id": "m"}
        yield {"type": "tool_call", "call_id": "u", "name": "divide", "args": {"by": 0}}
        yield {"type": "tool_end", "call_id": "u", "error": "One cannot divide by zero."}
        yield {"type": "token", "message_id": "m", "text": "It is 3."}

    with FakeOpenAI([Say("unused")]) as provider:
        async with opened(provider, agent=thinker) as chat:
            await chat.ask("What is 1 + 2?")
            await chat.is_ready()
            for reloaded in (False, True):
                if reloaded:
                    await chat.page.reload()
                folds = chat.page.locator("article details")
                await expect(folds).to_have_text(
                    [
                        "ThoughtsThey want the sum.",
                        re.compile(r'^add is done\{\s*"a": 1,\s*"b": 2\s*\}\{\s*"sum": 3\s*\}$'),
                        re.compile(r'^divide failed\{\s*"by": 0\s*\}One cannot divide by zero.$'),
                    ]
                )
                assert [await fold.get_attribute("open") for fold in await folds.all()] == [None] * 3
                await chat.says("It is 3.")


@pytest.mark.parametrize("key", [True, False], ids=["with Escape", "with the button"])
async def test_stop_ends_the_run_on_the_server_and_keeps_what_was_said(opened: Opened, key: bool) -> None:
    def answer(request: Request) -> Turn:
        return [Say("zero"), Stall()] if request.number == 0 else [Say("all")]

    with FakeOpenAI(answer=answer) as provider:
        async with opened(provider) as chat:
            await chat.ask("Count")
            await chat.says("zero")
            if key:
                await chat.page.keyboard.press("Escape")
            else:
                await chat.press("Stop")
            await provider.disconnected()
            await chat.ends_as("cancelled")
            for reloaded in (False, True):
                if reloaded:
                    await chat.page.reload()
                await expect(chat.page.get_by_role("article")).to_have_text(["Count", "zeroStopped."])
            await chat.press("Ask again")
            await expect(chat.page.locator("main")).to_be_focused()
            await chat.says("all")
            await chat.is_ready()
            for reloaded in (False, True):
                if reloaded:
                    await chat.page.reload()
                await expect(chat.page.get_by_role("article")).to_have_text(["Count", "all"])
            assert [run.get("replaced", False) for run in await chat.runs()] == [False, True]


async def test_what_is_stopped_before_its_first_word_can_be_asked_again(opened: Opened) -> None:
    def answer(request: Request) -> Turn:
        return [Stall()] if request.number == 0 else [Say("all")]

    with FakeOpenAI(answer=answer) as provider:
        async with opened(provider) as chat:
            await chat.press("Which files are there?")
            await expect(chat.page.locator("main")).to_be_focused()
            await provider.stalled()
            await expect(chat.page.get_by_role("status")).to_have_text("Waiting for the answer…")
            moving = "e => getComputedStyle(e, '::after').animationName"
            assert await chat.page.locator(".waiting").evaluate(moving) == "none", "the person wants no motion"
            await chat.press("Stop")
            await expect(chat.page.get_by_role("textbox", name="Message")).to_be_focused()
            await chat.ends_as("cancelled")
            await chat.press("Ask again")
            await chat.says("all")
            await chat.is_ready()
            await expect(chat.page.locator(".waiting")).to_have_count(0)
            await expect(chat.page.get_by_role("article")).to_have_text(["Which files are there?", "all"])


async def test_a_tool_that_was_stopped_does_not_seem_to_run_on(opened: Opened) -> None:
    async def searcher(_: Call) -> AsyncGenerator[dict[str, Any], None]:
        yield {"type": "message_start", "message_id": "m"}
        yield {"type": "tool_start", "call_id": "t", "name": "search", "message_id": "m"}
        yield {"type": "tool_call", "call_id": "t", "name": "search", "args": {"for": "ever"}}
        await anyio.sleep_forever()

    with FakeOpenAI([Say("unused")]) as provider:
        async with opened(provider, agent=searcher) as chat:
            await chat.ask("Search")
            fold = chat.page.locator("summary")
            await expect(fold).to_have_text("search is running…")
            await chat.page.keyboard.press("Escape")
            await expect(fold).to_have_text("search was stopped")
            await chat.ends_as("cancelled")
            await chat.page.reload()
            await expect(fold).to_have_text("search failed")


async def test_an_answer_goes_on_after_a_reload(opened: Opened) -> None:
    with FakeOpenAI([Say("zero"), Stall(), Say(" one")]) as provider:
        async with opened(provider) as chat:
            await chat.ask("Count")
            await chat.says("zero")
            await chat.page.reload()
            await chat.says("zero")
            await expect(chat.page.get_by_role("button", name="Stop")).to_be_visible()
            provider.release()
            await chat.says("zero one")
            await chat.is_ready()
            await chat.ask("Once more")
            await expect(chat.page.get_by_role("article")).to_have_text(["Count", "zero one", "Once more", "zero one"])
            await chat.is_ready()
            assert [run["status"] for run in await chat.runs()] == ["completed", "completed"]
            roles = [message["role"] for message in provider.requests[1].body["messages"]]
            assert roles == ["system", "user", "assistant", "user"], "nothing was told twice"


async def test_an_answer_that_ended_before_it_could_be_resumed_is_shown_all_the_same(opened: Opened) -> None:
    with FakeOpenAI([Say("zero"), Stall(), Say(" one")]) as provider:
        async with opened(provider) as chat:
            await chat.ask("Count")
            await chat.says("zero")
            thread = await chat.thread()

            async def late(route: Route) -> None:
                provider.release()
                await chat.ends_as("completed", thread)
                await route.continue_()

            await chat.page.route("**/agent/ai-sdk/*/stream*", late)
            await chat.page.reload()
            await chat.says("zero one")
            await chat.is_ready()


@pytest.mark.parametrize("approved", [True, False])
async def test_a_tool_runs_only_if_the_person_approves(opened: Opened, tmp_path: Path, approved: bool) -> None:
    draft = anyio.Path(tmp_path / "draft.txt")
    with FakeOpenAI([DELETE], [Say("As you say.")]) as provider:
        async with opened(provider) as chat:
            question = chat.page.get_by_role("region", name="May the agent run delete_file?")
            await chat.ask("Delete the draft")
            for reloaded in (False, True):
                if reloaded:
                    await chat.page.reload()
                await expect(question).to_contain_text('"name": "draft.txt"')
                await expect(chat.page.get_by_role("status")).to_have_text("The agent asks for your approval.")
                await expect(chat.page.get_by_role("button", name="Send")).to_be_disabled()
            await chat.ask("Well?")
            await expect(chat.page.get_by_role("textbox", name="Message")).to_have_value("Well?")
            assert (await draft.exists(), len(await chat.runs())) == (True, 1)
            await question.get_by_role("button", name="Approve" if approved else "Reject").press("Enter")
            await chat.says("As you say.")
            await chat.is_ready()
            assert await draft.exists() is not approved
            await expect(question).to_have_count(0)
            await expect(chat.page.locator("main")).to_be_focused()
            for reloaded in (False, True):
                if reloaded:
                    await chat.page.reload()
                await expect(chat.page.get_by_role("article")).to_have_count(2)
                did = "delete_file is done" if approved else "delete_file was rejected"
                await expect(chat.page.locator("summary")).to_have_text(did)
            results = chat.page.locator("details pre").filter(has_text="draft.txt is deleted.")
            await expect(results).to_have_count(1 if approved else 0)


async def test_what_was_stopped_after_an_approval_can_be_asked_again_from_the_question(
    opened: Opened, tmp_path: Path
) -> None:
    with FakeOpenAI([DELETE], [Say("As"), Stall(), Say(" you say.")]) as provider:
        async with opened(provider) as chat:
            await chat.ask("Delete the draft")
            await chat.press("Approve")
            await chat.says("As")
            assert not await anyio.Path(tmp_path / "draft.txt").exists()
            await chat.press("Stop")
            await chat.ends_as("cancelled")
            provider.release()
            await chat.press("Ask again")
            await chat.press("Reject")
            await chat.says("As you say.")
            await chat.is_ready()
            await expect(chat.page.get_by_role("article")).to_have_count(2)
            assert [run.get("replaced", False) for run in await chat.runs()] == [False, False, True, True]


async def test_a_decision_that_the_server_did_not_hear_is_asked_for_again(opened: Opened, tmp_path: Path) -> None:
    with FakeOpenAI([DELETE], [Say("As you say.")]) as provider:
        async with opened(provider, expected=("ERR_FAILED",)) as chat:
            await chat.ask("Delete the draft")
            await expect(chat.page.get_by_role("button", name="Approve")).to_be_visible()
            await chat.page.route("**/agent/ai-sdk", lambda route: route.abort(), times=1)
            await chat.press("Approve")
            await expect(chat.page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
            assert await anyio.Path(tmp_path / "draft.txt").exists()
            await chat.press("Try again")
            await chat.press("Approve")
            await chat.says("As you say.")
            assert [run["status"] for run in await chat.runs()] == ["completed", "interrupted"]
            assert not await anyio.Path(tmp_path / "draft.txt").exists()
            await expect(chat.page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("reloaded", [False, True], ids=["at once", "after a reload"])
async def test_what_fails_is_said_and_can_be_tried_again(opened: Opened, reloaded: bool) -> None:
    def answer(request: Request) -> Turn:
        return [Say("half"), Fail("server_error")] if request.number == 0 else [Say("whole")]

    with FakeOpenAI(answer=answer) as provider:
        async with opened(provider) as chat:
            await chat.ask("Count")
            await expect(chat.page.get_by_role("alert")).to_contain_text("The model provider failed.")
            await expect(chat.page.get_by_role("article")).to_have_text(["Count", "half"])
            if reloaded:
                await chat.page.reload()
                await expect(chat.page.get_by_role("article")).to_have_text(["Count", "halfThis answer failed."])
            await chat.press("Ask again" if reloaded else "Try again")
            await chat.says("whole")
            await chat.is_ready()
            await expect(chat.page.get_by_role("alert")).to_have_count(0)
            await expect(chat.page.get_by_role("article")).to_have_text(["Count", "whole"])


async def test_a_chat_that_cannot_be_loaded_says_so(opened: Opened) -> None:
    with FakeOpenAI([Say("zero")]) as provider:
        async with opened(provider, expected=("ERR_FAILED",)) as chat:
            await chat.ask("Count")
            await chat.says("zero")
            await chat.is_ready()
            await chat.page.route("**/agent/ai-sdk/*/messages", lambda route: route.abort(), times=1)
            await chat.page.reload()
            await expect(chat.page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
            await chat.press("Try again")
            await chat.says("zero")


async def test_each_chat_has_an_address_of_its_own(opened: Opened) -> None:
    with FakeOpenAI([Say("zero")]) as provider:
        async with opened(provider) as chat:
            await chat.ask("Count")
            await chat.says("zero")
            await chat.press("New chat")
            await chat.press("Which files are there?")
            await chat.says("zero")
            await expect(chat.page.get_by_role("article").first).to_have_text("Which files are there?")
            await chat.page.go_back()
            await expect(chat.page.get_by_role("article").first).to_have_text("Count")
            roles = [message["role"] for message in provider.requests[1].body["messages"]]
            assert roles == ["system", "user"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_is_accessible(opened: Opened, scheme: str) -> None:
    def answer(request: Request) -> Turn:
        question = request.body["messages"][-1]["content"]
        if question == "Fail":
            return [Say("half"), Fail("server_error")]
        if question == "Delete the draft":
            return [DELETE]
        return [Say("# One\n\n- [two](https://example.org)\n\n```\nthree\n```\n\n|a|\n|-|\n|b|\n"), Stall()]

    with FakeOpenAI(answer=answer) as provider:
        async with opened(provider, color_scheme=scheme) as chat:
            page = chat.page
            found = {"empty": await violations(page)}
            await chat.ask("Delete the draft")
            await expect(page.get_by_role("button", name="Approve")).to_be_visible()
            found["approval"] = await violations(page)
            await chat.press("Reject")
            await expect(page.locator("td")).to_have_text("b")
            await expect(page.get_by_role("heading", level=1)).to_have_text("useChat with a Python agent")
            found["streaming"] = await violations(page)
            provider.release()
            await chat.is_ready()
            await page.locator("summary").click()
            found["folds"] = await violations(page)
            await chat.ask("Fail")
            await expect(page.get_by_role("alert")).to_be_visible()
            found["failure"] = await violations(page)
            assert found == {state: [] for state in found}
            # The states are told, not each word.
            await expect(page.locator("[aria-live], [role=log], [role=status] article")).to_have_count(0)


async def test_enter_sends_and_with_shift_it_begins_a_line(opened: Opened) -> None:
    with FakeOpenAI([Say("zero"), Stall()]) as provider:
        async with opened(provider) as chat:
            box = chat.page.get_by_role("textbox", name="Message")
            await box.press("Enter")
            await box.press_sequentially("one")
            await box.press("Shift+Enter")
            await box.press_sequentially("two")
            await box.press("Enter")
            await expect(box).to_have_value("")
            await chat.says("zero")
            await box.fill("three")
            await box.press("Enter")
            await expect(box).to_have_value("three")
            provider.release()
            await chat.is_ready()
            assert await chat.texts() == ["one\ntwo", "zero"]
            assert len(await chat.runs()) == 1


async def test_the_end_is_in_view_until_the_reader_scrolls_up(opened: Opened) -> None:
    with FakeOpenAI([Say("word\n\n" * 100), Stall(), Say("end")]) as provider:
        async with opened(provider) as chat:
            await chat.ask("Talk")
            paragraphs = chat.page.locator("article p")
            await expect(paragraphs).to_have_count(101)
            await expect(paragraphs.last).to_be_in_viewport()
            await chat.page.locator(".messages").hover()
            await chat.page.mouse.wheel(0, -2000)
            latest = chat.page.get_by_role("button", name="Jump to latest")
            await expect(latest).to_be_visible()
            provider.release()
            await chat.is_ready()
            await expect(paragraphs.last).not_to_be_in_viewport()
            await latest.click()
            await expect(paragraphs.last).to_be_in_viewport()
            await expect(latest).to_have_count(0)


async def test_on_a_phone_nothing_is_wider_than_the_page(opened: Opened) -> None:
    long = "word" * 60
    with FakeOpenAI([Say(f"{long}\n\n```\n{long}\n```\n\n|a|b|\n|-|-|\n|{long}|{long}|\n")]) as provider:
        async with opened(provider, viewport=PHONE) as chat:
            await chat.ask(long)
            await chat.is_ready()
            assert await chat.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
            wide = "e => e.scrollWidth > e.clientWidth"
            assert not await chat.page.locator(".messages").evaluate(wide)
            await expect(chat.page.get_by_role("button", name="Send")).to_be_in_viewport()


@pytest.mark.local_model
async def test_one_command_serves_the_page_with_the_embedded_model(
    browser: Browser, built: Path, tmp_path: Path
) -> None:
    port = free_port()
    command = ["-W", "error", "-m", "examples.usechat", "--port", str(port), "--page", str(built)]
    env = {"TMPDIR": str(tmp_path), "OPENAI_BASE_URL": "http://127.0.0.1:9"}  # where nobody answers
    server = ServerProcess(command, port=port, ready="/", env=env, log=tmp_path / "server.log")
    with anyio.fail_after(160):
        await server.start()
        try:
            async with watched_page(browser, server.url) as page:
                await page.get_by_role("button", name="Delete draft.txt").click()
                await page.get_by_role("button", name="Approve").click(timeout=70_000)
                await expect(page.get_by_text("draft.txt is deleted.").last).to_be_visible(timeout=70_000)
        finally:
            server.end()
    left = [path.name async for path in anyio.Path(tmp_path).glob("unspool-approval-*/*")]
    assert sorted(left) == ["notes.txt", "server.log"]


def test_a_page_that_is_not_built_is_said_to_be_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.usechat", "--page", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 2
    assert f"there is no page in {tmp_path}: `npm run build -w usechat` builds it" in done.stderr
