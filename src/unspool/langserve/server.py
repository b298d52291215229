"""The routes of a runnable."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

from fastapi import APIRouter, FastAPI
from fastapi.params import Depends
from langchain_core.runnables import Runnable
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from unspool.http.app import Unspool
from unspool.langserve.api_handler import APIHandler
from unspool.langserve.config import PerRequestConfigModifier
from unspool.langserve.endpoints import EndpointName, chosen
from unspool.langserve.owner import unspool_of
from unspool.langserve.preparing import is_hosted
from unspool.langserve.schema import (
    Feedback,
    PublicTraceLink,
    TokenFeedbackConfig,
)
from unspool.langserve.serialization import Serializer

_HASHES = "These have a config in their URL: JSON, packed with lz-string's `compressToEncodedURIComponent`."
_WITH_HASH = "/c/{config_hash}"


def add_routes(
    app: FastAPI | APIRouter,
    runnable: Runnable[Any, Any],
    *,
    path: str = "",
    input_type: Any = "auto",
    output_type: Any = "auto",
    config_keys: Sequence[str] = ("configurable",),
    include_callback_events: bool = False,
    per_req_config_modifier: PerRequestConfigModifier | None = None,
    enable_feedback_endpoint: bool | None = None,
    token_feedback_config: TokenFeedbackConfig | None = None,
    enable_public_trace_link_endpoint: bool = False,
    disabled_endpoints: Sequence[EndpointName] | None = None,
    stream_log_name_allow_list: Sequence[str] | None = None,
    enabled_endpoints: Sequence[EndpointName] | None = None,
    dependencies: Sequence[Depends] | None = None,
    playground_type: Literal["default", "chat"] = "default",
    astream_events_version: Literal["v1", "v2"] = "v2",
    serializer: Serializer | None = None,
    unspool: Unspool | None = None,
) -> None:
    """Serve ``runnable`` at ``path``, for the clients of LangServe.

    Args:
        app: An app, or a router of one.
        runnable: Any LangChain runnable.
        path: Begins with ``/``; ``""`` is the root.
        input_type: Checks inputs. Default: what the runnable says of itself.
        output_type: Checks outputs of ``/invoke`` and ``/batch``. Default: what the runnable says of itself.
        config_keys: What clients may set in the config.
        include_callback_events: Whether answers tell what happened in the run.
        per_req_config_modifier: Changes the config of each run; may be async.
        enable_feedback_endpoint: Whether clients may give feedback on any run, by LangSmith. Default: only where
            ``HOSTED_LANGSERVE_ENABLED`` is ``true``.
        token_feedback_config: Makes a token for each run, with which its client may give feedback.
        enable_public_trace_link_endpoint: Whether clients may make traces public.
        disabled_endpoints: All but these.
        stream_log_name_allow_list: Runnables whose logs and events may be seen.
        enabled_endpoints: Only these.
        dependencies: Of every route.
        playground_type: Both are the same here.
        astream_events_version: Of LangChain's events.
        serializer: Makes JSON of outputs.
        unspool: Keeps the runs of the playground, and those of clients that send ``Unspool-Resume: 1``: with its log,
            and its ``authenticate``. Default: one in memory, for each app, or for each router.

    Raises:
        TypeError: It is not a runnable.
        ValueError: The path, a name of an endpoint or a config key is not right, or the path is taken.
        NotImplementedError: There is more than one key for feedback tokens.
    """
    on = chosen(enabled_endpoints, disabled_endpoints)
    if enable_feedback_endpoint is None:
        enable_feedback_endpoint = is_hosted()
    if isinstance(app, FastAPI):
        _check_free(app, path)
    handler = APIHandler(
        runnable,
        path=path,
        prefix=app.prefix if isinstance(app, APIRouter) else "",
        input_type=input_type,
        output_type=output_type,
        config_keys=config_keys,
        include_callback_events=include_callback_events,
        enable_feedback_endpoint=enable_feedback_endpoint,
        token_feedback_config=token_feedback_config,
        enable_public_trace_link_endpoint=enable_public_trace_link_endpoint,
        per_req_config_modifier=per_req_config_modifier,
        stream_log_name_allow_list=stream_log_name_allow_list,
        playground_type=playground_type,
        astream_events_version=astream_events_version,
        serializer=serializer,
        unspool=unspool_of(app, unspool),
    )
    if isinstance(app, FastAPI):
        app.state.langserve_paths = {*_taken(app), path}
        name = path.strip("/")
        app.openapi_tags = [
            *(app.openapi_tags or []),
            {"name": name or "default"},
            {"name": f"{name}/config" if name else "config", "description": _HASHES},
        ]
    routes = _Routes(app, handler, path, list(dependencies or ()), on)
    routes.add_schemas()
    routes.add_runs()
    routes.add_kept_streams()
    routes.add_playground()
    routes.add_langsmith(feedback=enable_feedback_endpoint, trace_links=enable_public_trace_link_endpoint)


def _taken(app: FastAPI) -> set[str]:
    return getattr(app.state, "langserve_paths", set())


def _check_free(app: FastAPI, path: str) -> None:
    if path in _taken(app):
        raise ValueError(
            f"A runnable already exists at path: {path}. If adding multiple runnables make sure they have different "
            "paths."
        )


Handle = Callable[..., Awaitable[Any]]


class _Routes:
    """Adds the routes of one handler."""

    def __init__(
        self, app: FastAPI | APIRouter, handler: APIHandler, path: str, dependencies: list[Depends], on: frozenset[str]
    ) -> None:
        self._app = app
        self._handler = handler
        self._path = path
        self._dependencies = dependencies
        self._on = on

    def add_runs(self) -> None:
        handler = self._handler
        handles: Mapping[str, tuple[Handle, type[BaseModel], type[BaseModel] | None]] = {
            "invoke": (handler.invoke, handler.InvokeRequest, handler.InvokeResponse),
            "batch": (handler.batch, handler.BatchRequest, handler.BatchResponse),
            "stream": (handler.stream, handler.StreamRequest, None),
            "stream_log": (handler.stream_log, handler.StreamLogRequest, None),
            "stream_events": (handler.astream_events, handler.StreamEventsRequest, None),
        }
        for name, (handle, request, response) in handles.items():
            for hashed in self._variants(name):
                self._add(name, _real(handle), hashed=hashed, method="POST", documented=False)
                described = _described(request, (handle.__doc__ or "").strip(), hashed=hashed)
                self._add(name, described, hashed=hashed, method="POST", response_model=response)

    def add_schemas(self) -> None:
        handler = self._handler
        handles = {
            "input_schema": handler.input_schema,
            "output_schema": handler.output_schema,
            "config_schema": handler.config_schema,
        }
        for name, handle in handles.items():
            for hashed in self._variants(name):
                self._add(name, _schema(handle, hashed=hashed), hashed=hashed, method="GET")

    def add_playground(self) -> None:
        for hashed in self._variants("playground"):
            for method in ("GET", "POST"):
                self._add(
                    "playground/{file_path:path}",
                    _page(self._handler),
                    hashed=hashed,
                    method=method,
                    documented=False,
                )

    def add_kept_streams(self) -> None:
        """Where clients come back to the streams that are kept."""
        if self._on & {"stream", "stream_log", "stream_events"}:
            self._plain("/runs/{run_id}/stream", self._handler.follow_run, "GET")
            self._plain("/runs/{run_id}/cancel", self._handler.cancel_run, "POST")

    def add_langsmith(self, *, feedback: bool, trace_links: bool) -> None:
        handler = self._handler
        if "token_feedback" in self._on:
            self._plain("/token_feedback", handler.create_feedback_from_token, "POST")
        if feedback:
            self._plain("/feedback", handler.create_feedback, "POST", Feedback)
            self._plain("/feedback", handler.check_feedback_enabled, "HEAD")
        if trace_links:
            self._plain("/public_trace_link", handler.create_public_trace_link, "PUT", PublicTraceLink)
            self._plain("/public_trace_link", handler.check_public_trace_link_enabled, "HEAD")

    def _variants(self, name: str) -> list[bool]:
        """Whether the endpoint is on, and whether it is for config hashes, too."""
        if name not in self._on:
            return []
        return [False, True] if "config_hashes" in self._on else [False]

    def _add(
        self,
        name: str,
        endpoint: Handle,
        *,
        hashed: bool,
        method: str,
        documented: bool = True,
        response_model: Any = None,
    ) -> None:
        label = self._path.strip("/")
        tag = f"{label}/config".lstrip("/") if hashed else label
        self._app.add_api_route(
            f"{self._path}{_WITH_HASH if hashed else ''}/{name}",
            endpoint,
            methods=[method],
            response_model=response_model,
            dependencies=self._dependencies,
            tags=[tag] if tag else None,
            name=f"{label} {name}".strip() + (" with config" if hashed else ""),
            include_in_schema=documented,
        )

    def _plain(self, suffix: str, endpoint: Handle, method: str, response_model: Any = None) -> None:
        self._app.add_api_route(
            self._path + suffix,
            endpoint,
            methods=[method],
            response_model=response_model,
            dependencies=self._dependencies,
        )


def _real(handle: Handle) -> Handle:
    """What answers, with a config hash in its address and without."""

    async def endpoint(request: Request) -> Response:
        answer: Response = await handle(request, config_hash=_hash(request))
        return answer

    return endpoint


def _page(handler: APIHandler) -> Handle:
    async def endpoint(request: Request) -> Response:
        return await handler.playground(request.path_params["file_path"], request, config_hash=_hash(request))

    return endpoint


def _hash(request: Request) -> str:
    return str(request.path_params.get("config_hash", ""))


def _schema(handle: Handle, *, hashed: bool) -> Handle:
    async def endpoint(request: Request) -> Response:
        return JSONResponse(await handle(request))

    async def endpoint_with_hash(request: Request, config_hash: str) -> Response:
        return JSONResponse(await handle(request, config_hash=config_hash))

    chosen_one: Handle = endpoint_with_hash if hashed else endpoint
    chosen_one.__doc__ = handle.__doc__
    return chosen_one


def _described(request: type[BaseModel], said: str, *, hashed: bool) -> Handle:
    """What OpenAPI shows in place of the endpoint, which reads its body itself and so has no model that FastAPI sees.

    It stands behind the endpoint, at the same address, and so is never called.
    """

    async def endpoint(**_: Any) -> None:
        raise AssertionError("the endpoint in front of it answers")

    body = inspect.Parameter("body", inspect.Parameter.KEYWORD_ONLY, annotation=request)
    config_hash = inspect.Parameter("config_hash", inspect.Parameter.KEYWORD_ONLY, annotation=str)
    endpoint.__signature__ = inspect.Signature([config_hash, body] if hashed else [body])  # type: ignore[attr-defined]
    endpoint.__doc__ = said
    return endpoint
