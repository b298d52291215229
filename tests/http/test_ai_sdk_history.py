"""What a page is told that opens a chat of the AI SDK: ``GET /ai-sdk/{chat_id}/messages``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types
from typing_extensions import override

from tests.http.test_ai_sdk import Client, assistant, user
from tests.http.test_refusals import _by_header
from tests.support.ai_sdk_agents import Correct, Delete
from tests.support.server import serve
from unspool import Call, MemoryLog, Retention, Unspool
from unspool.events import Interrupt, Reasoning, Record, Token
from unspool.sources import Item, Source
from unspool.testing import ScriptedSource

NOTHING: dict[str, Any] = {"messages": [], "running": None}


@asynccontextmanager
async def _opened(source: Source, **options: Any) -> AsyncIterator[Client]:
    app = FastAPI()
    Unspool(grace=0.2, **options).add_routes(app, source, path="/agent", playground=False)
    schemas = app.openapi()
    answer = schemas["paths"]["/agent/ai-sdk/{chat_id}/messages"]["get"]["responses"]["200"]
    schema = {**answer["content"]["application/json"]["schema"], "components": schemas["components"]}

    async def valid(response: httpx.Response) -> None:
        if response.is_success and response.url.path.endswith("/messages"):
            await response.aread()
            Draft202012Validator(schema).validate(response.json())

    with anyio.fail_after(30):
        async with serve(app) as url, httpx.AsyncClient(timeout=20, event_hooks={"response": [valid]}) as http:
            yield Client(url, http)


async def _past(client: Client, chat: str = "t", *, v: int = 6, headers: dict[str, str] | None = None) -> Any:
    response = await client.http.get(f"{client.api}/{chat}/messages?v={v}", headers=headers or client.headers)
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store"), response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()


def _said(past: Any) -> list[str]:
    """What the messages say: questions by their parts, answers by their chunks."""
    texts: list[str] = []
    for message in past["messages"]:
        told = [part["text"] for part in message.get("parts", ()) if part["type"] == "text"]
        told += [chunk["delta"] for chunk in message.get("chunks", ()) if chunk["type"] == "text-delta"]
        texts.append(f"{message['role']}: {'|'.join(told)}")
    return texts


def _status(message: Any) -> Any:
    told = [chunk["messageMetadata"] for chunk in message["chunks"] if "messageMetadata" in chunk]
    return next((fields["status"] for fields in told if "status" in fields), None)


async def test_a_chat_that_is_not_there_has_no_messages() -> None:
    async with _opened(ScriptedSource(["a"])) as client:
        assert await _past(client) == NOTHING
        for path in ("a%20b/messages", "t/messages?v=8", "t/messages?v="):
            refused = await client.http.get(f"{client.api}/{path}")
            assert (refused.status_code, refused.headers["content-type"]) == (422, "text/plain; charset=utf-8")
        for method in ("POST", "PUT", "DELETE", "HEAD"):
            assert (await client.http.request(method, f"{client.api}/t/messages")).status_code == 405


async def test_questions_come_as_they_were_asked_and_answers_as_chunks_with_their_deltas_joined() -> None:
    image = {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,aGk=", "filename": "hi.png"}
    link = {"type": "file", "mediaType": "application/pdf", "url": "https://example.org/a.pdf"}
    greeting = assistant("greeting", {"type": "text", "text": "Hello."})
    system = {"id": "s", "role": "system", "parts": [{"type": "text", "text": "Be brief."}]}
    async with _opened(ScriptedSource(["y", "e", "s"])) as client:
        first = await client.said(system, greeting, user("one"))
        second = await client.said(system, greeting, user("one"), assistant(first), user("two ", image, link))
        past = await _past(client)
        assert await _past(client) == past
    assert _said(past) == ["system: Be brief.", "assistant: Hello.", "user: one", "assistant: yes", *_said(past)[4:]]
    assert past["messages"][4:] == [
        {
            "id": f"{second}-input-0",
            "role": "user",
            "parts": [{"type": "text", "text": "two "}, image, link],
        },
        {"id": second, "role": "assistant", "chunks": past["messages"][5]["chunks"]},
    ]
    assert past["messages"][5]["chunks"] == [
        {"type": "start", "messageId": second, "messageMetadata": {"runId": second}},
        {"type": "start-step"},
        {"type": "text-start", "id": "p1"},
        {"type": "text-delta", "id": "p1", "delta": "yes"},
        {"type": "text-end", "id": "p1"},
        {"type": "finish-step"},
        {"type": "message-metadata", "messageMetadata": past["messages"][5]["chunks"][6]["messageMetadata"]},
        {"type": "finish", "finishReason": "stop"},
    ]
    assert len({message["id"] for message in past["messages"]}) == 6
    assert past["running"] is None


class Thinker(ScriptedSource):
    """Two messages at once, one of which thinks."""

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        """Answer."""
        for text in ("a", "b"):
            yield Reasoning("m1", text)
        for text in ("c", "d"):
            yield Token("m1", text)
        yield Token("m2", "\u2028e")
        yield Token("m1", "f")


async def test_only_neighbours_of_one_part_are_joined() -> None:
    async with _opened(Thinker([])) as client:
        await client.said(user("go"))
        chunks = (await _past(client))["messages"][1]["chunks"]
    assert [(chunk["type"], chunk["id"], chunk["delta"]) for chunk in chunks if "delta" in chunk] == [
        ("reasoning-delta", "p1", "ab"),
        ("text-delta", "p2", "cd"),
        ("text-delta", "p3", "\u2028e"),
        ("text-delta", "p2", "f"),
    ]


async def test_what_was_replaced_or_taken_back_is_not_told() -> None:
    async with _opened(ScriptedSource(["yes"])) as client:
        first = await client.said(user("one"))
        await client.said(user("one"), assistant(first), user("two"))
        await client.said(user("one"), assistant(first), user("zwei"))
        assert _said(await _past(client)) == ["user: one", "assistant: yes", "user: zwei", "assistant: yes"]
    async with _opened(Correct()) as client:
        await client.send(user("How many?"))
        assert _said(await _past(client, v=6))[1] == "assistant: Well. It is 4.|It is 5."
        chunks = (await _past(client, v=7))["messages"][1]["chunks"]
        assert [chunk["type"] for chunk in chunks].count("reset-step") == 1


async def test_a_chat_belongs_to_one_person() -> None:
    async with _opened(ScriptedSource(["a secret"]), authenticate=_by_header) as client:
        client.headers = {"X-User": "ann"}
        await client.said(user("tell me"))
        assert _said(await _past(client)) == ["user: tell me", "assistant: a secret"]
        assert await _past(client, headers={"X-User": "bob"}) == NOTHING
        nobody = await client.http.get(f"{client.api}/t/messages")
        assert (nobody.status_code, nobody.json()["code"]) == (401, "auth")


async def test_the_last_answer_is_left_to_the_stream_while_it_goes_on() -> None:
    source = ScriptedSource(["a", "b"], stall_at=1)
    async with _opened(source) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.send, user("one"))
        await source.reached.wait()
        (run,) = await client.runs()
        past = await _past(client)
        assert (_said(past), past["running"]) == (["user: one"], run["id"])
        source.release()
        await client.http.get(f"{client.api}/t/stream?run_id={run['id']}")
        past = await _past(client)
        assert (_said(past), past["running"]) == (["user: one", "assistant: ab"], None)


class Stays(ScriptedSource):
    """Asks for approval; once it was answered, it stays."""

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        """Answer."""
        yield Token(f"{call.run_id}-m", "more" if call.resumes else "may I?")
        if call.resumes is not None:
            self.reached.set()
            await self._released.wait()
        elif call.input == "ask":
            yield Interrupt("i", "?")


async def test_an_answer_that_goes_on_before_others_is_told_so_far_where_it_stands() -> None:
    source = Stays([])
    async with _opened(source) as client, anyio.create_task_group() as tasks:
        asked = await client.said(user("ask"))
        later = await client.said(user("ask"), assistant(asked), user("later"))
        question = {"id": "t", "messages": [user("ask"), assistant(asked)], "answer": "yes"}
        tasks.start_soon(lambda: client.http.post(client.api, json=question))
        await source.reached.wait()
        past = await _past(client)
        assert past["running"] == (await client.runs())[-1]["id"]
        assert [message["id"] for message in past["messages"]][1::2] == [asked, later]
        assert _said(past)[:2] == ["user: ask", "assistant: may I?|more"]
        assert past["messages"][1]["chunks"][0]["messageId"] == asked
        assert _status(past["messages"][1]) is None
        source.release()


async def test_what_was_said_of_tool_calls_comes_with_their_message() -> None:
    async with _opened(Delete()) as client:
        message = await client.said(user("a b c"))
        assert "approvals" not in (await _past(client))["messages"][1]
        decided = [(True, None), (False, "Keep it."), (False, None)]
        parts = [
            {
                "type": "dynamic-tool",
                "toolCallId": f"delete-{n}",
                "state": "approval-responded",
                "approval": {"id": f"sure:{n}", "approved": approved, **({"reason": reason} if reason else {})},
            }
            for n, (approved, reason) in enumerate(decided)
        ]
        await client.said(user("a b c"), assistant(message, *parts))
        assert (await _past(client))["messages"][1]["approvals"] == [
            {"toolCallId": "delete-a", "id": "sure:0", "approved": True},
            {"toolCallId": "delete-b", "id": "sure:1", "approved": False, "reason": "Keep it."},
            {"toolCallId": "delete-c", "id": "sure:2", "approved": False},
        ]


async def test_a_tool_call_that_was_changed_and_then_run_counts_as_approved() -> None:
    async with _opened(Delete()) as client:
        asked = await client.said(user("a b"))
        edited = {"type": "edit", "edited_action": {"name": "delete", "args": {"path": "c"}}}
        resume = client.api.replace("ai-sdk", f"runs/{asked}/resume")
        await client.http.post(resume, json={"answer": {"decisions": [edited]}})
        (only,) = (await _past(client))["messages"][1]["approvals"]
    assert only == {"toolCallId": "delete-a", "id": "sure:0", "approved": True}


class TrimsFirst(MemoryLog):
    """Removes all events of ended runs just before they are read."""

    armed = False

    @override
    async def read(self, run_id: str, *, after: int, limit: int = 1000) -> Sequence[Record]:
        if self.armed:
            await self.trim(Retention(max_runs=0))
        return await super().read(run_id, after=after, limit=limit)


@pytest.mark.parametrize("late", [False, True], ids=["long ago", "while it is read"])
async def test_an_answer_whose_events_are_gone_keeps_its_place_so_that_nothing_is_replaced(late: bool) -> None:
    log = TrimsFirst()
    async with _opened(ScriptedSource(["yes"]), log=log) as client:
        first = await client.said(user("one"))
        second = await client.said(user("one"), assistant(first), user("two"))
        if late:
            log.armed = True
        else:
            await log.trim(Retention(max_runs=0))
        past = await _past(client)
        log.armed = False
        assert _said(past) == ["user: one", "assistant: ", "user: two", "assistant: "]
        assert [message["id"] for message in past["messages"]][1::2] == [first, second]
        assert [_status(message) for message in past["messages"][1::2]] == ["completed", "completed"]
        shown = [{"parts": [], **message} for message in past["messages"]]
        await client.said(*shown, user("three"))
        assert [run.get("replaced", False) for run in await client.runs()] == [False, False, False]


async def test_of_a_long_chat_the_newest_runs_are_told() -> None:
    async with _opened(ScriptedSource(["yes"])) as client:
        for number in range(203):
            await client.said(message=user(str(number)))
        said = _said(await _past(client))
    assert (len(said), said[0], said[-2]) == (400, "user: 3", "user: 202")
