"""Any log through every codec: however it ends, wherever one joins, the stream is legal and says what the log says."""

from __future__ import annotations

import base64
import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.node import program
from tests.wire.any_log import any_log
from tests.wire.read_any_log import AiSdkReader, Chunk, ag_ui_events, ai_sdk_chunks
from tests.wire.test_ai_sdk import read
from unspool.events import (
    AnyEvent,
    Data,
    End,
    Error,
    Interrupt,
    MessageEnd,
    MessageStart,
    Reasoning,
    Record,
    Retry,
    Start,
    Token,
    ToolCall,
    ToolEnd,
    ToolPart,
    Transcript,
    encode,
)
from unspool.testing.codec import records_of
from unspool.wire import Codec, Frame, NdjsonDecoder, SseDecoder
from unspool.wire.ag_ui import AgUiSse
from unspool.wire.ai_sdk import AiSdkSse
from unspool.wire.native import NativeNdjson, NativeSse
from unspool.wire.plain_text import PlainText
from unspool.wire.shapes import SHAPES, Shape, ShapeSse

CODECS: dict[str, Callable[[], Codec]] = {
    "native": lambda: NativeSse("run-1"),
    "ndjson": NativeNdjson,
    "ai-sdk-6": lambda: AiSdkSse("run-1"),
    "ai-sdk-7": lambda: AiSdkSse("run-1", version=7),
    "plain-text": PlainText,
    "ag-ui": lambda: AgUiSse("t", "run-1"),
    **{shape: partial(ShapeSse, shape, run_id="run-1") for shape in SHAPES},
    **{f"{shape}-without-ids": partial(ShapeSse, shape, ids=False) for shape in SHAPES},
}
few = settings(max_examples=40, deadline=None, derandomize=True, database=None)
logs = any_log()
places = st.integers(0, 40)
batches = st.lists(st.integers(0, 40), max_size=4)


def joined(name: str, records: Sequence[Record], place: int) -> tuple[Codec, Sequence[Record]]:
    """A codec for a follower that has a part of the log, and what is left for it."""
    after = place % len(records)
    codec = CODECS[name]()
    if after and codec.stateful:
        codec.skip(records[:after])
    return codec, records[after:]


def body_of(name: str, records: Sequence[Record], place: int = 0) -> tuple[bytes, int]:
    codec, left = joined(name, records, place)
    return codec.open() + codec.encode(left), len(records) - len(left)


def effective(records: Sequence[Record]) -> list[Record]:
    """The records that no ``retry`` voids."""
    found: list[Record] = []
    for record in records:
        event = record.event
        if isinstance(event, Retry):
            found = [one for one in found if one.seq <= event.keep_seq]
        else:
            found.append(record)
    return found


def role_of(records: Sequence[Record], message_id: str) -> str:
    starts = [r.event for r in effective(records) if r.type == "message_start"]
    found = [event.role for event in starts if isinstance(event, MessageStart) and event.message_id == message_id]
    return found[-1] if found else "assistant"


def spoken(
    records: Sequence[Record], *, after: int = 0, roles: frozenset[str] | None = None
) -> list[tuple[str, str, str]]:
    """Text and reasoning behind ``after``: kind, text, message. ``roles``: of those who speak."""
    found: list[tuple[str, str, str]] = []
    for record in records:
        event = record.event
        if record.seq <= after or not isinstance(event, Token | Reasoning):
            continue
        if roles is None or role_of(records[: record.seq], event.message_id) in roles:
            found.append(("text" if isinstance(event, Token) else "reasoning", event.text, event.message_id))
    return found


def without_ids(said: Sequence[tuple[str, str, str]]) -> list[tuple[str, str]]:
    return [(kind, text) for kind, text, _ in said]


def transcript_of(records: Sequence[Record]) -> Transcript:
    transcript = Transcript()
    for record in records:
        transcript.fold(record)
    return transcript


def ends(records: Sequence[Record]) -> str:
    end = records[-1].event
    assert isinstance(end, End)
    return end.status


# -- every codec ----------------------------------------------------------------------------------------


