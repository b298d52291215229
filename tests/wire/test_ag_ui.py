"""The AG-UI codec: every event as the protocol's own Python types have it, and in an order that its verifier allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import pytest
from ag_ui.core import Event
from pydantic import TypeAdapter

from unspool.errors import InvalidInput
from unspool.events import (
    AnyEvent,
    Citation,
    End,
    File,
    Interrupt,
    MessageEnd,
    MessageStart,
    Reasoning,
    Record,
    Retry,
    Start,
    State,
    StepEnd,
    StepStart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    Unknown,
    Usage,
    encode,
)
from unspool.testing import check_codec
from unspool.testing.codec import HOSTILE, records_of
from unspool.wire import SseDecoder
from unspool.wire.ag_ui import AgUiSse
from unspool.wire.ag_ui_interrupts import ResumeEntry, native_answers

EVENT: TypeAdapter[Any] = TypeAdapter(Event)

_OPENS = {
    "TEXT_MESSAGE_START": ("TEXT_MESSAGE_END", "messageId"),
    "TOOL_CALL_START": ("TOOL_CALL_END", "toolCallId"),
    "REASONING_START": ("REASONING_END", "messageId"),
    "REASONING_MESSAGE_START": ("REASONING_MESSAGE_END", "messageId"),
    "STEP_STARTED": ("STEP_FINISHED", "stepName"),
}
_INSIDE = {
    "TEXT_MESSAGE_CONTENT": ("TEXT_MESSAGE_END", "messageId"),
    "TOOL_CALL_ARGS": ("TOOL_CALL_END", "toolCallId"),
    "REASONING_MESSAGE_CONTENT": ("REASONING_MESSAGE_END", "messageId"),
}
_CLOSES = {kind for kind, _ in _OPENS.values()}
_ENDS = {"RUN_FINISHED", "RUN_ERROR"}


def _read(body: bytes) -> list[Any]:
    """The events of a whole response, verified."""
    assert b"\r" not in body
    events = [msgspec.json.decode(frame.data) for frame in SseDecoder().feed(body)]
    for event in events:
        read = EVENT.validate_json(msgspec.json.encode(event), strict=True, extra="forbid")
        assert read.model_dump(mode="json", by_alias=True) == event  # without a null
    opened: set[tuple[str, str]] = set()
    assert events[0]["type"] == "RUN_STARTED"
    for event in events:
        kind = event["type"]
        if kind in _OPENS:
            closing, key = _OPENS[kind]
            assert (closing, event[key]) not in opened
            opened.add((closing, event[key]))
        elif kind in _INSIDE:
            closing, key = _INSIDE[kind]
            assert (closing, event[key]) in opened
        elif kind in _CLOSES:
            key = next(key for closing, key in _OPENS.values() if closing == kind)
            opened.remove((kind, event[key]))
        elif kind in _ENDS:
            assert not opened
    assert [event["type"] for event in events if event["type"] in _ENDS] == [events[-1]["type"]]
    return events


def _told(events: Sequence[AnyEvent], **options: Any) -> list[Any]:
    codec = AgUiSse("t", "r", **options)
    return _read(codec.open() + codec.encode(records_of([Start("r", "a", 1.0), *events])))


def test_every_stream_is_legal_wherever_a_client_joins() -> None:
    check_codec(lambda: AgUiSse("t", "run-1"), _read)


def test_parallel_steps_of_one_name_have_names_of_their_own() -> None:
    events: list[AnyEvent] = [
        StepStart("1", "n"),
        StepStart("2", "n"),
        StepEnd("1", "n"),
        StepStart("3", "n"),
        StepEnd("9", "x"),
    ]
    told = _told([*events, End("completed")])
    assert [event["stepName"] for event in told if event["type"] == "STEP_STARTED"] == ["n", "n (2)", "n"]


def test_messages_that_interleave_stay_apart() -> None:
    told = _told(
        [
            MessageStart("a"),
            MessageStart("b", "user"),
            *(Token(message_id, text) for message_id, text in (("a", "1"), ("b", "2"), ("a", "3"), ("a", "4"))),
            Reasoning("a", "hm"),
            Reasoning("a", "."),
            Token("a", "5"),
            MessageEnd("a"),
            Token("a", "6"),
            MessageStart("c", "tool"),
            Token("c", "left out"),
            End("completed"),
        ]
    )
    texts: dict[str, str] = {}
    for event in told:
        if event["type"].endswith("_CONTENT"):
            texts[event["messageId"]] = texts.get(event["messageId"], "") + event["delta"]
    assert texts == {"r": "13456", "r:1": "2", "r:2": "hm."}
    order = [(event["type"], event.get("delta")) for event in told]
    assert order.index(("REASONING_END", None)) == order.index(("TEXT_MESSAGE_CONTENT", "5")) - 1


def test_text_of_every_kind_goes_over_as_it_is_and_stays_in_its_place() -> None:
    events: list[AnyEvent] = []
    for said_id in ("a", 'b","text":"'):
        events += [Token(said_id, text) for text in HOSTILE]
        events += [Reasoning(said_id, text) for text in HOSTILE]
        events += [ToolArgs(said_id, text) for text in HOSTILE]
    told = _told([*events, Token("a", "x"), ToolArgs("a", "y"), End("completed")])
    grown = [event for event in told if "delta" in event]
    assert [event["delta"] for event in grown] == [*HOSTILE * 6, "x", "y"]
    texts: dict[str, str] = {}
    for event in grown:
        said_id = event.get("messageId") or event["toolCallId"]
        texts[said_id] = texts.get(said_id, "") + event["delta"]
    whole = "".join(HOSTILE)
    assert list(texts.values()) == [whole + "x", whole, whole + "y", whole, whole, whole]


def test_a_file_goes_with_the_message_that_spoke_last() -> None:
    events: list[AnyEvent] = []
    for speaks in (Token, Reasoning):
        events += [speaks("a", "1"), Citation("b", url="u"), File("x/y"), speaks("a", "2"), File("x/y")]
    told = _told([*events, End("completed")])
    custom = [event["value"]["messageId"] for event in told if event.get("name") == "file"]
    assert custom == ["r:1", "r", "r:1", "r"]


def test_files_and_citations_name_the_message_as_the_client_knows_it() -> None:
    told = _told(
        [
            Token("m", "x"),
            Citation("m", url="https://example.org"),
            File("image/png", data="aGk="),
            Unknown("later", {"type": "later"}),
            End("completed", output={"a": 1}),
        ]
    )
    assert [event["value"] for event in told if event["type"] == "CUSTOM"] == [
        {"messageId": "r", "url": "https://example.org"},
        {"messageId": "r", "media_type": "image/png", "data": "aGk="},
    ]
    assert told[-1]["result"] == {"a": 1}


def test_a_call_id_that_the_thread_has_already_gets_another_unless_the_call_goes_on() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    before = [{"id": "r0", "role": "assistant", "toolCalls": [call]}]
    events: list[AnyEvent] = [
        ToolStart("c", "f"),
        ToolArgs("c", "{}"),
        ToolCall("c", "f", {}),
        ToolEnd("c", "x"),
        End("completed"),
    ]
    other = _told(events, messages=before)
    goes_on = _told(events, messages=before, resumes=True)
    assert {event["toolCallId"] for event in other if "toolCallId" in event} == {"r:c"}
    assert [event["type"] for event in goes_on[1:-1]] == ["TOOL_CALL_RESULT"]
    answered = {"id": "r0:1", "role": "tool", "toolCallId": "c", "content": "x"}
    waits = {"id": "r1", "role": "assistant", "toolCalls": [{**call, "id": "r1:c"}]}
    renamed = _told(events, messages=[*before, answered, waits], resumes=True)
    assert [event["toolCallId"] for event in renamed[1:-1]] == ["r1:c"]


def test_a_call_that_an_earlier_run_left_can_be_asked_about_again() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    before = [{"id": "r0", "role": "assistant", "toolCalls": [call]}]
    value = {"action_requests": [{"name": "f", "args": {}}], "review_configs": []}
    told = _told([Interrupt("i", value), End("interrupted")], messages=before, resumes=True)
    interrupt = told[-1]["outcome"]["interrupts"][0]
    assert (interrupt["toolCallId"], list(interrupt["responseSchema"]["properties"])) == ("c", ["approved", "reason"])
    other = _told([Interrupt("i", value), End("interrupted")], messages=before)
    assert "toolCallId" not in other[-1]["outcome"]["interrupts"][0]


@pytest.mark.parametrize("keep", range(1, 10))
def test_what_a_retry_keeps_is_what_the_client_is_told_to_show(keep: int) -> None:
    events: list[AnyEvent] = [
        MessageStart("m"),
        Reasoning("m", "h"),
        Reasoning("m", "m"),
        Token("m", "a"),
        Token("m", "b"),
        ToolArgs("c", "[1"),
        ToolArgs("c", "]"),
        ToolEnd("c", "x"),
    ]
    asked = {"id": "u", "role": "user", "content": "q"}
    told = _told(
        [*events, Retry(2, "lost", keep), End("completed")],
        messages=[asked, {"id": "r:9", "role": "user", "content": "old"}],
    )
    messages = next(event for event in reversed(told) if event["type"] == "MESSAGES_SNAPSHOT")["messages"]
    shown = {message["id"]: message for message in messages}
    assert shown.pop("u") == asked
    text = "ab"[: max(0, keep - 4)]
    assert shown.get("r", {}).get("content", "") == text
    assert shown["r:1"]["content"] == "hm"[: max(0, keep - 2)]
    calls = shown.get("r", {}).get("toolCalls", [])
    assert [call["function"]["arguments"] for call in calls] == {7: ["[1"], 8: ["[1]"], 9: ["[1]"]}.get(keep, [])
    assert ("r:2" in shown) == (keep > 8)


def test_what_a_retry_voids_is_not_asked_or_counted() -> None:
    void: list[AnyEvent] = [Interrupt("i1", 1), Usage(input_tokens=5), Retry(2, "lost", 1)]
    told = _told([*void, Interrupt("i2", 2), Usage(input_tokens=1, total_tokens=2), End("interrupted")])
    assert [interrupt["id"] for interrupt in told[-1]["outcome"]["interrupts"]] == ["i2"]
    assert told[-1]["usage"] == [{"inputTokens": 1, "totalTokens": 2}]


@pytest.mark.parametrize(("keep", "state"), [(1, {"mine": 1}), (2, {"a": 1}), (4, {"a": 2})])
def test_the_state_goes_back_to_what_a_retry_keeps(keep: int, state: Any) -> None:
    events: list[AnyEvent] = [
        State(snapshot={"a": 1}),
        State(patch=[{"op": "remove", "path": "/b"}]),
        State(patch=[{"op": "replace", "path": "/a", "value": 2}]),
        State(snapshot={}),
    ]
    told = _told([*events, Retry(2, "lost", keep), End("completed")], state={"mine": 1})
    assert [event["snapshot"] for event in told if event["type"] == "STATE_SNAPSHOT"][-1] == state


def test_a_call_whose_end_is_void_goes_on() -> None:
    events: list[AnyEvent] = [ToolStart("c", "f"), ToolArgs("c", "[1"), ToolCall("c", "f", [1, 2]), Retry(2, "lost", 3)]
    told = _told([*events, ToolArgs("c", "]"), ToolCall("c", "f", [1]), End("completed")])
    after = told[[event["type"] for event in told].index("MESSAGES_SNAPSHOT") :]
    assert after[0]["messages"][0]["toolCalls"][0]["function"]["arguments"] == "[1"
    assert [event.get("delta") for event in after[1:4]] == [None, "]", None]


def test_what_comes_after_a_retry_is_told_as_if_what_is_void_had_never_been() -> None:
    said: list[AnyEvent] = [
        Reasoning("m", "hm"),
        Token("m", "a"),
        Token("m", "b"),
        ToolCall("c", "f", {}),
        StepStart("s", "n"),
    ]
    after: list[AnyEvent] = [Token("m", "c"), Token("m", "d"), ToolStart("c", "f")]
    again = [Retry(2, "lost", 1), *said, Retry(3, "lost", 9), *after, Retry(4, "lost", 14)]
    told = _told([*said, *again, End("completed")])
    first, second, third = (event["messages"] for event in told if event["type"] == "MESSAGES_SNAPSHOT")
    assert first == [{"id": "r:1", "role": "reasoning", "content": ""}]
    thought = [*first, {"id": "r:2", "role": "reasoning", "content": "hm"}]
    assert second == [thought[0], {"id": "r", "role": "assistant", "content": "a"}, thought[1]]
    assert third == [thought[0], {"id": "r", "role": "assistant", "content": "ac"}, thought[1]]
    calls = [event for event in told if event["type"] == "TOOL_CALL_START"]
    assert [(call["toolCallId"], call["parentMessageId"]) for call in calls] == [("c", "r")] * 3


def test_after_a_retry_a_call_belongs_to_what_is_left_and_what_is_new_has_an_id_of_its_own() -> None:
    kept: list[AnyEvent] = [Token("a", "1"), Token("b", "2")]
    void: list[AnyEvent] = [Reasoning("a", "hm"), Token("c", "3"), Retry(2, "lost", 3)]
    told = _told([*kept, *void, ToolStart("c", "f"), Reasoning("a", "hm"), Token("d", "3"), End("completed")])
    after = told[[event["type"] for event in told].index("MESSAGES_SNAPSHOT") :]
    assert after[1]["parentMessageId"] == "r:1"
    assert [event["messageId"] for event in after if "delta" in event] == ["r:4", "r:5"]


def test_what_is_open_ends_in_the_order_that_it_was_opened_in_from_the_last() -> None:
    events: list[AnyEvent] = [
        StepStart("1", "a"),
        StepStart("2", "b"),
        Token("m", "x"),
        Token("n", "y"),
        ToolStart("c", "f"),
    ]
    told = _told([*events, End("cancelled")])
    assert [(event["type"], *list(event.values())[1:2]) for event in told[-6:-1]] == [
        ("TOOL_CALL_END", "c"),
        ("TEXT_MESSAGE_END", "r:1"),
        ("TEXT_MESSAGE_END", "r"),
        ("STEP_FINISHED", "b"),
        ("STEP_FINISHED", "a"),
    ]


def test_a_client_that_joins_is_told_what_is_open() -> None:
    events: list[AnyEvent] = [StepStart("1", "a"), StepStart("2", "b"), StepEnd("1", "a"), Token("m", "x")]
    codec = AgUiSse("t", "r", messages=[{"id": "r", "role": "assistant"}])
    codec.skip(records_of([Start("r", "a", 1.0), *events]))
    told = _read(codec.open() + codec.encode([Record(6, 1.0, encode(End("completed")))]))
    assert [event["type"] for event in told] == [
        *["RUN_STARTED", "STEP_STARTED", "TEXT_MESSAGE_START"],
        *["TEXT_MESSAGE_END", "STEP_FINISHED", "RUN_FINISHED"],
    ]


def test_a_client_that_holds_a_part_of_the_run_loses_that_before_it_gets_it_again() -> None:
    asked = {"id": "u", "role": "user", "content": "q"}
    told = _told(
        [Token("m", "x"), End("completed")], messages=[asked, {"id": "r", "role": "assistant", "content": "x"}]
    )
    assert told[1] == {"type": "MESSAGES_SNAPSHOT", "messages": [asked]}


def test_a_call_ends_once_and_after_the_thinking_that_led_to_it() -> None:
    first: list[AnyEvent] = [Reasoning("m", "hm"), ToolStart("c", "f"), ToolArgs("c", "{}"), ToolCall("c", "f", {})]
    second: list[AnyEvent] = [ToolArgs("c", "late"), ToolEnd("c", "x"), ToolStart("d", "g"), ToolEnd("d", "y")]
    told = _told([*first, *second, End("completed")])
    assert [event["type"].removeprefix("TOOL_CALL_") for event in told[3:-1]] == [
        *["REASONING_MESSAGE_CONTENT", "REASONING_MESSAGE_END", "REASONING_END"],
        *["START", "ARGS", "END", "RESULT", "START", "END", "RESULT"],
    ]


def test_each_of_two_calls_that_are_alike_is_asked_about() -> None:
    value = {"action_requests": [{"name": "f", "args": {}}] * 2, "review_configs": []}
    told = _told([ToolCall("a", "f", {}), ToolCall("b", "f", {}), Interrupt("i", value), End("interrupted")])
    assert [asked["toolCallId"] for asked in told[-1]["outcome"]["interrupts"]] == ["a", "b"]


APPROVAL = Interrupt("i", {"action_requests": [{"name": "f", "args": {}}], "review_configs": []})


@pytest.mark.parametrize(
    ("status", "payload", "decision"),
    [
        ("cancelled", {"approved": True}, {"type": "reject"}),
        ("resolved", True, {"type": "approve"}),
        ("resolved", False, {"type": "reject"}),
        ("resolved", {"approved": False, "reason": ""}, {"type": "reject"}),
        ("resolved", {"approved": True, "editedArgs": None}, {"type": "approve"}),
    ],
)
def test_an_answer_is_a_decision(status: Literal["resolved", "cancelled"], payload: Any, decision: Any) -> None:
    entry = ResumeEntry(interrupt_id="i", status=status, payload=payload)
    assert native_answers([APPROVAL], [entry]) == {"i": {"decisions": [decision]}}


@pytest.mark.parametrize("ids", [[], ["i", "j"], ["j"]])
def test_answers_that_are_too_few_or_too_many_are_refused(ids: list[str]) -> None:
    entries = [ResumeEntry(interrupt_id=each, status="resolved", payload=True) for each in ids]
    with pytest.raises(InvalidInput, match="answer"):
        native_answers([APPROVAL], entries)


def test_a_run_that_waits_for_nothing_is_a_run_that_failed() -> None:
    assert _told([End("interrupted")])[-1]["type"] == "RUN_ERROR"


def test_a_token_is_told_without_being_parsed_only_if_it_is_one_of_the_open_message() -> None:
    records = records_of([Start("r", "a", 1.0), Token("m", "x"), Token('m","text":"', "y"), Token("m", "z")])
    codec = AgUiSse("t", "r")
    told = [msgspec.json.decode(frame.data) for frame in SseDecoder().feed(codec.open() + codec.encode(records))]
    assert [event["delta"] for event in told if "delta" in event] == ["x", "y", "z"]
    assert isinstance(records[0], Record)
