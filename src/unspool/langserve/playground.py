"""The playground at its old address, and the agent that it talks to below that."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI
from fastapi.params import Depends
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from unspool.access import Principal
from unspool.http.app import Unspool
from unspool.langserve.agent import AT, Configure, ConfiguredSource, configured
from unspool.runs import RunOptions
from unspool.web import FILES, Agent, PageFiles, PlaygroundConfig

_STARTS = {"/stream", "/invoke", "/batch", "/runs", "/runs/{run_id}/resume"}
"""What a POST to starts a run."""

_LEFT_OUT = {("GET", "/stream"), ("POST", "/tickets")}
"""The page does not need them: a run that a GET starts would have no config."""

_COOKIE = "unspool_visitor"
_YEAR = 365 * 24 * 3600


async def visitor(connection: HTTPConnection) -> Principal:
    """Take each browser for a principal of its own: nobody sees what others asked."""
    return Principal(id=connection.cookies.get(_COOKIE) or secrets.token_urlsafe(24))


def add_playground(
    app: FastAPI | APIRouter,
    source: ConfiguredSource,
    configure: Configure,
    *,
    prefixes: Sequence[str],
    name: str,
    dependencies: list[Depends],
) -> None:
    """Serve the playground at ``{prefix}/playground/``, for each of the prefixes.

    Args:
        app: Its lifespan starts and stops the runs.
        source: What answers.
        configure: Makes the config of each run.
        prefixes: With ``{config_hash}`` in those where the config is in the address.
        name: What the agent is called.
        dependencies: Of every route.
    """
    native = Starlette()
    unspool = _unspool_of(app)
    unspool.add_routes(native, source, name=name, options=RunOptions(takeovers=0), protocols=())
    for prefix in prefixes:
        for route in native.routes:
            if not isinstance(route, Route):
                continue
            for method in (route.methods or set()) - {left for left, path in _LEFT_OUT if path == route.path}:
                starts = method == "POST" and route.path in _STARTS
                app.add_api_route(
                    f"{prefix}{AT}{route.path}",
                    _answering(route.app, configure if starts else None, hashed="{config_hash}" in prefix),
                    methods=[method],
                    dependencies=dependencies,
                    include_in_schema=False,
                )
        app.add_api_route(
            f"{prefix}/playground/{{file_path:path}}",
            _page(PlaygroundConfig(title=name, agents=[Agent(name, "agent")])),
            methods=["GET"],
            dependencies=dependencies,
            include_in_schema=False,
        )


def _answering(app: ASGIApp, configure: Configure | None, *, hashed: bool) -> Any:
    async def answer(request: Request) -> Response:
        return await configured(app, request, configure, "")

    async def answer_with_hash(request: Request, config_hash: str) -> Response:
        return await configured(app, request, configure, config_hash)

    return answer_with_hash if hashed else answer


def _page(config: PlaygroundConfig) -> Any:
    files = PageFiles(FILES, built=FILES)

    async def page(request: Request, file_path: str) -> Response:
        if file_path == "config.json":
            return Response(
                msgspec.json.encode(config), headers={"Cache-Control": "no-cache"}, media_type="application/json"
            )
        response = await files.get_response(file_path or "index.html", request.scope)
        if not file_path and _COOKIE not in request.cookies:
            response.set_cookie(_COOKIE, secrets.token_urlsafe(24), max_age=_YEAR, httponly=True, samesite="strict")
        return response

    return page


def _unspool_of(app: FastAPI | APIRouter) -> Unspool:
    """The one that lives with the app; each router has its own."""
    if isinstance(app, FastAPI) and hasattr(app.state, "langserve_unspool"):
        known: Unspool = app.state.langserve_unspool
        return known
    unspool = Unspool(authenticate=visitor, playground=False)
    router = app.router if isinstance(app, FastAPI) else app
    inner = router.lifespan_context

    @asynccontextmanager
    async def lifespan(started: Any) -> AsyncGenerator[Any, None]:
        async with unspool, inner(started) as state:
            yield state

    router.lifespan_context = lifespan
    if isinstance(app, FastAPI):
        app.state.langserve_unspool = unspool
    return unspool
