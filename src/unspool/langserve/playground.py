"""The playground at its old address, and the agent that it talks to below that."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
from fastapi import HTTPException
from langchain_core.runnables import RunnableConfig
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from unspool.http.app import Unspool
from unspool.langserve.agent import Configured, ConfiguredSource
from unspool.langserve.owner import VISITOR_COOKIE
from unspool.runs import RunOptions
from unspool.web import FILES, Agent, PageFiles, PlaygroundConfig

Configure = Callable[[Request, dict[str, Any], str, RunnableConfig | None], Awaitable[RunnableConfig]]
"""What a run is called with: of the request, the client's config, the config hash and the server's own config."""

_STARTS = re.compile(r"agent/(stream|invoke|batch|runs|runs/[^/]+/resume)")
"""What a POST to starts a run."""

_LEFT_OUT = {("GET", "/stream"), ("POST", "/tickets")}
"""The page does not need them: a run that a GET starts would have no config."""

_YEAR = 365 * 24 * 3600


class Playground:
    """Answers all that is below ``{path}/playground/``.

    Args:
        unspool: Keeps its runs.
        source: What answers.
        configure: Makes the config of each run.
        name: What the agent is called, and its runs.
    """

    def __init__(self, unspool: Unspool, source: ConfiguredSource, configure: Configure, *, name: str) -> None:
        self._configure = configure
        self._native = Starlette()
        unspool.add_routes(
            self._native, source, name=name, options=RunOptions(takeovers=0), playground=False, protocols=()
        )
        kept: list[BaseRoute] = [route for route in self._native.routes if _needed(route)]
        self._native.router.routes = kept
        self._files = PageFiles(FILES, built=FILES)
        self._config = msgspec.json.encode(PlaygroundConfig(title=name, agents=[Agent(name, "agent")]))

    async def answer(
        self, file_path: str, request: Request, config_hash: str, server_config: RunnableConfig | None
    ) -> Response:
        """Answer a request for ``file_path``, which is ``""`` for the page itself. Raises HTTPException."""
        if file_path.startswith("agent/"):
            starts = request.method == "POST" and _STARTS.fullmatch(file_path) is not None
            config = await self._config_of(request, config_hash, server_config) if starts else None
            at = request.scope["path"].removesuffix(file_path) + "agent"
            return Configured(self._native, request, await request.body(), config, at=at)
        if request.method != "GET":
            raise HTTPException(405, headers={"Allow": "GET"})
        if file_path == "config.json":
            return Response(self._config, headers={"Cache-Control": "no-cache"}, media_type="application/json")
        response = await self._files.get_response(file_path or "index.html", request.scope)
        if not file_path and VISITOR_COOKIE not in request.cookies:
            response.set_cookie(
                VISITOR_COOKIE, secrets.token_urlsafe(24), max_age=_YEAR, httponly=True, samesite="strict"
            )
        return response

    async def _config_of(
        self, request: Request, config_hash: str, server_config: RunnableConfig | None
    ) -> RunnableConfig:
        """The config of the run that a request starts."""
        try:
            sent: object = msgspec.json.decode(await request.body())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            sent = None  # the native protocol has its own words for it
        config: object = cast("dict[str, Any]", sent).get("config") if isinstance(sent, dict) else None
        asked = cast("dict[str, Any]", config) if isinstance(config, dict) else {}
        return await self._configure(request, asked, config_hash, server_config)


def _needed(route: BaseRoute) -> bool:
    return isinstance(route, Route) and not {(method, route.path) for method in route.methods or ()} & _LEFT_OUT
