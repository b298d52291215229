"""What the Responses API refuses as its ``input``, and which turn the conversation is at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unspool.testing.model_server import Refused
from unspool.testing.openai_rules import check_name

_ROLES = frozenset({"user", "assistant", "system", "developer"})
_MAX_CALL_ID = 64
_PARTS = {
    "assistant": frozenset({"output_text", "refusal"}),
    "user": frozenset({"input_text", "input_image", "input_file", "input_audio"}),
}
_PREFIXES = {"message": "msg", "function_call": "fc", "reasoning": "rs"}
_OF_CLIENT = frozenset({"mcp_approval_response", "computer_call_output", "local_shell_call_output", "item_reference"})


def check_input(items: Sequence[Any]) -> int:
    """Check the items of a conversation; return how many turns the model had since the user last spoke.

    Raises:
        Refused: The real API would refuse them.
    """
    calls: dict[str, bool] = {}
    turn, model_spoke = 0, False
    for index, item in enumerate(items):
        kind = _kind(item, index)
        match kind:
            case "user":
                turn, model_spoke = 0, False
                continue
            case "system":
                continue
            case "function_call":
                calls.setdefault(item["call_id"], False)
            case "function_call_output" | "custom_tool_call_output":
                if item.get("call_id") not in calls:
                    raise Refused(f"No tool call found for function call output with call_id {item.get('call_id')}.")
                calls[item["call_id"]] = True
            case _:
                pass
        of_model = not kind.endswith("_output") and kind not in _OF_CLIENT
        turn += of_model and not model_spoke
        model_spoke = of_model
    for call_id, answered in calls.items():
        if not answered:
            raise Refused(f"No tool output found for function call {call_id}.")
    return turn


def _kind(item: Any, index: int) -> str:
    """Who speaks: ``user``, ``system``, or the type of an item of the model or of a tool."""
    if not isinstance(item, dict):
        raise Refused(f"Invalid type for 'input[{index}]': expected an object.", code="invalid_type")
    kind: str = item.get("type") or "message"
    prefix = _PREFIXES.get(kind)
    if prefix and item.get("id") and not str(item["id"]).startswith(prefix):
        raise Refused(f"Invalid 'input[{index}].id': '{item['id']}'. Expected an ID that begins with '{prefix}'.")
    if kind == "message":
        return _message(item, index)
    if kind in {"function_call", "custom_tool_call"}:
        _call(item, index)
        return "function_call"
    if kind in {"function_call_output", "custom_tool_call_output"} and item.get("output") is None:
        raise Refused(f"Missing required parameter: 'input[{index}].output'.", code="missing_required_parameter")
    if kind == "reasoning" and not isinstance(item.get("summary"), list):
        raise Refused(f"Missing required parameter: 'input[{index}].summary'.", code="missing_required_parameter")
    return kind


def _message(item: Mapping[str, Any], index: int) -> str:
    role: object = item.get("role")
    if role not in _ROLES:
        raise Refused(f"Invalid value: {role!r} for 'input[{index}].role'.", code="invalid_value")
    content: object = item.get("content")
    if content is None:
        raise Refused(f"Missing required parameter: 'input[{index}].content'.", code="missing_required_parameter")
    side = "assistant" if role == "assistant" else "user"
    for part in content if isinstance(content, list) else []:
        if part.get("type") not in _PARTS[side]:
            raise Refused(
                f"Invalid value: '{part.get('type')}' for a content part of input[{index}]. "
                f"Supported values are: {sorted(_PARTS[side])}.",
                code="invalid_value",
            )
    return "system" if role in {"system", "developer"} else side


def _call(item: Mapping[str, Any], index: int) -> None:
    call_id: object = item.get("call_id")
    if not isinstance(call_id, str) or not 0 < len(call_id) <= _MAX_CALL_ID:
        raise Refused(f"Invalid 'input[{index}].call_id': a string of 1 to {_MAX_CALL_ID} characters is expected.")
    check_name(item.get("name"))
    if item["type"] == "function_call" and not isinstance(item.get("arguments"), str):
        raise Refused(f"Invalid type for 'input[{index}].arguments': expected a string.", code="invalid_type")
