"""Conversations whose runs take the place of others, and what is shown of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import connect

from tests.http.test_refusals import _app, _by_header
from tests.support.native import events_of, stream
from tests.support.server import serve
from unspool import RunOptions, SQLiteLog, Unspool
from unspool.events import Interrupt
from unspool.testing import ScriptedSource

CASES = json.loads((Path(__file__).parents[2] / "spec" / "fixtures" / "threads.json").read_text())["cases"]


def _agent(source: Any, **options: Any) -> FastAPI:
    app = FastAPI()
    Unspool(grace=0.2, **options).add_routes(app, source, path="/agent", options=RunOptions())
    return app


@pytest.mark.parametrize("log", ["memory", "sqlite"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
async def test_a_run_takes_the_place_of_another_and_of_what_followed(
    case: dict[str, Any], log: str, tmp_path: Path
) -> None:
    """spec: THR-1, THR-2, EVT-1"""
    app = _agent(ScriptedSource(["yes"]), **({"log": SQLiteLog(tmp_path / "log")} if log == "sqlite" else {}))
    replaces = {run["id"]: run.get("replaces") for run in case["runs"]}
    async with serve(app) as url, httpx.AsyncClient() as client:
        for run_id, other in replaces.items():
            body = {"input": f"{run_id}?", "run_id": run_id, "thread_id": "t"}
            started = await stream(f"{url}/agent", body | ({} if other is None else {"replaces": other}))
            assert events_of(started.content)[0].get("replaces") == other
        thread = (await client.get(f"{url}/agent/threads/t?include=transcripts")).json()
        runs = [(await client.get(f"{url}/agent/runs/{run_id}")).json() for run_id in replaces]
        listed = (await client.get(f"{url}/agent/runs?thread_id=t")).json()["runs"]
    for shown in (thread["runs"], runs, listed[::-1]):
        assert {run["id"]: run.get("replaces") for run in shown} == replaces
        assert [run["id"] for run in shown if "replaced" not in run] == case["kept"]
        assert all(run["replaced"] for run in shown if run["id"] not in case["kept"])
    assert [m["parts"][0]["text"] for m in thread["messages"] if m["role"] == "user"] == [f"{k}?" for k in case["kept"]]


async def test_each_way_to_start_a_run_can_replace_one() -> None:
    """spec: THR-1, HTTP-1"""
    async with serve(_agent(ScriptedSource(["yes"]))) as url, httpx.AsyncClient() as client:
        ids = ["r0"]
        await stream(f"{url}/agent", {"input": "q", "run_id": "r0", "thread_id": "t"})

        def body(**more: Any) -> dict[str, Any]:
            ids.append(f"r{len(ids)}")
            return {"input": "q", "thread_id": "t", "replaces": ids[-2], "run_id": ids[-1], **more}

        await stream(f"{url}/agent", body())
        await client.get(f"{url}/agent/stream", params=body())
        await client.post(f"{url}/agent/invoke", json=body())
        assert (await client.post(f"{url}/agent/runs", json=body())).status_code == 202
        await client.get(f"{url}/agent/runs/{ids[-1]}/stream")
        async with connect(url.replace("http", "ws") + "/agent/ws") as socket:
            await socket.send(json.dumps({"type": "start", **body()}))
            while json.loads(await socket.recv()).get("event", {}).get("type") != "end":
                pass
        thread = (await client.get(f"{url}/agent/threads/t")).json()
    assert [run["id"] for run in thread["runs"]] == ids
    assert [run["id"] for run in thread["runs"] if "replaced" not in run] == [ids[-1]]


async def test_what_cannot_be_replaced_is_refused_and_nothing_is_started() -> None:
    """spec: THR-3"""
    ann, bob = {"X-User": "ann"}, {"X-User": "bob"}
    source = ScriptedSource(["a", "b"])
    app = _app(authenticate=_by_header)
    async with serve(app) as url, httpx.AsyncClient() as client:

        async def ask(mount: str, run_id: str, user: dict[str, str], **more: Any) -> httpx.Response:
            return await stream(f"{url}/{mount}", {"input": 1, "run_id": run_id, **more}, **user)

        await ask("agent", "mine", ann, thread_id="t")
        await ask("agent", "elsewhere", ann, thread_id="u")
        await ask("agent", "alone", ann)
        await ask("other", "other", ann, thread_id="t")
        await ask("agent", "bobs", bob, thread_id="t")
        for replaces, more, status in (
            ("no-such-run", {"thread_id": "t"}, 404),
            ("other", {"thread_id": "t"}, 404),
            ("bobs", {"thread_id": "t"}, 404),
            ("elsewhere", {"thread_id": "t"}, 422),
            ("alone", {"thread_id": "t"}, 422),
            ("mine", {}, 422),
            ("not an id", {"thread_id": "t"}, 422),
        ):
            refused = await ask("agent", "new", ann, replaces=replaces, **more)
            assert refused.status_code == status, (replaces, refused.text)
        assert (await ask("agent", "new", ann, thread_id="t", replaces="mine")).status_code == 200
        again = await ask("agent", "newer", ann, thread_id="t", replaces="mine")
        assert (again.status_code, again.json()["code"]) == (409, "conflict")
        runs = (await client.get(f"{url}/agent/runs", headers=ann)).json()["runs"]
    assert {run["id"] for run in runs} == {"mine", "elsewhere", "alone", "new"}
    assert source.calls == []


async def test_a_run_that_goes_on_or_has_one_after_it_that_does_is_not_replaced() -> None:
    """spec: THR-3"""
    source = ScriptedSource(["a", "never"], stall_at=1)
    async with serve(_agent(source)) as url, httpx.AsyncClient() as client:
        await client.post(f"{url}/agent/runs", json={"input": 1, "run_id": "r1", "thread_id": "t"})
        await source.reached.wait()
        body = {"input": 1, "thread_id": "t", "replaces": "r1"}
        going_on = await client.post(f"{url}/agent/runs", json=body)
        await client.post(f"{url}/agent/runs/r1/cancel")
        await client.get(f"{url}/agent/runs/r1/stream")
        await client.post(f"{url}/agent/runs", json={"input": 1, "run_id": "r2", "thread_id": "t"})
        one_after_it = await client.post(f"{url}/agent/runs", json=body)
        await client.post(f"{url}/agent/runs/r2/cancel")
        await client.get(f"{url}/agent/runs/r2/stream")
        source.release()
        replaced = await client.post(f"{url}/agent/runs", json=body)
    assert [response.status_code for response in (going_on, one_after_it, replaced)] == [409, 409, 202]
    assert {response.json()["code"] for response in (going_on, one_after_it)} == {"conflict"}


async def test_a_run_that_was_replaced_does_not_wait_for_an_answer_any_more() -> None:
    """spec: THR-3"""
    async with serve(_agent(ScriptedSource([Interrupt("i1", "may I?")]))) as url, httpx.AsyncClient() as client:
        await stream(f"{url}/agent", {"input": 1, "run_id": "r1", "thread_id": "t"})
        await stream(f"{url}/agent", {"input": 2, "run_id": "r2", "thread_id": "t", "replaces": "r1"})
        void = await client.post(f"{url}/agent/runs/r1/resume", json={"answer": True})
        waiting = await client.post(f"{url}/agent/runs/r2/resume", json={"answer": True})
    assert (void.status_code, void.json()["code"]) == (409, "conflict")
    assert waiting.status_code == 200


async def test_the_same_request_again_finds_the_run_that_took_the_place() -> None:
    """spec: HTTP-5, HTTP-6"""
    source = ScriptedSource(["a"])
    async with serve(_agent(source)) as url:
        await stream(f"{url}/agent", {"input": 1, "run_id": "r1", "thread_id": "t"})
        body = {"input": 1, "run_id": "r2", "thread_id": "t", "replaces": "r1"}
        first, again = [await stream(f"{url}/agent", body) for _ in range(2)]
        other = await stream(f"{url}/agent", {"input": 1, "run_id": "r2", "thread_id": "t"})
    assert again.content == first.content
    assert other.status_code == 409
    assert [call.replaces for call in source.calls] == [None, "r1"]
    assert [tuple(call.replaced) for call in source.calls] == [(), ("r1",)]


async def test_a_thread_gives_the_transcripts_of_its_runs_when_asked() -> None:
    """spec: HTTP-16"""
    async with serve(_agent(ScriptedSource(["yes"]))) as url, httpx.AsyncClient() as client:
        for run_id, more in (("r1", {}), ("r2", {}), ("r3", {"replaces": "r2"})):
            await stream(f"{url}/agent", {"input": run_id, "run_id": run_id, "thread_id": "t", **more})
        base = f"{url}/agent/threads/t"
        plain = (await client.get(base)).json()
        thread = (await client.get(base, params={"include": "transcripts"})).json()
        single = [(await client.get(f"{url}/agent/runs/{i}?include=transcript")).json() for i in ("r1", "r3")]
        refused = await client.get(base, params={"include": "transcript"})
    assert all("transcript" not in run for run in plain["runs"])
    assert {run["id"]: run["transcript"] for run in thread["runs"] if "transcript" in run} == {
        run["id"]: run["transcript"] for run in single
    }
    assert [run["id"] for run in thread["runs"] if "transcript" not in run] == ["r2"]
    assert refused.status_code == 422


@pytest.mark.parametrize("log", ["memory", "sqlite"])
async def test_a_thread_is_called_after_what_the_user_wrote_first(log: str, tmp_path: Path) -> None:
    """spec: HTTP-11"""
    blocks = [{"type": "image", "base64": "AA", "mime_type": "image/png"}, {"type": "text", "text": "look"}]
    asked: dict[str, tuple[Any, str | None]] = {
        "text": ("\n  Hello there \nsecond line", "Hello there"),
        "long": ("x" * 200, "x" * 80),
        "chat": ({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}]}, "hi"),
        "blocks": ({"messages": [{"role": "user", "content": blocks}]}, "look"),
        "data": ({"n": 1}, None),
        "empty": (" \n ", None),
    }
    app = _agent(ScriptedSource(["yes"]), **({"log": SQLiteLog(tmp_path / "log")} if log == "sqlite" else {}))
    async with serve(app) as url, httpx.AsyncClient() as client:
        for thread_id, (given, _) in asked.items():
            await stream(f"{url}/agent", {"input": given, "thread_id": thread_id})
            await stream(f"{url}/agent", {"input": "later", "thread_id": thread_id})
        first = (await client.get(f"{url}/agent/threads/text")).json()["runs"][0]["id"]
        listed = (await client.get(f"{url}/agent/threads")).json()["threads"]
        single = [(await client.get(f"{url}/agent/threads/{thread_id}")).json() for thread_id in asked]
        await stream(f"{url}/agent", {"input": "edited", "thread_id": "text", "replaces": first})
        edited = (await client.get(f"{url}/agent/threads/text")).json()
    for found in (listed, single):
        assert {thread["id"]: thread["title"] for thread in found} == {
            name: title for name, (_, title) in asked.items()
        }
    assert edited["title"] == "edited"
