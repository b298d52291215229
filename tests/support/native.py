"""Reading the native protocol in tests, with our decoder and nothing else of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

from unspool.wire import SseDecoder


def events_of(body: bytes) -> list[dict[str, Any]]:
    """The events of a whole SSE body."""
    return [msgspec.json.decode(frame.data) for frame in SseDecoder().feed(body)]


def ids_of(body: bytes) -> list[str]:
    """The ids of a whole SSE body."""
    return [frame.id for frame in SseDecoder().feed(body)]


def text_of(events: list[dict[str, Any]]) -> str:
    """The text that was streamed."""
    return "".join(event["text"] for event in events if event["type"] == "token")


async def stream(url: str, body: Mapping[str, Any], **headers: str) -> httpx.Response:
    """POST {url}/stream, read to the end."""
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.post(f"{url}/stream", json=dict(body), headers=headers)
