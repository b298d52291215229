"""The apps that are measured, each served by a process of its own: ``BENCH_APP`` says which."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.sse import EventSourceResponse, ServerSentEvent
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from unspool import MemoryLog, SQLiteLog, Unspool

TOKEN = "token "


async def texts(count: int, rate: float) -> AsyncGenerator[str, None]:
    """The work: ``count`` tokens, as fast as they go, or ``rate`` a second with the time of each in it."""
    if not rate:
        for _ in range(count):
            yield TOKEN
        return
    due = time.monotonic()
    for _ in range(count):
        due += 1 / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        yield f"t={time.monotonic_ns()} "


def frame(text: str) -> bytes:
    """One token as the guides send it."""
    return b"data: " + msgspec.json.encode({"type": "token", "message_id": "m", "text": text}) + b"\n\n"


def _asked(request: Request) -> tuple[int, float]:
    query = request.query_params
    return int(query["n"]), float(query.get("rate", 0))


def starlette() -> ASGIApp:
    """Starlette's StreamingResponse, one chunk a token; encoded before where nothing is in it."""

    async def chunks(count: int, rate: float) -> AsyncGenerator[bytes, None]:
        encoded = frame(TOKEN)
        async for text in texts(count, rate):
            yield frame(text) if rate else encoded

    async def stream(request: Request) -> StreamingResponse:
        return StreamingResponse(chunks(*_asked(request)), media_type="text/event-stream")

    return Starlette(routes=[Route("/stream", stream)])


def raw() -> ASGIApp:
    """Bare ASGI, one chunk a token: nothing can be faster that does not batch."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        encoded = frame(TOKEN)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        async for _ in texts(int(scope["query_string"].partition(b"n=")[2] or 0), 0):
            await send({"type": "http.response.body", "body": encoded, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def fastapi_sse() -> ASGIApp:
    """FastAPI's own server-sent events."""
    app = FastAPI()

    @app.get("/stream", response_class=EventSourceResponse)
    async def stream(n: int, rate: float = 0) -> AsyncIterable[ServerSentEvent]:
        async for text in texts(n, rate):
            yield ServerSentEvent(data={"type": "token", "message_id": "m", "text": text})

    return app


def sse_starlette() -> ASGIApp:
    """The sse-starlette package."""
    from sse_starlette import EventSourceResponse as Response

    async def events(count: int, rate: float) -> AsyncGenerator[dict[str, str], None]:
        async for text in texts(count, rate):
            yield {"data": msgspec.json.encode({"type": "token", "message_id": "m", "text": text}).decode()}

    async def stream(request: Request) -> Response:
        return Response(events(*_asked(request)))

    return Starlette(routes=[Route("/stream", stream)])


class TokenModel(BaseChatModel):
    """A chat model that says ``token`` as often as the question asks for."""

    @property
    def _llm_type(self) -> str:
        return "tokens"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(TOKEN * int(str(messages[-1].content))))])

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        raise NotImplementedError("this model is async")

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for _ in range(int(str(messages[-1].content))):
            await asyncio.sleep(0)
            yield ChatGenerationChunk(message=AIMessageChunk(content=TOKEN))


def langserve() -> ASGIApp:
    """LangServe's ``/stream``, with the chat model."""
    from langserve import add_routes

    app = FastAPI()
    add_routes(app, TokenModel(), path="/chat", enabled_endpoints=["stream"])
    return app


def ours_langserve() -> ASGIApp:
    """Our drop-in for it, with the same model."""
    from unspool.langserve import add_routes

    app = FastAPI()
    add_routes(app, TokenModel(), path="/chat", enabled_endpoints=["stream"])
    return app


def fastapi_waiting() -> ASGIApp:
    """A FastAPI StreamingResponse that waits for an event that does not come."""
    app = FastAPI()

    async def wait() -> AsyncGenerator[bytes, None]:
        yield b": hello\n\n"
        await asyncio.Event().wait()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(wait(), media_type="text/event-stream")

    return app


def _ours(unspool: Unspool) -> ASGIApp:
    app = FastAPI()

    async def agent(asked: dict[str, float] | str) -> AsyncGenerator[str, None]:
        if isinstance(asked, str):  # as the AI SDK asks
            asked = {"n": int(asked)}
        if asked.get("wait"):
            yield TOKEN
            await asyncio.Event().wait()
        async for text in texts(int(asked["n"]), asked.get("rate", 0)):
            yield text

    unspool.add_routes(app, agent, path="/agent")
    unspool.add_routes(app, TokenModel(), path="/chat")
    return app


def ours_memory() -> ASGIApp:
    """Unspool, with its log in memory."""
    return _ours(Unspool(log=MemoryLog()))


def ours_sqlite() -> ASGIApp:
    """Unspool, with its log in an SQLite file."""
    return _ours(Unspool(log=SQLiteLog(os.environ["BENCH_LOG"])))


APPS: dict[str, Callable[[], ASGIApp]] = {
    make.__name__: make
    for make in (
        starlette,
        raw,
        fastapi_sse,
        sse_starlette,
        langserve,
        ours_langserve,
        fastapi_waiting,
        ours_memory,
        ours_sqlite,
    )
}


def make_app() -> ASGIApp:
    """The app of this process."""
    return APPS[os.environ["BENCH_APP"]]()
