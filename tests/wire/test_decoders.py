"""Decoders agree with the fixtures and with each other, however the bytes are cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspool.errors import CursorUnknown, TooLarge
from unspool.events import Record, Token, encode
from unspool.testing import check_codec
from unspool.wire import (
    Coalescer,
    Frame,
    NativeNdjson,
    NativeSse,
    NdjsonDecoder,
    SseDecoder,
    format_cursor,
    parse_cursor,
)

FIXTURES = Path(__file__).parents[2] / "spec" / "fixtures"


def _cases(name: str) -> list[Any]:
    return [
        pytest.param(case, id=case.get("name", case.get("text")))
        for case in json.loads((FIXTURES / name).read_text())["cases"]
    ]


def _cuts(data: bytes) -> list[list[bytes]]:
    """Whole, in two at every byte, and byte by byte."""
    return [[data], *([data[:i], data[i:]] for i in range(len(data))), [data[i : i + 1] for i in range(len(data))]]


@pytest.mark.parametrize("case", _cases("sse.json"))
def test_an_event_stream_is_read_as_the_standard_says(case: dict[str, Any]) -> None:
    """spec: SSE-4, SSE-5"""
    expected = [Frame(frame["data"], frame["event"], frame["id"]) for frame in case["frames"]]
    for chunks in _cuts(case["stream"].encode()):
        decoder = SseDecoder()
        assert [frame for chunk in chunks for frame in decoder.feed(chunk)] == expected, chunks


@pytest.mark.parametrize("case", _cases("ndjson.json"))
def test_lines_end_with_lf_and_nothing_else(case: dict[str, Any]) -> None:
    """spec: NDJSON-2"""
    for chunks in _cuts(case["stream"].encode()):
        decoder = NdjsonDecoder()
        lines = [line.decode() for chunk in chunks for line in decoder.feed(chunk)]
        assert lines == case["lines"], chunks


@pytest.mark.parametrize("case", _cases("native.json"))
def test_records_are_framed_to_the_byte(case: dict[str, Any]) -> None:
    """spec: SSE-1, SSE-2, NDJSON-1, CUR-3"""
    records = [Record(r["seq"], r["at"], r["event"].encode()) for r in case["records"]]
    sse, ndjson = NativeSse(case.get("run_id")), NativeNdjson()
    assert (sse.open() + sse.encode(records)).decode() == case["sse"]
    assert (ndjson.open() + ndjson.encode(records)).decode() == case["ndjson"]


@pytest.mark.parametrize("case", _cases("cursors.json"))
def test_a_cursor_is_understood_or_refused(case: dict[str, Any]) -> None:
    """spec: CUR-1"""
    if case["cursor"] is None:
        with pytest.raises(CursorUnknown):
            parse_cursor(case["text"])
    else:
        cursor = parse_cursor(case["text"])
        assert cursor._asdict() == case["cursor"]
        assert format_cursor(cursor) == case["text"]


def test_native_codecs_pass_the_kit() -> None:
    check_codec(NativeSse, lambda body: [(frame.id, frame.data) for frame in SseDecoder().feed(body)])
    check_codec(lambda: NativeSse("run-1"), lambda body: [(frame.id, frame.data) for frame in SseDecoder().feed(body)])
    check_codec(NativeNdjson, lambda body: [json.loads(line) for line in NdjsonDecoder().feed(body)])


trouble = st.text(st.sampled_from("ab: \n\r\u2028\x85é😀\x00"), min_size=1, max_size=12)


@given(st.lists(trouble, max_size=6), st.sampled_from(["\n", "\r\n", "\r"]))
def test_tokens_survive_every_cut_and_every_line_end(texts: list[str], line_end: str) -> None:
    records = [Record(seq, 0.0, encode(Token("m", text))) for seq, text in enumerate(texts, 1)]
    codec = NativeSse()
    raw = (codec.open() + codec.encode(records)).replace(b"\n", line_end.encode())
    expected = [(str(record.seq), record.data.decode()) for record in records]
    for chunks in _cuts(raw):
        decoder = SseDecoder()
        assert [(f.id, f.data) for chunk in chunks for f in decoder.feed(chunk)] == expected


@pytest.mark.parametrize("size", [99, 100])
def test_an_event_at_the_limit_is_read_and_one_over_it_is_refused(size: int) -> None:
    """spec: LIM-2"""
    decoder = SseDecoder(max_bytes=105)
    assert decoder.feed(b"data: " + b"x" * 99 + b"\n\n")[0].data == "x" * 99
    lines = NdjsonDecoder(max_bytes=99)
    if size == 99:
        assert lines.feed(b"x" * size + b"\n") == [b"x" * size]
    else:
        with pytest.raises(TooLarge):
            lines.feed(b"x" * size)
        with pytest.raises(TooLarge):
            decoder.feed(b"data: " + b"x" * size)
        with pytest.raises(TooLarge):
            decoder.feed(b"data: x\n" * 60)


def test_tokens_are_merged_within_a_message_and_never_across_another_event() -> None:
    """spec: HTTP-13"""
    texts = [("m", "a"), ("m", "b"), ("n", "c"), ("n", "d"), ("n", "e")]
    records = [Record(seq, 0.0, encode(Token(message, text))) for seq, (message, text) in enumerate(texts, 1)]
    records.insert(4, Record(99, 0.0, b'{"type":"message_end","message_id":"n"}'))
    merged = Coalescer().merge(records)
    assert [(r.seq, getattr(r.event, "text", None)) for r in merged] == [(2, "ab"), (4, "cd"), (99, None), (5, "e")]
    assert [r.seq for r in Coalescer(tokens=2).merge(records[:4])] == [2, 4]
