"""The routes of the native protocol: ``spec/PROTOCOL.md``, section HTTP."""

from __future__ import annotations

from typing import Any

import anyio
from anyio import CapacityLimiter
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from unspool.access import Principal
from unspool.errors import CursorUnknown, InvalidInput, RunFailed, ThreadNotFound, UnspoolError
from unspool.eventlog import Run
from unspool.events import Error
from unspool.http.bodies import BatchBody, ResumeBody, StartBody, decode_json, valid_id, whole_number
from unspool.http.problems import json_response, problem_of
from unspool.http.resuming import resumption
from unspool.http.serving import Serving
from unspool.http.views import (
    BatchView,
    InvokeView,
    RunPage,
    ThreadPage,
    brief,
    full,
    thread_brief,
    thread_view,
)
from unspool.runs import RunRequest, new_run_id
from unspool.wire import Codec, Cursor, NativeNdjson, NativeSse, parse_cursor
from unspool.wire.shapes import SHAPES, ShapeSse

PAGE = 50
MAX_PAGE = 200
BATCH_AT_A_TIME = 10
MAX_COALESCE_MS = 5000
MAX_COALESCE_TOKENS = 1000


class NativeRoutes:
    """The handlers of one mount. Each takes a request and who is asking, and returns the response.

    They raise :class:`~unspool.errors.UnspoolError`; whoever calls them makes a problem of it.
    """

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._runner = serving.runner
        self._log = serving.log
        self._mount = serving.mount
        self._path = serving.path

    # -- start ------------------------------------------------------------------------------------------

    async def stream(self, request: Request, principal: Principal) -> Response:
        """POST /stream: start a run and follow it."""
        body = await self._serving.body(request, StartBody)
        return await self._start_and_follow(request, principal, body, with_run_id=False)

    async def stream_get(self, request: Request, principal: Principal) -> Response:
        """GET /stream?input=…: the same for EventSource, whose reconnect resumes instead of starting again."""
        cursor = request.headers.get("last-event-id")
        if cursor:
            run_id = parse_cursor(cursor).run_id
            if run_id is not None:
                return await self._follow(request, await self._serving.owned(run_id, principal), with_run_id=True)
        query = request.query_params
        if "input" not in query:
            raise InvalidInput("the query parameter `input` is missing")
        body = StartBody(
            input=_text_or_json(query["input"]),
            thread_id=valid_id(query.get("thread_id"), "thread_id"),
            config=_config(query),
            run_id=valid_id(query.get("run_id"), "run_id"),
            replaces=valid_id(query.get("replaces"), "replaces"),
        )
        return await self._start_and_follow(request, principal, body, with_run_id=True)

    async def start(self, request: Request, principal: Principal) -> Response:
        """POST /runs: start a run in the background."""
        body = await self._serving.body(request, StartBody)
        run = await self._serving.start(request, principal, _request_of(body), run_id=body.run_id)
        location = f"{request.scope.get('root_path', '')}{self._path}/runs/{run.id}"
        return json_response(brief(run), status=202, headers={"Location": location, "Unspool-Run-Id": run.id})

    async def invoke(self, request: Request, principal: Principal) -> Response:
        """POST /invoke: start a run and wait for its output."""
        body = await self._serving.body(request, StartBody)
        run = await self._serving.start(request, principal, _request_of(body), run_id=body.run_id)
        view = await self._finished(run)
        if isinstance(view.error, Error):
            raise RunFailed(
                view.error.message,
                code=view.error.code,  # type: ignore[arg-type]  # codes on the wire are open; ours are these
                run_id=run.id,
                retryable=view.error.retryable,
                retry_after=view.error.retry_after,
                error_id=view.error.error_id,
            )
        return json_response(view, headers={"Unspool-Run-Id": run.id})

    async def batch(self, request: Request, principal: Principal) -> Response:
        """POST /batch: run several inputs, a few at a time, and wait for all."""
        body = await self._serving.body(request, BatchBody)
        limiter = CapacityLimiter(BATCH_AT_A_TIME)
        outputs: list[InvokeView | None] = [None] * len(body.inputs)

        async def one(index: int, item: Any) -> None:
            async with limiter:
                run_id = new_run_id()
                try:
                    created = await self._runner.start(
                        self._mount, RunRequest(input=item, config=body.config), owner=principal.id, run_id=run_id
                    )
                    outputs[index] = await self._finished(created.run)
                except UnspoolError as exc:
                    outputs[index] = InvokeView(run_id=run_id, status="failed", error=problem_of(exc))

        async with anyio.create_task_group() as tasks:
            for index, item in enumerate(body.inputs):
                tasks.start_soon(one, index, item)
        return json_response(BatchView(outputs=[view for view in outputs if view is not None]))

    # -- one run ----------------------------------------------------------------------------------------

    async def run(self, request: Request, principal: Principal) -> Response:
        """GET /runs/{run_id}: status and output."""
        run = await self._serving.owned(request.path_params["run_id"], principal)
        with_transcript = _included(request.query_params, "transcript")
        return json_response(await full(self._log, run, with_transcript=with_transcript))

    async def follow(self, request: Request, principal: Principal) -> Response:
        """GET /runs/{run_id}/stream: follow from ``Last-Event-ID`` or ``?after=``."""
        run = await self._serving.owned(request.path_params["run_id"], principal)
        return await self._follow(request, run, with_run_id=False)

    async def cancel(self, request: Request, principal: Principal) -> Response:
        """POST /runs/{run_id}/cancel: stop it; what it produced is kept."""
        run = await self._serving.owned(request.path_params["run_id"], principal)
        run = await self._runner.cancel(run.id)
        return json_response(brief(run), status=200 if run.ended else 202)

    async def resume(self, request: Request, principal: Principal) -> Response:
        """POST /runs/{run_id}/resume: answer an interrupted run with a new one, and follow that."""
        interrupted = await self._serving.owned(request.path_params["run_id"], principal)
        body = await self._serving.body(request, ResumeBody)
        resumed = await resumption(self._log, interrupted, body)
        run = await self._serving.start(request, principal, resumed, run_id=body.run_id)
        return await self._follow(request, run, with_run_id=False)

    # -- lists ------------------------------------------------------------------------------------------

    async def runs(self, request: Request, principal: Principal) -> Response:
        """GET /runs: the caller's runs, newest first."""
        query = request.query_params
        limit = _limit(query)
        found = await self._log.list(
            principal.id,
            source=self._mount.name,
            thread_id=query.get("thread_id"),
            before=query.get("before"),
            limit=limit + 1,
        )
        following = found[limit - 1].id if len(found) > limit else None
        return json_response(RunPage(runs=[brief(run) for run in found[:limit]], next=following))

    async def threads(self, request: Request, principal: Principal) -> Response:
        """GET /threads: the caller's conversations, newest first."""
        query = request.query_params
        limit = _limit(query)
        found = await self._log.threads(
            principal.id, source=self._mount.name, before=query.get("before"), limit=limit + 1
        )
        following = found[limit - 1].id if len(found) > limit else None
        return json_response(ThreadPage(threads=[thread_brief(thread) for thread in found[:limit]], next=following))

    async def thread(self, request: Request, principal: Principal) -> Response:
        """GET /threads/{thread_id}: its newest 200 runs, oldest first, and the messages they fold into."""
        thread_id: str = request.path_params["thread_id"]
        with_transcripts = _included(request.query_params, "transcripts")
        found = await self._log.threads(principal.id, source=self._mount.name, thread_id=thread_id)
        if not found:
            raise ThreadNotFound(thread_id)
        runs = await self._log.list(principal.id, source=self._mount.name, thread_id=thread_id, limit=MAX_PAGE)
        return json_response(await thread_view(self._log, found[0], runs, with_transcripts=with_transcripts))

    # -- shared -----------------------------------------------------------------------------------------

    async def _start_and_follow(
        self, request: Request, principal: Principal, body: StartBody, *, with_run_id: bool
    ) -> Response:
        _coalescing(request.query_params)  # refused before anything is started
        _codec(request, None)
        if body.run_id is None and "idempotency-key" not in request.headers:
            _check_no_cursor(request)
        run = await self._serving.start(request, principal, _request_of(body), run_id=body.run_id)
        return await self._follow(request, run, with_run_id=with_run_id)

    async def _follow(self, request: Request, run: Run, *, with_run_id: bool) -> Response:
        tokens, milliseconds = _coalescing(request.query_params)
        return await self._serving.follow_from(
            request,
            run,
            _codec(request, run.id if with_run_id else None),
            headers={"Content-Location": f"{request.scope.get('root_path', '')}{self._path}/runs/{run.id}/stream"},
            coalesce_tokens=tokens,
            coalesce_ms=milliseconds,
        )

    async def _finished(self, run: Run) -> InvokeView:
        transcript = await self._serving.finished(run)
        ended = await self._log.get(run.id)
        return InvokeView(
            run_id=run.id,
            status=ended.status,
            thread_id=run.thread_id,
            output=transcript.output,
            error=transcript.error,
            usage=transcript.usage,
            interrupts=transcript.interrupts or None,
        )


