"""The AI SDK's UI message stream, as its versions 6 and 7 read it: strictly, all streams in one Node process."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.node import ROOT, program
from unspool.events import (
    AnyEvent,
    Citation,
    Data,
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
)
from unspool.testing import check_codec
from unspool.testing.codec import HOSTILE, SCRIPTS, records_of
from unspool.wire import SseDecoder
from unspool.wire.ai_sdk import AiSdkSse, Earlier
from unspool.wire.plain_text import PlainText

READER = Path(__file__).with_name("read_ai_sdk.mjs")
DONE = ["start", "start-step", "finish-step", "message-metadata", "finish"]
ASKED = Interrupt(
    "sure",
    {
        "action_requests": [{"name": "rm", "args": {"path": path}} for path in "ab"],
        "review_configs": [{"action_name": "rm", "allowed_decisions": ["approve", "reject"]}],
    },
)
RM = [event for path in "ab" for event in (ToolStart(path, "rm", "m1"), ToolCall(path, "rm", {"path": path}))]
SURE: list[AnyEvent] = [Start("run-1", "agent", 1.0), MessageStart("m1"), *RM, MessageEnd("m1"), ASKED]
STREAMS: dict[str, Sequence[AnyEvent]] = {
    **SCRIPTS,
    "everything": [
        Start("run-1", "agent", 1.0),
        StepStart("s", "plan"),
        MessageStart("m1"),
        Reasoning("m1", "hm"),
        Token("m1", "a"),
        Citation("m1", url="https://example.org/"),
        Citation("m1", text="quoted"),
        File("image/png", "m1", data="aGk="),
        Data("progress", {"done": 1}, "p"),
        Data("ping", transient=True),
        State({"x": 1}),
        Unknown("novelty", {"type": "novelty", "x": 1}),
        Usage(1, 2, 3, model="m"),
        Usage(1, 2, 3),
        StepEnd("s", "plan"),
        MessageEnd("m1", "max_tokens"),
        End("completed"),
    ],
    "two messages at once": [
        Start("run-1", "agent", 1.0),
        MessageStart("m1"),
        MessageStart("m2"),
        MessageStart("u", "user"),
        *(event for n in range(3) for event in (Token("m1", f"a{n}"), Token("m2", f"b{n}"), Token("u", "no"))),
        ToolStart("c", "t", "m1"),
        MessageEnd("m2"),
        MessageStart("m3"),
        ToolArgs("c", "{}"),
        ToolCall("c", "t", {}),
        MessageEnd("m1"),
        Token("m3", "c"),
        ToolEnd("c", error="It broke."),
        ToolEnd("never begun", 1),
        End("completed"),
    ],
    "a message begins within a call": [
        Start("run-1", "agent", 1.0),
        ToolStart("c", "t"),
        ToolArgs("c", "{}"),
        MessageStart("m1"),
        ToolCall("c", "t", {}),
        MessageEnd("m1"),
        End("completed"),
    ],
    "cancelled in a tool": [*SCRIPTS["completed"][:16], ToolCall("c2", "t"), End("cancelled")],
    "asks for approval": [*SURE, End("interrupted")],
    "begun again in a tool": [
        *SCRIPTS["completed"][:15],
        ToolStart("c2", "t"),
        Retry(2, "lost", 15),
        *SCRIPTS["completed"][15:17],
        ToolStart("c2", "t"),
        ToolCall("c2", "t", {}),
        ToolEnd("c2", 2),
        End("completed"),
    ],
    "begun again in mid-text": [*SURE[:2], Token("m1", "a"), Token("m1", "b"), Retry(2, "lost", 3), End("completed")],
    "begun again in a later step": [
        *SURE[:2],
        Token("m1", "a"),
        MessageEnd("m1"),
        MessageStart("m2"),
        Token("m2", "b"),
        Token("m2", "c"),
        Retry(2, "lost", 6),
        End("completed"),
    ],
    "begun again from an earlier step": [
        *SURE[:2],
        *RM[:2],
        MessageEnd("m1"),
        MessageStart("m2"),
        Token("m2", "b"),
        Retry(2, "lost", 2),
        Token("m1", "c"),
        End("completed"),
    ],
    "taken up where it was": [*SURE[:2], Token("m1", "a"), Retry(2, "lost", 3), Token("m1", "b"), End("completed")],
}


def body_of(events: Sequence[AnyEvent], codec: AiSdkSse | None = None) -> bytes:
    codec = codec or AiSdkSse("run-1")
    return codec.open() + codec.encode(records_of(events))


PACKAGES = {6: "ai", 7: "ai-7"}


def read(bodies: Sequence[bytes], version: int = 6) -> list[dict[str, Any]]:
    """What that version of the AI SDK makes of them."""
    command = [program(newer=version == 7), str(READER), PACKAGES[version]]
    asked = json.dumps([base64.b64encode(body).decode() for body in bodies])
    done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@cache
def played(version: int) -> dict[str, dict[str, Any]]:
    """What that version of the AI SDK makes of each stream."""
    bodies = [body_of(events, AiSdkSse("run-1", version=version)) for events in STREAMS.values()]
    return dict(zip(STREAMS, read(bodies, version), strict=True))


@pytest.fixture(params=[6, 7], ids=["ai-6", "ai-7"])
def version(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@pytest.fixture
def messages(version: int) -> dict[str, dict[str, Any]]:
    return played(version)


def texts(found: dict[str, Any], kind: str = "text") -> list[str]:
    return [part["text"] for part in found["message"]["parts"] if part["type"] == kind]


def tools(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(part["toolCallId"], part["state"]) for part in found["message"]["parts"] if part["type"] == "dynamic-tool"]


def test_each_version_is_read_with_its_package_on_a_node_that_the_package_supports(version: int) -> None:
    package = json.loads((ROOT / "node_modules" / PACKAGES[version] / "package.json").read_text())
    command = [program(newer=version == 7), "-p", "process.versions.node"]
    node = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert package["version"].startswith(f"{version}.")
    assert int(node.split(".")[0]) >= int(package["engines"]["node"].removeprefix(">="))


def test_the_codecs_keep_the_promises_of_codecs(version: int) -> None:
    check_codec(lambda: AiSdkSse("run-1", version=version), lambda body: [f.data for f in SseDecoder().feed(body)])
    check_codec(PlainText, lambda body: [body])


def test_every_stream_from_every_place_is_read_without_an_error_and_leaves_nothing_open(version: int) -> None:
    bodies: list[bytes] = []
    failing: list[bool] = []
    for events in STREAMS.values():
        records = records_of(events)
        for after in range(len(records)):
            codec = AiSdkSse("run-1", version=version)
            if after:
                codec.skip(records[:after])
            bodies.append(codec.open() + codec.encode(records[after:]))
            failing.append(isinstance(events[-1], End) and events[-1].status == "failed")
    for body, failed, found in zip(bodies, failing, read(bodies, version), strict=True):
        assert body.endswith(b"data: [DONE]\n\n")
        assert bool(found["errors"]) == failed, (body, found["errors"])
        assert found["message"]["id"] == "run-1"
        assert not [p for p in found["message"]["parts"] if p.get("state") in {"streaming", "input-streaming"}], body


def test_hostile_text_goes_through_unharmed(messages: dict[str, dict[str, Any]]) -> None:
    assert texts(messages["completed"]) == ["".join(HOSTILE), "done"]
    assert texts(messages["completed"], "reasoning") == ["hm"]
    text = PlainText()
    assert text.encode(records_of(SCRIPTS["completed"])).decode() == "".join(HOSTILE) + "done"


def test_a_tool_call_shows_its_arguments_and_its_result(messages: dict[str, dict[str, Any]]) -> None:
    [tool] = [part for part in messages["completed"]["message"]["parts"] if part["type"] == "dynamic-tool"]
    assert (tool["toolName"], tool["state"], tool["input"], tool["output"]) == (
        "add",
        "output-available",
        {"a": 1},
        [1, None, "x"],
    )


def test_the_first_fragments_go_at_once_and_later_ones_when_they_weigh_something() -> None:
    events: list[AnyEvent] = [ToolStart("c", "t"), *(ToolArgs("c", "x") for _ in range(3000)), ToolCall("c", "t", {})]
    deltas = [json.loads(f.data) for f in SseDecoder().feed(body_of(events)) if b"tool-input-delta" in f.data.encode()]
    assert [delta["inputTextDelta"] for delta in deltas[:17]] == ["x"] * 17
    assert "".join(delta["inputTextDelta"] for delta in deltas) == "x" * 3000
    assert len(deltas) < 150


def test_what_ends_early_is_closed_before_it_says_how(messages: dict[str, dict[str, Any]]) -> None:
    kinds = {name: [chunk["type"] for chunk in found["chunks"]] for name, found in messages.items()}
    assert kinds["failed in a message"][-5:] == ["text-end", "finish-step", "message-metadata", "error", "finish"]
    assert kinds["failed in a tool call"][-5:] == [
        "tool-output-error",
        "finish-step",
        "message-metadata",
        "error",
        "finish",
    ]
    assert kinds["cancelled"][-4:] == ["text-end", "finish-step", "message-metadata", "abort"]
    assert tools(messages["cancelled in a tool"])[-1] == ("c2", "output-error")
    assert kinds["empty"] == DONE
    assert messages["failed in a message"]["errors"] == ["It failed."]
    assert messages["everything"]["chunks"][-1]["finishReason"] == "length"


def test_what_is_not_text_becomes_a_part_or_metadata(messages: dict[str, dict[str, Any]]) -> None:
    found = messages["everything"]
    parts = [
        (part["type"], part.get("url") or part.get("title") or part.get("data")) for part in found["message"]["parts"]
    ]
    assert parts == [
        ("step-start", None),
        ("data-step", {"name": "plan", "parentId": None, "done": True}),
        ("reasoning", None),
        ("text", None),
        ("source-url", "https://example.org/"),
        ("source-document", "quoted"),
        ("file", "data:image/png;base64,aGk="),
        ("data-progress", {"done": 1}),
    ]
    assert {"type": "data-ping", "data": None, "transient": True} in found["chunks"]
    usage = {"inputTokens": 2, "outputTokens": 4, "totalTokens": 6, "reasoningTokens": 0, "cachedInputTokens": 0}
    assert found["message"]["metadata"] == {"runId": "run-1", "usage": usage, "status": "completed"}


def test_messages_that_come_at_once_keep_their_texts_apart(messages: dict[str, dict[str, Any]]) -> None:
    found = messages["two messages at once"]
    assert texts(found) == ["a0a1a2", "b0b1b2", "c"]
    assert tools(found) == [("c", "output-error"), ("never begun", "output-available")]
    assert [chunk["type"] for chunk in found["chunks"]].count("start-step") == 1


def test_an_interrupt_asks_for_the_approval_of_the_calls_that_it_names(messages: dict[str, dict[str, Any]]) -> None:
    found = messages["asks for approval"]
    assert tools(found) == [("a", "approval-requested"), ("b", "approval-requested")]
    assert [c["approvalId"] for c in found["chunks"] if c["type"] == "tool-approval-request"] == ["sure:0", "sure:1"]
    assert found["chunks"][-1]["finishReason"] == "tool-calls"
    nobody = read([body_of([Start("run-1", "agent", 1.0), ASKED, End("interrupted")])])[0]
    assert [part["type"] for part in nobody["message"]["parts"]] == ["step-start", "data-interrupt"]


def test_a_run_that_goes_on_with_a_message_continues_it_or_replays_it_whole(version: int) -> None:
    answer = {"sure": {"decisions": [{"type": "approve"}, {"type": "reject"}]}}
    earlier = [Earlier(records_of([*SURE[:-1], Usage(1), ASKED, End("interrupted")]), answer)]
    after: list[AnyEvent] = [
        Start("run-2", "agent", 2.0, resumes="run-1"),
        *RM,
        Retry(2, "lost", 2),
        ToolEnd("a", "done"),
        ToolEnd("b", error="A person rejected this call."),
        MessageStart("m2"),
        Token("m2", "ok"),
        Usage(2),
        End("completed"),
    ]
    live, replay = (
        body_of(after, AiSdkSse("run-2", version=version, message_id="run-1", earlier=earlier, replay=whole))
        for whole in (False, True)
    )
    whole = read([replay], version)[0]
    assert "tool-approval-request" not in {chunk["type"] for chunk in whole["chunks"]}
    assert whole["message"]["metadata"]["usage"]["inputTokens"] == 3
    assert tools(whole) == [("a", "output-available"), ("b", "output-denied")]
    assert whole["message"]["id"] == "run-1"
    assert texts(whole) == ["ok"]
    kinds = [json.loads(frame.data)["type"] for frame in SseDecoder().feed(live)[:-1]]
    assert kinds[:3] == ["start", "tool-output-denied", "start-step"]
    assert [kind for kind in kinds if kind.startswith("tool-")] == ["tool-output-denied", "tool-output-available"]


def test_for_version_6_what_a_retry_voids_is_closed_and_what_follows_stands_in_a_step_of_its_own() -> None:
    messages = played(6)
    assert texts(messages["begun again"]) == ["a", "b"]
    assert tools(messages["begun again in a tool"]) == [("c1", "input-available"), ("c2", "output-available")]
    assert texts(messages["begun again in mid-text"]) == ["ab"]


def test_version_7_drops_what_a_retry_voids_and_keeps_the_rest_of_the_step() -> None:
    messages = played(7)
    assert texts(messages["begun again"]) == ["b"]
    assert tools(messages["begun again in a tool"]) == [("c1", "input-available"), ("c2", "output-available")]
    assert texts(messages["begun again in mid-text"]) == ["a"]
    assert texts(messages["begun again in a later step"]) == ["a", "b"]
    assert texts(messages["begun again from an earlier step"]) == ["c"]


def test_a_retry_is_told_and_one_that_voids_nothing_changes_nothing(messages: dict[str, dict[str, Any]]) -> None:
    told = [chunk for chunk in messages["begun again"]["chunks"] if chunk["type"] == "data-retry"]
    assert told == [{"type": "data-retry", "data": {"attempt": 2, "reason": "lost"}, "transient": True}]
    assert texts(messages["taken up where it was"]) == ["ab"]
    assert tools(messages["begun again from an earlier step"]) == [("a", "output-error")]


def test_plain_text_is_what_the_assistant_says_or_else_the_output() -> None:
    events: list[AnyEvent] = [
        Start("r", "a", 1.0),
        MessageStart("u", "user"),
        Token("u", "no"),
        End("completed", {"a": 1}),
    ]
    assert PlainText().encode(records_of(events)) == b'{"a":1}'
    assert PlainText().encode(records_of([Token("m", "yes"), *events])) == b"yes"
    two: list[AnyEvent] = [Token("m1", "a"), Token("m2", "b"), Token("m2", '"c"'), Token("m2", "d\n"), Token("m1", "e")]
    assert PlainText().encode(records_of(two)) == b'ab"c"d\ne'


def test_a_token_costs_no_more_the_longer_the_message_gets() -> None:
    codec = AiSdkSse("run-1")
    codec.encode(records_of(SURE[:2]))
    record = Record(3, 1.0, b'{"type":"token","message_id":"m1","text":"a"}')
    first = codec.encode([record])
    assert first.startswith(b'data: {"type":"text-start"')
    assert codec.encode([record]) == b'data: {"type":"text-delta","id":"p1","delta":"a"}\n\n'
