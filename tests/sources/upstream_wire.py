"""Upstreams for tests: a real one, and one that sends the records it is given."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from typing_extensions import override

from tests.support.server import serve
from unspool import Call, RunOptions, add_routes
from unspool.events import (
    Data,
    MessageEnd,
    MessageStart,
    Retry,
    Start,
    Token,
    encode,
    from_dict,
)
from unspool.sources import Item, Output
from unspool.testing import ScriptedSource

SAID: list[Item] = [MessageStart("m"), Token("m", "a"), Token("m", "b"), MessageEnd("m", "stop"), Output({"n": 1})]


@asynccontextmanager
async def serving(source: Any, **options: Any) -> AsyncIterator[str]:
    app = FastAPI()
    add_routes(app, source, path="/agent", options=RunOptions(retry_wait=0.01, **options))
    async with serve(app) as url:
        yield f"{url}/agent"


class Plain(ScriptedSource):
    """Yields what it is given, and nothing around it."""

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        for item in self._items:
            yield cast("Item", item)


class Wire:
    """An upstream that sends the records it is given, and can be told to send more."""

    def __init__(self, *events: Any) -> None:
        self.frames = [b"id: %d\ndata: %b\n\n" % (seq, encode(event)) for seq, event in enumerate(events, 1)]
        self.asked: list[tuple[str, str, str | None]] = []
        self.cut: int | None = None
        """After how many frames the answer to the first request ends."""
        self.refusals: list[tuple[int, dict[str, Any]]] = []
        """Status and body of what the next requests for the rest are answered."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = FastAPI()

        async def answer(request: Request) -> Any:
            after = request.headers.get("last-event-id")
            self.asked.append((request.method, request.url.path, after))
            if after is not None and self.refusals:
                status, body = self.refusals.pop(0)
                return JSONResponse(body, status)
            sent = b"".join(self.frames[int(after or 0) : None if len(self.asked) > 1 else self.cut])
            return StreamingResponse(iter([sent]), media_type="text/event-stream")

        app.add_route("/{path:path}", answer, methods=["GET", "POST"])
        async with serve(app) as url:
            yield url


START = Start(run_id="u", source="s", created_at=0.0)
AGAIN = [
    START,
    MessageStart("m"),
    Token("m", "a"),
    Token("m", "void"),
    Retry(attempt=2, reason="lost", keep_seq=3),
    Token("m", "b"),
    MessageEnd("m"),
    {"type": "end", "status": "completed"},
]


def events(items: Sequence[Any]) -> list[Any]:
    return [from_dict(item) if isinstance(item, dict) else item for item in items]


def mark(run_id: str, seq: int) -> Any:
    return Data("upstream", {"run_id": run_id, "seq": seq}, transient=True)