def _request_of(body: StartBody) -> RunRequest:
    return RunRequest(input=body.input, thread_id=body.thread_id, config=body.config, replaces=body.replaces)


def _check_no_cursor(request: Request) -> None:
    """Refuse the position of a run in the request for a new one, which has none to go on from."""
    text = request.headers.get("last-event-id") or request.query_params.get("after")
    if text and parse_cursor(text) != Cursor(None, 0):
        raise CursorUnknown(asked=text[:200], last=0)


def _codec(request: Request, run_id: str | None) -> Codec:
    accepted = request.headers.get("accept", "")
    ndjson, sse = accepted.find("application/x-ndjson"), accepted.find("text/event-stream")
    lines = ndjson >= 0 and (sse < 0 or ndjson < sse)
    shape = request.query_params.get("shape")
    if shape is None:
        return NativeNdjson() if lines else NativeSse(run_id)
    if shape not in SHAPES or lines:
        raise InvalidInput(f"`shape` must be one of {', '.join(SHAPES)}, and each is of server-sent events")
    return ShapeSse(shape, ids=request.method == "GET", run_id=run_id)


def _coalescing(query: QueryParams) -> tuple[int, int]:
    tokens = query.get("coalesce_tokens")
    milliseconds = query.get("coalesce_ms")
    return (
        whole_number(tokens, "coalesce_tokens", default=0, low=2, high=MAX_COALESCE_TOKENS),
        whole_number(milliseconds, "coalesce_ms", default=0, low=1, high=MAX_COALESCE_MS),
    )


def _limit(query: QueryParams) -> int:
    return whole_number(query.get("limit"), "limit", default=PAGE, low=1, high=MAX_PAGE)


def _included(query: QueryParams, what: str) -> bool:
    """Whether ``?include=`` asks for ``what``. Raises InvalidInput."""
    wanted = query.get("include")
    if wanted not in {None, what}:
        raise InvalidInput(f"`include` can be `{what}`, and nothing else")
    return wanted is not None


def _text_or_json(text: str) -> Any:
    """An object or an array is JSON; all else is text, a number too."""
    if text[:1] not in {"{", "["}:
        return text
    try:
        return decode_json(text, object)
    except InvalidInput:
        return text


def _config(query: QueryParams) -> dict[str, Any]:
    try:
        return decode_json(query.get("config", "{}"), dict[str, Any])
    except InvalidInput as exc:
        raise InvalidInput("the query parameter `config` must be a JSON object") from exc
