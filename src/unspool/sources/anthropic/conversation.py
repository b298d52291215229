"""A thread in the form of Anthropic's Messages API; anthropic 2.12."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from unspool.errors import InvalidInput
from unspool.events import FilePart, Message, Part, TextPart, ToolPart
from unspool.sources.base import Call
from unspool.sources.conversation import asked, result_text, said
from unspool.sources.openai.responses_items import field

Block = dict[str, Any]


def client_tools(tools: Iterable[Any] | None) -> frozenset[str]:
    """The names of the tools that Anthropic does not run itself: its own have a type of their own."""
    return frozenset(field(tool, "name") for tool in tools or () if field(tool, "type") in {None, "custom"})


async def request_messages(call: Call, system: Any, *, tools: frozenset[str], accept_system: bool) -> dict[str, Any]:
    """``messages`` and ``system`` of the request that answers ``call``.

    Calls of tools that the model is not given now are left out, and so are files of earlier runs that the API has no
    form for.

    Raises:
        InvalidInput: The input is not a chat, or has a file that the API has no form for.
    """
    past = said(await call.history())
    new = asked(call, system=accept_system)
    more = [_text(message.text) for message in new if message.role == "system"]
    last = {part.call_id: part for message in (*past, *new) for part in message.parts if isinstance(part, ToolPart)}
    messages: list[dict[str, Any]] = []
    for message in past:
        messages.extend(_messages(message, tools, last, is_new=False))
    for message in new:
        if message.role != "system":
            messages.extend(_messages(message, tools, last, is_new=True))
    if not more:
        return {"messages": messages} if system is None else {"messages": messages, "system": system}
    given: list[Any] = [_text(system)] if isinstance(system, str) else list(system or ())
    return {"messages": messages, "system": [*given, *more]}


def _messages(
    message: Message, tools: frozenset[str], last: Mapping[str, ToolPart], *, is_new: bool
) -> Iterator[dict[str, Any]]:
    if message.role != "assistant":
        content = list(_content(message.parts, is_new=is_new))
        if content:
            yield {"role": "user", "content": content}
        return
    uses: list[Block] = []
    results: list[Block] = []
    for part in message.parts:
        if isinstance(part, ToolPart):
            # A run that waited for a person, and the one that went on, both hold the call: the later one counts.
            if part.name in tools and last[part.call_id] is part and isinstance(part.args, dict):
                uses.append({"type": "tool_use", "id": part.call_id, "name": part.name, "input": part.args})
                results.append(_result(part))
        elif isinstance(part, TextPart) and part.text.strip():
            if results:  # what is said later comes behind what the calls gave
                yield from _exchange(uses, results)
                uses, results = [], []
            uses.append(_text(part.text))
    yield from _exchange(uses, results)


def _exchange(uses: Sequence[Block], results: Sequence[Block]) -> Iterator[dict[str, Any]]:
    if uses:
        yield {"role": "assistant", "content": uses}
    if results:
        yield {"role": "user", "content": results}


def _result(part: ToolPart) -> Block:
    found: Block = {"type": "tool_result", "tool_use_id": part.call_id, "content": result_text(part)}
    return found if part.error is None else {**found, "is_error": True}


def _content(parts: Sequence[Part], *, is_new: bool) -> Iterator[Block]:
    for part in parts:
        if isinstance(part, TextPart) and part.text.strip():
            yield _text(part.text)
        elif isinstance(part, FilePart):
            block = _file(part)
            if block is not None:
                yield block
            elif is_new:
                raise InvalidInput(
                    f"a file of the input is of the type {part.media_type!r}; this model takes images, PDF, and text "
                    "that is sent along"
                )


def _file(part: FilePart) -> Block | None:
    kind = part.media_type.partition(";")[0].strip().lower()
    data = _data(part)
    source = {"type": "url", "url": part.url} if data is None else {"type": "base64", "media_type": kind, "data": data}
    title = {} if part.name is None else {"title": part.name}
    if kind.startswith("image/"):
        return {"type": "image", "source": source}
    if kind == "application/pdf":
        return {"type": "document", "source": source, **title}
    text = _decoded(data) if kind.startswith("text/") and data is not None else None
    if text is None:
        return None
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}, **title}


def _data(part: FilePart) -> str | None:
    """The base64 of a file that is sent along, as such or in a ``data:`` URL."""
    head, found, data = (part.url or "").partition(";base64,")
    return data if part.data is None and found and head.startswith("data:") else part.data


def _decoded(data: str) -> str | None:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _text(text: str) -> Block:
    return {"type": "text", "text": text}
