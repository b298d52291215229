"""Streams that outlive their connection: runs in the event log, for clients that ask for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import msgspec
from fastapi import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from unspool.access import Authenticate
from unspool.closing import opened
from unspool.errors import ErrorCode, UnspoolError
from unspool.eventlog import Run
from unspool.events import Data, Error, Record
from unspool.http.app import Unspool
from unspool.http.problems import json_response, problem_response
from unspool.http.serving import Serving
from unspool.http.views import brief
from unspool.langserve.inputs import InvokeBody
from unspool.langserve.owner import bearer, visitor
from unspool.langserve.serialization import one_line
from unspool.langserve.streams import event
from unspool.runs import RunOptions, RunRequest
from unspool.sources.base import Call, Item, ResumePoint, Schemas, Source
from unspool.wire.langserve import CHUNK, METADATA, LangServeSse

HEADER = "Unspool-Resume"
"""The request header that asks for it: ``1``."""

_CODES: dict[int, ErrorCode] = {422: "validation", 429: "rate_limit", 503: "overloaded", 504: "timeout"}


def wants_to_keep(request: Request) -> bool:
    """Whether the client asks for a stream that it can come back to. Raises HTTPException: its words are not clear."""
    asked = request.headers.get(HEADER, "0")
    if asked not in {"0", "1"}:
        raise HTTPException(422, f"`{HEADER}` must be 1 or 0")
    return asked == "1"


@dataclass(frozen=True)
class Streaming:
    """What one request is to be answered with.

    Attributes:
        chunks: Makes them. Not begun.
        dumps: Makes JSON of each.
        lead: Makes the metadata that go before the first chunk.
    """

    chunks: AsyncIterator[Any]
    dumps: Callable[[Any], bytes]
    lead: Callable[[], Awaitable[dict[str, Any]]] | None

    async def lead_frame(self) -> bytes:
        """The metadata as an event; nothing if there are none."""
        return b"" if self.lead is None else event("metadata", await self.lead())


_streaming: ContextVar[Streaming] = ContextVar("what the run streams that a request starts")


class StreamSource(Source):
    """Streams what the request that starts the run has prepared: a run's task has the context of that request."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        prepared = _streaming.get()
        lead = prepared.lead
        try:
            async with opened(prepared.chunks) as chunks:
                async for chunk in chunks:
                    if lead is not None:
                        yield Data(METADATA, await lead())
                        lead = None
                    yield Data(CHUNK, msgspec.Raw(one_line(prepared.dumps(chunk))))
        except HTTPException as exc:
            told = {"status_code": exc.status_code, "message": exc.detail}
            yield Error(_CODES.get(exc.status_code, "provider"), str(exc.detail), detail=told)

    @override
    def schemas(self) -> Schemas:
        return Schemas()

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None


class KeptStreams:
    """Starts such runs, and lets clients come back to them.

    Args:
        serving: Of a :class:`StreamSource`.
        authenticate: Says whose a run is.
    """

    def __init__(self, serving: Serving, authenticate: Authenticate) -> None:
        self._serving = serving
        self._authenticate = authenticate

    @classmethod
    def of(cls, unspool: Unspool, *, name: str) -> KeptStreams:
        """Those that ``unspool`` keeps, under ``name``. Raises ValueError: the name is taken."""
        serving = unspool.serving(StreamSource(name), path="", name=name, options=RunOptions(retries=0, takeovers=0))
        return cls(serving, bearer if unspool.authenticate is visitor else unspool.authenticate)

    async def start(
        self, request: Request, body: InvokeBody, streaming: Streaming, *, run_id: str, config_hash: str
    ) -> Response:
        """Start a run, and follow it. The same body at the same address is the same request."""
        _streaming.set(streaming)
        base = "../../" if config_hash else ""
        asked = {"path": request.scope["path"], **body.model_dump(exclude={"input"}, exclude_none=True)}
        try:
            principal = await self._authenticate(request)
            wanted = RunRequest(input=body.input, config=asked)
            run = await self._serving.start(request, principal, wanted, run_id=run_id)
        except UnspoolError as exc:
            return problem_response(exc)
        return self._serving.follow(run, LangServeSse(), headers={"Content-Location": f"{base}runs/{run.id}/stream"})

    async def follow(self, request: Request, run_id: str) -> Response:
        """Follow a run, from ``Last-Event-ID`` or ``?after=`` on; 204 where all of it was seen."""
        try:
            run = await self._owned(request, run_id)
            return await self._serving.follow_from(request, run, LangServeSse())
        except UnspoolError as exc:
            return problem_response(exc)

    async def cancel(self, request: Request, run_id: str) -> Response:
        """Stop a run."""
        try:
            run = await self._serving.runner.cancel((await self._owned(request, run_id)).id)
        except UnspoolError as exc:
            return problem_response(exc)
        return json_response(brief(run), status=200 if run.ended else 202)

    async def _owned(self, request: Request, run_id: str) -> Run:
        return await self._serving.owned(run_id, await self._authenticate(request))
