"""Interrupts as AG-UI asks them, and its answers as ours. Pure.

A question about tool calls (``action_requests``, as LangChain's human-in-the-loop middleware writes it) becomes one
AG-UI interrupt per call, since that is what AG-UI's clients can show. Any other value goes whole into ``metadata``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import msgspec

from unspool.errors import InvalidInput
from unspool.events import Interrupt
from unspool.wire.ag_ui_tools import OpenCall

_CAN = (
    'the payload of an approval is {"approved": true}, with "editedArgs" if it allows that, or '
    '{"approved": false, "reason": …}'
)


class ResumeEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One answer of an AG-UI client."""

    interrupt_id: str
    status: Literal["resolved", "cancelled"]
    payload: Any = None


def agui_interrupts(interrupts: Sequence[Interrupt], calls: Sequence[OpenCall] = ()) -> list[dict[str, Any]]:
    """What a run waits for, for the ``outcome`` of RUN_FINISHED. ``calls``: those that have no result."""
    left = list(calls)
    found: list[dict[str, Any]] = []
    for interrupt in interrupts:
        actions = _actions(interrupt.value)
        if not actions:
            found.append(_question(interrupt))
        for interrupt_id, action in zip(_ids(interrupt, len(actions)), actions, strict=True):
            found.append(_approval(interrupt_id, action, _allowed(interrupt.value, action), left))
    return found


def native_answers(interrupts: Sequence[Interrupt], resume: Sequence[ResumeEntry]) -> dict[str, Any]:
    """The answers to ``interrupts``, by our own interrupt id, as the source takes them.

    Raises:
        InvalidInput: One is missing or unknown, or does not answer what was asked.
    """
    entries = {entry.interrupt_id: entry for entry in resume}
    answers: dict[str, Any] = {}
    for interrupt in interrupts:
        actions = _actions(interrupt.value)
        ids = _ids(interrupt, len(actions)) if actions else [interrupt.interrupt_id]
        missing = [interrupt_id for interrupt_id in ids if interrupt_id not in entries]
        if missing:
            raise InvalidInput(f"`resume` must answer these interrupts as well: {', '.join(missing)}")
        given = [entries.pop(interrupt_id) for interrupt_id in ids]
        if actions:
            decided = [_decision(entry, action) for entry, action in zip(given, actions, strict=True)]
            answers[interrupt.interrupt_id] = {"decisions": decided}
        else:
            answers[interrupt.interrupt_id] = given[0].payload
    if entries:
        raise InvalidInput(f"the thread does not wait for an answer to: {', '.join(sorted(entries))}")
    return answers


def _actions(value: object) -> list[Mapping[str, Any]]:
    """The tool calls that are asked about. Empty: the value asks for something else."""
    requests: object = (
        cast("Mapping[str, object]", value).get("action_requests") if isinstance(value, Mapping) else None
    )
    items = cast("list[object]", requests) if isinstance(requests, list) else []
    actions = [cast("Mapping[str, Any]", item) for item in items if isinstance(item, Mapping)]
    return actions if len(actions) == len(items) and all(isinstance(a.get("name"), str) for a in actions) else []


def _ids(interrupt: Interrupt, count: int) -> list[str]:
    own = interrupt.interrupt_id
    return [own] if count == 1 else [f"{own}:{index}" for index in range(count)]


def _allowed(value: Mapping[str, Any], action: Mapping[str, Any]) -> Sequence[str]:
    for config in value.get("review_configs") or ():
        if config.get("action_name") == action["name"]:
            return cast("Sequence[str]", config.get("allowed_decisions") or ())
    return ("approve", "reject")


def _approval(
    interrupt_id: str, action: Mapping[str, Any], allowed: Sequence[str], left: list[OpenCall]
) -> dict[str, Any]:
    schema: dict[str, Any] = {"approved": {"type": "boolean"}, "reason": {"type": "string"}}
    if "edit" in allowed:
        schema["editedArgs"] = {"type": "object"}
    found: dict[str, Any] = {
        "id": interrupt_id,
        "reason": "tool_call",
        "message": action.get("description") or f"May {action['name']} be called?",
        "responseSchema": {"type": "object", "properties": schema, "required": ["approved"]},
        "metadata": {"value": action},
    }
    call = next((call for call in left if call.name == action["name"] and call.args == action.get("args")), None)
    call = call or next((call for call in left if call.name == action["name"]), None)
    if call is not None:
        left.remove(call)
        found["toolCallId"] = call.call_id
    return found


def _question(interrupt: Interrupt) -> dict[str, Any]:
    found = {"id": interrupt.interrupt_id, "reason": "input_required", "metadata": {"value": interrupt.value}}
    return found | ({"message": interrupt.value} if isinstance(interrupt.value, str) else {})


def _decision(entry: ResumeEntry, action: Mapping[str, Any]) -> dict[str, Any]:
    if entry.status == "cancelled":
        return {"type": "reject"}
    payload: Any = {"approved": entry.payload} if isinstance(entry.payload, bool) else entry.payload
    fields = cast("Mapping[str, Any]", payload if isinstance(payload, Mapping) else {})
    match fields.get("approved"):
        case True if isinstance(fields.get("editedArgs"), Mapping):
            return {"type": "edit", "edited_action": {"name": action["name"], "args": fields["editedArgs"]}}
        case True:
            return {"type": "approve"}
        case False:
            reason: object = fields.get("reason")
            return {"type": "reject"} | ({"message": reason} if isinstance(reason, str) and reason else {})
        case _:
            raise InvalidInput(_CAN)
