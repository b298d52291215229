"""Unspool before Unspool: two real servers, each with a log of its own."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from tests.sources.upstream_wire import SAID, Wire, serving
from tests.support.native import events_of, stream, text_of
from tests.support.proxy import cutting
from tests.support.server import serve
from unspool import Call, Principal, SourceError, Unspool, add_routes
from unspool.closing import opened
from unspool.errors import InvalidInput, NotAuthenticated
from unspool.events import (
    Interrupt,
    MessageEnd,
    MessageStart,
    Token,
)
from unspool.sources import Keep, Output, Past
from unspool.sources.upstream.native import upstream_id
from unspool.sources.upstream.source import upstream
from unspool.testing import ScriptedSource, check_source
from unspool.testing.source import check_events


@asynccontextmanager
async def chained(source: Any, **options: Any) -> AsyncIterator[tuple[str, str]]:
    """The URLs of the outer and the inner agent. The options are those of the inner one."""
    async with AsyncExitStack() as stack:
        inner = await stack.enter_async_context(serving(source, **options))
        outer = await stack.enter_async_context(serving(upstream(inner, name="outer")))
        yield outer, inner


def without_numbers(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All but what differs from run to run."""
    passed = {"start": {"run_id", "created_at", "source"}, "end": {"metrics"}}
    return [{k: v for k, v in event.items() if k not in passed.get(event["type"], ())} for event in events]


