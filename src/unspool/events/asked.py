"""What the user said, as far as the input of a run shows it: ``spec/PROTOCOL.md``, TRN-4 and TRN-5."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from unspool.events.messages import FilePart, Message, Part, TextPart


def asked_messages(run_id: str, asked: object) -> list[Message]:
    """The messages that an input shows: text, or the messages of a chat, of text or of content blocks."""
    if isinstance(asked, str):
        return [_asked(run_id, 0, "user", [TextPart(text=asked)])]
    found: list[Message] = []
    for index, item in enumerate(_list(_members(asked).get("messages"))):
        fields = _members(item)
        role = fields.get("role") or _ROLES.get(str(fields.get("type")))
        parts = _parts(fields.get("content"))
        if isinstance(role, str) and parts:
            found.append(_asked(run_id, index, _ROLES.get(role, role), parts))
    return found


def _asked(run_id: str, index: int, role: str, parts: list[Part]) -> Message:
    return Message(id=f"{run_id}-input-{index}", role=role, parts=parts, complete=True)


def _parts(content: object) -> list[Part]:
    if isinstance(content, str):
        return [TextPart(text=content)]
    parts = [_part(_members(block)) for block in _list(content)]
    return [part for part in parts if part is not None]


def _part(block: Mapping[str, object]) -> Part | None:
    """What a content block shows. None: it is not one of those that we know."""
    kind = _text(block.get("type"))
    text = _text(block.get("text"))
    if kind == "text":
        return None if text is None else TextPart(text=text)
    if kind == "image_url":
        url = _text(_members(block.get("image_url")).get("url"))
        return None if url is None else FilePart(media_type=_media_type_of(url), url=url)
    if kind not in _ANY_TYPE:
        return None
    data, url = _text(block.get("base64")), _text(block.get("url"))
    if data is None and url is None:
        return None
    return FilePart(
        media_type=_text(block.get("mime_type")) or _ANY_TYPE[kind],
        url=url,
        data=data,
        name=_text(block.get("name")) or _text(_members(block.get("extras")).get("name")),
    )


def _media_type_of(url: str) -> str:
    found = re.match(r"data:([^;,]+)[;,]", url)
    return found[1] if found else _ANY_TYPE["image"]


def _members(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}
_ANY_TYPE = {"image": "image/*", "audio": "audio/*", "video": "video/*", "file": "application/octet-stream"}
"""The content blocks that are files, and what stands for their media type where they name none."""
