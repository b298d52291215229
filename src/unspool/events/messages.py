"""What a transcript is made of: messages of parts, and steps."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class TextPart(msgspec.Struct, tag="text", kw_only=True, omit_defaults=True):
    """What was said, or (``kind`` reasoning) thought."""

    text: str
    kind: Literal["text", "reasoning"] = "text"


class ToolPart(msgspec.Struct, tag="tool", kw_only=True, omit_defaults=True):
    """A tool call. ``args_text`` is the model's own JSON so far; ``args`` is set once it is complete."""

    call_id: str
    name: str
    status: Literal["calling", "running", "done", "failed"] = "calling"
    args_text: str = ""
    args: Any = None
    result: Any = None
    error: str | None = None


class FilePart(msgspec.Struct, tag="file", kw_only=True, omit_defaults=True):
    """An image, a sound or a document."""

    media_type: str
    url: str | None = None
    data: str | None = None
    name: str | None = None


class CitationPart(msgspec.Struct, tag="citation", kw_only=True, omit_defaults=True):
    """Where a part of the text comes from."""

    url: str | None = None
    title: str | None = None
    text: str | None = None
    start: int | None = None
    end: int | None = None


Part = TextPart | ToolPart | FilePart | CitationPart


class Message(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What one side said. ``complete`` is False for one that was cut off, or is still coming."""

    id: str
    role: str
    parts: list[Part]
    name: str | None = None
    complete: bool = False
    finish_reason: str | None = None

    @property
    def text(self) -> str:
        """Its text parts, joined; without the reasoning."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart) and part.kind == "text")


class Step(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A graph node, a chain link or an agent."""

    id: str
    name: str
    parent_id: str | None = None
    done: bool = False