async def test_the_events_of_the_upstream_are_ours() -> None:
    inner_source = ScriptedSource(
        [
            {"type": "step_start", "step_id": "s", "name": "think"},
            {"type": "message_start", "message_id": "m", "role": "assistant"},
            {"type": "reasoning", "message_id": "m", "text": "hm"},
            {"type": "token", "message_id": "m", "text": "Héllo"},
            {"type": "tool_start", "call_id": "c", "name": "look", "message_id": "m"},
            {"type": "tool_args", "call_id": "c", "text": '{"q":1}'},
            {"type": "tool_call", "call_id": "c", "name": "look", "args": {"q": 1}},
            {"type": "message_end", "message_id": "m", "finish_reason": "tool_calls"},
            {"type": "tool_end", "call_id": "c", "result": [1, None]},
            {"type": "state", "snapshot": {"a": 1}},
            {"type": "data", "name": "x", "value": 1, "id": "i"},
            {"type": "hologram", "depth": 3},
            {"type": "usage", "input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
            {"type": "step_end", "step_id": "s", "name": "think"},
            Output({"answer": 42}),
        ]
    )
    with anyio.fail_after(20):
        async with chained(inner_source) as (outer, inner):
            got = await stream(outer, {"input": "q", "thread_id": "t"})
            run_id = upstream_id(got.headers["unspool-run-id"])
            async with httpx.AsyncClient() as http:
                sent = await http.get(f"{inner}/runs/{run_id}/stream")
    assert without_numbers(events_of(got.content)) == without_numbers(events_of(sent.content))
    assert [(call.input, call.thread_id, call.run_id) for call in inner_source.calls] == [("q", "t", run_id)]


async def test_it_keeps_the_promises_of_a_source() -> None:
    app = FastAPI()
    add_routes(app, ScriptedSource(SAID), path="/agent")

    @asynccontextmanager
    async def elsewhere() -> AsyncGenerator[str, None]:
        """In a thread of its own: asking for the schemas blocks the loop."""
        async with serve(app) as url:
            yield url

    with start_blocking_portal() as portal, portal.wrap_async_context_manager(elsewhere()) as url:
        await check_source(lambda: upstream(f"{url}/agent"), Call(run_id="r", input="q"))


async def test_the_failure_of_the_upstream_is_ours_with_its_words() -> None:
    failing = ScriptedSource(
        SAID, fail={2: [SourceError("No more today.", code="rate_limit", retryable=True, retry_after=9.0)]}
    )
    with anyio.fail_after(20):
        async with chained(failing) as (outer, _):
            events = events_of((await stream(outer, {"input": "q"})).content)
    assert [event["type"] for event in events] == ["start", "message_start", "token", "error", "end"]
    assert events[3] == {
        "type": "error",
        "code": "rate_limit",
        "message": "No more today.",
        "retryable": True,
        "retry_after": 9.0,
    }


async def test_what_failed_before_it_said_anything_is_tried_again_as_a_new_run_upstream() -> None:
    failing = ScriptedSource(SAID, fail={0: [SourceError("Down.", retryable=True)]})
    with anyio.fail_after(20):
        async with chained(failing, retries=0) as (outer, inner):
            got = await stream(outer, {"input": "q"})
            async with httpx.AsyncClient() as http:
                runs = (await http.get(f"{inner}/runs")).json()["runs"]
    events = events_of(got.content)
    assert [event["type"] for event in events] == [
        "start",
        "retry",
        "data",
        "message_start",
        "token",
        "token",
        "message_end",
        "end",
    ]
    assert events[1]["keep_seq"] == 1
    second = upstream_id(got.headers["unspool-run-id"], 2)
    assert events[2] == {"type": "data", "name": "upstream", "value": {"run_id": second, "seq": 1}, "transient": True}
    assert sorted(run["status"] for run in runs) == ["completed", "failed"]


async def test_the_output_the_thread_and_the_schemas_are_those_of_the_upstream() -> None:
    async def double(number: int) -> int:
        return number * 2

    with anyio.fail_after(20):
        async with chained(double) as (outer, _), httpx.AsyncClient() as http:
            invoked = await http.post(f"{outer}/invoke", json={"input": 21})
            schemas = await http.get(f"{outer}/schemas")
    assert invoked.json()["output"] == 42
    assert schemas.json()["input"] == {"type": "integer"}


async def test_the_schemas_of_an_upstream_that_is_not_there_are_empty() -> None:
    source = upstream("http://127.0.0.1:9")
    assert (source.schemas().input, source.name) == ({}, "127.0.0.1")


async def test_an_interrupted_run_goes_on_with_the_answer() -> None:
    async def asking(call: Call) -> AsyncIterator[Any]:
        if call.resumes is None:
            yield MessageStart("m")
            yield Token("m", "May I? ")
            yield MessageEnd("m")
            yield Interrupt("i", {"question": "May I?"})
            yield Interrupt("j", None)
        else:
            yield f"You said {call.answer}"

    with anyio.fail_after(20):
        async with chained(asking) as (outer, _), httpx.AsyncClient() as http:
            first = await stream(outer, {"input": "q"})
            run_id = first.headers["unspool-run-id"]
            refused = await http.post(f"{outer}/runs/{run_id}/resume", json={"answers": {"k": 1}})
            resumed = await http.post(f"{outer}/runs/{run_id}/resume", json={"answers": {"i": True, "j": "no"}})
    assert events_of(first.content)[-1]["status"] == "interrupted"
    assert refused.status_code == 422
    assert text_of(events_of(resumed.content)) == "You said {'i': True, 'j': 'no'}"


@pytest.mark.parametrize("answer", [None, {}, {"k": True}])
async def test_an_answer_to_what_was_not_asked_is_refused(answer: dict[str, Any] | None) -> None:
    async def history() -> Sequence[Past]:
        return [Past(run_id="r1", status="interrupted", interrupts=[Interrupt("i")], kept={"run_id": "u"})]

    call = Call(run_id="r2", resumes="r1", answer=answer, load_history=history)
    with pytest.raises(InvalidInput, match="answer these interrupts, by id: i"):
        await anext(aiter(upstream("http://127.0.0.1:9").stream(call)))


async def test_what_is_replaced_here_is_replaced_upstream() -> None:
    echoing = ScriptedSource(SAID)
    with anyio.fail_after(20):
        async with chained(echoing) as (outer, inner), httpx.AsyncClient() as http:
            first = await stream(outer, {"input": "one", "thread_id": "t"})
            run_id = first.headers["unspool-run-id"]
            await stream(outer, {"input": "two", "thread_id": "t", "replaces": run_id})
            thread = (await http.get(f"{inner}/threads/t")).json()
    assert echoing.calls[1].replaces == upstream_id(run_id)
    assert [run["id"] for run in thread["runs"] if not run.get("replaced")] == [echoing.calls[1].run_id]


async def test_what_never_reached_the_upstream_can_be_replaced() -> None:
    async with serving(ScriptedSource(SAID)) as inner:
        call = Call(run_id="r2", input="q", thread_id="t", replaces="never-arrived")
        with anyio.fail_after(20):
            assert [item async for item in upstream(inner).stream(call)] == SAID


async def test_cancelling_our_run_cancels_the_upstreams_at_once() -> None:
    stalling = ScriptedSource(SAID, stall_at=2)
    with anyio.fail_after(20):
        async with chained(stalling) as (outer, inner), httpx.AsyncClient() as http:
            started = await http.post(f"{outer}/runs", json={"input": "q"})
            run_id = started.headers["unspool-run-id"]
            await stalling.reached.wait()
            await http.post(f"{outer}/runs/{run_id}/cancel")
            while stalling.closed == 0:
                await anyio.sleep(0.005)
            events = events_of((await http.get(f"{outer}/runs/{run_id}/stream")).content)
            sent = events_of((await http.get(f"{inner}/runs/{upstream_id(run_id)}/stream")).content)
    assert (events[-1]["status"], sent[-1]["status"]) == ("cancelled", "cancelled")


async def test_a_run_that_goes_on_elsewhere_leaves_the_upstreams_alone() -> None:
    stalling = ScriptedSource(SAID, stall_at=2)
    with anyio.fail_after(20):
        async with serving(stalling) as inner:
            call = Call(run_id="r", input="q", ask_elsewhere=lambda: True)
            async with opened(upstream(inner).stream(call)) as items:
                assert [await anext(items), await anext(items)] == SAID[:2]
            stalling.release()
            async with httpx.AsyncClient() as http:
                sent = await http.get(f"{inner}/runs/{upstream_id('r')}/stream")
    assert events_of(sent.content)[-1]["status"] == "completed"


async def test_a_run_that_is_cancelled_upstream_fails_here() -> None:
    stalling = ScriptedSource(SAID, stall_at=2)
    with anyio.fail_after(20):
        async with chained(stalling) as (outer, inner), httpx.AsyncClient() as http:
            started = await http.post(f"{outer}/runs", json={"input": "q"})
            run_id = started.headers["unspool-run-id"]
            await stalling.reached.wait()
            await http.post(f"{inner}/runs/{upstream_id(run_id)}/cancel")
            events = events_of((await http.get(f"{outer}/runs/{run_id}/stream")).content)
    assert (events[-2]["code"], events[-1]["status"]) == ("cancelled", "failed")


async def test_lost_connections_lose_nothing_and_start_nothing_twice() -> None:
    words = ScriptedSource([f"{number} " for number in range(200)])
    with anyio.fail_after(30):
        async with serving(words) as inner:
            host, path = inner.rsplit("/", 1)
            async with cutting(
                host, itertools.chain([900, 150, 1500, 2222, 1200, 700, 4000], itertools.repeat(1 << 60))
            ) as proxy:
                call = Call(run_id="r", input="q")
                items = [item async for item in upstream(f"{proxy.url}/{path}").stream(call)]
    check_events(items)
    assert "".join(item.text for item in items if isinstance(item, Token)) == "".join(f"{n} " for n in range(200))
    assert len(words.calls) == 1
    assert proxy.connections >= 4


async def test_an_upstream_that_stays_away_is_given_up_after_the_patience() -> None:
    stalling = ScriptedSource(SAID, stall_at=2)
    with anyio.fail_after(20):
        async with serving(stalling) as inner:
            host, path = inner.rsplit("/", 1)
            async with cutting(host, itertools.chain([700], itertools.repeat(0))) as proxy:
                source = upstream(f"{proxy.url}/{path}", patience=0.4)
                with pytest.raises(SourceError, match="was lost") as caught:
                    async for _ in source.stream(Call(run_id="r", input="q")):
                        pass
            stalling.release()  # the server waits for its runs
    assert (caught.value.code, caught.value.retryable) == ("provider", True)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([b"id: 1\ndata: nonsense\n\n"], "cannot be understood"),
        ([b"data: {}\n\n"], "does not speak"),
        ([b'id: 1\ndata: {"type":"x"}\n\n', b'id: 3\ndata: {"type":"x"}\n\n'], "left out a part"),
    ],
)
async def test_an_upstream_that_breaks_the_protocol_fails_the_run(frames: list[bytes], message: str) -> None:
    wire = Wire()
    wire.frames = frames
    with anyio.fail_after(20):
        async with wire.serving() as inner:
            with pytest.raises(SourceError, match=message):
                async for _ in upstream(inner).stream(Call(run_id="r", input="q")):
                    pass


