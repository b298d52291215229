"""Two of the examples in their playground: where a person decides, and where an answer says what it is from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
from examples.models import Build, make_app, open_model
from playwright.async_api import Page, expect

from examples import approval, rag
from tests.browser.pages import chromium, watched_page
from tests.support.server import serve
from unspool.testing import FakeOpenAI
from unspool.testing.script import CallTool, Say

pytestmark = pytest.mark.browser

SECONDS = 100.0


@asynccontextmanager
async def _page(build: Build, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Page]:
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    with anyio.fail_after(SECONDS):
        async with serve(make_app("An example", build, open_model("big"))) as url, chromium() as browser:
            async with watched_page(browser, url) as page:
                yield page


async def _ask(page: Page, text: str) -> None:
    box = page.get_by_role("textbox", name="Message", exact=True)
    await box.fill(text)
    await expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    await box.press("Enter")


async def test_a_person_rejects_and_approves_a_deletion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = anyio.Path(tmp_path / "draft.txt")
    with FakeOpenAI([CallTool("delete_file", '{"name": "draft.txt"}')], [Say("Very well.")]) as server:
        async with _page(partial(approval.build_in, tmp_path), server, monkeypatch) as page:
            for decision, is_there in (("Reject", True), ("Approve", False)):
                await _ask(page, "Delete the draft")
                waiting = page.get_by_role("region", name="The agent waits for your answer")
                await expect(waiting).to_contain_text("draft.txt")
                assert await draft.exists()
                await waiting.get_by_role("radio", name=decision).check()
                await waiting.get_by_role("button", name="Send decision").click()
                await expect(page.locator(".turn").last.locator(".message.assistant .text").last).to_have_text(
                    "Very well."
                )
                await expect(waiting).to_have_count(0)
                assert await draft.exists() is is_there


async def test_an_answer_names_the_text_that_it_is_from(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "There can be only one writer at a time in SQLite."
    with FakeOpenAI([Say(said)]) as server:
        async with _page(rag.build, server, monkeypatch) as page:
            await _ask(page, "How many writers can SQLite have at the same time?")
            sources = page.get_by_role("region", name="Sources")
            await expect(sources).to_contain_text("SQLite and its write-ahead log")
            await expect(sources).to_contain_text(f"on “{said}”")
            await expect(sources).to_contain_text("A second one waits, or gets the error SQLITE_BUSY")
