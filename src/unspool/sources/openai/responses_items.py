"""The items of OpenAI's Responses API: what a tool's item says, and a conversation as input items.

Items come as the SDK's objects, or as anything else with the same attributes. Checked with openai 3.52.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec

from unspool.events import FilePart, Message, Part, TextPart, ToolPart, plain
from unspool.sources.conversation import arguments_text, result_text

NOT_TOOLS = frozenset(
    {
        "message",
        "reasoning",
        "compaction",
        "additional_tools",
        "mcp_approval_request",
        "mcp_approval_response",
    }
)
"""Items that are not the call of a tool, nor its output."""

_HOSTED: Mapping[str, tuple[Sequence[str], str | None]] = {
    "web_search_call": (("action",), None),
    "file_search_call": (("queries",), "results"),
    "code_interpreter_call": (("code", "container_id"), "outputs"),
    "image_generation_call": (("action", "size", "quality", "background", "output_format", "revised_prompt"), None),
    "mcp_list_tools": (("server_label",), "tools"),
}
"""The tools that the provider runs: which fields of the item are arguments, and which one is the result."""

_NO_ARGUMENTS = frozenset({"id", "type", "status", "call_id", "created_by", "caller", "error"})

HOSTED_NAMES = frozenset(kind.removesuffix("_call") for kind in _HOSTED)


def field(item: Any, name: str) -> Any:
    """A field of an item, or of a part of one; None if it is not there."""
    if isinstance(item, Mapping):
        return cast("Mapping[str, Any]", item).get(name)
    return getattr(item, name, None)


def dumped(item: Any) -> dict[str, Any]:
    """An item as the JSON that the provider sent."""
    dump = getattr(item, "model_dump", None)
    if dump is None:
        return cast("dict[str, Any]", plain(item))
    # Warnings are off, since the SDK does not validate what it reads: a newer item may not be as its class says.
    return cast("dict[str, Any]", dump(mode="json", exclude_unset=True, warnings=False))


def name_of(item: Any) -> str:
    """What a tool's item calls: a function, or the provider's own tool."""
    name: object = field(item, "name")
    return name if isinstance(name, str) and name else str(field(item, "type")).removesuffix("_call")


def arguments_of(item: Any) -> Any:
    """The arguments that a tool's item holds: JSON, or text if the model wrote no JSON."""
    kind = field(item, "type")
    if kind == "custom_tool_call":
        return field(item, "input")
    if kind in {"function_call", "mcp_call"}:
        return parsed(field(item, "arguments"))
    fields = dumped(item)
    if kind in _HOSTED:
        args = {name: fields[name] for name in _HOSTED[kind][0] if fields.get(name) is not None}
    else:
        args = {name: value for name, value in fields.items() if name not in _NO_ARGUMENTS}
    if kind == "web_search_call" and isinstance(args.get("action"), dict):
        args = {name: value for name, value in args["action"].items() if name != "sources"}
    return args


def result_of(item: Any) -> Any:
    """What the item of a tool that the provider ran says it gave."""
    match field(item, "type"):
        case "web_search_call":
            return plain(field(dumped(item).get("action"), "sources"))
        case "mcp_call":
            return field(item, "output")
        case "mcp_list_tools":
            # Not their schemas, which are many and are the business of the model alone.
            return [field(tool, "name") for tool in field(item, "tools") or ()]
        case kind if kind in _HOSTED and _HOSTED[kind][1] is not None:
            return dumped(item).get(cast("str", _HOSTED[kind][1]))
        case _:
            return None


def parsed(text: object) -> Any:
    """The JSON that a model wrote; the text itself if it is none."""
    if not isinstance(text, str):
        return plain(text)
    try:
        return msgspec.json.decode(text) if text else {}
    except msgspec.DecodeError:
        return text


def input_items(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """A conversation as input items of the Responses API.

    Tool calls become pairs of ``function_call`` and ``function_call_output``, those of the provider's own tools are
    left out, as are files that an assistant sent. Of two calls with the same id the later one counts: a run that
    waited for a person, and the run that went on, both hold it.
    """
    found = list(messages)
    last = {part.call_id: part for message in found for part in message.parts if isinstance(part, ToolPart)}
    items: list[dict[str, Any]] = []
    for message in found:
        if message.role == "assistant":
            items.extend(_answered(message, last))
        else:
            content = _content(message.parts)
            if content:
                items.append({"role": message.role, "content": content})
    return items


def _answered(message: Message, last: Mapping[str, ToolPart]) -> Iterable[dict[str, Any]]:
    outputs: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, ToolPart):
            # One without arguments was cut off while the model wrote them.
            if last[part.call_id] is part and part.name not in HOSTED_NAMES and part.args is not None:
                yield {
                    "type": "function_call",
                    "call_id": part.call_id,
                    "name": part.name,
                    "arguments": arguments_text(part),
                }
                outputs.append({"type": "function_call_output", "call_id": part.call_id, "output": result_text(part)})
        elif isinstance(part, TextPart) and part.kind == "text" and part.text:
            yield from outputs  # parallel calls stay together; what is said later comes behind what they gave
            outputs = []
            yield {"role": "assistant", "content": part.text}
    yield from outputs


def _content(parts: Sequence[Part]) -> str | list[dict[str, Any]]:
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    return [_block(part) for part in parts if isinstance(part, TextPart | FilePart)]


def _block(part: TextPart | FilePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "input_text", "text": part.text}
    url = part.url if part.data is None else f"data:{part.media_type};base64,{part.data}"
    if part.media_type.startswith("image/"):
        return {"type": "input_image", "image_url": url, "detail": "auto"}
    if part.data is None:
        return {"type": "input_file", "file_url": url}
    return {"type": "input_file", "file_data": url, "filename": part.name or "file"}
