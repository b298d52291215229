"""What the fake providers know of a conversation: whose turn it is, and what cannot be a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from unspool.testing.fake_chat import ChatWire
from unspool.testing.fake_messages import MessagesWire
from unspool.testing.fake_responses import ResponsesWire
from unspool.testing.model_server import Refused, Request, Wire
from unspool.testing.script import CallTool, Cite, Drop, Fail, Piece, Raw, Say, Stall, Think, Tokens

USER: Any = {"role": "user", "content": "hi"}
SAID: Any = {"role": "assistant", "content": "x"}


def chat_call(*ids: str) -> Any:
    calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "tool_calls": calls}


def chat_result(call_id: str) -> Any:
    return {"role": "tool", "tool_call_id": call_id, "content": "1"}


def use(*ids: str) -> Any:
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": each, "name": "f", "input": {}} for each in ids],
    }


def used(*ids: str) -> Any:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": each, "content": "1"} for each in ids]}


def call(call_id: str) -> Any:
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"}


def output(call_id: str) -> Any:
    return {"type": "function_call_output", "call_id": call_id, "output": "1"}


def request(**body: Any) -> Request:
    headers = {"anthropic-version": "1"}
    return Request(number=0, path="/", headers=headers, body={"model": "m", "max_tokens": 2000, **body})


CHATS: Sequence[tuple[Any, int]] = [
    ([USER], 0),
    ([USER, chat_call("a", "b"), chat_result("b"), chat_result("a")], 1),
    ([USER, SAID, chat_call("a"), chat_result("a")], 1),
    ([USER, chat_call("a"), chat_result("a"), chat_call("b"), chat_result("b")], 2),
    ([USER, chat_call("a"), chat_result("a"), SAID, USER], 0),
    ([USER, SAID, USER, chat_call("a"), chat_result("a")], 1),
]
MESSAGES: Sequence[tuple[Any, int]] = [
    ([USER], 0),
    ([USER, use("a", "b"), used("b", "a")], 1),
    ([USER, SAID, use("a"), used("a")], 1),
    ([USER, use("a"), used("a"), use("b"), used("b")], 2),
    ([USER, use("a"), used("a"), SAID, USER], 0),
]
ITEMS: Sequence[tuple[Any, int]] = [
    ([USER], 0),
    ([USER, call("a"), call("b"), output("a"), output("b")], 1),
    ([USER, call("a"), output("a"), call("b"), output("b")], 2),
    ([USER, {"type": "reasoning", "id": "rs_1", "summary": []}, call("a"), output("a")], 1),
    ([USER, call("a"), output("a"), SAID, USER], 0),
]


@pytest.mark.parametrize(("messages", "turn"), CHATS)
def test_the_turn_of_a_chat_is_how_often_the_model_spoke_since_the_user_did(messages: Any, turn: int) -> None:
    asked = request(messages=messages)
    ChatWire().check(asked)
    assert asked.turn == turn


@pytest.mark.parametrize(("messages", "turn"), MESSAGES)
def test_the_turn_of_messages_is_how_often_the_model_spoke_since_the_user_did(messages: Any, turn: int) -> None:
    asked = request(messages=messages)
    MessagesWire().check(asked)
    assert asked.turn == turn


@pytest.mark.parametrize(("items", "turn"), ITEMS)
def test_the_turn_of_responses_is_how_often_the_model_spoke_since_the_user_did(items: Any, turn: int) -> None:
    asked = request(input=items)
    ResponsesWire().check(asked)
    assert asked.turn == turn


TWICE = [{"type": "function", "name": "f", "function": {"name": "f"}}] * 2


@pytest.mark.parametrize(
    ("wire", "body", "why"),
    [
        (ChatWire(), {"messages": [USER, chat_call("a"), SAID]}, "have no tool message"),
        (ChatWire(), {"messages": [USER, chat_call("a", "b"), chat_result("a"), SAID]}, "no tool message: \\['b'\\]"),
        (ChatWire(), {"messages": [USER], "tools": TWICE}, "Duplicate tool name"),
        (ChatWire(), {"messages": [USER], "tools": [{"function": {"name": "f!"}}]}, "Invalid name"),
        (ResponsesWire(), {"input": "x", "tools": TWICE}, "Duplicate tool name"),
        (ResponsesWire(), {"input": [call("c" * 65), output("c" * 65)]}, "1 to 64"),
        (MessagesWire(), {"messages": [SAID, USER]}, "first message"),
        (MessagesWire(), {"messages": [USER, use("a", "b"), used("a")]}, "without `tool_result` blocks: \\['b'\\]"),
        (MessagesWire(), {"messages": [USER, use("a"), SAID, used("a")]}, "without `tool_result`"),
        (MessagesWire(), {"messages": [USER], "thinking": {"type": "enabled", "budget_tokens": 1023}}, "at least 1024"),
        (MessagesWire(), {"messages": [USER], "thinking": {"type": "enabled", "budget_tokens": 2000}}, "less than max"),
    ],
)
def test_what_is_no_conversation_is_refused(wire: Wire, body: Any, why: str) -> None:
    with pytest.raises(Refused, match=why):
        wire.check(request(**body))


def test_the_longest_id_and_the_largest_budget_are_taken() -> None:
    ResponsesWire().check(request(input=[call("c" * 64), output("c" * 64)]))
    MessagesWire().check(request(messages=[USER], thinking={"type": "enabled", "budget_tokens": 1024}))


# -- answers --------------------------------------------------------------------------------------------


def chunks(*pieces: Piece, **body: Any) -> list[Any]:
    frames = ChatWire().stream(request(messages=[USER], **body), pieces)
    return [frame if not isinstance(frame, bytes) else frame.removeprefix(b"data: ").strip() for frame in frames]


def test_a_chat_tells_of_its_usage_only_if_it_was_asked() -> None:
    *said, done = chunks(Say("a"))
    assert (done, [msgspec.json.decode(chunk).get("usage") for chunk in said]) == (b"[DONE]", [None] * 3)
    *said, done = chunks(Say("a"), stream_options={"include_usage": True})
    assert msgspec.json.decode(said[-1])["usage"]["total_tokens"] == 15


def test_nothing_follows_a_failure() -> None:
    said = chunks(Say("a"), Fail("x"), Say("b"))
    assert msgspec.json.decode(said[-1])["error"]["code"] == "x"
    for wire, body in ((MessagesWire(), {"messages": [USER]}), (ResponsesWire(), {"input": "x"})):
        *_, last = wire.stream(request(**body), [Say("a"), Fail("x"), Say("b")])
        assert isinstance(last, bytes)
        assert b'"type":"error"' in last


def test_gates_stand_where_the_script_has_them() -> None:
    assert [frame for frame in chunks(Stall(), Say("a"), Drop()) if not isinstance(frame, bytes)] == [Stall(), Drop()]


def test_each_block_of_a_message_holds_its_own_text_and_cites_it() -> None:
    script = [Say("ab"), Think("hm"), Say("cd"), Cite("https://ex.org", "Ex", 0, 2), Tokens(9, 4, cached=3)]
    whole = MessagesWire().whole(request(messages=[USER]), script)
    assert [block.get("text") or block.get("thinking") for block in whole["content"]] == ["ab", "hm", "cd"]
    assert whole["content"][2]["citations"][0]["cited_text"] == "cd"
    assert (whole["usage"]["input_tokens"], whole["usage"]["cache_read_input_tokens"]) == (6, 3)


def test_a_failure_of_a_whole_message_has_the_status_of_its_kind() -> None:
    for kind, status in (("overloaded_error", 529), ("rate_limit_error", 429), ("other", 500)):
        with pytest.raises(Refused) as refused:
            MessagesWire().whole(request(messages=[USER]), [Fail(kind)])
        assert (refused.value.status, refused.value.code) == (status, kind)


def test_a_response_that_failed_is_whole_too_unless_it_broke_off() -> None:
    assert ResponsesWire().whole(request(input="x"), [Fail("x", how="failed")])["status"] == "failed"
    with pytest.raises(Refused):
        ResponsesWire().whole(request(input="x"), [Fail("x")])


def test_a_conversation_that_goes_on_holds_what_the_model_said() -> None:
    wire = ResponsesWire()
    asked = request(input="x")
    wire.check(asked)
    first = wire.whole(asked, [CallTool("f", "{}", call_id="c")])
    again = request(input=[output("c")], previous_response_id=first["id"])
    wire.check(again)
    assert again.turn == 1
    with pytest.raises(Refused, match="not found"):
        wire.check(request(input="x", previous_response_id="resp_9"))
    with pytest.raises(Refused, match="No tool call found"):
        wire.check(request(input=[output("d")], previous_response_id=first["id"]))


def test_raw_events_take_part_in_what_the_model_said() -> None:
    item = {"id": "mcp_1", "type": "mcp_call"}
    added, done = (
        {"type": f"response.output_item.{how}", "output_index": 0, "item": item} for how in ("added", "done")
    )
    assert ResponsesWire().whole(request(input="x"), [Raw(added, done)])["output"] == [item]
