"""Whose runs they are, and what keeps them: one :class:`~unspool.Unspool` for each app."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.requests import HTTPConnection

from unspool.access import ANONYMOUS, Principal
from unspool.http.app import Unspool

VISITOR_COOKIE = "unspool_visitor"
"""What the playground's page gives a browser."""


async def visitor(connection: HTTPConnection) -> Principal:
    """Take each browser for a principal of its own: nobody sees what others asked in the playground."""
    return Principal(id=connection.cookies.get(VISITOR_COOKIE) or secrets.token_urlsafe(24))


async def bearer(connection: HTTPConnection) -> Principal:
    """Take those who send the same ``Authorization`` for one principal, and all who send none for another."""
    sent = connection.headers.get("authorization")
    return ANONYMOUS if sent is None else Principal(id=sha256(sent.encode()).hexdigest())


def unspool_of(app: FastAPI | APIRouter, given: Unspool | None) -> Unspool:
    """Return ``given``, or the one that the app has for this; each router has its own. It lives with the app."""
    known: Unspool | None = getattr(app.state, "langserve_unspool", None) if isinstance(app, FastAPI) else None
    if given is None and known is not None:
        return known
    unspool = given or Unspool(authenticate=visitor, playground=False)
    if given is None and isinstance(app, FastAPI):
        app.state.langserve_unspool = unspool
    router = app.router if isinstance(app, FastAPI) else app
    inner = router.lifespan_context

    @asynccontextmanager
    async def lifespan(started: Any) -> AsyncGenerator[Any, None]:
        async with unspool, inner(started) as state:
            yield state

    router.lifespan_context = lifespan
    return unspool
