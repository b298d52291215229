"""Unspool before Unspool: two real servers, each with a log of its own."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import anyio
import httpx
import msgspec
import pytest
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, StreamingResponse
from typing_extensions import override

from tests.support.native import events_of, stream, text_of
from tests.support.proxy import cutting
from tests.support.server import serve
from unspool import Call, MemoryLog, Principal, RunOptions, SourceError, Unspool, add_routes
from unspool.closing import opened
from unspool.errors import InvalidInput, NotAuthenticated
from unspool.eventlog import NewRun
from unspool.events import (
    AnyEvent,
    Data,
    Error,
    Interrupt,
    MessageEnd,
    MessageStart,
    Record,
    Retry,
    Start,
    Token,
    encode,
    from_dict,
)
from unspool.runs import RunRequest
from unspool.sources import Item, Keep, Output, Past, ResumePoint, Rewind
from unspool.sources.upstream.native import upstream_id
from unspool.sources.upstream.source import upstream
from unspool.testing import ScriptedSource, check_source
from unspool.testing.source import check_events

SAID: list[Item] = [MessageStart("m"), Token("m", "a"), Token("m", "b"), MessageEnd("m", "stop"), Output({"n": 1})]


@asynccontextmanager
async def serving(source: Any, **options: Any) -> AsyncIterator[str]:
    app = FastAPI()
    add_routes(app, source, path="/agent", options=RunOptions(retry_wait=0.01, **options))
    async with serve(app) as url:
        yield f"{url}/agent"


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


# -- what is taken back ---------------------------------------------------------------------------------


class Plain(ScriptedSource):
    """Yields what it is given, and nothing around it."""

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        for item in self._items:
            yield cast("Item", item)


class Wire:
    """An upstream that sends the records it is given, and can be told to send more."""

    def __init__(self, *events: Any) -> None:
        self.frames = [b"id: %d\ndata: %b\n\n" % (seq, encode(event)) for seq, event in enumerate(events, 1)]
        self.asked: list[tuple[str, str, str | None]] = []
        self.cut: int | None = None
        """After how many frames the answer to the first request ends."""
        self.refusals: list[tuple[int, dict[str, Any]]] = []
        """Status and body of what the next requests for the rest are answered."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = FastAPI()

        async def answer(request: Request) -> Any:
            after = request.headers.get("last-event-id")
            self.asked.append((request.method, request.url.path, after))
            if after is not None and self.refusals:
                status, body = self.refusals.pop(0)
                return JSONResponse(body, status)
            sent = b"".join(self.frames[int(after or 0) : None if len(self.asked) > 1 else self.cut])
            return StreamingResponse(iter([sent]), media_type="text/event-stream")

        app.add_route("/{path:path}", answer, methods=["GET", "POST"])
        async with serve(app) as url:
            yield url


START = Start(run_id="u", source="s", created_at=0.0)
AGAIN = [
    START,
    MessageStart("m"),
    Token("m", "a"),
    Token("m", "void"),
    Retry(attempt=2, reason="lost", keep_seq=3),
    Token("m", "b"),
    MessageEnd("m"),
    {"type": "end", "status": "completed"},
]


def events(items: Sequence[Any]) -> list[Any]:
    return [from_dict(item) if isinstance(item, dict) else item for item in items]


def mark(run_id: str, seq: int) -> Any:
    return Data("upstream", {"run_id": run_id, "seq": seq}, transient=True)


async def test_what_the_upstream_takes_back_is_taken_back_here() -> None:
    wire = Wire(*events(AGAIN))
    with anyio.fail_after(20):
        async with wire.serving() as inner, serving(upstream(inner)) as outer:
            items = [item async for item in upstream(inner).stream(Call(run_id="r", input="q"))]
            got = events_of((await stream(outer, {"input": "q"})).content)
    check_events(items)
    assert items == [
        MessageStart("m"),
        Token("m", "a"),
        Token("m", "void"),
        Rewind(keep=2, reason="lost"),
        mark(upstream_id("r"), 5),
        Token("m", "b"),
        MessageEnd("m"),
    ]
    retry = next(event for event in got if event["type"] == "retry")
    assert retry == {"type": "retry", "attempt": 2, "reason": "lost", "keep_seq": 3}


