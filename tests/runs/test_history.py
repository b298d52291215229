"""What a source is told of the runs of its thread before this one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from tests.http.test_refusals import _by_header
from tests.support.native import events_of, stream
from tests.support.server import serve
from unspool import Call, Keep, RunOptions, SQLiteLog, Unspool
from unspool.events import MAX_EVENT_BYTES, Interrupt
from unspool.runs.history import MAX_RUNS
from unspool.sources.conversation import NOT_COMPLETED, conversation


async def _recall(text: str, call: Call) -> AsyncGenerator[Any, None]:
    """Says what it remembers, and keeps what it was asked."""
    pasts = await call.history()
    yield {"type": "data", "name": "pasts", "value": [[past.run_id, past.status, past.kept] for past in pasts]}
    said = [[message.role, message.text] for message in await conversation(call)]
    yield {"type": "data", "name": "said", "value": said}
    yield Keep({"asked": text})
    if text == "fail":
        raise RuntimeError("no")
    yield f"re: {text}"


def _app(tmp_path: Path | None = None, source: Any = _recall, **options: Any) -> FastAPI:
    app = FastAPI()
    log = None if tmp_path is None else SQLiteLog(tmp_path / "log")
    unspool = Unspool(grace=0.2, log=log, **options)
    unspool.add_routes(app, source, path="/agent", options=RunOptions())
    unspool.add_routes(app, source, path="/other", options=RunOptions())
    return app


async def _ask(url: str, run_id: str, text: str, *, mount: str = "agent", user: str = "ann", **more: Any) -> Any:
    response = await stream(f"{url}/{mount}", {"input": text, "run_id": run_id, **more}, **{"X-User": user})
    data = {event["name"]: event["value"] for event in events_of(response.content) if event["type"] == "data"}
    return data["pasts"], data["said"]


@pytest.mark.parametrize("log", ["memory", "sqlite"])
async def test_a_source_is_told_the_thread_so_far_and_gets_back_what_it_kept(log: str, tmp_path: Path) -> None:
    async with serve(_app(tmp_path if log == "sqlite" else None)) as url:
        assert await _ask(url, "r1", "one", thread_id="t") == ([], [["user", "one"]])
        await _ask(url, "r2", "fail", thread_id="t")
        pasts, said = await _ask(url, "r3", "three", thread_id="t")
        assert pasts == [["r1", "completed", {"asked": "one"}], ["r2", "failed", {"asked": "fail"}]]
        assert said == [["user", "one"], ["assistant", "re: one"], ["user", "fail"], ["user", "three"]]
        assert (await _ask(url, "r3b", "again", thread_id="t", replaces="r2"))[0] == pasts[:1]


async def test_the_history_is_that_of_the_thread_of_this_principal_and_mount() -> None:
    async with serve(_app(authenticate=_by_header)) as url:
        await _ask(url, "r1", "one", thread_id="t")
        await _ask(url, "r2", "two", thread_id="u")
        await _ask(url, "r3", "three", thread_id="t", user="bob")
        await _ask(url, "r4", "four", thread_id="t", mount="other")
        await _ask(url, "r5", "five")
        assert [past[0] for past in (await _ask(url, "r6", "six", thread_id="t"))[0]] == ["r1"]
        assert (await _ask(url, "r7", "seven"))[0] == []


async def test_a_run_that_continues_another_gets_that_one_without_a_thread() -> None:
    async def asks(call: Call) -> AsyncGenerator[Any, None]:
        for past in await call.history():
            yield {"past": past.run_id, "waits": [i.interrupt_id for i in past.interrupts], "kept": past.kept}
        if len(await call.history()) < 2:
            yield Keep(call.run_id)
            yield Interrupt(f"i-{call.run_id}", "sure?")

    async with serve(_app(source=asks)) as url, httpx.AsyncClient(timeout=20) as client:
        await stream(f"{url}/agent", {"input": "go", "run_id": "r1"})
        for earlier, run_id in (("r1", "r2"), ("r2", "r3")):
            await client.post(f"{url}/agent/runs/{earlier}/resume", json={"answer": True, "run_id": run_id})
        events = events_of((await client.get(f"{url}/agent/runs/r3/stream")).content)
    assert [event["value"] for event in events if event["type"] == "data"] == [
        {"past": "r1", "waits": ["i-r1"], "kept": "r1"},
        {"past": "r2", "waits": ["i-r2"], "kept": "r2"},
    ]


async def test_a_thread_named_like_the_run_of_somebody_else_tells_nothing_of_it() -> None:
    async with serve(_app(authenticate=_by_header)) as url:
        await _ask(url, "r1", "secret", user="bob")
        await _ask(url, "r2", "elsewhere", mount="other")
        assert (await _ask(url, "r3", "x", thread_id="r1"))[0] == []
        assert (await _ask(url, "r4", "x", thread_id="r2"))[0] == []


async def test_at_most_the_newest_runs_are_told() -> None:
    async with serve(_app()) as url:
        for number in range(MAX_RUNS + 2):
            await stream(f"{url}/agent", {"input": "x", "run_id": f"r{number:04}", "thread_id": "t"})
        pasts, _ = await _ask(url, "last", "x", thread_id="t")
    assert [past[0] for past in pasts] == [f"r{number:04}" for number in range(2, MAX_RUNS + 2)]


async def test_too_much_to_keep_ends_the_run_and_says_so() -> None:
    async def keeps(text: str) -> AsyncGenerator[Any, None]:
        yield Keep("x" * int(text))

    async with serve(_app(source=keeps)) as url:
        fits = await stream(f"{url}/agent", {"input": str(MAX_EVENT_BYTES - 2), "run_id": "r1"})
        over = await stream(f"{url}/agent", {"input": str(MAX_EVENT_BYTES - 1), "run_id": "r2"})
    assert events_of(fits.content)[-1]["status"] == "completed"
    error = events_of(over.content)[-2]
    assert (error["code"], error["message"]) == (
        "validation",
        f"what a source wants to keep is over the limit of {MAX_EVENT_BYTES:,} bytes",
    )


async def test_what_was_said_is_made_fit_for_a_model() -> None:
    """Tool calls that were never answered say so; half of one, and thoughts, are left out."""

    async def calls(text: str, call: Call) -> AsyncGenerator[Any, None]:
        if text == "what?":
            yield {"said": msgspec.to_builtins(await conversation(call))}
            return
        yield {"type": "message_start", "message_id": "m"}
        yield {"type": "reasoning", "message_id": "m", "text": "hm"}
        for call_id in ("done", "open", "half"):
            yield {"type": "tool_start", "call_id": call_id, "name": "add", "message_id": "m"}
            yield {"type": "tool_args", "call_id": call_id, "text": '{"a"'}
        for call_id in ("done", "open"):
            yield {"type": "tool_call", "call_id": call_id, "name": "add", "args": {"a": 1}}
        yield {"type": "tool_end", "call_id": "done", "result": 2}
        raise RuntimeError("no")

    async with serve(_app(source=calls)) as url:
        await stream(f"{url}/agent", {"input": "go", "run_id": "r1", "thread_id": "t"})
        events = events_of((await stream(f"{url}/agent", {"input": "what?", "thread_id": "t"})).content)
    [said] = [event["value"]["said"] for event in events if event["type"] == "data"]
    assert [[message["role"], [part["type"] for part in message["parts"]]] for message in said] == [
        ["user", ["text"]],
        ["assistant", ["tool", "tool"]],
        ["user", ["text"]],
    ]
    done, unanswered = said[1]["parts"]
    assert (done["call_id"], done["result"], done.get("error")) == ("done", 2, None)
    assert (unanswered["call_id"], unanswered["error"]) == ("open", NOT_COMPLETED)
