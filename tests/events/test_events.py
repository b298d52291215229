"""Events: their JSON, and the transcript they fold into."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspool.errors import InvalidInput, MalformedBody
from unspool.events import (
    MAX_EVENT_BYTES,
    AnyEvent,
    Data,
    End,
    KnownEvent,
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
    Transcript,
    Unknown,
    decode,
    encode,
    from_dict,
    plain,
    type_of,
)

FIXTURES = Path(__file__).parents[2] / "spec" / "fixtures"
CASES = json.loads((FIXTURES / "transcript.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_events_fold_into_the_transcript_of_the_fixture(case: dict[str, Any]) -> None:
    """spec: TRN-1, TRN-2, TRN-3, TRN-4, TRN-5, EVT-3"""
    transcript = Transcript()
    for seq, event in enumerate(case["events"], 1):
        assert transcript.fold_event(seq, from_dict(event))
        assert not transcript.fold_event(seq, from_dict(event))
    assert msgspec.to_builtins(transcript.snapshot()) == case["transcript"]


text = st.text(st.sampled_from("a \u2028é"), min_size=1, max_size=4)
message = st.sampled_from(["m1", "m2"])
call = st.sampled_from(["c1", "c2"])
events: st.SearchStrategy[list[AnyEvent]] = st.lists(
    st.one_of(
        st.builds(MessageStart, message),
        st.builds(Token, message, text),
        st.builds(Reasoning, message, text),
        st.builds(MessageEnd, message),
        st.builds(ToolStart, call, st.just("t"), message),
        st.builds(ToolArgs, call, text),
        st.builds(ToolCall, call, st.just("t")),
        st.builds(ToolEnd, call),
        st.builds(Data, st.just("d"), st.integers(0, 3), st.sampled_from([None, "x"])),
        st.builds(Retry, st.integers(2, 4), st.just("lost"), st.integers(1, 6)),
    ),
    max_size=25,
)


@given(events, st.data())
def test_a_replay_folds_to_the_same_as_the_live_run_from_every_cut(run: list[AnyEvent], data: st.DataObject) -> None:
    """spec: TRN-1"""
    records = [
        Record(seq, 0.0, encode(event)) for seq, event in enumerate([Start("r", "s", 0.0), *run, End("failed")], 1)
    ]
    live, cut = Transcript(), Transcript()
    for record in records:
        live.fold(record)
        live.snapshot()
    at = data.draw(st.integers(0, len(records)))
    back = data.draw(st.integers(0, at))
    for record in [*records[:at], *records[back:]]:
        cut.fold(record)
    assert cut.snapshot() == live.snapshot()


def test_a_missing_record_is_noticed() -> None:
    """spec: CUR-4"""
    transcript = Transcript()
    transcript.fold_event(1, Start("r", "s", 0.0))
    with pytest.raises(MalformedBody, match="events 2 to 3 are missing"):
        transcript.fold_event(4, Token("m", "x"))
    assert transcript.last_seq == 1


def test_an_unknown_event_is_kept_and_passed_on_as_it_came() -> None:
    """spec: EVT-4"""
    data = b'{"type":"from_the_future","b":[1,{"c":null}]}'
    event = decode(data)
    assert event == Unknown("from_the_future", {"type": "from_the_future", "b": [1, {"c": None}]})
    assert encode(event) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[1]",
        b"{}",
        b'{"type":1}',
        b'{"type":"token"}',
        b'{"type":"token","message_id":1,"text":"a"}',
        b"\xff",
        b"[",
    ],
)
def test_what_is_no_event_is_refused(data: bytes) -> None:
    """spec: EVT-5"""
    with pytest.raises(MalformedBody):
        decode(data)


def test_every_event_has_its_type_first_and_takes_one_line() -> None:
    """spec: EVT-3"""
    for kind in KnownEvent.__args__:
        assert issubclass(kind, msgspec.Struct)
    data = encode(Token("m", "a\r\n\u2028b"))
    assert data.startswith(b'{"type":"token",')
    assert b"\n" not in data
    assert b"\r" not in data
    assert type_of(data) == "token"
    assert decode(data) == Token("m", "a\r\n\u2028b")


def test_a_lone_surrogate_is_replaced_and_a_pair_is_joined() -> None:
    assert decode(encode(Token("m", "a\ud800b"))) == Token("m", "a\ufffdb")
    assert decode(encode(Token("m", "\ud83d\ude00"))) == Token("m", "😀")
    assert decode(encode(Data("d", {"k\udc00": ["\ud800"]}))) == Data("d", {"k\ufffd": ["\ufffd"]})


def test_an_event_at_the_limit_is_encoded_and_one_over_it_is_refused() -> None:
    """spec: LIM-1"""
    room = MAX_EVENT_BYTES - len(encode(Token("m", "")))
    assert len(encode(Token("m", "x" * room))) == MAX_EVENT_BYTES
    with pytest.raises(InvalidInput, match="is over"):
        encode(Token("m", "x" * (room + 1)))


def test_what_json_cannot_say_is_refused_with_the_type_of_the_event() -> None:
    with pytest.raises(InvalidInput, match="'data' event"):
        encode(Data("d", object()))
    assert decode(encode(Data("d", [float("nan"), float("inf")]))) == Data("d", [None, None])


def test_plain_makes_json_of_what_frameworks_hand_out() -> None:
    class Model:
        def model_dump(self) -> dict[str, Any]:
            return {"a": {1, 2}}

    assert plain({"m": Model(), "e": ValueError("secret"), 3: None}) == {
        "m": {"a": [1, 2]},
        "e": "ValueError",
        "3": None,
    }
    assert len(str(plain(type("X", (), {"__repr__": lambda _: "x" * 5000})()))) == 1000
