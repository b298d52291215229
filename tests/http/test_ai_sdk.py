"""The AI SDK's routes: what a source is asked, whose chats they are, and what is refused."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from tests.http.test_refusals import _by_header
from tests.support.ai_sdk_agents import Delete
from tests.support.server import serve
from unspool import Unspool
from unspool.testing import ScriptedSource
from unspool.wire import SseDecoder


def _app(source: Any, **options: Any) -> FastAPI:
    app = FastAPI()
    Unspool(grace=0.2, **options).add_routes(app, source, path="/agent")
    return app


def user(*parts: str | dict[str, Any], id: str = "u") -> dict[str, Any]:  # noqa: A002 - the protocol's name
    return {
        "id": id,
        "role": "user",
        "parts": [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts],
    }


def assistant(run_id: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"id": run_id, "role": "assistant", "parts": list(parts) or [{"type": "text", "text": "yes"}]}


def chunks(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    frames = [frame.data for frame in SseDecoder().feed(response.content)]
    assert frames[-1] == "[DONE]"
    return [json.loads(data) for data in frames[:-1]]


class Client:
    """Posts a chat as ``DefaultChatTransport`` does."""

    def __init__(self, url: str, http: httpx.AsyncClient, **headers: str) -> None:
        self.api = f"{url}/agent/ai-sdk"
        self.http = http
        self.headers = headers

    async def send(self, *messages: dict[str, Any], chat: str = "t", **more: Any) -> httpx.Response:
        body = {"id": chat, "messages": messages, "trigger": "submit-message", **more}
        return await self.http.post(self.api, json=body, headers=self.headers, timeout=20)

    async def said(self, *messages: dict[str, Any], **more: Any) -> str:
        """The id of the message that answers."""
        return str(chunks(await self.send(*messages, **more))[0]["messageId"])

    async def runs(self) -> list[dict[str, Any]]:
        """Oldest first."""
        response = await self.http.get(self.api.replace("ai-sdk", "runs"), headers=self.headers)
        return list(reversed(response.json()["runs"]))


async def test_a_source_is_asked_what_is_new_and_everything_if_the_server_does_not_know_the_chat() -> None:
    source = ScriptedSource(["yes"])
    image = {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,aGk=", "filename": "hi.png"}
    link = {"type": "file", "mediaType": "application/pdf", "url": "https://example.org/a.pdf"}
    async with serve(_app(source)) as url, httpx.AsyncClient() as http:
        client = Client(url, http)
        first = await client.said(user("one"))
        await client.said(user("one"), assistant(first), user("two ", image, link), config={"a": 1})
        await client.said(message=user("three"))
        greeting = assistant("greeting", {"type": "text", "text": "Hello."})
        await client.said(greeting, user("a", "b"), chat="other")
        runs = await client.runs()
    block = {"type": "image", "mime_type": "image/png", "base64": "aGk=", "extras": {"name": "hi.png"}}
    linked = {"type": "file", "mime_type": "application/pdf", "url": "https://example.org/a.pdf"}
    assert [call.input for call in source.calls] == [
        "one",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "two "}, block, linked]}]},
        "three",
        {"messages": [{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "ab"}]},
    ]
    assert [call.thread_id for call in source.calls] == ["t", "t", "t", "other"]
    assert not [run for run in runs if run.get("replaced")]
    assert [call.config for call in source.calls] == [{}, {"a": 1}, {}, {}]


async def test_what_the_client_has_dropped_is_replaced_and_stopped_if_it_goes_on() -> None:
    source = ScriptedSource(["yes", "never"])
    async with serve(_app(source)) as url, httpx.AsyncClient() as http:
        client = Client(url, http)
        first = await client.said(user("one"))
        second = await client.said(user("one"), assistant(first), user("two"))
        third = await client.said(user("one"), assistant(first), user("zwei"))
        fourth = await client.said(user("one"), assistant(first), user("zwei"), assistant(third), user("drei"))
        runs = await client.runs()
        assert [(run["id"], run.get("replaces"), run.get("replaced", False)) for run in runs] == [
            (first, None, False),
            (second, None, True),
            (third, second, False),
            (fourth, None, False),
        ]
    stalling = ScriptedSource(["a", "never"], stall_at=1)
    async with serve(_app(stalling)) as url, httpx.AsyncClient() as http, anyio.create_task_group() as tasks:
        client = Client(url, http)
        with anyio.fail_after(10):
            tasks.start_soon(client.send, user("one"))
            await stalling.reached.wait()
            tasks.start_soon(partial(client.send, user("uno"), trigger="regenerate-message"))
            while stalling.closed < 1:
                await anyio.sleep(0.005)
            stalling.release()
            while len(runs := await client.runs()) < 2:
                await anyio.sleep(0.005)
        assert (runs[0]["status"], runs[0].get("replaced")) == ("cancelled", True)


async def test_a_chat_that_goes_on_is_replayed_from_its_beginning_and_stopped_on_request() -> None:
    source = ScriptedSource(["a", "never"], stall_at=1)
    async with serve(_app(source)) as url, httpx.AsyncClient(timeout=20) as http, anyio.create_task_group() as tasks:
        client = Client(url, http)
        assert (await http.get(f"{client.api}/t/stream")).status_code == 204
        assert (await http.post(f"{client.api}/t/stop")).status_code == 204
        tasks.start_soon(client.send, user("one"))
        with anyio.fail_after(10):
            await source.reached.wait()
            async with http.stream("GET", f"{client.api}/t/stream") as response:
                assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
                assert (await http.post(f"{client.api}/t/stop")).status_code == 202
                await response.aread()
        told = chunks(response)
        assert [chunk["type"] for chunk in told if "text" in chunk["type"]] == ["text-start", "text-delta", "text-end"]
        assert told[-1]["type"] == "abort"
        assert (await http.get(f"{client.api}/t/stream")).status_code == 204
        again = await http.get(f"{client.api}/t/stream?run_id={told[0]['messageId']}")
        assert chunks(again) == told
        assert (await http.post(f"{client.api}/t/stop?run_id={told[0]['messageId']}")).status_code == 204


async def test_approvals_resume_the_run_and_its_message_can_be_replayed_as_one() -> None:
    async with serve(_app(Delete())) as url, httpx.AsyncClient() as http:
        client = Client(url, http)
        asked = chunks(await client.send(user("a b")))
        message = str(asked[0]["messageId"])
        ids = [chunk["approvalId"] for chunk in asked if chunk["type"] == "tool-approval-request"]

        def responded(*decided: tuple[str, bool]) -> dict[str, Any]:
            return assistant(
                message,
                *(
                    {
                        "type": "dynamic-tool",
                        "toolCallId": f"delete-{n}",
                        "state": "approval-responded",
                        "approval": {"id": one, "approved": approved, "reason": "Keep it."},
                    }
                    for n, (one, approved) in enumerate(decided)
                ),
            )

        half = await client.send(user("a b"), responded((ids[0], True)))
        assert (half.status_code, half.text) == (422, f"these approvals have no answer yet: {ids[1]}")
        live = chunks(await client.send(user("a b"), responded((ids[0], True), (ids[1], False))))
        assert live[0]["messageId"] == message
        tools = ("tool-output-denied", "tool-output-available")
        assert [(c["type"], c["toolCallId"]) for c in live if c["type"] in tools] == [
            ("tool-output-denied", "delete-b"),
            ("tool-output-available", "delete-a"),
        ]
        run = (await client.runs())[-1]
        answered = (await http.get(f"{url}/agent/runs/{run['id']}")).json()["answers"]
        assert answered == {"sure": {"decisions": [{"type": "approve"}, {"type": "reject", "message": "Keep it."}]}}
        again = await http.get(f"{client.api}/t/stream?run_id={run['id']}")
        assert chunks(again) == live
        replay = chunks(await http.get(f"{client.api}/t/stream?run_id={run['id']}&replay=1"))
        texts = [chunk["delta"] for chunk in replay if chunk["type"] == "text-delta"]
        assert (replay[0]["messageId"], texts) == (message, ["I will delete them.", "Done."])
        once_more = await client.send(user("a b"), responded((ids[0], True), (ids[1], True)))
        assert (once_more.status_code, "answered already" in once_more.text) == (409, True)
        await client.said(user("a b"), responded((ids[0], True), (ids[1], False)), user("c"))
        assert not [run for run in await client.runs() if run.get("replaced")]


async def test_nobody_reads_resumes_stops_or_replaces_the_chat_of_somebody_else() -> None:
    async with serve(_app(Delete(), authenticate=_by_header)) as url, httpx.AsyncClient() as http:
        ann, bob = Client(url, http, **{"X-User": "ann"}), Client(url, http, **{"X-User": "bob"})
        asked = await ann.said(user("a"))
        for path in (f"t/stream?run_id={asked}", f"u/stream?run_id={asked}"):
            assert (await http.get(f"{bob.api}/{path}", headers=bob.headers)).status_code == 404
        assert (await http.get(f"{ann.api}/u/stream?run_id={asked}", headers=ann.headers)).status_code == 404
        assert (await http.get(f"{bob.api}/t/stream", headers=bob.headers)).status_code == 204
        assert (await http.post(f"{bob.api}/t/stop?run_id={asked}", headers=bob.headers)).status_code == 404
        assert (await bob.send(user("a"), assistant(asked), answer="yes")).status_code == 422
        await bob.said(user("mine"))
        assert [run.get("replaced", False) for run in await ann.runs()] == [False]
        assert len(await bob.runs()) == 1


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"id": "a b", "messages": [user("x")]}, 422, "the chat's id must be 1 to 128 characters"),
        ({"id": "t", "messages": []}, 422, "there must be `messages`"),
        ({"id": "t", "messages": [user()]}, 422, "the last message must be the user's"),
        ({"id": "t", "messages": [user("x"), assistant("r")]}, 422, "the last message must be the user's, or one"),
        ({"id": "t", "messages": [user("x")], "trigger": "other"}, 422, "$.trigger"),
        ({"messages": [user("x")]}, 422, "`id`"),
    ],
)
async def test_a_refusal_is_plain_text_that_a_user_may_read(body: Any, status: int, text: str) -> None:
    async with serve(_app(ScriptedSource(["a"]))) as url, httpx.AsyncClient() as http:
        refused = await http.post(f"{url}/agent/ai-sdk", json=body)
        assert refused.status_code == status
        assert refused.headers["content-type"] == "text/plain; charset=utf-8"
        assert text in refused.text
        assert (await http.get(f"{url}/agent/runs")).json()["runs"] == []


async def test_completions_and_objects_take_their_bodies_and_say_what_they_can() -> None:
    source = ScriptedSource(['{"a": ', "1}"])
    async with serve(_app(source)) as url, httpx.AsyncClient() as http:
        api = f"{url}/agent/ai-sdk"
        data = await http.post(f"{api}/completion", json={"prompt": "go", "anything": 1})
        assert [c["delta"] for c in chunks(data) if c["type"] == "text-delta"] == ['{"a": ', "1}"]
        for path, body in (("completion?protocol=text", {"prompt": "go"}), ("object", ["go"])):
            response = await http.post(f"{api}/{path}", json=body)
            assert (response.headers["content-type"], response.text) == ("text/plain; charset=utf-8", '{"a": 1}')
        for path in ("completion?protocol=xml", "completion?v=5", "object"):
            assert (await http.post(f"{api}/{path}", content=b"{")).status_code in {400, 422}
        assert (await http.post(f"{api}/completion?protocol=xml", json={"prompt": "x"})).status_code == 422
        assert (await http.post(f"{api}/completion?v=5", json={"prompt": "x"})).status_code == 422
    assert [call.input for call in source.calls] == ["go", "go", ["go"]]
