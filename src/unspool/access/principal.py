"""Who is asking."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import HTTPConnection


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking. Runs and threads belong to the ``id`` that started them, and nobody else sees them.

    Attributes:
        id: Unique and stable. Never shown to anybody else.
        scopes: What they may do, for apps that tell it apart.
        claims: What else is known of them.
    """

    id: str
    scopes: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = {}


ANONYMOUS = Principal(id="anonymous")
"""Everybody, in an app that has no ``authenticate``."""

Authenticate = Callable[[HTTPConnection], Awaitable[Principal]]
"""Says who is asking, from headers, cookies or the session of a request or WebSocket.

Raises :class:`unspool.errors.NotAuthenticated` for whoever may not ask at all.
"""


async def everybody(_: HTTPConnection) -> Principal:
    """Take everybody for the same principal: the default, for apps that one person uses, or that trust all."""
    return ANONYMOUS
