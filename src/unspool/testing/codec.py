"""The kit for codecs: the same bytes however records are batched, and a legal stream wherever a follower joins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from unspool.events import (
    AnyEvent,
    End,
    Error,
    Interrupt,
    MessageEnd,
    MessageStart,
    Reasoning,
    Record,
    Retry,
    Start,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    encode,
)
from unspool.wire import Codec

T = TypeVar("T")

HOSTILE = ("\n", "\r", "\r\n\r\n", "\u2028\u2029\u0085", "\x00", "data: x\n\n", "[DONE]", "event: end", '"}', "😀é")
"""Texts that break codecs."""

_START: list[AnyEvent] = [Start("run-1", "agent", 1.0, input="hi"), MessageStart("m1")]

SCRIPTS: dict[str, Sequence[AnyEvent]] = {
    "completed": [
        *_START,
        Reasoning("m1", "hm"),
        *(Token("m1", text) for text in HOSTILE),
        ToolStart("c1", "add", "m1"),
        ToolArgs("c1", '{"a"'),
        ToolArgs("c1", ":1}"),
        ToolCall("c1", "add", {"a": 1}),
        MessageEnd("m1", "tool_calls"),
        ToolEnd("c1", result=[1, None, "x"]),
        MessageStart("m2"),
        Token("m2", "done"),
        MessageEnd("m2", "stop"),
        End("completed"),
    ],
    "failed in a message": [*_START, Token("m1", "a"), Error("provider", "It failed."), End("failed")],
    "failed in a tool call": [*_START, ToolStart("c1", "t"), Error("internal", "x", error_id="e"), End("failed")],
    "cancelled": [*_START, Token("m1", "a"), End("cancelled")],
    "interrupted": [*_START, MessageEnd("m1"), Interrupt("i1", {"ask": "?"}), End("interrupted")],
    "begun again": [
        *_START,
        Token("m1", "a"),
        Retry(2, "lost", 1),
        MessageStart("m2"),
        Token("m2", "b"),
        End("failed"),
    ],
    "empty": [Start("run-1", "agent", 1.0), End("completed")],
}
"""Runs, by how they end."""


def records_of(events: Sequence[AnyEvent]) -> list[Record]:
    """The events as the records of a log."""
    return [Record(seq, 1.5 + seq, encode(event)) for seq, event in enumerate(events, 1)]


def check_codec(make: Callable[[], Codec], parse: Callable[[bytes], Sequence[T]]) -> None:
    """Check that a codec keeps the promises of :class:`unspool.wire.Codec`.

    Args:
        make: Returns a codec for a new response.
        parse: Reads a whole response, as strictly as the protocol's own client, and returns what it holds.

    Raises:
        AssertionError: A promise is not kept.
        Exception: Whatever ``parse`` raises on bytes that are not legal.
    """
    for name, events in SCRIPTS.items():
        records = records_of(events)
        for after in range(len(records)):
            _check_batching(partial(_joined, make, records[:after]), parse, records[after:], f"{name}, from {after}")


def _joined(make: Callable[[], Codec], past: Sequence[Record]) -> Codec:
    """A codec for a follower that has ``past`` already."""
    codec = make()
    if past and codec.stateful:
        codec.skip(past)
    return codec


def _check_batching(
    make: Callable[[], Codec], parse: Callable[[bytes], Sequence[T]], records: Sequence[Record], name: str
) -> None:
    whole = make()
    at_once = whole.open() + whole.encode(records)
    single = make()
    one_by_one = single.open() + b"".join([single.encode([record]) for record in records])
    assert at_once == one_by_one, f"{name}: the bytes depend on how records are batched"
    beating = make()
    with_heartbeats = beating.open() + b"".join([beating.encode([r]) + beating.heartbeat() for r in records])
    assert list(parse(with_heartbeats)) == list(parse(at_once)), f"{name}: a heartbeat changes what is read"
