"""What a model is to be told: the thread so far, and what is asked now, in one neutral form.

For sources that have no memory of their own. Each turns these messages into the form of its provider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from unspool.errors import InvalidInput
from unspool.events import FilePart, Message, Part, TextPart, ToolPart, asked_messages
from unspool.sources.base import Call, Past, Schemas

NOT_COMPLETED = "The call was not completed."
"""What a model is told of a tool call that its run did not live to answer: providers refuse one without an answer."""

_CAN = 'an input must be text, or {"messages": [{"role": "user", "content": …}, …]}'


_TEXT_BLOCK = {
    "type": "object",
    "properties": {"type": {"const": "text"}, "text": {"type": "string", "minLength": 1}},
    "required": ["type", "text"],
}

_IMAGE_BLOCK = {
    "type": "object",
    "properties": {"type": {"const": "image"}, "url": {"type": "string"}},
    "required": ["type", "url"],
}

_CALL = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "function": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "arguments": {"type": ["object", "string"], "contentMediaType": "application/json"},
            },
            "required": ["name", "arguments"],
        },
    },
    "required": ["id", "function"],
}

_MESSAGE = {
    "type": "object",
    "properties": {
        "role": {"enum": ["user", "assistant"]},
        "content": {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "minItems": 1, "items": {"anyOf": [_TEXT_BLOCK, _IMAGE_BLOCK]}},
            ]
        },
        "tool_calls": {"type": "array", "items": _CALL},
    },
    "required": ["role", "content"],
}

CHAT_SCHEMAS = Schemas(
    input={
        "anyOf": [
            {"type": "string", "minLength": 1},
            {
                "type": "object",
                "properties": {"messages": {"type": "array", "items": _MESSAGE, "minItems": 1}},
                "required": ["messages"],
            },
        ]
    },
    config={"type": "object", "additionalProperties": False},
)
"""What all sources take whose input is a chat. They take more, which a schema cannot tell from what they refuse: other
files, as far as the model does; the answers of tools, to calls in messages before them; messages of LangChain's form.
"""


async def conversation(call: Call, *, system: bool = False) -> list[Message]:
    """The messages of the thread before this run, and those of its input; oldest first.

    Tool calls that were never answered say so, as :data:`NOT_COMPLETED`; those whose arguments were cut off are
    left out, and so is reasoning, which providers want back from the same turn alone.

    Args:
        call: What is asked. With a thread, its ``messages`` are what is new; without one, the whole conversation.
        system: Whether a client may send system messages. Those are usually the server's own.

    Raises:
        InvalidInput: The input is not a chat.
    """
    return [*said(await call.history()), *asked(call, system=system)]


def said(pasts: Sequence[Past]) -> list[Message]:
    """What was asked and answered in earlier runs, fit to be sent to a model."""
    settled = [_settled(message) for past in pasts for message in past.messages]
    return [message for message in settled if message.parts and message.role != "system"]


def asked(call: Call, *, system: bool = False) -> list[Message]:
    """The messages of the input of one run.

    Raises:
        InvalidInput: It is not a chat; the message says what would be.
    """
    value: object = call.input
    if isinstance(value, Mapping):
        value = cast("Mapping[str, object]", value).get("messages")
    if isinstance(value, str) and value:
        return asked_messages(call.run_id, value)
    if not isinstance(value, list) or not value:
        raise InvalidInput(_CAN)
    found: list[Message] = []
    for index, item in enumerate(cast("list[object]", value)):
        _add(found, f"{call.run_id}-input-{index}", item, system=system)
    return [_settled(message) for message in found]


def _add(found: list[Message], message_id: str, item: object, *, system: bool) -> None:
    if not isinstance(item, Mapping):
        raise InvalidInput(_CAN)
    fields = cast("Mapping[str, Any]", item)
    role = _ROLES.get(str(fields.get("role") or fields.get("type")))
    if role is None:
        raise InvalidInput(f"a message of the input needs a role, one of: {', '.join(sorted(_ROLES))}")
    if role == "system" and not system:
        raise InvalidInput("a client may not send system messages here; the server has its own instructions")
    if role == "tool":
        _answer(found, fields)
        return
    parts: list[Part] = [part for message in asked_messages("", {"messages": [fields]}) for part in message.parts]
    parts.extend(_calls(fields))
    if not parts:
        raise InvalidInput("a message of the input has no content that can be understood: text, or content blocks")
    found.append(Message(id=message_id, role=role, parts=parts, complete=True))


def _answer(found: Sequence[Message], fields: Mapping[str, Any]) -> None:
    """A tool's message: its content is the result of a call that an assistant's message before it made."""
    for message in reversed(found):
        for part in message.parts:
            if isinstance(part, ToolPart) and part.call_id == fields.get("tool_call_id"):
                part.status, part.result = "done", fields.get("content")
                return
    raise InvalidInput("a tool message of the input answers no tool call of a message before it")


def _calls(fields: Mapping[str, Any]) -> list[ToolPart]:
    """The tool calls of an assistant's message, as OpenAI and LangChain write them."""
    calls: object = fields.get("tool_calls")
    found: list[ToolPart] = []
    for call in cast("list[Any]", calls) if isinstance(calls, list) else []:
        function: Any = call.get("function", call) if isinstance(call, Mapping) else None
        fields = cast("Mapping[str, Any]", function) if isinstance(function, Mapping) else {}
        name: object = fields.get("name")
        if not isinstance(name, str) or not isinstance(cast("Any", call).get("id"), str):
            raise InvalidInput("a tool call of the input needs an id, and a function with a name and arguments")
        args: object = fields.get("arguments", fields.get("args", {}))
        text = args if isinstance(args, str) else msgspec.json.encode(args).decode()
        found.append(
            ToolPart(
                call_id=cast("Any", call)["id"],
                name=name,
                status="running",
                args_text=text,
                args=_parsed(text),
            )
        )
    return found


def _parsed(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as exc:
        raise InvalidInput("the arguments of a tool call of the input are not JSON") from exc


def _settled(message: Message) -> Message:
    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, ToolPart):
            if part.status == "running":
                parts.append(msgspec.structs.replace(part, status="failed", error=NOT_COMPLETED))
            elif part.status != "calling":
                parts.append(part)
        elif isinstance(part, FilePart) or (isinstance(part, TextPart) and part.kind == "text" and part.text):
            parts.append(part)
    return msgspec.structs.replace(message, parts=parts)


def result_text(part: ToolPart) -> str:
    """What a tool answered, as the text that a model is told."""
    if part.error is not None:
        return part.error
    return part.result if isinstance(part.result, str) else msgspec.json.encode(part.result).decode()


def arguments_text(part: ToolPart) -> str:
    """The arguments of a call as JSON text: the model's own, where they are known."""
    return part.args_text or msgspec.json.encode(part.args).decode()


_ROLES = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
}
