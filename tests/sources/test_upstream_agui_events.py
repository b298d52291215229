"""AG-UI's events as ours, where servers do what the protocol allows and few expect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from unspool.events import (
    FilePart,
    Message,
    MessageEnd,
    MessageStart,
    Reasoning,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolPart,
    ToolStart,
)
from unspool.sources.base import NOT_RUN
from unspool.sources.ids import Ids
from unspool.sources.upstream.agui_events import AguiTranslation
from unspool.sources.upstream.agui_messages import agui_messages

START = {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "f"}
ARGS = {"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": "{}"}
END = {"type": "TOOL_CALL_END", "toolCallId": "c"}


def result(content: Any) -> dict[str, Any]:
    return {"type": "TOOL_CALL_RESULT", "messageId": "m", "toolCallId": "c", "content": content}


def translated(*events: dict[str, Any], earlier: Sequence[ToolPart] = ()) -> list[Any]:
    translation = AguiTranslation(Ids("r"), {part.call_id: part for part in earlier})
    return [item for event in events for item in translation.feed(event)]


def test_a_call_that_begins_again_before_its_answer_was_not_run() -> None:
    items = translated(START, ARGS, END, START, ARGS, END, result("x"))
    assert [type(item) for item in items] == [
        ToolStart,
        ToolArgs,
        ToolCall,
        ToolEnd,
        ToolStart,
        ToolArgs,
        ToolCall,
        ToolEnd,
    ]
    assert (items[3], items[7]) == (ToolEnd(items[0].call_id, error=NOT_RUN), ToolEnd(items[4].call_id, "x"))
    assert items[0].call_id != items[4].call_id


def test_arguments_that_come_after_their_end_are_left_out() -> None:
    items = translated(START, ARGS, END, ARGS, result("x"))
    assert [type(item) for item in items] == [ToolStart, ToolArgs, ToolCall, ToolEnd]


def test_a_second_result_is_that_of_another_call() -> None:
    items = translated(START, END, result("one"), result("two"))
    ends = [item for item in items if isinstance(item, ToolEnd)]
    assert [end.result for end in ends] == ["one", "two"]
    assert ends[0].call_id != ends[1].call_id
    assert [item.call_id for item in items if isinstance(item, ToolStart)] == [end.call_id for end in ends]


def test_a_result_for_a_call_of_an_earlier_run_shows_that_call() -> None:
    left = ToolPart(call_id="c", name="send", args={"to": "a"})
    items = translated(result("sent"), earlier=[left])
    assert items == [ToolStart("c", "send"), ToolCall("c", "send", {"to": "a"}), ToolEnd("c", "sent")]


@pytest.mark.parametrize(
    ("content", "found"),
    [("42", "42"), ("true", "true"), ("", ""), ('{"a":1}', {"a": 1}), ("[1]", [1]), ("[1", "[1")],
)
def test_a_result_is_text_unless_it_is_an_object_or_a_list(content: str, found: Any) -> None:
    assert translated(START, result(content))[-1].result == found


def test_a_call_belongs_to_the_message_that_thought_before_it() -> None:
    items = translated({"type": "REASONING_MESSAGE_CONTENT", "messageId": "t", "delta": "hm"}, START)
    message_id = items[0].message_id
    assert items == [
        MessageStart(message_id),
        Reasoning(message_id, "hm"),
        MessageEnd(message_id),
        ToolStart(items[-1].call_id, "f", message_id),
    ]


def test_a_call_belongs_to_the_message_that_it_names() -> None:
    text = {"messageId": "a", "role": "assistant"}
    items = translated(
        {"type": "TEXT_MESSAGE_START", **text},
        {"type": "TEXT_MESSAGE_CONTENT", **text, "delta": "x"},
        {"type": "TEXT_MESSAGE_END", **text},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "t", "delta": "hm"},
        {**START, "parentMessageId": "a"},
    )
    assert isinstance(items[1], Token)
    assert items[-1].message_id == items[0].message_id


def test_a_call_that_failed_is_sent_with_its_error() -> None:
    parts = [ToolPart(call_id="c", name="f", args={}, status="failed", error="It broke.")]
    sent = agui_messages([Message(id="1", role="assistant", parts=[*parts])])
    assert (sent[-1]["toolCallId"], sent[-1]["error"]) == ("c", "It broke.")


@pytest.mark.parametrize(("media_type", "said"), [("image/png", {"mimeType": "image/png"}), ("image/*", {})])
def test_a_file_by_its_address_is_sent_with_its_type_where_that_is_known(media_type: str, said: dict[str, str]) -> None:
    file = FilePart(media_type=media_type, url="https://a.example/b")
    [sent] = agui_messages([Message(id="1", role="user", parts=[file])])
    assert sent["content"] == [{"type": "image", "source": {"type": "url", "value": "https://a.example/b", **said}}]
