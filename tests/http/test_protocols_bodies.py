"""What strangers send to the routes of the other protocols: refused in order, or asked as it is."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.support.asking import WAYS, Asking, Served, ag_ui, ai_sdk, serving, ui
from unspool.events import Interrupt
from unspool.testing import ScriptedSource

JSON_PROBLEM = "application/problem+json"
LONG = "x" * 129
ODD_TYPES: list[Any] = [5, None, [], {}, True]
ODD_IDS: list[Any] = ["", LONG, "a/b", "a\n", "\0", "é", "\u2028", 5, None]
ODD_ROLES: list[Any] = ["robot", "", "USER", None, 5]
ODD_CONTENT: list[Any] = [None, 5, {}, [5], [None], [{}], [{"type": "text", "text": 5}], [{"type": "image"}]]
ODD_CALLS: list[Any] = ["x", [5], [{}], [{"id": "c", "function": {"name": 5}}]]
ODD_RESUMES: list[Any] = ["x", {}, [5], [{}], [{"interruptId": "i", "status": "perhaps"}]]
ODD_PARTS: list[Any] = [None, "hi", [5], [], [{"type": "file"}], [{"type": "text", "text": 5}]]
ODD_MEMBERS: list[dict[str, Any]] = [{"trigger": "x"}, {"config": []}, {"message": []}, {"messages": {}}]
ODD_PROMPTS: list[dict[str, Any]] = [{}, {"prompt": 5}, {"prompt": None}, {"messages": []}]
ODD_APPROVALS: list[Any] = [None, [], {"id": ["i1"]}, {"id": "i1:0"}, {"id": "i1:7", "approved": True}]


def _nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def _with(asking: Asking, text: str) -> bytes:
    """The body with one more value in it, which is JSON as it stands, where the route reads it."""
    member = "state" if asking.path == "/ag-ui" else "config"
    return f'{json.dumps(asking.body)[:-1]}, "{member}": {{"a": {text}}}}}'.encode()


async def _refused(served: Served, path: str, content: bytes, **headers: str) -> int:
    """The status of a refusal, which must be one that the clients of this route can show."""
    response = await served.http.post(served.url + path, content=content, headers=headers)
    plain = path.startswith("/ai-sdk")
    assert response.headers["content-type"] == ("text/plain; charset=utf-8" if plain else JSON_PROBLEM), response.text
    detail = response.text if plain else response.json()["detail"]
    assert 0 < len(detail) < 300
    assert "Traceback" not in detail
    return response.status_code


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_bytes_that_are_no_body_are_refused_and_start_nothing(
    way: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps(way.body).encode()
    contents = {
        "nothing": b"",
        "half": body[:-1],
        "two": body + body,
        "a byte order mark": b"\xef\xbb\xbf" + body,
        "UTF-16": json.dumps(way.body).encode("utf-16"),
        "not UTF-8": _with(way, '"?"').replace(b"?", b"\xff"),
        "half a character": _with(way, '"\\ud800"'),
        "half a character as a name": _with(way, '{"\\ud800": 1}'),
        "not a number": _with(way, "NaN"),
        "endless": _with(way, "-Infinity"),
        "a form": b"prompt=hi",
        "deep": _with(way, _nested(100_000)),
        "deep, and no end": _with(way, "[" * 100_000),
    }
    limit = {"large": _with(way, json.dumps("x" * 2048))}
    source = ScriptedSource(["a"])
    async with serving(source, caplog) as served:
        found = {name: await _refused(served, way.path, content) for name, content in contents.items()}
        zipped = await _refused(served, way.path, b"\x1f\x8b\x08\x00\x00", **{"Content-Encoding": "gzip"})
        assert await served.runs() == []
    async with serving(source, caplog, max_body_bytes=1024) as served:
        found |= {name: await _refused(served, way.path, content) for name, content in limit.items()}
    assert found == {**dict.fromkeys(contents, 400), "two": found["two"], "large": 413}
    assert (found["two"] in {400, 422}, zipped, source.calls) == (True, 400, [])


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_how_deep_a_body_may_be_does_not_hang_on_what_is_on_the_stack(
    way: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    """spec: LIM-4, HTTP-14"""
    brackets = json.dumps('"[{' * 300)
    async with serving(ScriptedSource(["a"]), caplog) as served:

        async def status(levels: int) -> int:
            content = _with(way, f'"\\\\", "b": {_nested(levels)}, "c": {brackets}, "d\\"[": 1')
            return (await served.http.post(served.url + way.path, content=content)).status_code

        assert [await status(levels) for levels in (197, 198)] == [200, 200]
        assert [await status(levels) for levels in (199, 300, *range(944, 1000, 5))] == [400] * 14
        text = await served.http.post(f"{served.url}/ai-sdk/object", content=brackets)
        assert (text.status_code, (await served.http.get(f"{served.url}/threads")).status_code) == (200, 200)


async def test_deep_json_in_an_address_is_text_or_refused(caplog: pytest.LogCaptureFixture) -> None:
    """spec: LIM-4"""
    source = ScriptedSource(["a"])
    depths = [199, 200, 201, *range(944, 1000, 5)]
    async with serving(source, caplog) as served:
        address = f"{served.url}/stream?shape=token&input="
        asked = [(await served.http.get(address + _nested(levels))).status_code for levels in depths]
        deep = [await served.http.get(f'{address}hi&config={{"a":{_nested(levels - 1)}}}') for levels in depths]
    assert asked == [200] * len(depths)
    assert [response.status_code for response in deep] == [200, 200, *[422] * (len(depths) - 2)]
    inputs = [call.input for call in source.calls if call.input != "hi"]
    assert inputs == [*(json.loads(_nested(levels)) for levels in (199, 200)), *map(_nested, depths[2:])]


async def test_the_types_of_all_members_are_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    hi = {"id": "u", "role": "user", "content": "hi"}
    said = {"id": "a", "role": "assistant"}
    bad: list[Asking] = [
        *(ag_ui(**{name: odd}) for name in ("thread", "run") for odd in ODD_IDS),
        *(ag_ui({**hi, "content": odd}) for odd in ODD_CONTENT),
        *(ag_ui({**hi, "role": odd}) for odd in ODD_ROLES),
        *(ag_ui({**hi, "id": odd}) for odd in ODD_TYPES),
        *(ag_ui({**said, "toolCalls": odd}, hi) for odd in ODD_CALLS),
        ag_ui({"role": "user", "content": "hi"}),
        ag_ui({"id": "c", "role": "tool", "content": "x"}, hi),
        ag_ui({"id": "c", "role": "tool", "toolCallId": "c"}, hi),
        ag_ui({"id": "x", "role": "reasoning", "content": "hm"}),
        *(ag_ui(resume=odd) for odd in ODD_RESUMES),
        Asking("/ag-ui", {"threadId": "t", "runId": "r", "messages": []}),
        Asking("/ag-ui", {"threadId": "t", "runId": "r"}),
        *(ai_sdk(chat=odd) for odd in ODD_IDS),
        *(ai_sdk({**ui("user", "x"), "role": odd}, ui("user", "hi")) for odd in [*ODD_ROLES, "tool"]),
        *(ai_sdk({**ui("user", "x"), "id": odd}) for odd in ODD_TYPES),
        *(ai_sdk({**ui("user", "x"), "parts": odd}) for odd in ODD_PARTS),
        *(ai_sdk(**more) for more in ODD_MEMBERS),
        *(ai_sdk(ui("user", "hi"), ui("assistant", "yes", id=odd)) for odd in ("", "r", LONG)),
        Asking("/ai-sdk", {"id": "t"}),
        Asking("/ai-sdk", {"id": "t", "messages": []}),
        *(Asking("/ai-sdk/completion", odd) for odd in ODD_PROMPTS),
        *(Asking(f"/ai-sdk{odd}", ai_sdk().body) for odd in ("?v=8", "?v=", "?v=6.0", "?v=%ED%A0%80")),
        *(Asking(f"/ai-sdk/completion?{odd}", {"prompt": "hi"}) for odd in ("protocol=", "protocol=xml", "v=5")),
        *(Asking(f"/stream?shape={odd}", {"input": "hi"}) for odd in ("", "tokens", "TOKEN", "token&shape=x")),
        *(Asking(WAYS["shape"].path, odd) for odd in ({}, {"input": 1, "run_id": LONG}, {"input": 1, "thread_id": 5})),
    ]
    source = ScriptedSource(["a"])
    async with serving(source, caplog) as served:
        for asking in bad:
            assert await _refused(served, asking.path, json.dumps(asking.body).encode()) == 422, asking
        for asking in WAYS.values():
            for key in ("", "k" * 256):
                content = json.dumps(asking.body).encode()
                assert await _refused(served, asking.path, content, **{"Idempotency-Key": key}) == 422
        assert await served.runs() == []
    assert source.calls == []


@pytest.mark.parametrize("text", ["", "?run_id=", f"?run_id={LONG}", "?run_id=%ED%A0%80", "?run_id=a%0A", "?v=9"])
async def test_odd_chats_and_runs_in_an_address_are_refused(text: str, caplog: pytest.LogCaptureFixture) -> None:
    chats = ["t"] if text else ["%00", "a%20b", "%ED%A0%80", LONG, "%E2%80%A8"]
    async with serving(ScriptedSource(["a"]), caplog) as served:
        for chat in chats:
            followed = await served.http.get(f"{served.url}/ai-sdk/{chat}/stream{text}")
            stopped = await served.http.post(f"{served.url}/ai-sdk/{chat}/stop{text}")
            assert (followed.status_code, stopped.status_code) == (422, 204 if text == "?v=9" else 422)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_other_methods_start_nothing(way: Asking, caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource(["a"])
    path = way.path.partition("?")[0]
    methods = {"HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", *([] if path == "/stream" else ["GET"])}
    async with serving(source, caplog) as served:
        for method in methods:
            response = await served.http.request(method, served.url + way.path, json=way.body)
            assert (response.status_code, response.headers["allow"]) == (405, "POST"), method
        for method in ("HEAD", "OPTIONS", "POST", "PUT", "DELETE"):
            assert (await served.http.request(method, f"{served.url}/ai-sdk/t/stream")).status_code == 405
        for method in ("HEAD", "OPTIONS", "GET", "PUT", "DELETE"):
            assert (await served.http.request(method, f"{served.url}/ai-sdk/t/stop")).status_code == 405
    assert source.calls == []


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_what_is_at_a_limit_is_taken_whatever_its_content_type_says(
    way: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    source = ScriptedSource(["a"])
    async with serving(source, caplog) as served:
        for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded", ""):
            key = kind.ljust(255, "k")
            content = _with(way, '1e300, "big": 1' + "0" * 30)
            headers = {"Content-Type": kind, "Idempotency-Key": key}
            response = await served.http.post(served.url + way.path, content=content, headers=headers)
            assert response.status_code == 200, response.text
    assert len(source.calls) == (1 if way.path == "/ag-ui" else 4)


async def test_ids_may_be_as_long_as_they_may_be(caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource(["a"])
    long = "x" * 128
    async with serving(source, caplog) as served:
        for asking in (ag_ui(thread=long, run=long), ai_sdk(chat=long), ag_ui(thread="..", run="."), ai_sdk(chat="~")):
            assert (await served.ask(asking)).status_code == 200
        message = {"id": "é\n" * 10_000, "role": "user", "content": "hi"}
        assert (await served.ask(ag_ui(message, run="other"))).status_code == 200
        assert (await served.ask(ai_sdk(ui("user", "hi", id="\0" * 10_000)))).status_code == 200
    assert [call.thread_id for call in source.calls] == [long, long, "..", "~", "t", "t"]


@pytest.mark.parametrize("way", [ag_ui, ai_sdk], ids=["ag-ui", "chat"])
async def test_ten_thousand_messages_with_the_same_id_are_a_conversation(
    way: Any, caplog: pytest.LogCaptureFixture
) -> None:
    roles = ["user", "assistant"] * 5_000 + ["user"]
    said = [ui(role, "x") if way is ai_sdk else {"id": "u", "role": role, "content": "x"} for role in roles]
    source = ScriptedSource(["a"])
    async with serving(source, caplog) as served:
        first = await served.ask(way(*said))
        again = await served.ask(way(*said))
    assert (first.status_code, again.status_code) == (200, 200)
    assert [message["role"] for message in source.calls[0].input["messages"]] == roles


async def test_odd_answers_to_interrupts_leave_the_run_waiting(caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource(["q", Interrupt("i1", "?"), Interrupt("i2", {"action_requests": [5, {}], "a": 1})])
    async with serving(source, caplog) as served:
        run = (await served.ask(ai_sdk())).headers["unspool-run-id"]
        last = ui("user", "hi"), ui("assistant", id=run)
        odd: list[dict[str, Any]] = [
            {},
            {"answer": 1},
            {"answers": {}},
            {"answers": []},
            {"answers": {"i3": 1}},
            {"answer": 1, "answers": {"i1": 1}},
        ]
        for more in odd:
            assert (await served.ask(ai_sdk(*last, **more))).status_code == 422, more
        for approval in ODD_APPROVALS:
            part = {"type": "dynamic-tool", "state": "approval-responded", "approval": approval}
            assert (await served.ask(ai_sdk(last[0], ui("assistant", part, id=run)))).status_code == 422, approval
        message = {"id": run, "role": "assistant", "content": "q"}
        for entry in ({"interruptId": "i3"}, {"interruptId": "i1"}, {"interruptId": ""}, {"interruptId": "i1:0"}):
            resume = [{**entry, "status": "resolved", "payload": 1}] * 2
            response = await served.ask(ag_ui(message, run="answer", resume=resume))
            assert response.status_code in {409, 422}, entry
        assert [found["id"] for found in await served.runs()] == [run]
    assert len(source.calls) == 1


async def test_a_cursor_in_the_request_for_a_new_run_starts_none(caplog: pytest.LogCaptureFixture) -> None:
    """spec: HTTP-24"""
    source = ScriptedSource(["a"])
    async with serving(source, caplog) as served:

        async def asked(method: str, query: str, *headers: str) -> httpx.Response:
            url = f"{served.url}/stream?shape=token&input=hi{query}"
            body = {"input": "hi"} if method == "POST" else None
            return await served.http.request(method, url, json=body, headers=dict.fromkeys(headers, "5"))

        for method in ("GET", "POST"):
            for query in ("&after=1", "&after=-1", "&after=x"):
                assert (await asked(method, query)).json()["code"] == "cursor_unknown"
            assert (await asked(method, "", "Last-Event-ID")).json()["code"] == "cursor_unknown"
        assert (source.calls, await served.runs()) == ([], [])
        for method in ("GET", "POST"):
            assert (await asked(method, "&after=0")).status_code == 200
        run = {"input": "hi", "run_id": "r"}
        for query, status in (("", 200), ("&after=1", 200), ("&after=99", 409)):
            response = await served.http.post(f"{served.url}/stream?shape=token{query}", json=run)
            assert response.status_code == status
        key = {"Idempotency-Key": "k"}
        for query in ("", "&after=1"):
            keyed = await served.http.post(f"{served.url}/stream?shape=token{query}", json={"input": 1}, headers=key)
            assert keyed.status_code == 200
    assert len(source.calls) == 4
