"""Server-sent events as LangServe writes them."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import anyio
from fastapi import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from unspool.closing import opened
from unspool.langserve.serialization import one_line

logger = logging.getLogger("unspool")

BUFFER_BYTES = 64 * 1024
"""What may wait for the client before the runnable has to."""

PING_SECONDS = 15.0

GATHER_SECONDS = 0.002
"""How soon after a write the next one may be. What comes sooner is gathered."""

_END = b"event: end\r\n\r\n"


def event(name: str, value: Any) -> bytes:
    """An event other than data, in the JSON style that such events have."""
    return f"event: {name}\r\ndata: {json.dumps(value)}\r\n\r\n".encode()


def error_event(exc: Exception) -> bytes:
    """What a client is told of ``exc``: what an HTTPException says, and nothing of others."""
    if isinstance(exc, HTTPException):
        return event("error", {"status_code": exc.status_code, "message": exc.detail})
    return event("error", {"status_code": 500, "message": "Internal Server Error"})


class StreamResponse(Response):
    """Sends chunks as ``data`` events, then ``end``; an exception becomes an ``error`` event, and is logged.

    A client that leaves cancels what makes them. Chunks that come faster than the event loop turns go out
    together; one that comes alone goes out at once, also where the runnable blocks the loop between two.

    Args:
        chunks: What is sent. Not begun.
        dumps: Makes JSON of each.
        lead: Makes what goes before the first chunk; it begins when the runnable does.
    """

    def __init__(
        self,
        chunks: AsyncIterator[Any],
        dumps: Callable[[Any], bytes],
        *,
        lead: Callable[[], Awaitable[bytes]] | None,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.body = b""
        self._chunks = chunks
        self._dumps = dumps
        self._make_lead = lead
        self._lead = b""
        self._lead_made = anyio.Event()
        self._lead_failed: Exception | None = None
        self._buffer = bytearray()
        self._sending = False
        self._sent_at = 0.0
        self._changed = anyio.Event()
        self._room: anyio.Event | None = None
        self._done = False
        self.raw_headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"x-accel-buffering", b"no"),
            (b"connection", b"keep-alive"),
            (b"cache-control", b"no-store"),
        ]

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as tasks:

            async def leave_with_the_client() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(leave_with_the_client)
            if self._make_lead is not None:
                tasks.start_soon(self._prepare, self._make_lead)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            tasks.start_soon(self._produce, send)
            await self._send_what_waits(send)
            await send({"type": "http.response.body", "body": b""})
            tasks.cancel_scope.cancel()

    async def _prepare(self, make: Callable[[], Awaitable[bytes]]) -> None:
        try:
            self._lead = await make()
        except Exception as exc:  # noqa: BLE001 - the stream ends with it
            self._lead_failed = exc
        self._lead_made.set()

    async def _produce(self, send: Send) -> None:
        try:
            async with opened(self._chunks) as chunks:
                first = True
                async for chunk in chunks:
                    if first:
                        first = False
                        await self._put_lead()
                    data = one_line(self._dumps(chunk))
                    self._buffer += b"event: data\r\ndata: %b\r\n\r\n" % data
                    await self._pass_on(send)
            self._buffer += _END
        except Exception as exc:
            if not isinstance(exc, HTTPException):
                logger.exception("a runnable failed while it streamed")
            self._buffer += error_event(exc)
        self._done = True
        self._changed.set()

    async def _put_lead(self) -> None:
        if self._make_lead is not None:
            await self._lead_made.wait()
            if self._lead_failed is not None:
                raise self._lead_failed
            self._buffer += self._lead

    async def _pass_on(self, send: Send) -> None:
        if not self._sending and time.monotonic() - self._sent_at > GATHER_SECONDS:
            await self._flush(send)
            return
        self._changed.set()
        while len(self._buffer) > BUFFER_BYTES:
            if self._sending:
                self._room = anyio.Event()
                await self._room.wait()
            else:
                await self._flush(send)

    async def _flush(self, send: Send) -> None:
        data = bytes(self._buffer)
        self._buffer.clear()
        self._sending = True
        await send({"type": "http.response.body", "body": data, "more_body": True})
        self._sending = False
        self._sent_at = time.monotonic()
        if self._room is not None:
            self._room.set()

    async def _send_what_waits(self, send: Send) -> None:
        while not (self._done and not self._buffer):
            with anyio.move_on_after(PING_SECONDS):
                await self._changed.wait()
            self._changed = anyio.Event()
            if not self._buffer and not self._sending and time.monotonic() - self._sent_at >= PING_SECONDS:
                self._buffer += f": ping - {datetime.now(UTC)}\r\n\r\n".encode()
            early = GATHER_SECONDS - (time.monotonic() - self._sent_at)
            if early > 0 and not self._done:
                await anyio.sleep(early)
            if self._buffer and not self._sending:
                await self._flush(send)