@given(records=logs, place=places, cuts=batches)
@few
def test_the_bytes_do_not_depend_on_how_records_come(records: list[Record], place: int, cuts: list[int]) -> None:
    for name in CODECS:
        body, after = body_of(name, records, place)
        at = sorted(cut % (len(records) - after + 1) for cut in cuts)
        codec, left = joined(name, records, place)
        pieces = [left[begin:end] for begin, end in zip([0, *at], [*at, len(left)], strict=True)]
        assert codec.open() + b"".join([codec.encode(piece) for piece in pieces]) == body
        codec, left = joined(name, records, place)
        beating = codec.open() + b"".join([codec.encode([record]) + codec.heartbeat() for record in left])
        if name == "plain-text":
            assert beating == body
        elif name == "ndjson":
            assert NdjsonDecoder().feed(beating) == NdjsonDecoder().feed(body)
        else:
            assert SseDecoder().feed(beating) == SseDecoder().feed(body)


# -- native and plain text ------------------------------------------------------------------------------


@given(records=logs, place=places)
@few
def test_native_streams_hold_each_record_as_the_log_does(records: list[Record], place: int) -> None:
    body, after = body_of("native", records, place)
    assert [(frame.id, frame.data.encode()) for frame in SseDecoder().feed(body)] == [
        (f"run-1:{record.seq}", record.data) for record in records[after:]
    ]
    body, after = body_of("ndjson", records, place)
    lines = [json.loads(line) for line in NdjsonDecoder().feed(body)]
    assert [(line["seq"], line["at"], line["event"]) for line in lines] == [
        (record.seq, record.at, json.loads(record.data)) for record in records[after:]
    ]


@given(records=logs, place=places)
@few
def test_plain_text_is_all_that_the_assistant_said_or_the_output(records: list[Record], place: int) -> None:
    body, after = body_of("plain-text", records, place)
    said = [text for kind, text, _ in spoken(records, roles=frozenset({"assistant"})) if kind == "text"]
    left = [text for kind, text, _ in spoken(records, after=after, roles=frozenset({"assistant"})) if kind == "text"]
    end = records[-1].event
    assert isinstance(end, End)
    if said or end.output is None:
        assert body.decode() == "".join(left)
    else:
        assert json.loads(body) == end.output


def test_plain_text_leaves_out_a_message_that_begins_again_as_somebody_elses() -> None:
    begun: list[AnyEvent] = [Start("run-1", "agent", 1.0), MessageStart("m"), Token("m", "a"), Retry(2, "lost", 1)]
    again: list[AnyEvent] = [MessageStart("m", "user"), Token("m", "b"), End("completed")]
    assert PlainText().encode(records_of([*begun, *again])) == b"a"


# -- shapes ---------------------------------------------------------------------------------------------


