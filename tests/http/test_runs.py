"""Runs over HTTP, on a real server: started, followed, resumed, cancelled."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator

import anyio
import httpx
import pytest
from fastapi import FastAPI

from tests.support.native import events_of, ids_of, stream, text_of
from tests.support.server import serve
from unspool import MemoryLog, RunOptions, SourceError, Unspool, add_routes
from unspool.errors import Overloaded
from unspool.events import Interrupt, Token
from unspool.testing import ScriptedSource


def _app(source: object, *, options: RunOptions | None = None, unspool: Unspool | None = None) -> FastAPI:
    app = FastAPI()
    (unspool or Unspool(heartbeat=0.3, grace=0.2)).add_routes(app, source, path="/agent", options=options)
    return app


async def test_a_run_is_streamed_with_contiguous_ids_and_ends_once() -> None:
    """spec: HTTP-1, SSE-1, SSE-2, EVT-1, EVT-2"""
    async with serve(_app(ScriptedSource(["a", "b", " c"]))) as url:
        response = await stream(f"{url}/agent", {"input": "hi", "thread_id": "t1"})
    events = events_of(response.content)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["unspool-run-id"] == events[0]["run_id"]
    assert [event["type"] for event in events] == [
        "start",
        "message_start",
        "token",
        "token",
        "token",
        "message_end",
        "end",
    ]
    assert (events[0]["input"], events[0]["thread_id"], events[-1]["status"]) == ("hi", "t1", "completed")
    assert ids_of(response.content) == [str(seq) for seq in range(1, 8)]
    assert text_of(events) == "ab c"


async def test_ndjson_carries_the_same_events() -> None:
    """spec: NDJSON-1"""
    async with serve(_app(ScriptedSource(["a", "\u2028\n"]))) as url:
        response = await stream(f"{url}/agent", {"input": 1}, Accept="application/x-ndjson")
    lines = response.content.split(b"\n")[:-1]
    records = [httpx.Response(200, content=line).json() for line in lines]
    assert response.headers["content-type"] == "application/x-ndjson"
    assert [record["seq"] for record in records] == [1, 2, 3, 4, 5, 6]
    assert records[3]["event"]["text"] == "\u2028\n"


async def test_a_follower_resumes_from_any_seq() -> None:
    """spec: HTTP-3, HTTP-4, CUR-1, CUR-2"""
    async with serve(_app(ScriptedSource(["a", "b", "c"]))) as url, httpx.AsyncClient() as client:
        whole = await stream(f"{url}/agent", {"input": 1})
        run = f"{url}/agent/runs/{whole.headers['unspool-run-id']}/stream"
        for after in range(7):
            response = await client.get(run, params={"after": after})
            assert events_of(response.content) == events_of(whole.content)[after:]
        by_header = await client.get(run, params={"after": 1}, headers={"Last-Event-ID": "5"})
        assert ids_of(by_header.content) == ["6", "7"]
        done = await client.get(run, headers={"Last-Event-ID": "7"})
        assert (done.status_code, done.content) == (204, b"")


async def test_event_source_resumes_its_run_instead_of_starting_another() -> None:
    """spec: HTTP-2, CUR-3"""
    source = ScriptedSource(["a", "b"])
    async with serve(_app(source)) as url, httpx.AsyncClient() as client:
        first = await client.get(f"{url}/agent/stream", params={"input": '{"q": 1}'})
        ids = ids_of(first.content)
        again = await client.get(f"{url}/agent/stream", params={"input": '{"q": 1}'}, headers={"Last-Event-ID": ids[1]})
        assert ids_of(again.content) == ids[2:]
        assert ids[0] == f"{first.headers['unspool-run-id']}:1"
        assert [call.input for call in source.calls] == [{"q": 1}]
        head = await client.head(f"{url}/agent/stream", params={"input": "x"})
    assert (head.status_code, len(source.calls)) == (405, 1)


async def test_two_starts_with_one_key_are_one_run() -> None:
    """spec: HTTP-5"""
    source = ScriptedSource(["a"])
    async with serve(_app(source)) as url:
        bodies: list[bytes] = []

        async def start() -> None:
            bodies.append((await stream(f"{url}/agent", {"input": 1}, **{"Idempotency-Key": "k"})).content)

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(start)
        other = await stream(f"{url}/agent", {"input": 2}, **{"Idempotency-Key": "k"})
    assert len({events_of(body)[0]["run_id"] for body in bodies}) == 1
    assert len(source.calls) == 1
    assert (other.status_code, other.json()["code"]) == (422, "validation")


async def test_the_same_run_id_and_body_find_the_same_run() -> None:
    """spec: HTTP-6"""
    source = ScriptedSource(["a"])
    async with serve(_app(source)) as url:
        first = await stream(f"{url}/agent", {"input": 1, "run_id": "my-run"})
        again = await stream(f"{url}/agent", {"input": 1, "run_id": "my-run"})
        other = await stream(f"{url}/agent", {"input": 2, "run_id": "my-run"})
    assert again.content == first.content
    assert len(source.calls) == 1
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


async def test_a_cancel_in_mid_answer_keeps_what_was_said() -> None:
    """spec: HTTP-7"""
    source = ScriptedSource(["a", "b", "never"], stall_at=2)
    async with serve(_app(source)) as url, httpx.AsyncClient(timeout=20) as client:
        started = await client.post(f"{url}/agent/runs", json={"input": 1})
        run = url + started.headers["location"]
        assert started.status_code == 202
        with anyio.fail_after(10):
            await source.reached.wait()
            cancelled = await client.post(f"{run}/cancel")
            followed = await client.get(f"{run}/stream")
        assert cancelled.status_code == 202
        events = events_of(followed.content)
        assert (text_of(events), events[-1]["status"]) == ("ab", "cancelled")
        assert source.closed == 1
        again = await client.post(f"{run}/cancel")
        assert (again.status_code, again.json()["status"]) == (200, "cancelled")


async def test_a_cancel_after_the_end_is_a_conflict() -> None:
    """spec: HTTP-7"""
    async with serve(_app(ScriptedSource(["a"]))) as url, httpx.AsyncClient() as client:
        done = await stream(f"{url}/agent", {"input": 1})
        response = await client.post(f"{url}/agent/runs/{done.headers['unspool-run-id']}/cancel")
    assert response.status_code == 409
    assert response.json()["code"] == "conflict"
    assert "completed" in response.json()["detail"]


async def test_losing_the_client_does_not_touch_the_run() -> None:
    """spec: HTTP-8"""
    source = ScriptedSource(["a", "b", "c"], stall_at=1)
    async with serve(_app(source)) as url, httpx.AsyncClient(timeout=20) as client:
        with anyio.fail_after(10):
            async with client.stream("POST", f"{url}/agent/stream", json={"input": 1}) as response:
                run_id = response.headers["unspool-run-id"]
                await source.reached.wait()
            source.release()
            followed = await client.get(f"{url}/agent/runs/{run_id}/stream")
    assert text_of(events_of(followed.content)) == "abc"


async def test_losing_the_last_client_cancels_the_run_where_the_policy_says_so() -> None:
    source = ScriptedSource(["a", "b", "never"], stall_at=2)
    app = _app(source, options=RunOptions(on_disconnect="cancel"))
    async with serve(app) as url, httpx.AsyncClient(timeout=20) as client:
        with anyio.fail_after(10):
            async with client.stream("POST", f"{url}/agent/stream", json={"input": 1}) as response:
                run_id = response.headers["unspool-run-id"]
                await source.reached.wait()
            ended = await client.get(f"{url}/agent/runs/{run_id}/stream")
    assert events_of(ended.content)[-1]["status"] == "cancelled"
    assert source.closed == 1


async def test_one_of_two_clients_leaving_cancels_nothing() -> None:
    source = ScriptedSource(["a", "b"], stall_at=1)
    app = _app(source, options=RunOptions(on_disconnect="cancel"))
    async with serve(app) as url, httpx.AsyncClient(timeout=20) as client:
        with anyio.fail_after(10):
            async with client.stream("POST", f"{url}/agent/stream", json={"input": 1}) as first:
                follow = f"{url}/agent/runs/{first.headers['unspool-run-id']}/stream"
                async with client.stream("GET", follow) as second:
                    await source.reached.wait()
                    await first.aclose()
                    source.release()
                    body = await second.aread()
    assert events_of(body)[-1]["status"] == "completed"


async def test_a_run_that_nobody_follows_any_more_is_cancelled_after_the_orphan_timeout() -> None:
    source = ScriptedSource(["a", "never"], stall_at=1)
    app = _app(source, options=RunOptions(orphan_timeout=0.05))
    async with serve(app) as url, httpx.AsyncClient(timeout=20) as client:
        with anyio.fail_after(10):
            async with client.stream("POST", f"{url}/agent/stream", json={"input": 1}) as response:
                run_id = response.headers["unspool-run-id"]
                await source.reached.wait()
            while (await client.get(f"{url}/agent/runs/{run_id}")).json()["status"] == "running":
                await anyio.sleep(0.01)
            run = (await client.get(f"{url}/agent/runs/{run_id}")).json()
    assert (run["status"], run["output"]) == ("cancelled", "a")


async def test_a_follower_that_comes_back_before_the_orphan_timeout_saves_the_run() -> None:
    source = ScriptedSource(["a", "b"], stall_at=1)
    app = _app(source, options=RunOptions(orphan_timeout=0.3))
    async with serve(app) as url, httpx.AsyncClient(timeout=20) as client:
        with anyio.fail_after(10):
            async with client.stream("POST", f"{url}/agent/stream", json={"input": 1}) as first:
                follow = f"{url}/agent/runs/{first.headers['unspool-run-id']}/stream"
                await source.reached.wait()
            async with client.stream("GET", follow) as second:
                await anyio.sleep(0.6)  # the orphan timeout, twice: what must not happen has had its time
                source.release()
                body = await second.aread()
    assert events_of(body)[-1]["status"] == "completed"


async def test_a_secret_in_an_exception_is_not_on_the_wire(caplog: pytest.LogCaptureFixture) -> None:
    """spec: ERR-2"""
    source = ScriptedSource(["a", "b"], fail={1: [RuntimeError("key sk-secret-123")]})
    with caplog.at_level(logging.ERROR, "unspool"):
        async with serve(_app(source)) as url, httpx.AsyncClient() as client:
            streamed = await stream(f"{url}/agent", {"input": 1})
            run = await client.get(f"{url}/agent/runs/{streamed.headers['unspool-run-id']}?include=transcript")
    error = events_of(streamed.content)[-2]
    assert (error["type"], error["code"]) == ("error", "internal")
    assert b"secret" not in streamed.content + run.content
    assert any(error["error_id"] in record.getMessage() for record in caplog.records)


async def test_a_source_chooses_what_the_client_is_told() -> None:
    """spec: ERR-1"""
    failure = SourceError("Try tomorrow.", code="rate_limit", retry_after=60.0)
    async with serve(_app(ScriptedSource(["a"], fail={0: [failure]}))) as url, httpx.AsyncClient() as client:
        events = events_of((await stream(f"{url}/agent", {"input": 1})).content)
        assert events[-2] == {"type": "error", "code": "rate_limit", "message": "Try tomorrow.", "retry_after": 60.0}
        assert events[-1]["status"] == "failed"
        invoked = await client.post(f"{url}/agent/invoke", json={"input": 1})
    assert invoked.status_code == 200  # the failure was scheduled once


async def test_a_failed_invoke_is_a_problem() -> None:
    """spec: HTTP-9, ERR-3"""
    failure = SourceError("Try tomorrow.", code="rate_limit", retry_after=60.0)
    async with serve(_app(ScriptedSource(["a"], fail={0: [failure]}))) as url, httpx.AsyncClient() as client:
        response = await client.post(f"{url}/agent/invoke", json={"input": 1})
    assert response.status_code == 429
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "60"
    assert response.json()["detail"] == "Try tomorrow."
    assert response.json()["run_id"]


async def test_a_retryable_failure_before_the_first_token_is_tried_again() -> None:
    """spec: EVT-6"""
    source = ScriptedSource(["a", "b"], fail={0: [Overloaded("busy", retry_after=0.01)]})
    async with serve(_app(source)) as url:
        events = events_of((await stream(f"{url}/agent", {"input": 1})).content)
    assert [event["type"] for event in events][:3] == ["start", "retry", "message_start"]
    assert events[1] == {"type": "retry", "attempt": 2, "reason": "overloaded", "keep_seq": 1}
    assert (text_of(events), events[-1]["status"]) == ("ab", "completed")
    assert [call.attempt for call in source.calls] == [1, 2]


async def test_a_failure_after_the_first_token_is_not_tried_again() -> None:
    source = ScriptedSource(["a", "b"], fail={1: [Overloaded("busy", retry_after=0.01)]})
    async with serve(_app(source)) as url:
        events = events_of((await stream(f"{url}/agent", {"input": 1})).content)
    assert len(source.calls) == 1
    assert [event["type"] for event in events][-2:] == ["error", "end"]
    assert events[-2]["code"] == "overloaded"


@pytest.mark.parametrize(
    ("which", "options", "stall_at"),
    [
        ("first_token", RunOptions(first_token_timeout=0.05), 0),
        ("idle", RunOptions(idle_timeout=0.05), 1),
        ("total", RunOptions(total_timeout=0.05), 1),
    ],
)
async def test_a_source_that_takes_too_long_is_stopped(which: str, options: RunOptions, stall_at: int) -> None:
    source = ScriptedSource(["a", "never"], stall_at=stall_at)
    async with serve(_app(source, options=options)) as url:
        with anyio.fail_after(10):
            events = events_of((await stream(f"{url}/agent", {"input": 1})).content)
    assert (events[-2]["code"], events[-2]["detail"]) == ("timeout", {"which": which})
    assert events[-1]["status"] == "failed"
    assert source.closed == 1


async def test_an_interrupted_run_is_answered_by_another_one() -> None:
    """spec: HTTP-10, HTTP-19"""
    source = ScriptedSource(["may I?", Interrupt("i1", {"ask": "may I?"})])
    async with serve(_app(source)) as url, httpx.AsyncClient() as client:
        first = await stream(f"{url}/agent", {"input": 1, "thread_id": "t"})
        run = f"{url}/agent/runs/{first.headers['unspool-run-id']}"
        assert events_of(first.content)[-1]["status"] == "interrupted"
        assert (await client.get(run)).json()["interrupts"][0]["interrupt_id"] == "i1"
        wrong = await client.post(f"{run}/resume", json={"answers": {"i2": True}})
        second = await client.post(f"{run}/resume", json={"answer": True, "config": {"tone": "kind"}})
        assert wrong.status_code == 422
        view = (await client.get(f"{url}/agent/runs/{second.headers['unspool-run-id']}")).json()
        assert (view["config"], view["answers"]) == ({"tone": "kind"}, {"i1": True})
        assert not {"config", "answers"} & (await client.get(run)).json().keys()
        finished = await client.post(f"{url}/agent/runs/{second.headers['unspool-run-id']}/resume", json={})
    start = events_of(second.content)[0]
    assert (start["resumes"], start["thread_id"]) == (first.headers["unspool-run-id"], "t")
    assert source.calls[1].answer == {"i1": True}
    assert finished.status_code == 422


async def test_a_thread_shows_what_both_sides_said() -> None:
    """spec: HTTP-11"""
    async with serve(_app(ScriptedSource(["yes"]))) as url, httpx.AsyncClient() as client:
        for text in ("one?", "two?"):
            await stream(f"{url}/agent", {"input": text, "thread_id": "t"})
        threads = (await client.get(f"{url}/agent/threads")).json()
        thread = (await client.get(f"{url}/agent/threads/t")).json()
        missing = await client.get(f"{url}/agent/threads/other")
    assert [(found["id"], found["runs"]) for found in threads["threads"]] == [("t", 2)]
    said = [(message["role"], message["parts"][0]["text"]) for message in thread["messages"]]
    assert said == [("user", "one?"), ("assistant", "yes"), ("user", "two?"), ("assistant", "yes")]
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_a_batch_answers_in_order_and_tells_failures_apart() -> None:
    """spec: HTTP-12"""

    async def double(number: int) -> AsyncGenerator[str, None]:
        if number == 2:
            raise SourceError("not two")
        yield str(number * 2)

    async with serve(_app(double)) as url, httpx.AsyncClient() as client:
        response = await client.post(f"{url}/agent/batch", json={"inputs": [1, 2, 3]})
    outputs = response.json()["outputs"]
    assert [(item["status"], item.get("output")) for item in outputs] == [
        ("completed", "2"),
        ("failed", None),
        ("completed", "6"),
    ]
    assert outputs[1]["error"]["message"] == "not two"


async def test_an_idle_follower_gets_a_heartbeat() -> None:
    """spec: SSE-3"""
    source = ScriptedSource(["a", "b"], stall_at=1)
    async with serve(_app(source)) as url, httpx.AsyncClient(timeout=20) as client:
        with anyio.fail_after(10):
            async with client.stream("POST", f"{url}/agent/stream", json={"input": 1}) as response:
                received = b""
                async for chunk in response.aiter_bytes():
                    received += chunk
                    if b":\n\n" in received:
                        source.release()
    assert text_of(events_of(received)) == "ab"


async def test_a_follower_may_ask_for_fewer_and_larger_tokens() -> None:
    """spec: HTTP-13"""
    async with serve(_app(ScriptedSource(list("abcdef")))) as url, httpx.AsyncClient() as client:
        whole = await stream(f"{url}/agent", {"input": 1})
        run = f"{url}/agent/runs/{whole.headers['unspool-run-id']}/stream"
        merged = await client.get(run, params={"coalesce_tokens": 4})
        refused = await client.get(run, params={"coalesce_tokens": 1})
    tokens = [event["text"] for event in events_of(merged.content) if event["type"] == "token"]
    assert tokens == ["abcd", "ef"]
    assert ids_of(merged.content) == ["1", "2", "6", "8", "9", "10"]
    assert refused.status_code == 422


async def test_a_run_has_room_or_is_refused() -> None:
    source = ScriptedSource(["a"], stall_at=0)
    unspool = Unspool(log=MemoryLog(), max_runs=1, grace=0.1)
    async with serve(_app(source, unspool=unspool)) as url, httpx.AsyncClient() as client:
        await client.post(f"{url}/agent/runs", json={"input": 1})
        refused = await client.post(f"{url}/agent/runs", json={"input": 1})
        source.release()
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["retry-after"]


async def test_an_agent_that_is_served_without_its_lifespan_says_so() -> None:
    app = FastAPI()
    add_routes(app, ScriptedSource(["a"]), path="/agent")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.post("/agent/runs", json={"input": 1})
    assert response.status_code == 500
    assert "lifespan" in response.json()["detail"]


async def test_a_source_that_says_end_itself_fails_its_run() -> None:
    """spec: EVT-2"""

    async def wrong(_: object) -> AsyncGenerator[object, None]:
        yield Token("m", "a")
        yield {"type": "end", "status": "completed"}

    async with serve(_app(wrong)) as url:
        events = events_of((await stream(f"{url}/agent", {"input": 1})).content)
    assert [event["type"] for event in events].count("end") == 1
    assert (events[-2]["code"], events[-1]["status"]) == ("validation", "failed")
