"""What an AG-UI agent is sent: the thread as its messages, and the answers to what it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from unspool.events import FilePart, Interrupt, Message, TextPart, ToolPart
from unspool.sources.approvals import Action, decisions
from unspool.sources.conversation import arguments_text, result_text

_KINDS = frozenset({"image", "audio", "video"})


def agui_messages(messages: Sequence[Message], *, waiting: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    """A conversation as AG-UI messages.

    Args:
        messages: Oldest first. Of two tool calls with one id, the later one has the result: a run that waited for a
            person, and the run that went on, both hold the call.
        waiting: The tool calls that are answered by ``resume``, and so have no result yet.
    """
    last = {part.call_id: part for message in messages for part in message.parts if isinstance(part, ToolPart)}
    told: set[str] = set()
    found: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "assistant":
            found.extend(_assistant(message, last, told, waiting))
        else:
            content = _content(message) if message.role == "user" else message.text
            found.append({"id": message.id, "role": message.role, "content": content})
    return found


def _assistant(
    message: Message, last: Mapping[str, ToolPart], told: set[str], waiting: frozenset[str]
) -> Iterator[dict[str, Any]]:
    calls = [part for part in message.parts if isinstance(part, ToolPart) and part.call_id not in told]
    told.update(part.call_id for part in calls)
    sent: dict[str, Any] = {"id": message.id, "role": "assistant"}
    if message.text:
        sent["content"] = message.text
    if calls:
        sent["toolCalls"] = [
            {"id": part.call_id, "type": "function", "function": {"name": part.name, "arguments": arguments_text(part)}}
            for part in calls
        ]
    if len(sent) > 2:
        yield sent
    for part in calls:
        answer = last[part.call_id]
        if part.call_id not in waiting:
            text = result_text(answer)
            failed = {} if answer.error is None else {"error": answer.error}
            yield {
                "id": f"{part.call_id}-result",
                "role": "tool",
                "toolCallId": part.call_id,
                "content": text,
                **failed,
            }


def _content(message: Message) -> str | list[dict[str, Any]]:
    if all(isinstance(part, TextPart) for part in message.parts):
        return message.text
    found: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, TextPart):
            found.append({"type": "text", "text": part.text})
        elif isinstance(part, FilePart):
            kind = part.media_type.partition("/")[0]
            found.append({"type": kind if kind in _KINDS else "document", "source": _source(part)})
    return found


def _source(part: FilePart) -> dict[str, Any]:
    if part.data is not None:
        return {"type": "data", "value": part.data, "mimeType": part.media_type}
    url = part.url or ""
    head, comma, data = url.partition(";base64,")
    if comma and head.startswith("data:"):
        return {"type": "data", "value": data, "mimeType": head.removeprefix("data:")}
    # A wildcard is what stands for a type that nobody named.
    return {"type": "url", "value": url, **({} if "*" in part.media_type else {"mimeType": part.media_type})}


def resume_entries(interrupts: Sequence[Interrupt], answers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The answers to an interrupted run's questions, as AG-UI's ``resume``.

    Raises:
        InvalidInput: The answer to the approval of a tool call is no decision.
    """
    return [
        {"interruptId": each.interrupt_id, "status": "resolved", "payload": _payload(each, answers[each.interrupt_id])}
        for each in interrupts
    ]


def _payload(interrupt: Interrupt, answer: Any) -> Any:
    value: Any = interrupt.value
    if not (isinstance(value, Mapping) and "action_requests" in value):
        return answer
    asked = cast("Mapping[str, Any]", value)
    action = Action(asked["action_requests"][0]["name"], asked["action_requests"][0]["args"])
    decided = decisions(answer, [action], allowed=asked["review_configs"][0]["allowed_decisions"])[0]
    match decided.type:
        case "approve":
            return {"approved": True}
        case "edit":
            return {"approved": True, "editedArgs": decided.args}
        case "reject":
            return {"approved": False, **({"reason": decided.message} if decided.message else {})}
