"""The token shapes, read as the guides read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from unspool.events import AnyEvent, End, Error, Reasoning, Start, Token, ToolCall, ToolEnd
from unspool.testing import check_codec
from unspool.testing.codec import HOSTILE, records_of
from unspool.wire import Frame, SseDecoder
from unspool.wire.shapes import SHAPES, Shape, ShapeSse

START = Start("r", "a", 1.0)


def _body(shape: Shape, events: Sequence[AnyEvent], *, ids: bool = False) -> bytes:
    codec = ShapeSse(shape, ids=ids, run_id="r")
    return codec.open() + codec.encode(records_of([START, *events]))


def _split_there(body: bytes) -> list[Any]:
    """As readers do that split at empty lines, and know nothing else of the format."""
    *blocks, rest = body.decode().split("\n\n")
    assert rest == ""
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


def _frames(body: bytes) -> list[Frame]:
    return list(SseDecoder().feed(body))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ids", [True, False])
def test_a_shape_is_legal_wherever_a_client_joins(shape: Shape, ids: bool) -> None:
    def read(body: bytes) -> list[tuple[str, str]]:
        frames = [(frame.event, frame.data) for frame in SseDecoder().feed(body)]
        last = frames[-1][1]
        if shape == "text":
            assert last == "[DONE]"
        else:
            ends = json.loads(last)
            assert ends.get("done") or ends["type"] in {"complete", "error"}
        return frames

    check_codec(lambda: ShapeSse(shape, ids=ids), read)


@pytest.mark.parametrize("shape", ["token", "delta"])
def test_tokens_come_whole_through_a_reader_that_knows_nothing(shape: Shape) -> None:
    tokens = [Token("m", text) for text in (*HOSTILE, '","text":"')]
    said = _split_there(_body(shape, [Reasoning("m", "hm"), *tokens, End("completed")]))
    assert said == [*({shape: token.text} for token in tokens), {"done": True}]


@pytest.mark.parametrize("shape", ["token", "delta"])
def test_an_error_is_told_before_the_end(shape: Shape) -> None:
    said = _split_there(_body(shape, [Token("m", "a"), Error("timeout", "It took too long."), End("failed")]))
    assert said == [{shape: "a"}, {"error": "It took too long."}, {"done": True}]


def test_no_line_of_json_ends_where_only_some_readers_see_an_end() -> None:
    body = _body("token", [Token("m", "a\u2028b\u2029c\u0085d"), End("completed")])
    assert body.decode().splitlines() == body.decode().split("\n")[:-1]


def test_text_keeps_its_lines_and_is_not_taken_for_the_end() -> None:
    texts = [*HOSTILE, "a\r", "b", "\nc", "a\r", "\nb", "\r\n", "\r", "x[DONE]y[DONE]", " c", "\n"]
    frames = _frames(_body("text", [*(Token("m", text) for text in texts), End("completed")]))
    assert [frame.data for frame in frames].count("[DONE]") == 1
    assert all("[DONE]" not in frame.data for frame in frames[:-1])
    whole = "".join(texts).replace("\r\n", "\n").replace("\r", "\n")
    assert "".join(frame.data for frame in frames[:-1]) == whole


def test_text_tells_of_an_error_beside_the_text() -> None:
    frames = _frames(_body("text", [Token("m", "a"), Error("internal", "No\r\nway."), End("failed")]))
    assert [(frame.event, frame.data) for frame in frames] == [
        ("message", "a"),
        ("error_event", "No\nway."),
        ("message", "[DONE]"),
    ]


EVENTS: list[AnyEvent] = [
    Token("m", "a"),
    ToolCall("c", "add", {"n": 1}),
    ToolEnd("c", result=[2]),
    ToolCall("d", "sub", {}),
    ToolEnd("d", error="It broke."),
]
SAID = [
    ("start", "r"),
    ("token", "a"),
    ("agent_action", '{"tool":"add","input":{"n":1}}'),
    ("tool_start", "add"),
    ("tool_end", "[2]"),
    ("agent_action", '{"tool":"sub","input":{}}'),
    ("tool_start", "sub"),
    ("tool_end", "It broke."),
]


def test_typed_says_what_happened() -> None:
    said = _split_there(_body("typed", [*EVENTS, End("cancelled")]))
    assert [(item["type"], item["content"]) for item in said] == [*SAID, ("complete", "cancelled")]


def test_named_says_it_under_three_names() -> None:
    frames = _frames(_body("named", [*EVENTS, Error("internal", "No."), End("failed")]))
    said = [json.loads(frame.data) for frame in frames]
    assert [(item["type"], item["content"]) for item in said] == [*SAID, ("error", "No.")]
    names = {item["type"]: frame.event for item, frame in zip(said, frames, strict=True)}
    assert names == {
        "start": "ai_event",
        "token": "ai_event",
        "agent_action": "tool_event",
        "tool_start": "tool_event",
        "tool_end": "tool_event",
        "error": "error_event",
    }


def test_who_has_an_id_has_all_of_its_record() -> None:
    events: list[AnyEvent] = [Token("m", "a[DONE]b"), Error("internal", "No."), End("failed")]
    for shape in SHAPES:
        body = _body(shape, events, ids=True)
        frames = _frames(body)
        assert body.startswith(b"retry: ")
        assert frames[-1].id == "r:4"
        assert [frame.id for frame in frames].count("r:4") == 1
    assert [frame.id for frame in _frames(_body("text", events, ids=True))] == ["", "r:2", "r:2", "r:4"]
