"""The run inspector and the forms as people use them: live and later, by mouse and by keyboard, and what they copy."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx
import pytest
from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from tests.browser.pages import DESKTOP, PHONE, violations, watched_page
from tests.browser.serving import AppServer, app_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

NASTY = 'it\'s "quoted" $HOME `id` \\ 漢字 🧵\nnew line'
CLIPBOARD = ["clipboard-read", "clipboard-write"]
TABS = ("Events", "Timeline", "Charts", "Replay", "Code")
SAID_ALL = "zero one two three four five six seven eight nine ten"


async def started(app: AppServer, agent: str, question: Any = "weather?", **more: Any) -> str:
    """The id of a new run."""
    async with httpx.AsyncClient() as client:
        response = await client.post(f"{app.url}/{agent}/runs", json={"input": question, **more})
        response.raise_for_status()
        run_id: str = response.json()["id"]
    return run_id


async def ndjson(app: AppServer, agent: str, run_id: str) -> list[dict[str, Any]]:
    """All records of a run, as the server sends them, at its end."""
    async with httpx.AsyncClient(headers={"Accept": "application/x-ndjson"}, timeout=60) as client:
        response = await client.get(f"{app.url}/{agent}/runs/{run_id}/stream")
    return [json.loads(line) for line in response.text.splitlines() if line]


def link(app: AppServer, agent: str, run_id: str, thread: str = "") -> str:
    return f"{app.playground(agent)}#{agent}/{thread}?run={run_id}"


def inspector(page: Page) -> Locator:
    return page.locator(".insp")


def rows(page: Page) -> Locator:
    return inspector(page).locator(".insp-event")


async def ended(page: Page, status: str = "completed") -> None:
    await expect(inspector(page).locator(".insp-status")).to_have_text(status, timeout=30_000)


async def tab(page: Page, name: str) -> None:
    await inspector(page).get_by_role("tab", name=name).click()


async def copied(page: Page) -> str:
    text: str = await page.evaluate("navigator.clipboard.readText()")
    return text


# -- events -------------------------------------------------------------------------------------------------


async def test_events_are_listed_opened_filtered_and_searched(browser: Browser, app: AppServer) -> None:
    run_id = await started(app, "tools")
    records = await ndjson(app, "tools", run_id)
    async with watched_page(browser, link(app, "tools", run_id)) as page:
        await ended(page)
        await expect(rows(page).first).to_contain_text("start")
        first = rows(page).first
        await first.click()
        shown = await inspector(page).get_by_label("JSON of event 1").inner_text()
        assert json.loads(shown) == records[0]["event"]
        await first.click()
        await expect(inspector(page).get_by_label("JSON of event 1")).to_have_count(0)

        search = inspector(page).get_by_label("Search events")
        found = [record["seq"] for record in records if "utrecht" in json.dumps(record["event"]).lower()]
        await search.fill("UTRECHT")
        for place in [*range(len(found)), 0]:
            await expect(inspector(page).locator(".insp-count")).to_have_text(f"{place + 1} of {len(found)}")
            await expect(inspector(page).locator("[data-match=current] .insp-seq")).to_have_text(str(found[place]))
            await search.press("Enter")
        await search.press("Shift+Enter")
        await expect(inspector(page).locator(".insp-count")).to_have_text(f"1 of {len(found)}")
        await search.fill("not there")
        await expect(inspector(page).locator(".insp-count")).to_have_text("No match")

        await inspector(page).get_by_role("button", name=re.compile("^tool_end")).click()
        await inspector(page).get_by_role("button", name=re.compile("^end")).click()
        ends = [str(record["seq"]) for record in records if record["event"]["type"] in {"tool_end", "end"}]
        await expect(rows(page).locator(".insp-seq")).to_have_text(ends)


async def test_what_is_copied_and_downloaded_is_what_the_server_sent(
    browser: Browser, app: AppServer, tmp_path: Path
) -> None:
    run_id = await started(app, "tools")
    records = await ndjson(app, "tools", run_id)
    async with watched_page(browser, link(app, "tools", run_id), permissions=CLIPBOARD) as page:
        await ended(page)
        await inspector(page).get_by_role("button", name="Copy all").click()
        await expect(inspector(page).locator(".insp-said")).to_have_text(f"Copied {len(records)} events.")
        assert [json.loads(line) for line in (await copied(page)).splitlines()] == records

        await rows(page).last.click()
        await inspector(page).get_by_role("button", name="Copy NDJSON").click()
        await expect(inspector(page).locator(".insp-said")).to_contain_text("as NDJSON")
        assert json.loads(await copied(page)) == records[-1]

        async with page.expect_download() as downloading:
            await inspector(page).get_by_role("button", name="Download").click()
        download = await downloading.value
        assert download.suggested_filename == f"{run_id}.ndjson"
        await download.save_as(tmp_path / "run.ndjson")
        assert [json.loads(line) for line in (tmp_path / "run.ndjson").read_text().splitlines()] == records


async def test_the_list_follows_a_run_unless_the_reader_scrolled_away(browser: Browser, app: AppServer) -> None:
    run_id = await started(app, "slow", "tail")
    small: ViewportSize = {"width": 1280, "height": 400}
    async with watched_page(browser, link(app, "slow", run_id), viewport=small) as page:
        await expect(rows(page).last).to_contain_text('"zero"')
        await app.release("tail", 4)
        await expect(rows(page).filter(has_text='" four"')).to_be_in_viewport()
        events = inspector(page).get_by_role("region", name="Events")
        await events.evaluate("list => list.scrollTo(0, 0)")
        await expect(inspector(page).get_by_role("button", name="Follow the newest")).to_be_visible()
        await app.release("tail", 2)
        await expect(inspector(page).locator(".insp-chips")).to_contain_text("token 7")
        assert await events.evaluate("list => list.scrollTop") == 0
        await inspector(page).get_by_role("button", name="Follow the newest").click()
        await expect(rows(page).filter(has_text='" six"')).to_be_in_viewport()
        await app.release("tail", "all")
        await ended(page)
        await expect(rows(page).filter(has_text="completed")).to_be_in_viewport()


async def test_twenty_thousand_events_are_few_elements(browser: Browser, app: AppServer) -> None:
    run_id = await started(app, "long", "story", config={"characters": 80_000})
    records = await ndjson(app, "long", run_id)
    assert len(records) > 20_000
    async with watched_page(browser, link(app, "long", run_id)) as page:
        await ended(page)
        await expect(inspector(page).locator(".insp-summary-line")).to_contain_text(f"{len(records):,} events")
        await expect(rows(page).last).to_contain_text("end")
        assert await rows(page).count() < 80
        await inspector(page).get_by_label("Search events").fill("12345")
        await expect(inspector(page).locator("[data-match=current] .insp-seq")).to_have_text("12345")
        await expect(inspector(page).locator("[data-match=current]")).to_be_in_viewport()
        await rows(page).nth(10).focus()
        await page.keyboard.press("End")
        await expect(rows(page).last).to_be_focused()
        await expect(rows(page).last.locator(".insp-seq")).to_have_text(str(len(records)))
        assert await rows(page).count() < 80


# -- timeline -----------------------------------------------------------------------------------------------


async def test_the_timeline_shows_what_ran_inside_what(browser: Browser, app: AppServer) -> None:
    run_id = await started(app, "tools")
    async with watched_page(browser, link(app, "tools", run_id)) as page:
        await ended(page)
        await tab(page, "Timeline")
        bars = inspector(page).locator(".insp-bar-row")
        names = ["plan", "planner", "act", "weather", "forecast"]
        await expect(bars).to_have_count(len(names))
        for index, name in enumerate(names):
            await expect(bars.nth(index)).to_contain_text(name)
        await expect(inspector(page).get_by_role("button", name=re.compile("forecast tool .*failed"))).to_be_visible()

        await bars.first.focus()
        for _ in range(4):
            await page.keyboard.press("ArrowDown")
        await expect(bars.nth(4)).to_be_focused()
        details = inspector(page).locator(".insp-details")
        await expect(details).to_contain_text("A forecast has at most 14 days.")
        await expect(details).to_contain_text("Insideact")

        before = await inspector(page).locator(".insp-track").last.evaluate("track => track.clientWidth")
        await page.keyboard.press("+")
        await expect(inspector(page).get_by_role("button", name="2×, fit to width")).to_be_visible()
        after = await inspector(page).locator(".insp-track").last.evaluate("track => track.clientWidth")
        assert after > 1.5 * before

        await inspector(page).get_by_role("button", name="Table").click()
        row = inspector(page).get_by_role("row").filter(has_text="forecast")
        await expect(row).to_contain_text("failed: A forecast has at most 14 days.")


async def test_the_timeline_grows_while_the_run_does(browser: Browser, app: AppServer) -> None:
    run_id = await started(app, "tools", config={"gate": "grow"})
    async with watched_page(browser, link(app, "tools", run_id)) as page:
        await tab(page, "Timeline")
        await app.release("grow", 2)
        weather = inspector(page).get_by_role("button", name=re.compile("weather tool"))
        await expect(weather).to_contain_text("running")
        await expect(inspector(page).locator(".insp-bar-row")).to_have_count(4)
        await app.release("grow", "all")
        await expect(weather).to_contain_text("done")
        await ended(page)
        await expect(inspector(page).locator(".insp-bar-row")).to_have_count(5)


async def test_a_run_that_another_process_took_up_says_so(browser: Browser, tmp_path: Path) -> None:
    async with app_server(tmp_path, "--lease", "1.0") as app:
        run_id = await started(app, "slow", "killed")
        async with watched_page(browser, link(app, "slow", run_id), expected=("ERR_", "Failed to load")) as page:
            await app.release("killed", 2)
            await expect(rows(page).last).to_contain_text('" two"')
            app.server.kill()
            await expect(inspector(page).locator(".insp-connection")).to_contain_text("lost")
            await app.server.start()
            await app.release("killed", "all")
            await ended(page)
            await expect(inspector(page).locator(".insp-summary-line")).to_contain_text("attempt 2")
            await expect(rows(page).filter(has_text="what came after")).to_have_count(1)
            await tab(page, "Timeline")
            await expect(inspector(page).locator(".insp-mark.insp-retry")).to_have_count(1)
            await expect(inspector(page).locator(".insp-bar-row")).to_have_count(1)
            await expect(inspector(page).locator(".insp-details")).to_contain_text("Pieces of text11")


# -- charts -------------------------------------------------------------------------------------------------


async def test_charts_are_drawn_and_told_in_words(browser: Browser, app: AppServer) -> None:
    run_id = await started(app, "long", "story", config={"characters": 2000, "rate": 500})
    async with watched_page(browser, link(app, "long", run_id)) as page:
        await ended(page)
        await tab(page, "Charts")
        charts = inspector(page).get_by_role("img")
        await expect(charts).to_have_count(3)
        await expect(charts.nth(0)).to_have_attribute("aria-label", re.compile(r"499 gaps: half are up to .*95 %"))
        await expect(charts.nth(2)).to_have_attribute("aria-label", re.compile(r"ms: \d+"))
        await expect(inspector(page).locator(".insp-facts")).to_contain_text("Tokens500")
        for index in range(3):
            drawn = (
                await charts.nth(index)
                .locator("canvas")
                .evaluate("c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(Boolean)")
            )
            assert drawn
            # The library's style sheet is there: its canvas lies where its frame is.
            assert (
                await charts.nth(index).locator(".u-wrap").evaluate("wrap => getComputedStyle(wrap).position")
                == "relative"
            )


async def test_charts_take_the_colours_of_the_theme(browser: Browser, app: AppServer) -> None:
    run_id = await started(app, "echo", "one two three")
    async with watched_page(browser, link(app, "echo", run_id), color_scheme="light") as page:
        await ended(page)
        await tab(page, "Charts")
        chart = inspector(page).get_by_role("img").nth(1).locator("canvas")
        light = await chart.evaluate("canvas => canvas.toDataURL()")
        await page.emulate_media(color_scheme="dark")
        await page.wait_for_function(
            "light => document.querySelectorAll('.insp-chart canvas')[1].toDataURL() !== light", arg=light
        )


# -- replay -------------------------------------------------------------------------------------------------


async def test_a_run_is_played_again_from_any_moment(browser: Browser, app: AppServer) -> None:
    run_id = await started(app, "slow", "played")
    async with watched_page(browser, link(app, "slow", run_id)) as page:
        await app.release("played", "all")
        await ended(page)
        await tab(page, "Replay")
        shown = inspector(page).locator(".insp-message[data-role=assistant]")
        place = inspector(page).get_by_label("Event", exact=True)
        await expect(place).not_to_have_value("0")
        await place.fill("4")
        await expect(shown.locator(".insp-text")).to_have_text("zero one")
        await inspector(page).get_by_role("button", name="Next event").click()
        await expect(shown.locator(".insp-text")).to_have_text("zero one two")
        await page.keyboard.press(",")
        await expect(shown.locator(".insp-text")).to_have_text("zero one")

        await inspector(page).get_by_label("Speed").select_option("20×")
        await inspector(page).get_by_role("button", name="Play").click()
        await expect(shown.locator(".insp-text")).to_have_text(SAID_ALL)
        await expect(inspector(page).get_by_role("button", name="Play")).to_be_visible()

        slider = inspector(page).get_by_role("slider", name="Moment of the run")
        await slider.press("Home")
        await expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^\+0\.000 of"))
        await inspector(page).get_by_label("Speed").select_option("At once")
        await slider.press("k")
        await expect(shown.locator(".insp-text")).to_have_text(SAID_ALL)


# -- code and links -----------------------------------------------------------------------------------------


async def test_the_copied_code_makes_the_same_call(browser: Browser, app: AppServer) -> None:
    run_id = await started(app, "echo", NASTY, thread_id="t-1")
    async with watched_page(browser, link(app, "echo", run_id, "t-1"), permissions=CLIPBOARD) as page:
        await ended(page)
        await tab(page, "Code")
        said: dict[str, str] = {}
        for language in ("curl", "Python"):
            await inspector(page).get_by_role("button", name=language).click()
            await inspector(page).get_by_role("button", name="Copy").click()
            await expect(inspector(page).locator(".insp-said")).to_have_text(f"Copied {language} code.")
            said[language] = await copied(page)
        environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
        curled = await anyio.run_process(["sh", "-c", said["curl"]], env=environment, stderr=subprocess.PIPE)
        events = [json.loads(line[6:]) for line in curled.stdout.decode().splitlines() if line.startswith("data: ")]
        text = "".join(event["text"] for event in events if event["type"] == "token")
        assert text == f"You said: {NASTY}"
        assert (events[0]["input"], events[0]["thread_id"]) == (NASTY, "t-1")
        ran = await anyio.run_process([sys.executable, "-c", said["Python"]], env=environment)
        assert ran.stdout.decode() == f"You said: {NASTY}"


async def test_the_copied_code_holds_config_and_answers(browser: Browser, app: AppServer) -> None:
    async with httpx.AsyncClient(base_url=app.url) as client:
        body = {"input": "hi", "config": {"shout": True}}
        run_id = (await client.post("/echo/runs", json=body)).json()["id"]
    async with watched_page(browser, link(app, "echo", run_id)) as page:
        await ended(page)
        await tab(page, "Code")
        await expect(inspector(page).locator("pre")).to_contain_text('"config":{"shout":true}')


async def test_a_secret_is_in_no_code(browser: Browser, tmp_path: Path) -> None:
    async with app_server(tmp_path, "--token", "top-secret") as app:
        headers = {"Authorization": "Bearer top-secret"}
        async with httpx.AsyncClient(headers=headers) as client:
            run_id = (await client.post(f"{app.url}/echo/runs", json={"input": "hi"})).json()["id"]
        async with watched_page(browser, app.playground("echo"), expected=("401",)) as page:
            await page.locator(".error-card").first.get_by_role("button", name="Settings").click()
            settings = page.get_by_role("dialog", name="Settings")
            await settings.get_by_label("Bearer token").check()
            await settings.get_by_label("Bearer token", exact=True).last.fill("top-secret")
            await settings.get_by_role("button", name="Apply").click()
            await page.keyboard.press("Escape")
            await expect(page.locator(".error-card")).to_have_count(0)
            await page.goto(link(app, "echo", run_id))
            await ended(page)
            await tab(page, "Code")
            for language in ("curl", "Python", "React"):
                await inspector(page).get_by_role("button", name=language).click()
                code = inspector(page).get_by_label(f"{language} code")
                await expect(code).to_contain_text("Bearer ")
                await expect(code).to_contain_text("UNSPOOL_TOKEN")
                await expect(code).not_to_contain_text("secret")


async def test_a_share_link_opens_the_same_run(browser: Browser, app: AppServer) -> None:
    run_id = await started(app, "echo", "shared", thread_id="t~2.x")
    async with watched_page(browser, link(app, "echo", run_id), permissions=CLIPBOARD) as page:
        await ended(page)
        await inspector(page).get_by_role("button", name="Share link").click()
        await expect(inspector(page).locator(".insp-said")).to_have_text("Copied the link.")
        shared = await copied(page)
    async with watched_page(browser, shared) as page:
        await ended(page)
        await expect(inspector(page).locator("code").first).to_have_text(run_id)


async def test_a_run_that_is_not_there_is_told(browser: Browser, app: AppServer) -> None:
    async with watched_page(browser, link(app, "echo", "none"), expected=("404",)) as page:
        await expect(inspector(page).get_by_role("alert")).to_contain_text("not_found")


# -- for everybody ------------------------------------------------------------------------------------------


async def test_the_keyboard_is_enough(browser: Browser, app: AppServer) -> None:
    run_id = await started(app, "tools")
    async with watched_page(browser, link(app, "tools", run_id)) as page:
        await ended(page)
        await inspector(page).get_by_role("tab", name="Events").focus()
        for name in (*TABS[1:], TABS[0]):
            await page.keyboard.press("ArrowRight")
            await expect(inspector(page).get_by_role("tab", name=name)).to_be_focused()
            await expect(inspector(page).get_by_role("tabpanel", name=name)).to_be_visible()
        row = rows(page).first
        await row.focus()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await expect(inspector(page).get_by_label("JSON of event 2")).to_be_visible()
        await page.keyboard.press("Tab")
        await expect(inspector(page).get_by_role("button", name="Copy JSON")).to_be_focused()
        await inspector(page).get_by_role("button", name="Close the inspector").press("Enter")
        await expect(inspector(page)).to_have_count(0)


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_tab_has_anything_that_axe_finds(
    browser: Browser, app: AppServer, scheme: Literal["light", "dark"], viewport: ViewportSize
) -> None:
    run_id = await started(app, "tools")
    async with watched_page(browser, link(app, "tools", run_id), color_scheme=scheme, viewport=viewport) as page:
        await ended(page)
        for name in TABS:
            await tab(page, name)
            if name == "Events":
                await inspector(page).get_by_label("Search events").fill("weather")
                await rows(page).nth(3).click()
            if name == "Timeline":
                await inspector(page).locator(".insp-bar-row").nth(2).focus()
            assert await violations(page) == [], name
            assert await page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
        await tab(page, "Timeline")
        await inspector(page).get_by_role("button", name="Table").click()
        assert await violations(page) == []


# -- forms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_an_agent_that_is_no_chat_is_asked_by_a_form(
    browser: Browser, app: AppServer, scheme: Literal["light", "dark"], viewport: ViewportSize
) -> None:
    async with watched_page(browser, app.playground("form"), color_scheme=scheme, viewport=viewport) as page:
        run = page.get_by_role("button", name="Run", exact=True)
        await expect(run).to_be_disabled()
        await page.get_by_label("City").fill("Utrecht")
        await page.get_by_label("Nights").fill("99")
        await page.get_by_label("Nights").blur()
        await expect(page.get_by_text("This must be at most 30.")).to_be_visible()
        assert await violations(page) == []
        await page.get_by_label("Nights").fill("3")
        await page.get_by_label("Breakfast").check()
        await page.get_by_label("Room").select_option("double")
        await run.click()
        await expect(page.locator(".turn").last).to_contain_text("405")
