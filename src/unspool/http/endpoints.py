"""Handlers as ASGI apps: who is asking, and what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from unspool.access import Authenticate, Principal
from unspool.http.problems import problem_response

Handler = Callable[[Request, Principal], Awaitable[Response]]
"""Takes a request and who is asking, and returns the response. Raises :class:`~unspool.errors.UnspoolError`."""

RouteTable = Sequence[tuple[str, str, Handler]]
"""Method, path behind the mount's own, and who answers."""


class Endpoint:
    """Calls a handler with the request and its principal; an error before the first byte becomes a problem.

    A plain ASGI app and not a FastAPI route: what waits for a run's next event should hold nothing but itself.
    """

    def __init__(self, handler: Handler, authenticate: Authenticate) -> None:
        self._handler = handler
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            response = await self._handler(request, await self._authenticate(request))
        except Exception as exc:  # noqa: BLE001 - logged under an error id, and answered
            response = problem_response(exc)
        del request
        await response(scope, receive, send)
