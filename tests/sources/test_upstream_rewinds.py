"""What an upstream takes back, what our log says of where it was, and what a source of ours takes back."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import msgspec
import pytest
from fastapi import FastAPI

from tests.sources.upstream_wire import AGAIN, START, Plain, Wire, events, mark, serving
from tests.support.native import events_of, stream
from tests.support.server import serve
from unspool import Call, MemoryLog, SourceError, Unspool
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
)
from unspool.runs import RunRequest
from unspool.sources import Item, ResumePoint, Rewind
from unspool.sources.upstream.native import upstream_id
from unspool.sources.upstream.source import upstream
from unspool.testing.source import check_events


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
