"""LangServe's frames, with ids."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from unspool.events import AnyEvent, Data, End, Error, Start, Token
from unspool.testing import check_codec
from unspool.testing.codec import records_of
from unspool.wire.langserve import CHUNK, METADATA, LangServeSse

START = Start("r", "a", 1.0)


def _frames(body: bytes) -> list[tuple[str, str]]:
    """As LangServe's client does: an event without data counts, too."""
    *blocks, rest = body.decode().split("\r\n\r\n")
    assert rest == ""
    fields = [dict(line.split(": ", 1) for line in block.split("\r\n")) for block in blocks if block[0] != ":"]
    return [(each["event"], each.get("data", "")) for each in fields]


def _body(*events: AnyEvent) -> bytes:
    return LangServeSse().encode(records_of([START, *events]))


def test_a_stream_is_legal_wherever_a_client_joins() -> None:
    def read(body: bytes) -> Sequence[tuple[str, str]]:
        frames = _frames(body)
        assert not frames or frames[-1][0] in {"end", "error"}
        return frames

    check_codec(LangServeSse, read)


def test_chunks_go_over_as_their_source_wrote_them() -> None:
    chunk = '{"content": "a\\u2028b", "n": 1.0}'
    body = _body(
        Data(METADATA, {"run_id": "é"}), Data(CHUNK, msgspec.Raw(chunk.encode())), Data(CHUNK), End("completed")
    )
    assert body == (
        b'id: 2\r\nevent: metadata\r\ndata: {"run_id": "\\u00e9"}\r\n\r\n'
        b"id: 3\r\nevent: data\r\ndata: " + chunk.encode() + b"\r\n\r\n"
        b"id: 4\r\nevent: data\r\ndata: null\r\n\r\n"
        b"id: 5\r\nevent: end\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            Error("provider", "no", detail={"status_code": 418, "message": "tea"}),
            '{"status_code": 418, "message": "tea"}',
        ),
        (Error("timeout", "late", detail={"which": "idle"}), '{"status_code": 504, "message": "late"}'),
        (Error("rate_limit", "slowly"), '{"status_code": 429, "message": "slowly"}'),
        (Error("of tomorrow", "what"), '{"status_code": 500, "message": "what"}'),
    ],
    ids=str,
)
def test_an_error_is_the_last_that_is_said(error: Error, told: str) -> None:
    assert _frames(_body(Data(CHUNK, 1), error, End("failed"))) == [("data", "1"), ("error", told)]


def test_a_run_that_was_cancelled_ends_and_what_is_not_langserves_is_left_out() -> None:
    body = _body(Token("m", "x"), Data("other", 1), Data(CHUNK, "a"), End("cancelled"))
    assert _frames(body) == [("data", '"a"'), ("end", "")]
