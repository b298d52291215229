"""The playground: the built files of ``packages/playground``, and where they find their agents."""

from __future__ import annotations

import os
from collections.abc import Callable
from mimetypes import guess_type
from pathlib import Path
from typing import Any

import anyio
import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Receive, Scope, Send
from typing_extensions import override

FILES = Path(__file__).parent / "playground"
"""``index.html`` and ``assets/``, whose names hold a hash of what is in them. Made by the build, not in git."""

_NOT_BUILT = "The playground is not built. In a checkout, `make playground` builds it; packages hold it.\n"

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; font-src 'self'; manifest-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_REVALIDATE = {**_HEADERS, "Cache-Control": "no-cache"}
_IMMUTABLE = {**_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}

_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""Those that a machine's own table of media types may lack, or have wrong."""


class Agent(msgspec.Struct, frozen=True):
    """An agent that the playground offers. ``url``: where it is mounted, relative to the page."""

    name: str
    url: str


class PlaygroundConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the playground is told.

    Attributes:
        title: What it is called.
        agents: The one that is shown first comes first.
        model: The model in use, where it is known.
        note: What people should know of it.
    """

    title: str
    agents: list[Agent]
    model: str = ""
    note: str = ""


def playground_routes(path: str, config: Callable[[], PlaygroundConfig], *, files: Path = FILES) -> list[BaseRoute]:
    """The routes of a playground whose page is at ``path`` and a slash.

    Args:
        path: As for :func:`unspool.add_routes`; ``""`` puts the page at ``/``.
        config: What the page is told, asked for at each request.
        files: The built page.
    """
    static = PageFiles(files, built=files)

    async def page(request: Request) -> Response:
        return await static.get_response("index.html", request.scope)

    async def settings(_: Request) -> Response:
        return Response(msgspec.json.encode(config()), headers=_REVALIDATE, media_type="application/json")

    async def add_slash(request: Request) -> Response:
        # Relative, so that it stays right behind a proxy that adds or takes away a prefix.
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{path.rpartition('/')[2]}/{query}", headers=_REVALIDATE)

    return [
        *([Route(path, add_slash, methods=["GET"])] if path else []),
        Route(path + "/", page, methods=["GET"]),
        Route(path + "/config.json", settings, methods=["GET"]),
        Mount(path + "/assets", PageFiles(files / "assets", built=files)),
    ]


class PageFiles(StaticFiles):
    """Files with the headers of the page; an asset never changes under its name."""

    def __init__(self, directory: Path, *, built: Path) -> None:
        super().__init__(directory=directory, check_dir=False)
        self._index = built / "index.html"

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.config_checked = True  # a directory that is not there is answered below
        await super().__call__(scope, receive, send)

    @override
    async def get_response(self, path: str, scope: Scope) -> Response:
        if not await anyio.to_thread.run_sync(self._index.is_file):
            return PlainTextResponse(_NOT_BUILT, status_code=503, headers=_REVALIDATE)
        return await super().get_response(path, scope)

    @override
    def file_response(
        self, full_path: Any, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        asked = Headers(scope=scope)
        suffix = Path(full_path).suffix
        media_type = _MEDIA_TYPES.get(suffix) or guess_type(full_path)[0]
        headers = {**(_REVALIDATE if suffix == ".html" else _IMMUTABLE), "Vary": "Accept-Encoding"}
        packed = Path(f"{full_path}.gz")
        if "gzip" in asked.get("accept-encoding", "") and packed.is_file():
            full_path, stat_result = packed, packed.stat()
            headers["Content-Encoding"] = "gzip"
        response = FileResponse(
            full_path,
            status_code=status_code,
            headers=headers,
            media_type=media_type,
            stat_result=stat_result,
        )
        return NotModifiedResponse(response.headers) if self.is_not_modified(response.headers, asked) else response
