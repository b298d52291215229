"""What the parts of Pydantic AI's messages are in our events. Imports nothing of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from pydantic_core import to_jsonable_python

from unspool.events import File, Usage, plain
from unspool.sources.approvals import REJECTED
from unspool.sources.base import TOOL_FAILED
from unspool.sources.conversation import NOT_COMPLETED

RETRIED = "The call was not accepted. The model was told why."
"""What a client is told of a call that the model is asked to make again: its arguments, its name or its output."""

ERRORS: Mapping[str, str] = {
    "failed": TOOL_FAILED,
    "retried": RETRIED,
    "denied": REJECTED,
    "interrupted": NOT_COMPLETED,
}
"""By the ``outcome`` of a tool's return. Its own text was written for the model."""


def arguments(part: Any) -> Any:
    """The arguments as JSON; the text itself where the model did not write JSON."""
    if not isinstance(part.args, str):
        return as_json(part.args or {})
    try:
        return msgspec.json.decode(part.args) if part.args else {}
    except (msgspec.DecodeError, RecursionError):
        return part.args


def as_json(value: object) -> Any:
    """A value of the program as plain JSON, as pydantic writes it."""
    return plain(to_jsonable_python(value, fallback=plain))


def result_of(part: Any) -> Any:
    """What a tool returned, without its files, which are events of their own."""
    files = part.files
    if not files:
        return as_json(part.content)
    data = [as_json(item) for item in part.content_items() if not any(item is file for file in files)]
    return data[0] if len(data) == 1 else data or None


def file_events(files: Sequence[Any], message_id: str | None = None) -> Iterator[File]:
    """Files that a client can have; those that were uploaded to a provider are there alone."""
    for file in files:
        url = getattr(file, "url", None)
        data = None if url else getattr(file, "base64", None)
        if url or data:
            yield File(file.media_type, message_id, url, data)


def finish_reason(response: Any) -> str | None:
    """Why a response ended, as Chat Completions calls it: the words of other providers differ for the same."""
    if (response.provider_details or {}).get("refusal"):
        return "refusal"
    return "tool_calls" if response.finish_reason == "tool_call" else response.finish_reason


def usage_of(response: Any) -> Usage:
    """What a response took."""
    used = response.usage
    return Usage(
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        total_tokens=used.total_tokens,
        reasoning_tokens=used.output_reasoning_tokens,
        cached_tokens=used.cache_read_tokens,
        model=response.model_name,
    )
