"""The page: static files, and where it finds its agent."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

FILES = Path(__file__).parent

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def add_page(app: Starlette, *, agent_path: str, title: str, model: str = "", note: str = "") -> None:
    """Serve the page at ``/``, talking to the agent at ``agent_path``.

    Args:
        app: The app that the agent is on, too.
        agent_path: Where :func:`unspool.add_routes` put it.
        title: What the page calls it.
        model: The model in use.
        note: What people should know of it.
    """
    settings = {"agent": agent_path.lstrip("/"), "title": title, "model": model, "note": note}

    async def page(_: Request) -> Response:
        return FileResponse(FILES / "index.html", headers=_HEADERS)

    async def config(_: Request) -> Response:
        return JSONResponse(settings, headers={"Cache-Control": "no-cache"})

    app.router.routes.extend(
        [
            Route("/", page, methods=["GET"]),
            Route("/page.json", config, methods=["GET"]),
            Mount("/page", StaticFiles(directory=FILES / "page")),
        ]
    )
