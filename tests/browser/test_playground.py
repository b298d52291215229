"""The playground as people use it: a real browser, a real server, and agents of which every answer is known."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, FilePayload, Locator, Page, expect

from tests.browser.pages import watched_page
from tests.browser.serving import AppServer, app_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

SAID_ALL = "zero one two three four five six seven eight nine ten"


def message_box(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message", exact=True)


async def ask(page: Page, text: str) -> None:
    await message_box(page).fill(text)
    await expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    await message_box(page).press("Enter")


def turn(page: Page, index: int = -1) -> Locator:
    return page.locator(".turn").nth(index)


def answer(page: Page, index: int = -1) -> Locator:
    return turn(page, index).locator(".message.assistant .text")


async def done(page: Page, index: int = -1) -> None:
    await expect(turn(page, index).get_by_role("button", name="Regenerate")).to_be_attached()


# -- talking ------------------------------------------------------------------------------------------------


async def test_an_answer_is_shown_while_it_is_written(page: Page, app: AppServer) -> None:
    await ask(page, "/slow shown")
    await expect(answer(page)).to_have_text("zero")
    await app.release("shown", 2)
    await expect(answer(page)).to_have_text("zero one two")
    await expect(page.locator(".connection")).to_have_text(re.compile("Live over SSE"))
    await app.release("shown", "all")
    await expect(answer(page)).to_have_text(SAID_ALL)
    await expect(turn(page).locator(".measures")).to_contain_text("11 tokens")
    await expect(page.locator(".connection")).to_have_count(0)


async def test_a_reload_in_mid_answer_picks_it_up(page: Page, app: AppServer) -> None:
    await ask(page, "/slow reload")
    await app.release("reload", 1)
    await expect(answer(page)).to_have_text("zero one")
    await page.reload()
    await expect(answer(page)).to_have_text("zero one")
    await app.release("reload", "all")
    await expect(answer(page)).to_have_text(SAID_ALL)
    await expect(turn(page).locator(".bubble")).to_have_text("/slow reload")


async def test_stop_keeps_what_was_said(page: Page, app: AppServer) -> None:
    await ask(page, "/slow stopped")
    await app.release("stopped", 1)
    await expect(answer(page)).to_have_text("zero one")
    await page.get_by_role("button", name="Stop").click()
    await expect(turn(page)).to_contain_text("This answer was stopped")
    await expect(answer(page)).to_have_text("zero one")
    await expect(page.get_by_role("button", name="Stop")).to_have_count(0)


async def test_two_answers_may_come_at_once(page: Page, app: AppServer) -> None:
    await ask(page, "/slow first")
    await expect(answer(page, 0)).to_have_text("zero")
    await ask(page, "/slow second")
    await expect(answer(page, 1)).to_have_text("zero")
    await app.release("second", "all")
    await expect(answer(page, 1)).to_have_text(SAID_ALL)
    await expect(answer(page, 0)).to_have_text("zero")
    await app.release("first", "all")
    await expect(answer(page, 0)).to_have_text(SAID_ALL)


async def test_an_edited_question_replaces_what_followed_it(page: Page) -> None:
    await ask(page, "one")
    await done(page)
    await ask(page, "two")
    await done(page)
    await turn(page, 0).hover()
    await turn(page, 0).get_by_role("button", name="Edit message").click()
    await page.get_by_role("textbox", name="Edit message").fill("uno")
    await page.get_by_role("button", name="Send again").click()
    await expect(page.locator(".turn")).to_have_count(1)
    await expect(answer(page)).to_have_text("You said: uno")
    await page.reload()
    await expect(answer(page)).to_have_text("You said: uno")
    await expect(page.locator(".turn")).to_have_count(1)


async def test_an_answer_is_asked_for_again(page: Page) -> None:
    await ask(page, "again")
    await done(page)
    first = await page.locator(".turn").count()
    await turn(page).get_by_role("button", name="Regenerate").click()
    await done(page)
    await expect(page.locator(".turn")).to_have_count(first)
    await expect(answer(page)).to_have_text("You said: again")


async def test_markdown_is_rendered_and_what_looks_like_html_is_text(page: Page) -> None:
    await ask(page, "**bold** <img src=x onerror='document.title=1'> [bad](javascript:alert(1))")
    await done(page)
    await expect(answer(page).locator("strong")).to_have_text("bold")
    await expect(page.locator(".turn img")).to_have_count(0)
    await expect(page.locator(".turn a[href^='javascript']")).to_have_count(0)
    await expect(turn(page).locator(".bubble")).to_contain_text("<img src=x")


async def test_a_message_and_an_answer_are_copied(browser: Browser, app: AppServer) -> None:
    async with watched_page(browser, app.playground(), permissions=["clipboard-read", "clipboard-write"]) as page:
        await ask(page, "copy **this**")
        await done(page)
        await turn(page).get_by_role("button", name="Copy answer").click()
        await expect(page.get_by_test_id("announcer")).to_have_text("Copied")
        assert await page.evaluate("navigator.clipboard.readText()") == "You said: copy **this**"
        await turn(page).hover()
        await turn(page).get_by_role("button", name="Copy message").click()
        await expect(turn(page).get_by_role("button", name="Copied")).to_have_count(2)
        assert await page.evaluate("navigator.clipboard.readText()") == "copy **this**"


# -- what an answer is made of ------------------------------------------------------------------------------


async def test_tools_thoughts_steps_sources_and_files_are_shown(page: Page) -> None:
    await ask(page, "/tools")
    await done(page)
    weather = turn(page).locator(".tool").nth(0)
    await expect(weather.locator("summary")).to_contain_text("weather")
    await expect(weather.locator("summary")).to_contain_text("Done")
    await expect(weather.get_by_label("Arguments of weather")).to_have_text('{ "city": "Utrecht" }')
    await expect(weather.get_by_label("Result of weather")).to_contain_text('"celsius": 18')
    forecast = turn(page).locator(".tool").nth(1)
    await expect(forecast).to_contain_text("A forecast has at most 14 days.")
    await expect(forecast.locator("summary")).to_contain_text("Failed")

    thoughts = turn(page).locator(".reasoning")
    await expect(thoughts).not_to_have_attribute("open", "")
    await thoughts.locator("summary").click()
    await expect(thoughts.locator(".card-body")).to_be_visible()
    await expect(thoughts).to_contain_text("I will look it up.")

    await expect(turn(page).get_by_role("list", name="Steps").locator(".chip")).to_have_text(
        [re.compile("plan"), re.compile("act")]
    )
    source = turn(page).get_by_role("region", name="Sources").get_by_role("link")
    await expect(source).to_have_attribute("href", "https://example.org/weather")
    await expect(source).to_have_attribute("rel", "noopener noreferrer")
    await expect(turn(page).get_by_role("img", name="sky.png")).to_have_attribute(
        "src", re.compile("^data:image/png;base64,")
    )
    await expect(turn(page).locator(".data")).to_contain_text('{"done":2,"of":2}')
    await expect(turn(page).locator(".measures")).to_contain_text("120 in, 40 out")
    await turn(page).get_by_text("State").click()
    await expect(turn(page).get_by_label("State of the graph")).to_contain_text("Utrecht")


async def test_a_question_is_answered_in_place(page: Page) -> None:
    await ask(page, "/ask go")
    waiting = page.get_by_role("region", name="The agent waits for your answer")
    await expect(waiting).to_contain_text("May I /ask go?")
    await waiting.get_by_role("button", name="yes").click()
    await expect(answer(page)).to_have_text("Answered: approve=yes")
    await expect(waiting).to_have_count(0)
    await page.reload()
    await expect(answer(page)).to_have_text("Answered: approve=yes")
    await expect(waiting).to_have_count(0)


async def test_several_questions_are_answered_together(page: Page) -> None:
    await ask(page, "/ask two")
    waiting = page.get_by_role("region", name="The agent waits for your answer")
    await waiting.get_by_role("button", name="no").click()
    await expect(waiting).to_contain_text("1 of 2 answered")
    await waiting.get_by_label("Your answer").last.fill("because")
    await waiting.get_by_role("button", name="Answer").last.click()
    await expect(answer(page)).to_have_text("Answered: approve=no, reason=because")


async def test_an_error_says_what_can_be_done(page: Page) -> None:
    await ask(page, "/fail internal")
    card = page.locator(".error-card")
    await expect(card).to_contain_text("internal")
    await expect(card).to_contain_text("Error id")
    await expect(card).not_to_contain_text("swordfish")
    await expect(card.get_by_role("button", name="Retry")).to_have_count(0)

    await ask(page, "/fail busy")
    card = turn(page, 1).locator(".error-card")
    await expect(card).to_contain_text("Too many requests")
    await expect(card.get_by_role("button")).to_be_enabled()
    await expect(card.get_by_role("button")).to_have_text("Retry")


async def test_after_an_error_the_same_is_tried_again(page: Page) -> None:
    await ask(page, "/fail once")
    await page.locator(".error-card").get_by_role("button", name="Retry").click()
    await expect(answer(page)).to_have_text("This time it worked.")
    await expect(page.locator(".error-card")).to_have_count(0)


# -- what one gives along -----------------------------------------------------------------------------------


async def test_what_is_configured_is_sent(browser: Browser, app: AppServer) -> None:
    async with watched_page(browser, app.playground("echo")) as page:
        await page.get_by_role("button", name="Configuration").click()
        await page.get_by_role("dialog").get_by_label("Shout").check()
        await page.get_by_role("button", name="Done").click()
        await ask(page, "quiet")
        await expect(answer(page)).to_have_text("YOU SAID: QUIET")


async def test_an_agent_that_is_no_chat_has_a_form(browser: Browser, app: AppServer) -> None:
    async with watched_page(browser, app.playground("form")) as page:
        form = page.get_by_role("region", name="Input")
        await form.get_by_label("City").fill("Utrecht")
        await form.get_by_label("Nights").fill("3")
        await form.get_by_label("Breakfast").check()
        await form.get_by_role("button", name="Run").click()
        await expect(turn(page).locator(".members")).to_contain_text("Utrecht")
        await expect(turn(page).get_by_label("Output")).to_contain_text('"price": 285')


async def test_files_are_attached_within_what_the_agent_takes(page: Page) -> None:
    await page.locator("input[type=file]").set_input_files(
        FilePayload(name="a.png", mimeType="image/png", buffer=b"not really")
    )
    attached = page.get_by_role("list", name="Attached files")
    await expect(attached.get_by_role("listitem")).to_have_count(1)

    await drop(page, "b.txt", "text/plain", 100)
    await expect(attached.get_by_role("listitem")).to_have_count(2)

    await drop(page, "big.png", "image/png", 2_000_000)
    await expect(page.locator(".notices")).to_contain_text("big.png was not attached")
    await drop(page, "film.mp4", "video/mp4", 10)
    await expect(page.locator(".notices")).to_contain_text("does not take video/mp4")
    await expect(attached.get_by_role("listitem")).to_have_count(2)

    await attached.get_by_role("button", name="Remove b.txt").click()
    await ask(page, "look")
    await expect(answer(page)).to_have_text("You said: look (with 1 file)")
    await expect(turn(page).get_by_role("img", name="a.png")).to_be_attached()
    await expect(attached).to_have_count(0)


async def drop(page: Page, name: str, media_type: str, size: int) -> None:
    await page.evaluate(
        """([name, type, size]) => {
          const dataTransfer = new DataTransfer()
          dataTransfer.items.add(new File([new Uint8Array(size)], name, {type}))
          const target = document.querySelector('.chat')
          for (const what of ['dragover', 'drop']) {
            target.dispatchEvent(new DragEvent(what, {dataTransfer, bubbles: true, cancelable: true}))
          }
        }""",
        [name, media_type, size],
    )


async def test_a_file_that_is_pasted_is_attached(page: Page) -> None:
    await expect(page.get_by_role("button", name="Attach files")).to_be_visible()
    await message_box(page).focus()
    await page.evaluate(
        """() => {
          const clipboardData = new DataTransfer()
          clipboardData.items.add(new File(['x'], 'pasted.png', {type: 'image/png'}))
          document.activeElement.dispatchEvent(
            new ClipboardEvent('paste', {clipboardData, bubbles: true, cancelable: true}))
        }"""
    )
    await expect(page.get_by_role("img", name="pasted.png")).to_be_visible()


async def test_thumbs_are_stored_with_the_run(page: Page, app: AppServer) -> None:
    await ask(page, "rate me")
    await done(page)
    await turn(page).get_by_role("button", name="Bad answer").click()
    await expect(turn(page).get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    await turn(page).get_by_label("Comment on the answer").fill("too short")
    await turn(page).get_by_role("button", name="Send comment").click()
    await expect(page.get_by_test_id("announcer")).to_have_text("Comment sent")
    async with httpx.AsyncClient() as client:
        newest = (await client.get(f"{app.url}/agent/runs?limit=1")).json()["runs"][0]["id"]
        stored = (await client.get(f"{app.url}/agent/runs/{newest}")).json()["feedback"]
    assert [(one["key"], one["score"], one["comment"]) for one in stored] == [("thumbs", 0, "too short")]
    await page.reload()
    await expect(turn(page).get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    await expect(turn(page).get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "false")


# -- conversations ------------------------------------------------------------------------------------------


async def test_conversations_are_listed_and_opened(page: Page) -> None:
    await ask(page, "the first conversation")
    await done(page)
    conversations = page.get_by_role("navigation", name="Conversations")
    await expect(conversations.get_by_role("link", name="the first conversation")).to_have_attribute(
        "aria-current", "page"
    )
    first = page.url

    await page.get_by_role("button", name="New chat").click()
    await expect(page.locator(".turn")).to_have_count(0)
    await ask(page, "the second conversation")
    await done(page)
    assert page.url != first
    await conversations.get_by_role("link", name="the first conversation").click()
    await expect(answer(page)).to_have_text("You said: the first conversation")
    assert page.url == first
    await page.go_back()
    await expect(answer(page)).to_have_text("You said: the second conversation")


async def test_older_conversations_are_loaded_when_asked_for(browser: Browser, tmp_path: Path) -> None:
    async with app_server(tmp_path) as app:
        async with httpx.AsyncClient() as client:
            for index in range(55):
                asked = {"input": f"conversation {index:02}", "thread_id": f"thread-{index:02}"}
                (await client.post(f"{app.url}/echo/invoke", json=asked)).raise_for_status()
        async with watched_page(browser, app.playground("echo")) as page:
            links = page.get_by_role("navigation", name="Conversations").get_by_role("link")
            await expect(links.first).to_contain_text("conversation 54")
            await expect(links).to_have_count(50)
            await page.get_by_role("button", name="Load more").click()
            await expect(links).to_have_count(55)
            await expect(links.last).to_contain_text("conversation 00")
            await expect(page.get_by_role("button", name="Load more")).to_have_count(0)


async def test_a_server_that_is_gone_is_said_and_waited_for(browser: Browser, tmp_path: Path) -> None:
    expected = (
        "ERR_CONNECTION_REFUSED",
        "ERR_INCOMPLETE_CHUNKED_ENCODING",
        "ERR_EMPTY_RESPONSE",
        "ERR_CONNECTION_RESET",
    )
    async with (
        app_server(tmp_path, "--lease", "1") as app,
        watched_page(browser, app.playground(), expected=expected) as page,
    ):
        await ask(page, "/slow gone")
        await expect(answer(page)).to_have_text("zero")
        app.server.kill()
        await expect(page.locator(".connection")).to_contain_text("Reconnecting")
        await expect(page.get_by_test_id("announcer")).to_have_text("Connection lost. Reconnecting")
        await app.server.start()
        await expect(page.locator(".connection")).to_contain_text("Live", timeout=30_000)
        await app.release("gone", "all")
        await expect(answer(page)).to_have_text(SAID_ALL, timeout=30_000)


async def test_a_part_that_cannot_be_loaded_leaves_the_rest_as_it_is(browser: Browser, app: AppServer) -> None:
    expected = ("ERR_FAILED", "Unable to preload", "dynamically imported")
    async with watched_page(browser, app.playground(), expected=expected) as page:
        for part in ("markdown", "inspector"):
            await page.route(re.compile(rf"/assets/{part}-"), lambda route: route.abort())
        await page.reload()
        await ask(page, "**plain**")
        await expect(answer(page)).to_have_text("You said: **plain**")
        await page.get_by_role("button", name="Inspect last run").click()
        await expect(page.get_by_role("complementary", name="Run inspector")).to_contain_text("cannot be shown")
        await ask(page, "it goes on")
        await expect(answer(page)).to_have_text("You said: it goes on")


async def test_agents_are_chosen(page: Page) -> None:
    await page.get_by_role("navigation", name="Agents").get_by_role("link", name="echo").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("echo")
    await ask(page, "are you echo?")
    await expect(answer(page)).to_have_text("You said: are you echo?")
    assert "#echo/" in page.url


async def test_drafts_are_kept_for_each_conversation(page: Page) -> None:
    await ask(page, "where drafts are")
    await done(page)
    await message_box(page).fill("half a thought")
    await page.get_by_role("button", name="New chat").click()
    await expect(message_box(page)).to_have_value("")
    await message_box(page).fill("another")
    await page.get_by_role("link", name="where drafts are").first.click()
    await expect(message_box(page)).to_have_value("half a thought")
    await page.reload()
    await expect(message_box(page)).to_have_value("half a thought")


async def test_the_end_is_followed_until_the_reader_scrolls_up(page: Page, app: AppServer) -> None:
    await ask(page, "/long")
    await done(page)
    await ask(page, "/slow scrolled")
    await expect(answer(page)).to_be_in_viewport()
    scroller = page.locator(".scroller")
    await scroller.hover()
    await page.mouse.wheel(0, -2000)
    jump = page.get_by_role("button", name="Jump to latest")
    await expect(jump).to_be_visible()
    top = await scroller.evaluate("element => element.scrollTop")
    await app.release("scrolled", "all")
    await expect(answer(page)).to_have_text(SAID_ALL)
    assert await scroller.evaluate("element => element.scrollTop") == top
    await jump.click()
    await expect(answer(page)).to_be_in_viewport()
    await expect(jump).to_have_count(0)


async def test_a_link_to_a_run_opens_the_inspector(browser: Browser, app: AppServer) -> None:
    async with watched_page(browser, app.playground()) as page:
        await ask(page, "share me")
        await done(page)
        await page.get_by_role("button", name="Inspect last run").click()
        await expect(page.get_by_role("complementary", name="Run inspector")).to_be_visible()
        link = page.url
    assert "?run=" in link
    async with watched_page(browser, link) as page:
        inspector = page.get_by_role("complementary", name="Run inspector")
        await expect(inspector).to_be_visible()
        await expect(answer(page)).to_have_text("You said: share me")
        handle = page.get_by_role("separator", name="Width of the inspector")
        width = int(await handle.get_attribute("aria-valuenow") or 0)
        await handle.press("ArrowLeft")
        await expect(handle).to_have_attribute("aria-valuenow", str(width + 40))


# -- keys, and what is said ---------------------------------------------------------------------------------


async def test_all_of_it_works_by_keyboard(page: Page) -> None:
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Skip to the conversation")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(message_box(page)).to_be_focused()
    await page.keyboard.type("two")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("lines")
    await page.keyboard.press("Enter")
    await expect(turn(page).locator(".bubble")).to_have_text("two\nlines")
    await done(page)

    await page.keyboard.press("ArrowUp")
    editor = page.get_by_role("textbox", name="Edit message")
    await expect(editor).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(editor).to_have_count(0)
    await expect(message_box(page)).to_be_focused()

    await page.keyboard.type("/slow keys")
    await page.keyboard.press("Enter")
    await expect(answer(page)).to_have_text("zero")
    await page.keyboard.press("Escape")
    await expect(turn(page)).to_contain_text("This answer was stopped")

    await page.keyboard.press("Shift+Tab")
    focused = page.locator(":focus")
    await expect(focused).to_have_count(1)
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("/")
    await expect(message_box(page)).to_be_focused()
    await expect(message_box(page)).to_have_value("")
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Control+k")
    await expect(message_box(page)).to_be_focused()


async def test_letters_are_no_shortcuts_where_they_are_switched_off(page: Page) -> None:
    await page.get_by_role("button", name="Settings", exact=True).click()
    await page.get_by_label("Single keys are shortcuts").uncheck()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("?")
    await page.keyboard.press("Control+k")
    await expect(message_box(page)).to_be_focused()
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_what_is_focused_can_be_seen(page: Page) -> None:
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    for _ in range(12):
        await page.keyboard.press("Tab")
        seen = await page.evaluate(
            """() => {
              const of = element => {
                const {outlineStyle, outlineWidth, boxShadow} = getComputedStyle(element)
                return (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none'
              }
              const {activeElement: focused} = document
              return focused === document.body || of(focused) || of(focused.parentElement)
            }"""
        )
        assert seen, await page.evaluate("document.activeElement.outerHTML")


async def test_states_are_announced_and_tokens_are_not(page: Page, app: AppServer) -> None:
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await page.evaluate(
        """() => {
          globalThis.said = []
          const region = document.querySelector('[aria-live]')
          new MutationObserver(() => said.push(region.textContent)).observe(region, {childList: true, subtree: true})
        }"""
    )
    await ask(page, "/slow spoken")
    await app.release("spoken", "all")
    await expect(answer(page)).to_have_text(SAID_ALL)
    await done(page)
    await expect(page.get_by_test_id("announcer")).to_have_text("Answer complete")
    await ask(page, "/fail now")
    await expect(page.get_by_test_id("announcer")).to_contain_text("The model is resting.")
    await ask(page, "/ask x")
    await expect(page.get_by_test_id("announcer")).to_have_text("The agent waits for your answer")
    said: list[str] = await page.evaluate("said")
    assert [text for text in said if "zero" in text or "one" in text.split()] == []
    assert said[:2] == ["Answering", "Answer complete"]
    assert await page.locator("[aria-live], [role=status], [role=alert], [role=log]").count() == 1


# -- where it is served -------------------------------------------------------------------------------------


async def test_credentials_open_a_server_that_asks_for_them(browser: Browser, tmp_path: Path) -> None:
    async with (
        app_server(tmp_path, "--token", "letmein") as app,
        watched_page(browser, app.playground(), expected=("401",)) as page,
    ):
        await page.locator(".error-card").first.get_by_role("button", name="Settings").click()
        settings = page.get_by_role("dialog", name="Settings")
        await settings.get_by_label("Bearer token").check()
        await settings.get_by_label("Bearer token", exact=True).last.fill("letmein")
        await settings.get_by_role("button", name="Apply").click()
        await page.keyboard.press("Escape")
        await expect(page.locator(".error-card")).to_have_count(0)
        await ask(page, "let in")
        await expect(answer(page)).to_have_text("You said: let in")
        assert "letmein" not in await page.evaluate(
            "JSON.stringify({...localStorage}) + document.cookie + location.href"
        )
        assert "letmein" in await page.evaluate("JSON.stringify({...sessionStorage})")
        for transport in ("SSE (EventSource)", "WebSocket", "NDJSON lines"):
            await page.get_by_role("button", name="Settings", exact=True).click()
            await settings.get_by_label("Transport").select_option(label=transport)
            await page.keyboard.press("Escape")
            await ask(page, f"by {transport}")
            await expect(answer(page)).to_have_text(f"You said: by {transport}")


async def test_it_works_under_a_prefix(browser: Browser, tmp_path: Path) -> None:
    async with (
        app_server(tmp_path, prefix="/deep/down") as app,
        watched_page(browser, app.playground()) as page,
    ):
        await ask(page, "how deep?")
        await expect(answer(page)).to_have_text("You said: how deep?")
        await page.get_by_role("link", name="echo").click()
        await ask(page, "and here?")
        await expect(answer(page)).to_have_text("You said: and here?")


async def test_the_first_view_is_small(browser: Browser, app: AppServer) -> None:
    async with watched_page(browser, app.playground()) as page:
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        index = await (await page.request.get(app.playground())).text()
        size = 0
        for path in re.findall(r'(?:src|href)="\./(assets/[^"]+\.(?:js|css))"', index):
            asked = await page.request.get(app.playground() + path, headers={"Accept-Encoding": "gzip"})
            assert asked.headers["content-encoding"] == "gzip"
            size += int(asked.headers["content-length"])
    assert 0 < size <= 150_000
