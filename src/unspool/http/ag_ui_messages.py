"""AG-UI's messages as the input of a run: chat messages of text and content blocks, as our sources take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast, get_args

import msgspec

from unspool.errors import InvalidInput

Role = Literal["user", "assistant", "tool", "system", "developer", "reasoning", "activity"]

MESSAGE_SCHEMA: dict[str, Any] = {
    "properties": {"id": {"type": "string"}, "role": {"enum": list(get_args(Role))}},
    "required": ["id", "role"],
}
"""What each message must have."""

_KINDS = {"image": "image", "audio": "audio", "video": "video", "document": "file"}
_UNSENT = frozenset({"reasoning", "activity"})
"""Roles of what a client shows and a model is not told."""


class _Function(msgspec.Struct):
    name: str
    arguments: str


class _Call(msgspec.Struct):
    id: str
    function: _Function


class _Message(msgspec.Struct, rename="camel"):
    id: str
    role: Role
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None


def check_messages(messages: Sequence[Mapping[str, Any]]) -> None:
    """Look at what each message must have, whether it is new or goes back to the client alone.

    Raises:
        InvalidInput: Something is missing or of the wrong type; the message says what.
    """
    try:
        msgspec.convert(messages, list[_Message])
    except msgspec.ValidationError as exc:
        raise InvalidInput(f"`messages` is not valid: {exc}") from exc


def native_input(messages: Sequence[Mapping[str, Any]]) -> Any:
    """The input of a run that is asked ``messages``: a single message of plain text is that text.

    Raises:
        InvalidInput: There is none, or one cannot be told to a source.
    """
    told = [_message(message) for message in messages if message.get("role") not in _UNSENT]
    if not told:
        raise InvalidInput("`messages` has nothing that is new: it ends with an answer that the thread holds already")
    only = told[0]
    if len(told) == 1 and only["role"] == "user" and isinstance(only["content"], str):
        return only["content"]
    return {"messages": told}


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    role, content = message.get("role"), message.get("content")
    match role:
        case "user":
            return {"role": "user", "content": _content(content)}
        case "system" | "developer":
            return {"role": "system", "content": _content(content)}
        case "assistant":
            calls = {"tool_calls": message["toolCalls"]} if message.get("toolCalls") else {}
            return {"role": "assistant", "content": _content(content or ""), **calls}
        case _:
            if message.get("toolCallId") is None:
                raise InvalidInput("a message of the role `tool` needs its `toolCallId`")
            return {"role": "tool", "tool_call_id": message["toolCallId"], "content": _content(content)}


def _content(content: object) -> Any:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise InvalidInput("the content of a message must be text, or a list of parts")
    return [_part(cast("Any", part)) for part in cast("list[object]", content)]


def _part(part: Any) -> dict[str, Any]:
    fields = cast("Mapping[str, Any]", part if isinstance(part, Mapping) else {})
    if fields.get("type") == "text" and isinstance(fields.get("text"), str):
        return {"type": "text", "text": fields["text"]}
    kind = _KINDS.get(str(fields.get("type")))
    given = fields.get("source")
    source = cast("Mapping[str, Any]", given if isinstance(given, Mapping) else {})
    where = {"data": "base64", "url": "url"}.get(str(source.get("type")))
    if kind is None or where is None or not isinstance(source.get("value"), str):
        raise InvalidInput(
            "a part of a message must be text, or an image, audio, video or document with a source of type data or url"
        )
    named = {"mime_type": source["mimeType"]} if isinstance(source.get("mimeType"), str) else {}
    return {"type": kind, where: source["value"], **named}