def one_line_end(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def frames_of(shape: Shape, records: Sequence[Record], place: int, *, ids: bool) -> tuple[list[Frame], int]:
    body, after = body_of(shape if ids else f"{shape}-without-ids", records, place)
    frames = list(SseDecoder().feed(body))
    if ids:
        assert frames[-1].id == f"run-1:{len(records)}"
    else:
        *blocks, rest = body.decode().split("\n\n")
        assert not rest
        assert len(blocks) == len(frames)
        assert all(line.startswith(("data: ", "event: ")) for block in blocks for line in block.split("\n"))
        if shape != "text":
            assert len(body.decode().splitlines()) == body.count(b"\n")
    return frames, after


def failure_of(records: Sequence[Record]) -> Error | None:
    return next((record.event for record in records if isinstance(record.event, Error)), None)


@given(records=logs, place=places, ids=st.booleans())
@few
def test_the_flag_shapes_hold_each_token_and_then_say_how_it_ended(
    records: list[Record], place: int, ids: bool
) -> None:
    error = failure_of(records)
    failed = [] if error is None else [{"error": error.message}]
    for shape in ("token", "delta"):
        frames, after = frames_of(shape, records, place, ids=ids)
        tokens = [text for kind, text, _ in spoken(records, after=after) if kind == "text"]
        assert [json.loads(frame.data) for frame in frames] == [
            *({shape: text} for text in tokens),
            *failed,
            {"done": True},
        ]


@given(records=logs, place=places, ids=st.booleans())
@few
def test_bare_text_is_the_tokens_and_nothing_in_them_is_taken_for_the_end(
    records: list[Record], place: int, ids: bool
) -> None:
    frames, after = frames_of("text", records, place, ids=ids)
    *said, done = [frame.data for frame in frames if frame.event == "message"]
    assert done == "[DONE]"
    assert not [text for text in said if "[DONE]" in text]
    whole, before = ("".join(t for k, t, _ in spoken(some) if k == "text") for some in (records, records[:after]))
    assert "".join(said) == one_line_end(whole)[len(one_line_end(before)) :]
    error = failure_of(records)
    told = [] if error is None else [one_line_end(error.message)]
    assert [frame.data for frame in frames if frame.event == "error_event"] == told


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else encode_json(value)


def encode_json(value: Any) -> str:
    return encode(Data("", value)).decode().removeprefix('{"type":"data","name":"","value":').removesuffix("}")


def items_of(records: Sequence[Record], after: int) -> Iterator[tuple[str, Any]]:
    """What ``typed`` and ``named`` say."""
    error = failure_of(records)
    for record in records[after:]:
        match record.event:
            case Token() as token:
                yield "token", token.text
            case ToolCall() as call:
                yield "agent_action", {"tool": call.name, "input": call.args}
                yield "tool_start", call.name
            case ToolEnd() as ended:
                yield "tool_end", ended.result if ended.error is None else ended.error
            case End() as end if end.status != "failed":
                yield "complete", end.status
            case End():
                yield "error", error.message if error else "The run failed."
            case _:
                pass


@given(records=logs, place=places, ids=st.booleans())
@few
def test_typed_and_named_say_each_thing_once_and_in_order(records: list[Record], place: int, ids: bool) -> None:
    for shape in ("typed", "named"):
        frames, after = frames_of(shape, records, place, ids=ids)
        said = [json.loads(frame.data) for frame in frames]
        begun = [] if after else [("start", "run-1")]
        told = [(item["type"], item["content"]) for item in said]
        wanted = [*begun, *items_of(records, after)]
        assert [kind for kind, _ in told] == [kind for kind, _ in wanted]
        for (_, content), (_, value) in zip(told, wanted, strict=True):
            assert isinstance(content, str)
            assert content == value if isinstance(value, str) else json.loads(content) == value
        if shape == "named":
            names = {"error": "error_event", "token": "ai_event", "start": "ai_event", "complete": "ai_event"}
            assert [frame.event for frame in frames] == [names.get(kind, "tool_event") for kind, _ in told]


# -- AI SDK ---------------------------------------------------------------------------------------------

REASONS = {None: "stop", "stop": "stop", "end_turn": "stop", "tool_calls": "tool-calls", "x": "other"}
ASSISTANT = frozenset({"assistant"})


def read_ai_sdk(version: int, records: Sequence[Record], place: int = 0) -> tuple[AiSdkReader, list[Chunk], int]:
    body, after = body_of(f"ai-sdk-{version}", records, place)
    chunks = ai_sdk_chunks(body)
    reader = AiSdkReader(version)
    for chunk in chunks:
        reader.read(chunk)
    reader.finished(chunks)
    return reader, chunks, after


@pytest.mark.parametrize("version", [6, 7])
@given(records=logs, place=places)
@few
def test_a_ui_message_stream_is_legal_and_holds_what_was_said(version: int, records: list[Record], place: int) -> None:
    reader, chunks, after = read_ai_sdk(version, records, place)
    said = spoken(records, after=after, roles=ASSISTANT)
    kinds = [chunk["type"] for chunk in chunks]
    if "reset-step" in kinds:
        counts = spoken(effective(records), after=after, roles=ASSISTANT)
        here = without_ids(reader.said_in_step)
        assert here == without_ids(counts)[len(counts) - len(here) :]
        if kinds.count("start-step") == 1:
            assert len(here) == len(counts)
    else:
        assert without_ids(reader.said) == without_ids(said)
        owners = {(part, message) for (_, _, part), (_, _, message) in zip(reader.said, said, strict=True)}
        assert len(owners) == len({part for part, _ in owners}), "a part with the text of two messages"
    status = ends(records)
    assert reader.metadata["status"] == status
    assert kinds[-1] == ("abort" if status == "cancelled" else "finish")
    assert [chunk["errorText"] for chunk in chunks if chunk["type"] == "error"] == [
        error.message for error in [failure_of(records)] if error is not None
    ]


def accepted(value: Any) -> Any:
    """A value without what the AI SDK refuses to read."""
    if isinstance(value, list):
        return [accepted(item) for item in value]
    if isinstance(value, dict):
        return {
            name: accepted(item)
            for name, item in value.items()
            if name != "__proto__" and not (name == "constructor" and isinstance(item, dict) and "prototype" in item)
        }
    return value


def tool_is_shown(part: ToolPart, shown: dict[str, Any], status: str) -> None:
    state = shown["state"]
    if part.status == "done":
        assert (state, shown["output"]) == ("output-available", accepted(part.result))
    elif part.status == "failed":
        assert (state, shown["errorText"]) == ("output-error", part.error)
    elif part.status == "running" and status in {"completed", "interrupted"}:
        assert state in {"input-available", "approval-requested"}
    else:
        assert (state, shown["errorText"]) == ("output-error", "The call was not completed.")
    if "input" in shown:
        assert shown["input"] == accepted(part.args)


def out_of_reach(version: int, records: list[Record]) -> set[str]:
    """The calls of which a retry voids something while an earlier step holds them: the protocol takes that not back."""
    codec, reader = AiSdkSse("run-1", version=version), AiSdkReader(version)
    found: set[str] = set()
    for record in records:
        event = record.event
        if isinstance(event, Retry):
            here = {part.get("toolCallId") for part in reader.step()}
            void = [one.event for one in effective(records[: record.seq - 1]) if one.seq > event.keep_seq]
            found |= {one.call_id for one in void if isinstance(one, ToolCall | ToolEnd)} - here
            if any(isinstance(one, Interrupt) for one in void):
                found |= {p["toolCallId"] for p in reader.parts if p.get("state") == "approval-requested"} - here
        for frame in SseDecoder().feed((codec.open() if record.seq == 1 else b"") + codec.encode([record])):
            if frame.data != "[DONE]":
                reader.read(json.loads(frame.data))
    return found


@pytest.mark.parametrize("version", [6, 7])
@given(records=logs)
@few
def test_a_ui_message_shows_the_tools_of_the_transcript(version: int, records: list[Record]) -> None:
    reader, _, _ = read_ai_sdk(version, records)
    exempt = out_of_reach(version, records)
    for message in transcript_of(records).messages:
        for part in message.parts:
            if isinstance(part, ToolPart) and part.call_id not in exempt:
                shown = [one for one in reader.parts if one.get("toolCallId") == part.call_id][-1]
                tool_is_shown(part, shown, ends(records))


@pytest.mark.parametrize("version", [6, 7])
@given(records=logs)
@few
def test_a_ui_message_has_the_usage_the_data_and_the_end_of_the_transcript(version: int, records: list[Record]) -> None:
    reader, chunks, _ = read_ai_sdk(version, records)
    transcript = transcript_of(records)
    used = 0 if transcript.usage is None else transcript.usage.total_tokens
    assert reader.metadata.get("usage", {"totalTokens": 0})["totalTokens"] == used
    if ends(records) == "completed":
        reasons = [r.event.finish_reason for r in effective(records) if isinstance(r.event, MessageEnd)]
        assert chunks[-1]["finishReason"] == REASONS[reasons[-1] if reasons else None]
    sent = [event for record in records if isinstance(event := record.event, Data) and event.transient]
    fired = [one["data"] for one in reader.fired if one.get("transient") and one["type"] != "data-retry"]
    assert fired == [accepted(event.value) for event in sent]
    waiting = {one["id"] for one in reader.parts if one["type"] == "data-interrupt" and not one["data"]["answered"]}
    approved = {chunk["approvalId"].rpartition(":")[0] for chunk in chunks if chunk["type"] == "tool-approval-request"}
    assert waiting <= {one.interrupt_id for one in transcript.interrupts} <= waiting | approved
    if not any(record.type == "retry" for record in records):
        approvals = [chunk["approvalId"] for chunk in chunks if chunk["type"] == "tool-approval-request"]
        assert len(set(approvals)) == len(approvals)
        same = [(one["type"], one["data"]) for one in reader.parts if one["type"] in {"data-note", "data-\u2028"}]
        assert same == [(f"data-{one.name}", accepted(one.value)) for one in transcript.data]


def seen(part: dict[str, Any], model: dict[str, Any]) -> list[Any]:
    """What of a part the SDK and the rules have to agree about."""
    names = ["type", "text", "state", "toolCallId", "toolName", "output", "errorText", "url", "title", "id", "data"]
    if part["type"] == "reasoning":
        names.remove("id")  # which is the chunk's, and not everywhere kept
    if "input" in model:
        names.append("input")
    return [part.get(name) for name in names]


@pytest.mark.parametrize("version", [6, 7])
def test_the_sdk_itself_makes_of_a_stream_what_its_rules_say(version: int) -> None:
    bodies: list[bytes] = []

    @settings(few, max_examples=100)
    @given(records=logs, place=places)
    def write(records: list[Record], place: int) -> None:
        bodies.append(body_of(f"ai-sdk-{version}", records, place)[0])

    write()
    for body, found in zip(bodies, read(bodies, version), strict=True):
        reader = AiSdkReader(version)
        chunks = ai_sdk_chunks(body)
        for chunk in chunks:
            reader.read(chunk)
        assert [chunk["type"] for chunk in found["chunks"]] == [chunk["type"] for chunk in chunks]
        parts = found["message"]["parts"]
        assert [seen(part, model) for part, model in zip(parts, reader.parts, strict=True)] == [
            seen(model, model) for model in reader.parts
        ]


# -- AG-UI ----------------------------------------------------------------------------------------------

ROLES = frozenset({"assistant", "user", "system"})
CONTENT = {"TEXT_MESSAGE_CONTENT": "text", "REASONING_MESSAGE_CONTENT": "reasoning"}


@given(records=logs, place=places)
@few
def test_ag_ui_events_are_legal_and_hold_what_was_said(records: list[Record], place: int) -> None:
    body, after = body_of("ag-ui", records, place)
    events = ag_ui_events(body)
    told = [(CONTENT[event["type"]], event["delta"]) for event in events if event["type"] in CONTENT]
    for kind, roles in (("reasoning", None), ("text", ROLES)):
        said = [one for one in without_ids(spoken(records, after=after, roles=roles)) if one[0] == kind]
        assert [one for one in told if one[0] == kind] == said
    failed = ends(records) == "failed" or (ends(records) == "interrupted" and not transcript_of(records).interrupts)
    assert events[-1]["type"] == ("RUN_ERROR" if failed else "RUN_FINISHED")


def read_ag_ui(bodies: Sequence[bytes]) -> list[dict[str, Any]]:
    """What AG-UI's own client makes of streams."""
    reader = Path(__file__).with_name("read_ag_ui.mjs")
    asked = json.dumps([base64.b64encode(body).decode() for body in bodies])
    done = subprocess.run([program(), reader], input=asked, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def same_json(text: str, value: Any) -> bool:
    return text == value if isinstance(value, str) else json.loads(text) == value


def test_the_client_of_ag_ui_shows_what_the_transcript_holds() -> None:
    sample: list[list[Record]] = []

    @settings(few, max_examples=100)
    @given(records=logs)
    def write(records: list[Record]) -> None:
        sample.append(records)

    write()
    for records, found in zip(sample, read_ag_ui([body_of("ag-ui", one)[0] for one in sample]), strict=True):
        error, transcript = failure_of(records), transcript_of(records)
        assert (found["refused"], found["warnings"]) == (None, [])
        assert found["runError"] == (error.message if error else None)
        mine = [message for message in transcript.messages if not message.id.startswith("run-1-input")]
        shown = found["messages"]
        assert Counter(
            (one["role"], one["content"]) for one in shown if one["role"] in ROLES and one.get("content")
        ) == (Counter((message.role, message.text) for message in mine if message.role in ROLES and message.text))
        calls = {call["id"]: call["function"] for one in shown for call in one.get("toolCalls") or ()}
        results = {one["toolCallId"]: one["content"] for one in shown if one["role"] == "tool"}
        parts = {part.call_id: part for message in mine for part in message.parts if isinstance(part, ToolPart)}
        assert calls.keys() == parts.keys()
        for call_id, part in parts.items():
            told = calls[call_id]["arguments"]
            assert told == part.args_text or json.loads(told) == part.args
            assert (call_id in results) == (part.status in {"done", "failed"})
            if call_id in results:
                assert same_json(results[call_id], part.result if part.error is None else part.error)
        states = [record.event for record in effective(records) if record.type == "state"]
        assert found["state"] == (transcript.state if states else {})
