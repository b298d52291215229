"""What a client of the AI SDK shows after a retry, by the rules of its reader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.wire.read_any_log import AiSdkReader, Chunk, ai_sdk_chunks
from unspool.events import (
    AnyEvent,
    Data,
    End,
    Interrupt,
    MessageEnd,
    MessageStart,
    Retry,
    Start,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    Usage,
)
from unspool.testing.codec import records_of
from unspool.wire.ai_sdk import AiSdkSse, Earlier

START = Start("run-1", "agent", 1.0)
CALLED: list[AnyEvent] = [START, MessageStart("m1"), ToolStart("c", "rm"), ToolCall("c", "rm", {"a": 1})]
ASKS = Interrupt("i", {"action_requests": [{"name": "rm", "args": {"a": 1}}], "review_configs": []})
both = pytest.mark.parametrize("version", [6, 7])


def shown(events: Sequence[AnyEvent], version: int, **options: Any) -> tuple[AiSdkReader, list[Chunk]]:
    codec = AiSdkSse("run-1", version=version, **options)
    chunks = ai_sdk_chunks(codec.open() + codec.encode(records_of(events)))
    reader = AiSdkReader(version)
    for chunk in chunks:
        reader.read(chunk)
    reader.finished(chunks)
    return reader, chunks


def calls(reader: AiSdkReader) -> list[tuple[str, Any, Any]]:
    return [(p["state"], p.get("input"), p["output"]) for p in reader.parts if p["type"] == "dynamic-tool"]


@both
def test_a_call_whose_answer_is_void_waits_again(version: int) -> None:
    reader, _ = shown([*CALLED, ToolEnd("c", "void"), Retry(2, "lost", 4), End("completed")], version)
    assert calls(reader) == [("input-available", {"a": 1}, None)]


@both
def test_a_call_of_an_earlier_step_stays_as_it_is_until_it_is_answered_again(version: int) -> None:
    again: list[AnyEvent] = [*CALLED, MessageEnd("m1"), ToolEnd("c", "void"), MessageStart("m2"), Retry(2, "lost", 5)]
    reader, _ = shown([*again, End("completed")], version)
    assert calls(reader) == [("output-available", {"a": 1}, "void")]
    reader, _ = shown([*again, ToolEnd("c", "good"), End("completed")], version)
    assert calls(reader) == [("output-available", {"a": 1}, "good")]


def test_for_version_6_a_retry_begins_a_step_whose_calls_alone_can_be_taken_back() -> None:
    events: list[AnyEvent] = [*CALLED, Token("m1", "x"), Retry(2, "lost", 4), ToolEnd("c", "void"), Retry(3, "lost", 6)]
    reader, _ = shown([*events, End("completed")], 6)
    assert calls(reader) == [("output-available", {"a": 1}, "void")]


@both
def test_a_client_that_joined_after_a_call_is_told_of_it_again_where_it_is_told_of_its_answer_again(
    version: int,
) -> None:
    codec = AiSdkSse("run-1", version=version)
    records = records_of([*CALLED, ToolEnd("c", "x"), Token("m1", "void"), Retry(2, "lost", 5), End("completed")])
    codec.skip(records[:4])
    reader = AiSdkReader(version)
    for chunk in ai_sdk_chunks(codec.open() + codec.encode(records[4:])):
        reader.read(chunk)
    assert calls(reader) == [("output-available", {"a": 1}, "x")]


@both
def test_a_person_is_asked_about_the_arguments_that_count(version: int) -> None:
    good: list[AnyEvent] = [ToolArgs("c", '{"a":2}'), ToolCall("c", "rm", {"a": 2})]
    reader, chunks = shown([*CALLED, Retry(2, "lost", 3), *good, ASKS, End("interrupted")], version)
    assert calls(reader) == [("approval-requested", {"a": 2}, None)]
    assert [chunk["inputTextDelta"] for chunk in chunks if chunk["type"] == "tool-input-delta"] == ['{"a":2}']


@both
def test_a_question_that_is_void_is_not_asked_any_more(version: int) -> None:
    reader, chunks = shown([*CALLED, ASKS, Retry(2, "lost", 4), ToolEnd("c", "x"), End("completed")], version)
    assert calls(reader) == [("output-available", {"a": 1}, "x")]
    assert chunks[-1]["finishReason"] == "stop"
    reader, chunks = shown([*CALLED, ASKS, Retry(2, "lost", 4), Interrupt("j", 1), End("interrupted")], version)
    assert calls(reader) == [("input-available", {"a": 1}, None)]
    assert chunks[-1]["finishReason"] == "other"


@both
def test_a_void_question_of_another_form_counts_as_answered(version: int) -> None:
    asked: list[AnyEvent] = [START, Token("m1", "a"), Interrupt("i", "sure?"), MessageStart("m2"), Retry(2, "lost", 2)]
    reader, _ = shown([*asked, End("completed")], version)
    assert [p["data"]["answered"] for p in reader.parts if p["type"] == "data-interrupt"] == [True]
    reader, _ = shown([*asked, Interrupt("i", "sure?"), End("interrupted")], version)
    assert [p["data"]["answered"] for p in reader.parts if p["type"] == "data-interrupt"] == [False]


@both
def test_the_reason_why_a_void_message_ended_is_not_that_of_the_run(version: int) -> None:
    events: list[AnyEvent] = [START, MessageStart("m1"), MessageEnd("m1", "length"), Retry(2, "lost", 1)]
    _, chunks = shown([*events, End("completed")], version)
    assert chunks[-1]["finishReason"] == "stop"


@both
def test_what_void_calls_of_the_model_took_is_not_counted(version: int) -> None:
    events: list[AnyEvent] = [START, Usage(1), MessageStart("m1"), Usage(2), Token("m1", "a"), Retry(2, "lost", 2)]
    reader, _ = shown([*events, Usage(4), End("completed")], version)
    assert reader.metadata["usage"]["inputTokens"] == 5
    reader, _ = shown([*events[:-1], Retry(2, "lost", 1), End("completed")], version)
    assert reader.metadata["usage"]["inputTokens"] == 0


@both
def test_data_that_are_no_part_of_the_message_are_told_once(version: int) -> None:
    events: list[AnyEvent] = [START, Data("p", 1, transient=True), Data("q", 2), Token("m1", "a"), Retry(2, "lost", 3)]
    reader, _ = shown([*events, End("completed")], version)
    assert [one["data"] for one in reader.fired if one["type"] == "data-p"] == [1]
    assert [one["data"] for one in reader.parts if one["type"] == "data-q"] == [2]


@both
def test_a_retry_voids_nothing_of_the_runs_before(version: int) -> None:
    asked: list[AnyEvent] = [START, MessageStart("u", "user"), Usage(1), MessageStart("m1"), *CALLED[2:], ASKS]
    earlier = [Earlier(records_of([*asked, End("interrupted")]), {"i": {"decisions": [{"type": "approve"}]}})]
    after: list[AnyEvent] = [
        Start("run-2", "agent", 2.0, resumes="run-1"),
        ToolEnd("c", "void"),
        Retry(2, "lost", 1),
        ToolCall("c", "rm", {"a": 1}),
        ToolEnd("c", "good"),
        Token("u", "not the assistant's"),
        Usage(2),
        MessageStart("m2"),
        Token("m2", "a"),
        MessageStart("m3"),
        End("completed"),
    ]
    reader, chunks = shown(after, version, message_id="run-1", earlier=earlier, replay=True)
    assert calls(reader)[0] == ("output-available", {"a": 1}, "good")
    assert len(calls(reader)) == 1
    assert [text for _, text, _ in reader.said] == ["a"]
    assert reader.metadata["usage"]["inputTokens"] == 3
    assert [chunk["type"] for chunk in chunks].count("tool-approval-request") == 0


def test_a_message_that_an_earlier_run_left_open_does_not_hold_up_the_steps_of_the_next() -> None:
    earlier = [Earlier(records_of([*CALLED, ASKS, End("interrupted")]), {"i": {"decisions": [{"type": "approve"}]}})]
    after: list[AnyEvent] = [Start("run-2", "agent", 2.0), ToolEnd("c", 1), MessageStart("m2"), Token("m2", "a")]
    _, chunks = shown([*after, End("completed")], 6, earlier=earlier, replay=True)
    assert [chunk["type"] for chunk in chunks].count("start-step") == 3


@both
@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"__proto__": {"x": 1}, "a": 1}, {"a": 1}),
        ([{"a": {"__proto__": 1}}], [{"a": {}}]),
        ({"constructor": {"prototype": 1}}, {}),
        ({"constructor": {"a": 1}}, {"constructor": {"a": 1}}),
        ({"constructor": "x", "b": '"__proto__"'}, {"constructor": "x", "b": '"__proto__"'}),
    ],
)
def test_members_for_which_the_client_would_drop_the_stream_are_left_out(version: int, value: Any, told: Any) -> None:
    reader, _ = shown([START, ToolCall("c", "rm", value), ToolEnd("c", value), End("completed")], version)
    assert calls(reader) == [("output-available", told, told)]


@both
def test_a_call_without_arguments_is_closed_though_an_earlier_step_holds_it(version: int) -> None:
    again: list[AnyEvent] = [*CALLED[:3], ToolEnd("c", "void"), MessageEnd("m1"), MessageStart("m2")]
    reader, _ = shown([*again, Retry(2, "lost", 3), End("completed")], version)
    assert [state for state, _, _ in calls(reader)] == ["output-error"]


@both
def test_nobody_is_asked_about_a_call_whose_arguments_are_not_complete(version: int) -> None:
    reader, chunks = shown([*CALLED[:3], ASKS, ToolCall("c", "rm", {"a": 1}), End("interrupted")], version)
    assert [state for state, _, _ in calls(reader)] == ["input-available"]
    assert [chunk["id"] for chunk in chunks if chunk["type"] == "data-interrupt"] == ["i"]


@both
def test_a_call_that_an_earlier_run_cut_off_stays_cut_off(version: int) -> None:
    earlier = [Earlier(records_of([*CALLED[:3], Interrupt("i", "sure?"), End("interrupted")]), {})]
    after: list[AnyEvent] = [Start("run-2", "agent", 2.0), ToolCall("c", "rm", {"a": 1}), End("completed")]
    reader, _ = shown(after, version, earlier=earlier, replay=True)
    assert [state for state, _, _ in calls(reader)] == ["output-error"]


def test_version_7_does_not_see_a_question_that_was_void_in_an_earlier_run() -> None:
    asked: list[AnyEvent] = [START, Interrupt("i", 1), Retry(2, "lost", 1), Interrupt("j", 2), End("interrupted")]
    after: list[AnyEvent] = [Start("run-2", "agent", 2.0), End("completed")]
    reader, _ = shown(after, 7, earlier=[Earlier(records_of(asked), {})], replay=True)
    assert [(p["id"], p["data"]["answered"]) for p in reader.parts if p["type"] == "data-interrupt"] == [("j", True)]
