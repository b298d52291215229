"""A browser for the tests of the playground, and pages that are watched: what they must never do fails the test."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ROOT = Path(__file__).parents[2]
BUILT = ROOT / "src/unspool/web/playground/index.html"
AXE = ROOT / "node_modules/axe-core/axe.min.js"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}

_TELL_VIOLATIONS = """
addEventListener('securitypolicyviolation', event => {
  const {violatedDirective, blockedURI, sourceFile, lineNumber} = event
  console.error(`policy violation: ${violatedDirective} ${blockedURI} ${sourceFile}:${lineNumber}`)
})
"""


def find_chromium() -> str:
    """Where Debian's chromium is: its build without windows, if that is installed, which takes half of the CPU."""
    path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    assert path, "Chromium is missing: make setup installs it"
    return path


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser, None]:
    """A browser for as long as the block runs."""
    path = find_chromium()
    assert BUILT.is_file(), "The playground is not built: make playground builds it"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()


@asynccontextmanager
async def watched_page(
    browser: Browser, url: str, *, expected: tuple[str, ...] = (), **context: Any
) -> AsyncGenerator[Page, None]:
    """A page of its own at ``url``. At its end: no exception, no error on the console, nothing asked of another host.

    Args:
        browser: Where to open it.
        url: Where it goes first. Its host is the only one that may be asked.
        expected: Errors of the console that hold one of these are the server's answers, and part of the test.
        context: As playwright's ``new_context`` has it.
    """
    made = await browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **context})
    await made.add_init_script(_TELL_VIOLATIONS)
    mistakes: list[str] = []
    host = urlsplit(url).netloc

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(text in message.text for text in expected):
            mistakes.append(message.text)

    def on_request(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != host:
            mistakes.append(f"asked another host: {request.url}")

    page = await made.new_page()
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.on("console", on_console)
    page.on("request", on_request)
    await page.goto(url)
    yield page
    await made.close()
    assert mistakes == [], mistakes


async def violations(page: Page) -> list[str]:
    """What axe finds wrong with what is shown, by WCAG 2.2 A and AA and by its own best practices."""
    # Evaluated, and not added as a script: the page's policy refuses those.
    await page.evaluate(AXE.read_text())
    found: list[dict[str, Any]] = await page.evaluate("axe.run(document).then(({violations}) => violations)")
    return [
        f"{one['id']}: {node['html'][:200]} {json.dumps(node['any'][:1])[:300]}"
        for one in found
        for node in one["nodes"]
    ]