# -- who asks -------------------------------------------------------------------------------------------


async def by_header(request: HTTPConnection) -> Principal:
    if "x-user" not in request.headers:
        raise NotAuthenticated("say who you are")
    return Principal(id=request.headers["x-user"])


async def test_headers_may_depend_on_the_call_and_a_refusal_is_not_the_clients_fault() -> None:
    app = FastAPI()
    Unspool(authenticate=by_header).add_routes(app, ScriptedSource(SAID), path="/agent")
    with anyio.fail_after(20):
        async with serve(app) as url:
            known = upstream(f"{url}/agent", headers=lambda call: {"x-user": call.thread_id or ""})
            assert [item async for item in known.stream(Call(run_id="r", input="q", thread_id="ann"))] == SAID
            with pytest.raises(SourceError) as caught:
                await anext(aiter(upstream(f"{url}/agent").stream(Call(run_id="r", input="q"))))
    assert (caught.value.code, caught.value.message) == ("auth", "The upstream refused the server's credentials.")


async def test_config_is_refused_unless_it_is_allowed() -> None:
    scripted = ScriptedSource(SAID)
    with anyio.fail_after(20):
        async with serving(scripted) as inner:
            call = Call(run_id="r", input="q", config={"model": "big"})
            with pytest.raises(InvalidInput, match="`config` may hold nothing here, and not: model"):
                await anext(aiter(upstream(inner).stream(call)))
            allowing = upstream(inner, config=["model"])
            assert [item async for item in allowing.stream(call)] == SAID
    assert scripted.calls[0].config == {"model": "big"}


async def test_what_the_next_run_needs_is_kept() -> None:
    with anyio.fail_after(20):
        async with serving(ScriptedSource(["May I?", Interrupt("i")])) as inner:
            items = [item async for item in upstream(inner).stream(Call(run_id="r", input="q"))]
    assert items[-1] == Keep({"run_id": upstream_id("r")})
