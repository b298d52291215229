"""The object that owns the log and the runs of an app, and puts sources on it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from posixpath import relpath
from types import TracebackType
from typing import Any, NamedTuple, Self

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute

from unspool.access import Authenticate, Tickets, everybody
from unspool.eventlog import EventLog, MemoryLog, Retention
from unspool.http.about import AboutRoutes, OnFeedback, media_types
from unspool.http.endpoints import Endpoint, RouteTable
from unspool.http.native import NativeRoutes
from unspool.http.openapi import describe
from unspool.http.operations import ProtocolRoute
from unspool.http.protocols import known_protocols, protocol_routes
from unspool.http.serving import Serving
from unspool.http.websocket import WebSocketEndpoint
from unspool.runs import Runner, RunOptions
from unspool.sources import Source, adapt
from unspool.web import Agent, PlaygroundConfig, playground_routes

MAX_BODY_BYTES = 1024 * 1024


_TAKE_TICKETS = {("GET", "/stream"), ("GET", "/runs/{run_id}/stream")}


class Mounted(NamedTuple):
    """Where an agent is."""

    app: Starlette
    path: str
    name: str


class Unspool:
    """Owns an event log and the runs in it, for one process of one app.

    An async context manager. :meth:`add_routes` ties it to the app's lifespan, so that most apps never enter it
    by hand; entering it more than once is fine, the last one out stops it.

    Args:
        log: Where runs live; entered and left with this object. Default: a :class:`MemoryLog`.
        authenticate: Says who is asking. Default: everybody is the same principal, and sees everything.
        lease: Seconds after which other processes may take up the runs of this one, if it is not heard of.
        grace: Seconds that running runs have when the server stops.
        retention: What the log keeps of runs that have ended.
        max_runs: Runs at one time in this process; a further one is refused as ``overloaded``.
        max_body_bytes: Of a request body, and of a WebSocket message. Default 1 MiB.
        heartbeat: Seconds of silence after which a follower gets a sign of life.
        send_timeout: Seconds that a follower's socket may take to drain before it is dropped.
        ticket_secret: Signs stream tickets; at least 16 characters. Several processes of one app need the same.
            Default: a random one per process.
        ticket_seconds: How long a stream ticket is good for.
        on_feedback: Called with feedback, its run and who gave it, once it is stored: to pass it on.
        playground: Whether each mount has a playground, at ``{path}/playground/``.
    """

    def __init__(
        self,
        *,
        log: EventLog | None = None,
        authenticate: Authenticate = everybody,
        lease: float = 15.0,
        grace: float = 10.0,
        retention: Retention | None = None,
        max_runs: int = 1000,
        max_body_bytes: int = MAX_BODY_BYTES,
        heartbeat: float = 15.0,
        send_timeout: float = 30.0,
        ticket_secret: str | None = None,
        ticket_seconds: int = 60,
        on_feedback: OnFeedback | None = None,
        playground: bool = True,
    ) -> None:
        if max_body_bytes < 1 or heartbeat <= 0:
            raise ValueError("max_body_bytes and heartbeat must be positive")
        self.log: EventLog = log or MemoryLog()
        self.runner = Runner(
            self.log,
            lease=lease,
            grace=grace,
            retention=retention,
            max_runs=max_runs,
            send_timeout=send_timeout,
        )
        self.authenticate = authenticate
        self._tickets = Tickets(secret=ticket_secret, seconds=ticket_seconds)
        self._on_feedback = on_feedback
        self._playground = playground
        self._max_body_bytes = max_body_bytes
        self._heartbeat = heartbeat
        self._entered = 0
        self._stack = AsyncExitStack()
        self._tied: list[Starlette] = []
        self._mounted: list[Mounted] = []

    def add_routes(
        self,
        app: Starlette,
        source: Any,
        *,
        path: str = "",
        name: str | None = None,
        options: RunOptions | None = None,
        description: str | None = None,
        accepts: Sequence[str] = (),
        playground: bool | None = None,
        protocols: Sequence[str] | None = None,
    ) -> None:
        """Serve ``source`` at ``path`` of ``app``: in the native protocol, and in others below it.

        Args:
            app: A FastAPI or Starlette app. Its lifespan starts and stops this object.
            source: What :func:`unspool.adapt` takes.
            path: Begins with ``/``, does not end with one; ``""`` is the root.
            name: What its runs are called in the log: the same in every process and after every restart.
                Default: the path, without the slash in front.
            options: Limits and policies for its runs.
            description: What it is, for people.
            accepts: Media types that a client may attach to a message: ``image/png``, ``image/*``. It is for clients
                to know; the source gets what they send.
            playground: Whether it has a playground, at ``{path}/playground/``. Default: as this object says.
            protocols: Which others than the native one, each at ``{path}/{protocol}``. Default: all there are.

        Raises:
            TypeError: ``source`` cannot be adapted.
            ValueError: The path or ``accepts`` is not of that form, the name is taken, or there is no such protocol.
        """
        if path and (not path.startswith("/") or path.endswith("/")):
            raise ValueError(f"path must begin with '/' and not end with one, as '/agent' does; it is {path!r}")
        attachable = media_types(accepts)
        wanted = known_protocols(protocols)
        serving = self.serving(adapt(source), path=path, name=name, options=options)
        mount = serving.mount
        about = AboutRoutes(
            self.log,
            mount,
            tickets=self._tickets,
            accepts=attachable,
            description=description,
            max_body_bytes=self._max_body_bytes,
            on_feedback=self._on_feedback,
        )
        others = protocol_routes(serving, wanted)
        app.router.routes.extend(self._routes(serving, about, others))
        self._mounted.append(Mounted(app, path, mount.name))
        if self._playground if playground is None else playground:
            page = f"{path}/playground"
            app.router.routes.extend(playground_routes(page, partial(self._config, app, page, path)))
        self._tie_to(app)
        if isinstance(app, FastAPI):
            describe(app, path, name=mount.name, others=others)

    def serving(
        self, source: Source, *, path: str, name: str | None = None, options: RunOptions | None = None
    ) -> Serving:
        """Give ``source`` a place in the log without any routes: for those of other servers' protocols.

        Raises:
            ValueError: The name is taken.
        """
        mount = self.runner.mount(source, name=name or path.strip("/") or source.name, options=options or RunOptions())
        return Serving(self.runner, mount, path=path, max_body_bytes=self._max_body_bytes, heartbeat=self._heartbeat)

    def add_playground(self, app: Starlette, *, title: str | None = None, model: str = "", note: str = "") -> None:
        """Serve the playground at ``/`` of ``app``, for all that is mounted there.

        Args:
            app: The app that the agents are on, too.
            title: What the page calls itself. Default: the app's title, or the first agent's name.
            model: The model in use.
            note: What people should know of it.
        """
        config = partial(self._config, app, "", None, title=title, model=model, note=note)
        app.router.routes.extend(playground_routes("", config))

    def _config(
        self, app: Starlette, page: str, first: str | None, *, title: str | None = None, model: str = "", note: str = ""
    ) -> PlaygroundConfig:
        """What the playground at ``page`` is told: the agents of the app, the one at ``first`` before the others."""
        found = [mounted for mounted in self._mounted if mounted.app is app]
        found.sort(key=lambda mounted: mounted.path != first)
        agents = [Agent(mounted.name, relpath(mounted.path or "/", page or "/")) for mounted in found]
        own = app.title if isinstance(app, FastAPI) and app.title != "FastAPI" else None
        title = title or own or (agents[0].name if agents else "Unspool")
        return PlaygroundConfig(title=title, agents=agents, model=model, note=note)

    def _routes(self, serving: Serving, about: AboutRoutes, others: Sequence[ProtocolRoute]) -> list[BaseRoute]:
        mount, path = serving.mount, serving.path
        native = NativeRoutes(serving)
        table: RouteTable = [
            ("POST", "/stream", native.stream),
            ("GET", "/stream", native.stream_get),
            ("POST", "/invoke", native.invoke),
            ("POST", "/batch", native.batch),
            ("POST", "/runs", native.start),
            ("GET", "/runs", native.runs),
            ("GET", "/runs/{run_id}", native.run),
            ("GET", "/runs/{run_id}/stream", native.follow),
            ("POST", "/runs/{run_id}/cancel", native.cancel),
            ("POST", "/runs/{run_id}/resume", native.resume),
            ("GET", "/threads", native.threads),
            ("GET", "/threads/{thread_id}", native.thread),
            ("GET", "/schemas", about.schemas),
            ("POST", "/feedback", about.feedback),
            ("POST", "/tickets", about.ticket),
            *[(route.method, route.path, route.handler) for route in others],
        ]
        with_ticket = self._tickets.or_else(self.authenticate, mount=mount.name)
        routes: list[BaseRoute] = []
        for method, suffix, handler in table:
            streams = (method, suffix) in _TAKE_TICKETS
            who = with_ticket if streams else self.authenticate
            route = Route(path + suffix, Endpoint(handler, who), methods=[method])
            route.methods = {method}  # Starlette adds HEAD to GET; a HEAD of a stream would start or hold a run
            routes.append(route)
        socket = WebSocketEndpoint(
            self.runner,
            mount,
            with_ticket,
            max_message_bytes=self._max_body_bytes,
            heartbeat=self._heartbeat,
        )
        routes.append(WebSocketRoute(path + "/ws", socket))
        return routes

    def _tie_to(self, app: Starlette) -> None:
        if app in self._tied:
            return
        self._tied.append(app)
        app.state.unspool = self
        inner = app.router.lifespan_context

        @asynccontextmanager
        async def lifespan(started: Any) -> AsyncGenerator[dict[str, Any], None]:
            async with self, inner(started) as state:
                yield {**(state or {}), "unspool": self}

        app.router.lifespan_context = lifespan

    def begin_shutdown(self) -> None:
        """Take no more runs, and end those that run within the grace. Safe to call from a signal handler.

        For servers that wait for open responses before they end the lifespan, as uvicorn does.
        """
        self.runner.begin_shutdown()

    async def __aenter__(self) -> Self:
        """Open the log and start the runner."""
        self._entered += 1
        if self._entered == 1:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(self.log)
                await stack.enter_async_context(self.runner)
                self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the runner in good order, then close the log."""
        self._entered -= 1
        if self._entered == 0:
            await self._stack.__aexit__(None, None, None)  # the body's own exception is not ours to wrap


def add_routes(
    app: Starlette,
    source: Any,
    *,
    path: str = "",
    name: str | None = None,
    options: RunOptions | None = None,
    description: str | None = None,
    accepts: Sequence[str] = (),
    playground: bool | None = None,
    protocols: Sequence[str] | None = None,
) -> Unspool:
    """Serve ``source`` at ``path`` of ``app``: the one line.

    The first call makes the :class:`Unspool` of the app, with a log in memory; later ones add to it. Return it.
    For a log that lasts, authentication and limits, make an :class:`Unspool` and use its ``add_routes``.

    Raises:
        TypeError, ValueError: As :meth:`Unspool.add_routes`.
    """
    unspool: Unspool = getattr(app.state, "unspool", None) or Unspool()
    unspool.add_routes(
        app,
        source,
        path=path,
        name=name,
        options=options,
        description=description,
        accepts=accepts,
        playground=playground,
        protocols=protocols,
    )
    return unspool
