"""The chunks of a model as JSON: LangServe's bytes, whatever a program puts into them."""

from __future__ import annotations

import enum
import json
import uuid
from collections import UserString
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy
import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessageChunk
from langserve.serialization import WellKnownLCSerializer as Theirs
from pydantic import field_serializer

from unspool.langserve.serialization import WellKnownLCSerializer, one_line


class Pair(NamedTuple):
    first: int
    second: str


@dataclass
class Hidden:
    _secret: int
    shown: int


class Word(str):
    """A string that is more."""

    __slots__ = ()


class Words(list[str]):
    """A list that is more."""


class Kind(enum.Enum):
    SMALL = "small"


class OwnChunk(AIMessageChunk):
    """A user's own, that is written in a way of its own."""

    score: float = 0.5

    @field_serializer("score")
    def _percent(self, score: float) -> str:
        return f"{score:.0%}"


PLAIN: list[Any] = [None, "ü \u2028", 1, 2**60, 1.5, float("nan"), True, [1, {"a": []}], (1, 2)]
WRITTEN_BY_ORJSON: list[Any] = [
    datetime(2026, 1, 2, tzinfo=UTC),
    uuid.UUID(int=7),
    Kind.SMALL,
    Word("more"),
    Words(["more"]),
]
WRITTEN_BY_PYDANTIC: list[Any] = [
    Pair(1, "x"),
    Hidden(1, 2),
    {"deep": [Document(page_content="found", metadata={"at": 1})]},
]


@pytest.mark.parametrize("value", [*PLAIN, *WRITTEN_BY_ORJSON, *WRITTEN_BY_PYDANTIC], ids=repr)
def test_a_chunk_has_langserves_bytes_whatever_is_in_it(value: Any) -> None:
    chunk = AIMessageChunk(content="Hel", id="run-1", additional_kwargs={"value": value})
    assert WellKnownLCSerializer().dumps(chunk) == Theirs().dumps(chunk)


@pytest.mark.parametrize(
    "chunk",
    [
        AIMessageChunk(content=""),
        AIMessageChunk(content=[{"type": "text", "text": "Hel", "index": 0}], response_metadata={"model": "m"}),
        AIMessageChunk(content="lo", chunk_position="last", name="writer"),
        AIMessageChunk(
            content="",
            tool_call_chunks=[{"name": "add", "args": '{"a', "id": "c", "index": 0}],
            usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        ),
        AIMessageChunk.model_validate({"content": "x", "extra": "the user's own"}),
        OwnChunk(content="x"),
    ],
    ids=["empty", "blocks", "last", "tool call", "extra field", "subclass"],
)
def test_a_chunk_of_any_form_has_langserves_bytes(chunk: AIMessageChunk) -> None:
    assert WellKnownLCSerializer().dumps(chunk) == Theirs().dumps(chunk)


@pytest.mark.parametrize(
    ("value", "written"),
    [({1: "one"}, b'{"1":"one"}'), (numpy.array([1.5, 2.0]), b"[1.5,2.0]"), ({2}, b"[2]")],
    ids=["numbers as keys", "an array", "a set"],
)
def test_what_langserve_refuses_and_json_can_say_is_written(value: Any, written: bytes) -> None:
    chunk = AIMessageChunk(content="x", additional_kwargs={"value": value})
    assert b'"additional_kwargs":{"value":%b}' % written in WellKnownLCSerializer().dumps(chunk)


@pytest.mark.parametrize("value", [b"bytes", UserString("no")], ids=["bytes", "an object"])
def test_what_is_not_json_is_refused_as_langserve_refuses_it(value: Any) -> None:
    chunk = AIMessageChunk(content="x", additional_kwargs={"value": value})
    with pytest.raises(TypeError, match="not JSON serializable"):
        Theirs().dumps(chunk)
    with pytest.raises(TypeError, match="not JSON serializable"):
        WellKnownLCSerializer().dumps(chunk)


@pytest.mark.parametrize("line_end", ["\u2028", "\u2029", "\x85"], ids=ascii)
def test_each_line_end_of_unicode_is_escaped_also_where_it_is_the_only_one(line_end: str) -> None:
    text = f"ü {line_end} €"
    data = one_line(WellKnownLCSerializer().dumps(text))
    assert len(data.decode().splitlines()) == 1
    assert json.loads(data) == text
