"""Stream tickets: who is asking, for browsers' ``EventSource`` and WebSocket, which cannot send headers."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Any

import msgspec
from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer
from starlette.requests import HTTPConnection
from typing_extensions import override

from unspool.access.principal import Authenticate, Principal
from unspool.errors import NotAuthenticated

MIN_SECRET = 16
"""Characters that a secret has at least."""


class _Signer(TimestampSigner):
    def __init__(self, *args: Any, clock: Callable[[], float], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock = clock

    @override
    def get_timestamp(self) -> int:
        return int(self._clock())


class _Ticket(msgspec.Struct, frozen=True, kw_only=True):
    mount: str
    principal: Principal


class Tickets:
    """Signs tickets and reads them again. Keeps nothing: a ticket says itself who it is for, and since when.

    It is signed and not encrypted: whoever holds it can read the principal in it, who is they themselves.

    Args:
        secret: What signs them: the same in every process of an app. None: a random one, for one process alone.
        seconds: How long a ticket is good for.
        clock: Seconds since the Unix epoch.
    """

    def __init__(self, *, secret: str | None = None, seconds: int = 60, clock: Callable[[], float] = time.time) -> None:
        if secret is not None and len(secret) < MIN_SECRET:
            raise ValueError(f"ticket_secret must have at least {MIN_SECRET} characters")
        if seconds < 1:
            raise ValueError("ticket_seconds must be at least 1")
        self.seconds = seconds
        self._serializer = URLSafeTimedSerializer(
            secret or secrets.token_urlsafe(32),
            salt="unspool.ticket",
            signer=_Signer,
            signer_kwargs={"clock": clock, "digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )

    def issue(self, principal: Principal, *, mount: str) -> str:
        """A ticket for the streams of one mount. The principal's claims must be JSON, and short: they are in it."""
        plain = msgspec.to_builtins(_Ticket(mount=mount, principal=principal))
        ticket: str = self._serializer.dumps(plain)
        return ticket

    def principal_of(self, ticket: str, *, mount: str) -> Principal:
        """Return who a ticket is for.

        Raises:
            NotAuthenticated: It expired, was changed, is of another mount, or is no ticket at all.
        """
        try:
            found = msgspec.convert(self._serializer.loads(ticket, max_age=self.seconds), _Ticket)
        except (BadSignature, msgspec.ValidationError) as exc:
            raise NotAuthenticated("the ticket is not valid, or not any more; ask for a new one") from exc
        if found.mount != mount:
            raise NotAuthenticated("the ticket is for another agent")
        return found.principal

    def or_else(self, authenticate: Authenticate, *, mount: str) -> Authenticate:
        """Ask for ``?ticket=`` first, and ``authenticate`` where there is none."""

        async def who(connection: HTTPConnection) -> Principal:
            ticket = connection.query_params.get("ticket")
            if ticket is None:
                return await authenticate(connection)
            return self.principal_of(ticket, mount=mount)

        return who
