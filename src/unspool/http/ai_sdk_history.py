"""What was said in a chat of the AI SDK, for a page that opens it: the questions, and the answers as chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, Literal, cast

import msgspec

from unspool.errors import CursorExpired
from unspool.eventlog import EventLog, Run
from unspool.events import End, EndStatus, FilePart, Part, Record, TextPart, asked_messages, encode
from unspool.http.ai_sdk_chats import Chat, Turn
from unspool.runs import RunRequest, read_all
from unspool.wire.ai_sdk import AiSdkSse, Earlier

Role = Literal["system", "user", "assistant"]
_ROLES: Mapping[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}


class PastApproval(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What the user said of a tool call, as no chunk of version 6 tells it. ``id``: of the approval."""

    tool_call_id: str
    id: str
    approved: bool
    reason: str | None = None


class PastMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message of a chat.

    Attributes:
        id: Of an answer: that of its run. It stays the same, as those of other messages do.
        parts: Of a message that was sent with a question, as the AI SDK has them.
        chunks: Of an answer: its UI message stream. Neighbouring deltas are one.
        approvals: Of an answer: for its tool parts.
    """

    id: str
    role: Role
    parts: list[dict[str, Any]] = []
    chunks: list[msgspec.Raw] = []
    approvals: list[PastApproval] = []


class ChatView(msgspec.Struct, frozen=True, kw_only=True):
    """A chat without what was replaced: its newest 200 runs.

    Attributes:
        messages: Oldest first. Without the last answer, if it goes on: `stream` tells that from its beginning.
        running: The run that goes on, for the `run_id` of `stream`. Null: there is none.
    """

    messages: list[PastMessage]
    running: str | None


async def history(log: EventLog, chat: Chat, *, version: int) -> ChatView:
    """What was said in a chat, for a version of the AI SDK."""
    running = chat.newest if chat.newest is not None and not chat.newest.ended else None
    messages: list[PastMessage] = []
    for turn in chat.turns:
        messages.extend(_questions(turn.runs[0]))
        # One in the middle goes on where it is: a client looks for it by its id.
        if turn is not chat.turns[-1] or running not in turn.runs:
            messages.append(await _answer(log, turn, version))
    return ChatView(messages=messages, running=None if running is None else running.id)


def _questions(run: Run) -> list[PastMessage]:
    asked = asked_messages(run.id, RunRequest.decoded(run.request).input)
    return [
        PastMessage(id=message.id, role=_ROLES[message.role], parts=[_part(part) for part in message.parts])
        for message in asked
        if message.role in _ROLES
    ]


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, FilePart):
        named = {} if part.name is None else {"filename": part.name}
        url = part.url or f"data:{part.media_type};base64,{part.data or ''}"
        return {"type": "file", "mediaType": part.media_type, "url": url, **named}
    return {"type": "text", "text": part.text if isinstance(part, TextPart) else ""}


async def _answer(log: EventLog, turn: Turn, version: int) -> PastMessage:
    said = [await _kept(log, run) for run in turn.runs]
    answers = [RunRequest.decoded(run.request).answer or {} for run in turn.runs[1:]]
    earlier = [Earlier(records, answer) for records, answer in zip(said[:-1], answers, strict=True)]
    codec = AiSdkSse(turn.runs[-1].id, version=version, message_id=turn.id, earlier=earlier, replay=True)
    chunks = _chunks(codec.open() + codec.encode(said[-1]))
    approvals = [
        PastApproval(tool_call_id=one.call_id, id=one.id, approved=one.approved, reason=one.reason)
        for one in codec.responses
    ]
    return PastMessage(id=turn.id, role="assistant", chunks=chunks, approvals=approvals)


async def _kept(log: EventLog, run: Run) -> Sequence[Record]:
    """The records of a run. Where retention took them: how it ended, as its message has to keep its place."""
    with suppress(CursorExpired):
        return await read_all(log, run.id)
    return [Record(1, run.created_at, encode(End(cast("EndStatus", run.status))))]


class _Chunk(msgspec.Struct):
    """What it takes to see that one chunk goes on with the text of the one before."""

    type: str
    id: str = ""
    delta: str = ""


def _chunks(stream: bytes) -> list[msgspec.Raw]:
    """The chunks of a UI message stream. A client copies the message with each, so that fewer are better."""
    frames = [frame.removeprefix(b"data: ") for frame in stream.split(b"\n\n")]
    found: list[msgspec.Raw] = []
    for continued, group in groupby(filter(_is_chunk, frames), key=_continued):
        if continued is None:
            found.extend(msgspec.Raw(data) for data in group)
            continue
        text = "".join([msgspec.json.decode(data, type=_Chunk).delta for data in group])
        kind, part = continued
        found.append(msgspec.Raw(msgspec.json.encode({"type": kind, "id": part, "delta": text})))
    return found


def _is_chunk(data: bytes) -> bool:
    return data not in {b"", b"[DONE]"}


def _continued(data: bytes) -> tuple[str, str] | None:
    if not data.startswith((b'{"type":"text-delta"', b'{"type":"reasoning-delta"')):
        return None
    chunk = msgspec.json.decode(data, type=_Chunk)
    return chunk.type, chunk.id