async def test_an_upstream_that_starts_again_is_asked_again() -> None:
    wire = Wire(*events([START, MessageStart("m"), MessageEnd("m"), {"type": "end", "status": "completed"}]))
    wire.cut, wire.refusals = 2, [(503, {}), (429, {}), (502, {})]
    with anyio.fail_after(20):
        async with wire.serving() as inner:
            items = [item async for item in upstream(inner).stream(Call(run_id="r", input="q"))]
    assert items == [MessageStart("m"), MessageEnd("m")]
    assert [method for method, _, _ in wire.asked] == ["POST", "GET", "GET", "GET", "GET"]


async def test_a_run_that_the_upstream_forgot_is_lost() -> None:
    wire = Wire(START, MessageStart("m"))
    wire.cut, wire.refusals = 2, [(404, {"type": "urn:unspool:error:not_found", "code": "not_found", "detail": "?"})]
    with anyio.fail_after(20):
        async with wire.serving() as inner:
            with pytest.raises(SourceError, match="has lost the run") as caught:
                async for _ in upstream(inner).stream(Call(run_id="r", input="q")):
                    pass
    assert (caught.value.code, caught.value.retryable) == ("lost", True)


async def test_an_error_that_the_upstream_took_back_is_none() -> None:
    said = [START, Error("provider", "Down."), Retry(2, "lost", 1), {"type": "end", "status": "completed"}]
    wire = Wire(*events(said))
    with anyio.fail_after(20):
        async with wire.serving() as inner:
            items = [item async for item in upstream(inner).stream(Call(run_id="r", input="q"))]
    assert items == [Rewind(keep=0, reason="lost"), mark(upstream_id("r"), 3)]


def recorded(*data: Any) -> list[Record]:
    return [Record(seq, 0.0, encode(event)) for seq, event in enumerate(data, 1)]


OURS = Start(run_id="r", source="outer", created_at=0.0)


@pytest.mark.parametrize(
    ("log", "after"),
    [
        ([OURS], 1),
        ([OURS, MessageStart("m"), Token("m", "a")], 3),
        # Taken up once already, with and without the mark.
        ([OURS, MessageStart("m"), Retry(2, "lost", 2)], 2),
        ([OURS, MessageStart("m"), Retry(2, "lost", 2), mark(upstream_id("r"), 2), Token("m", "a")], 3),
        # The upstream took something back: its own `retry` counts there.
        ([OURS, MessageStart("m"), Token("m", "a"), Token("m", "void"), Retry(2, "lost", 3)], 3),
        (
            [
                OURS,
                MessageStart("m"),
                Token("m", "a"),
                Token("m", "void"),
                Retry(2, "lost", 3),
                mark(upstream_id("r"), 5),
                Token("m", "b"),
            ],
            6,
        ),
        # A mark of the upstream's own upstream is an event like any other.
        ([OURS, mark("other", 77), MessageStart("m")], 3),
    ],
)
async def test_our_log_says_where_the_upstream_was(log: list[Any], after: int) -> None:
    wire = Wire(*events(AGAIN))
    records = recorded(*log)
    with anyio.fail_after(20):
        async with wire.serving() as inner:
            source = upstream(inner)
            call = Call(run_id="r", input="q", attempt=3)
            point = await source.resume_point(call, records)
            assert point is not None
            items = [item async for item in source.stream(replace_position(call, point))]
    assert point.keep_seq == len(records)
    method, path = ("POST", "/stream") if after == 1 else ("GET", f"/runs/{upstream_id('r')}/stream")
    assert wire.asked == [(method, path, None if after == 1 else str(after))]
    assert items[0] == mark(upstream_id("r"), after)
    assert items[1:][-1:] == ([MessageEnd("m")] if after < 7 else [])


def replace_position(call: Call, point: ResumePoint) -> Call:
    position = msgspec.json.decode(msgspec.json.encode(point.position))  # as from a log
    return msgspec.structs.replace(call, position=position)


