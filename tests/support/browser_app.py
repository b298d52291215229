"""A server with scripted agents, for the tests that drive browsers and hooks.

    python -m tests.support.browser_app --port 0 --log FILE

Prints ``READY http://127.0.0.1:PORT`` once it serves. Each agent of :mod:`tests.support.browser_agents` is at its own
path: ``/echo``, ``/slow``, ``/tools``, ``/ask``, ``/fail``, ``/long``, ``/form``, and ``/agent`` for all in one chat.

``POST /gate/{name}`` lets the run that waits there go on by one word, ``?passes=3`` by three, ``?passes=all`` to its
end.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from typing_extensions import override

from tests.support.ai_sdk_agents import make_ai_sdk_agents
from tests.support.browser_agents import ALL_PASSES, Gates, make_agents
from unspool import Principal, RunOptions, SQLiteLog, Unspool
from unspool.cli.serving import shutdown_at_signal
from unspool.errors import NotAuthenticated

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; base-uri 'none'; form-action 'none'"
)
ACCEPTS = ("image/*", "text/plain")
"""What may be attached to a message for ``echo``, which counts the files."""


class StrictFiles(StaticFiles):
    """Built files, under the policy that our pages must bear."""

    @override
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Content-Security-Policy"] = CSP
        return response


def make_app(log: str, *, token: str | None, lease: float, static: Path | None) -> FastAPI:
    """Make the app.

    Args:
        log: A SQLite file.
        token: What ``Authorization: Bearer`` must carry. None: everybody may ask.
        lease: As :class:`~unspool.Unspool` has it.
        static: A directory of built files, served at ``/app/``.
    """

    async def authenticate(connection: HTTPConnection) -> Principal:
        if token is not None and connection.headers.get("authorization") != f"Bearer {token}":
            raise NotAuthenticated("a token is missing")
        return Principal(id="tester")

    gates = Gates()
    unspool = Unspool(log=SQLiteLog(log), authenticate=authenticate, lease=lease, grace=1.0)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        async with shutdown_at_signal(unspool):
            yield

    async def release(request: Request) -> Response:
        passes = request.query_params.get("passes", "1")
        gates.release(request.path_params["name"], ALL_PASSES if passes == "all" else int(passes))
        return JSONResponse({})

    app = FastAPI(lifespan=lifespan)
    for name, agent in {**make_agents(gates), **make_ai_sdk_agents(gates)}.items():
        accepts = ACCEPTS if name in {"echo", "agent"} else ()
        unspool.add_routes(app, agent, path=f"/{name}", accepts=accepts, options=RunOptions(retries=0))
    app.router.routes.append(Route("/gate/{name}", release, methods=["POST"]))
    if static is not None:
        app.router.routes.append(Mount("/app", StrictFiles(directory=static, html=True)))
    return app


def _under(prefix: str, app: FastAPI) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None, None]:
        async with app.router.lifespan_context(app):
            yield

    return Starlette(routes=[Mount(prefix, app)], lifespan=lifespan)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--log", required=True, help="a SQLite file")
    parser.add_argument("--token", help="refuse whoever does not send it as a bearer token")
    parser.add_argument("--lease", type=float, default=15.0, help="seconds until a killed server's runs are taken up")
    parser.add_argument("--static", type=Path, help="a directory to serve at /app/")
    parser.add_argument("--prefix", default="", help="serve all of it under this path")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input does")
    arguments = parser.parse_args()
    if arguments.until_eof:
        threading.Thread(target=_end_with_parent, daemon=True).start()

    app = make_app(arguments.log, token=arguments.token, lease=arguments.lease, static=arguments.static)
    served = _under(arguments.prefix, app) if arguments.prefix else app
    listener = socket.create_server(("127.0.0.1", arguments.port))
    config = uvicorn.Config(served, log_level="warning", timeout_graceful_shutdown=3)
    print(f"READY http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
