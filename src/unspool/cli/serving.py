"""Loading a target, making an app of it, and serving that until the process is told to stop."""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import msgspec
import typer
import uvicorn
from fastapi import FastAPI

from unspool.eventlog import EventLog, MemoryLog, SQLiteLog
from unspool.http import Unspool

SETTINGS = "UNSPOOL_SERVE"
"""The environment variable that carries the settings to worker processes."""


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What ``unspool serve`` was told, and the secret that its workers share."""

    target: str
    log: str
    path: str
    grace: float
    ticket_secret: str


@asynccontextmanager
async def shutdown_at_signal(unspool: Unspool) -> AsyncGenerator[None, None]:
    """Tell ``unspool`` when the process is told to stop, and not only once every response is done.

    Uvicorn waits for open responses before it ends the lifespan, and those wait for their runs. Its own handlers
    are called as before.
    """
    before: dict[int, Any] = {}

    def handle(sig: int, frame: FrameType | None) -> None:
        unspool.begin_shutdown()
        if callable(before[sig]):
            before[sig](sig, frame)

    for wanted in (signal.SIGINT, signal.SIGTERM):
        before[wanted] = signal.signal(wanted, handle)
    try:
        yield
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


def load_target(target: str) -> Any:
    """Return what ``module:attr`` or ``file.py:attr`` names.

    Raises:
        typer.BadParameter: There is no such thing; the message says what there is.
    """
    place, colon, attr = target.rpartition(":")
    if not colon or not place or not attr:
        raise typer.BadParameter(f"{target!r} must be 'module:attr' or 'file.py:attr'")
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    found: Any = module
    for name in attr.split("."):
        if not hasattr(found, name):
            names = ", ".join(sorted(n for n in vars(module) if not n.startswith("_"))[:12])
            raise typer.BadParameter(f"{place!r} has no {attr!r}; it has: {names}")
        found = getattr(found, name)
    return found


def _load_file(file: Path) -> ModuleType:
    if not file.is_file():
        raise typer.BadParameter(f"there is no file {str(file)!r} here")
    sys.path.insert(0, str(file.resolve().parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise typer.BadParameter(f"{str(file)!r} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def _load_module(name: str) -> ModuleType:
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - a string
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name and name.startswith(exc.name):
            raise typer.BadParameter(f"there is no module {name!r} here; is it a file? then: {name}.py:…") from exc
        raise


def open_log(log: str) -> EventLog:
    """The log that ``--log`` names."""
    return MemoryLog() if log == "memory" else SQLiteLog(log)


def make_app() -> FastAPI:
    """The app of a worker process, from the settings in its environment."""
    settings = msgspec.json.decode(os.environ[SETTINGS], type=ServeSettings)
    unspool = Unspool(log=open_log(settings.log), grace=settings.grace, ticket_secret=settings.ticket_secret)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        async with shutdown_at_signal(unspool):
            yield

    app = FastAPI(title=Path(settings.target).name, lifespan=lifespan)
    unspool.add_routes(app, load_target(settings.target), path=settings.path)
    unspool.add_playground(app)
    return app


def serve_target(settings: ServeSettings, *, host: str, port: int, workers: int, reload: bool) -> None:
    """Serve what the settings name. Blocks until the process is told to stop."""
    if workers > 1 and settings.log == "memory":
        raise typer.BadParameter("several workers need a log that they share: give --log a file")
    load_target(settings.target)  # a mistake is told here, once, and not by each worker
    os.environ[SETTINGS] = msgspec.json.encode(settings).decode()
    port = checked_port(host, port)
    typer.echo(f"Agent     http://{host}:{port}{settings.path}\nPage      http://{host}:{port}/")
    typer.echo(f"API docs  http://{host}:{port}/docs\nLog       {settings.log}\nCtrl-C stops it.")
    uvicorn.run(
        "unspool.cli.serving:make_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        reload=reload,
        log_level="warning",
        timeout_graceful_shutdown=_patience(settings.grace),
    )


def serve_app(app: FastAPI, *, host: str, port: int, grace: float) -> None:
    """Serve an app that is made already, in this process."""
    uvicorn.run(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=_patience(grace))


def _patience(grace: float) -> int:
    """Seconds that uvicorn waits for open responses: until the runs have had theirs, and a little more."""
    return int(grace) + 15


def checked_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0.

    Raises:
        typer.BadParameter: Somebody has it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            raise typer.BadParameter(
                f"port {port} on {host} cannot be used ({exc.strerror}); give another --port"
            ) from exc
        free: int = probe.getsockname()[1]
    return free