async def test_what_was_passed_on_by_a_process_that_died_can_be_taken_back_too() -> None:
    """Our log held up to the void token; the upstream then took back that and more."""
    sent = [START, MessageStart("m"), Token("m", "void"), Token("m", "void"), Retry(2, "lost", 2), Token("m", "b")]
    wire = Wire(*events([*sent, MessageEnd("m"), {"type": "end", "status": "completed"}]))
    call = Call(run_id="r", input="q", attempt=2)
    with anyio.fail_after(20):
        async with wire.serving() as inner:
            source = upstream(inner)
            point = await source.resume_point(
                call, recorded(OURS, MessageStart("m"), Token("m", "void"), Token("m", "void"))
            )
            assert point is not None
            items = [item async for item in source.stream(replace_position(call, point))]
    assert items == [
        mark(upstream_id("r"), 4),
        Rewind(keep=-2, reason="lost"),
        mark(upstream_id("r"), 5),
        Token("m", "b"),
        MessageEnd("m"),
    ]


async def test_a_run_can_be_rewound_to_before_it_was_taken_up() -> None:
    """The log holds what a process that died has written; `Rewind` counts back from what still counted of that."""
    said: list[Item] = [Rewind(keep=-1, reason="lost"), Token("m", "b"), MessageEnd("m")]
    log = MemoryLog()
    new = NewRun(
        id="r",
        owner="anonymous",
        source="agent",
        request=RunRequest(input="q").encoded(),
        request_hash="",
        worker="dead",
        lease=0.01,
    )
    app = FastAPI()
    source = Plain(said, name="agent", resume_at=ResumePoint(keep_seq=4))
    Unspool(log=log).add_routes(app, source, path="/agent")
    with anyio.fail_after(20):
        async with serve(app) as url, httpx.AsyncClient() as http:
            run = (await log.create(new)).run
            records: list[AnyEvent] = [OURS, MessageStart("m"), Token("m", "a"), Token("m", "void")]
            await log.append("r", epoch=run.epoch, first_seq=1, events=[encode(event) for event in records])
            got = events_of((await http.get(f"{url}/agent/runs/r/stream")).content)
    assert got[4:-1] == [
        {"type": "retry", "attempt": 2, "reason": "lost", "keep_seq": 4},
        {"type": "retry", "attempt": 3, "reason": "lost", "keep_seq": 3},
        {"type": "token", "message_id": "m", "text": "b"},
        {"type": "message_end", "message_id": "m"},
    ]


async def test_what_a_source_yielded_can_be_taken_back() -> None:
    said: list[Item] = [
        MessageStart("m"),
        Token("m", "a"),
        Token("m", "b"),
        Rewind(keep=2, reason="lost"),
        Token("m", "c"),
    ]
    with anyio.fail_after(20):
        async with serving(Plain(said)) as url:
            got = events_of((await stream(url, {"input": "q"})).content)
    retry = next(event for event in got if event["type"] == "retry")
    assert retry == {"type": "retry", "attempt": 2, "reason": "lost", "keep_seq": 3}


@pytest.mark.parametrize(("keep", "status"), [(1, "completed"), (2, "interrupted")])
async def test_a_question_that_is_taken_back_does_not_interrupt_the_run(keep: int, status: str) -> None:
    said: list[Item] = [Data("d"), Interrupt("i"), Rewind(keep=keep, reason="lost"), Data("e")]
    with anyio.fail_after(20):
        async with serving(Plain(said)) as url:
            got = events_of((await stream(url, {"input": "q"})).content)
    assert got[-1]["status"] == status


async def test_more_than_was_said_cannot_be_kept() -> None:
    with anyio.fail_after(20):
        async with serving(Plain([MessageStart("m"), Token("m", "a"), Rewind(keep=3, reason="lost")])) as url:
            got = events_of((await stream(url, {"input": "q"})).content)
    assert [event["type"] for event in got][-2:] == ["error", "end"]
    assert got[-2]["code"] == "validation"


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
