"""Single events as chunks of the AI SDK's UI message stream."""

from __future__ import annotations

from typing import Any

import msgspec

from unspool.events import Citation, Data, End, Error, File, Interrupt, StepEnd, StepStart, Usage

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
    return b"data: %b\n\n" % msgspec.json.encode({"type": kind, **fields})


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


def summed(before: Usage, event: Usage) -> Usage:
    """The tokens of two model calls."""
    return Usage(
        before.input_tokens + event.input_tokens,
        before.output_tokens + event.output_tokens,
        before.total_tokens + event.total_tokens,
        before.reasoning_tokens + event.reasoning_tokens,
        before.cached_tokens + event.cached_tokens,
    )


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
