"""Single events as chunks of the AI SDK's UI message stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import msgspec

from unspool.events import Citation, Data, End, Error, File, Interrupt, Record, StepEnd, StepStart, Usage

_FINISH = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content-filter",
    "tool_calls": "tool-calls",
    "tool_use": "tool-calls",
}


def chunk(kind: str, **fields: Any) -> bytes:
    """One chunk as a server-sent event."""
    data = msgspec.json.encode({"type": kind, **fields})
    if b'"__proto__"' in data or b'"constructor"' in data:
        data = msgspec.json.encode(_accepted(msgspec.json.decode(data)))
    return b"data: %b\n\n" % data


def _accepted(value: Any) -> Any:
    """JSON without the members that the client takes for an attack, for which it drops the rest of the stream."""
    if isinstance(value, list):
        return [_accepted(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, Any]", value)
    return {name: _accepted(item) for name, item in members.items() if not _is_refused(name, item)}


def _is_refused(name: str, value: Any) -> bool:
    return name == "__proto__" or (name == "constructor" and isinstance(value, dict) and "prototype" in value)


def source(event: Citation, seq: int) -> bytes:
    """Where a part of the message comes from."""
    source_id = f"s{seq}"
    if event.url is not None:
        title = {} if event.title is None else {"title": event.title}
        return chunk("source-url", sourceId=source_id, url=event.url, **title)
    title = {"title": event.title or event.text or ""}
    return chunk("source-document", sourceId=source_id, mediaType="text/plain", **title)


def file(event: File) -> bytes:
    """A file, by its URL or as one."""
    url = event.url or f"data:{event.media_type};base64,{event.data or ''}"
    return chunk("file", url=url, mediaType=event.media_type)


def data(event: Data) -> bytes:
    """The source's own event."""
    named = {} if event.id is None else {"id": event.id}
    kept = {"transient": True} if event.transient else {}
    return chunk(f"data-{event.name}", data=event.value, **named, **kept)


def step(event: StepStart | StepEnd) -> bytes:
    """A step of the source. Its end takes the place of its start."""
    done = isinstance(event, StepEnd)
    return chunk("data-step", id=event.step_id, data={"name": event.name, "parentId": event.parent_id, "done": done})


def question(event: Interrupt, *, answered: bool = False) -> bytes:
    """What the run waits for. That it was answered takes the place of the question."""
    value = {"interruptId": event.interrupt_id, "value": event.value, "answered": answered}
    return chunk("data-interrupt", id=event.interrupt_id, data=value)


def is_transient(record: Record) -> bool:
    """Whether it is told once, and is no part of the message."""
    return record.type == "data" and isinstance(event := record.event, Data) and event.transient


def summed(usages: Iterable[Usage]) -> Usage:
    """The tokens of all model calls."""
    found = Usage()
    for usage in usages:
        found = Usage(
            found.input_tokens + usage.input_tokens,
            found.output_tokens + usage.output_tokens,
            found.total_tokens + usage.total_tokens,
            found.reasoning_tokens + usage.reasoning_tokens,
            found.cached_tokens + usage.cached_tokens,
        )
    return found


def usage(event: Usage) -> bytes:
    """Tokens, by the names that the AI SDK has for them."""
    tokens = {
        "inputTokens": event.input_tokens,
        "outputTokens": event.output_tokens,
        "totalTokens": event.total_tokens,
        "reasoningTokens": event.reasoning_tokens,
        "cachedInputTokens": event.cached_tokens,
    }
    return chunk("message-metadata", messageMetadata={"usage": tokens})


def finish_reason(reason: str | None) -> str:
    """A provider's reason as one of those that the AI SDK knows."""
    return "stop" if reason is None else _FINISH.get(reason, "other")


def ending(event: End, error: Error | None, reason: str) -> bytes:
    """How the run ended. The client reads no further than an error."""
    measured = {} if event.metrics is None else {"metrics": event.metrics}
    told = chunk("message-metadata", messageMetadata={"status": event.status, **measured})
    if event.status == "cancelled":
        return told + chunk("abort", reason="The run was cancelled.")
    if event.status == "failed":
        told += chunk("error", errorText="The run failed." if error is None else error.message)
        return told + chunk("finish", finishReason="error")
    return told + chunk("finish", finishReason=reason)
