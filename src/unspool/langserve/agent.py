"""The runnable as an agent of the native protocol: what the playground talks to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextvars import ContextVar
from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError
from langchain_core.runnables import Runnable, RunnableConfig
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from unspool.closing import opened
from unspool.errors import InvalidInput
from unspool.events import Record
from unspool.langserve.inputs import Inputs
from unspool.sources import adapt
from unspool.sources.base import Call, Item, ResumePoint, Schemas, Source
from unspool.sources.langchain.runnables import LangChainSource, takes

_config: ContextVar[RunnableConfig] = ContextVar("config of the run that a request starts")


class ConfiguredSource(Source):
    """Runs the runnable with the config that the request was given, and not with what the client sent as such.

    A run's task has the context of the request that starts it.
    """

    def __init__(self, runnable: Runnable[Any, Any], inputs: Inputs) -> None:
        self._runnable = runnable
        self._inputs = inputs
        self._plain = adapt(runnable)
        self._checks = isinstance(self._plain, LangChainSource) and takes(runnable) == "anything"

    @property
    @override
    def name(self) -> str:
        return self._plain.name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        config = _config.get()
        given = call.input
        if self._checks:
            try:
                given = self._inputs.read(given, config)
            except RequestValidationError as exc:
                raise InvalidInput("the input is not what the runnable takes; see its input schema") from exc
        source = adapt(self._runnable.with_config(config))
        async with opened(source.stream(msgspec.structs.replace(call, input=given, config={}))) as items:
            async for item in items:
                yield item

    @override
    def schemas(self) -> Schemas:
        return self._plain.schemas()

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None


class Configured(Response):
    """What an app of the native protocol answers, with the config for the run that it may start.

    Args:
        app: Answers.
        request: The request.
        body: Its body, which was read.
        config: For the run.
        at: The part of the request's path where ``app`` is.
    """

    def __init__(self, app: ASGIApp, request: Request, body: bytes, config: RunnableConfig | None, *, at: str) -> None:
        super().__init__()
        self._app = app
        self._request = request
        self._body: bytes | None = body
        self._for_run = config
        self._at = at

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._for_run is not None:
            _config.set(self._for_run)
        await self._app({**scope, "root_path": self._at}, self._receive, send)

    async def _receive(self) -> Message:
        """The body once more, and then what follows it."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        return await self._request.receive()
