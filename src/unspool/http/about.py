"""The routes beside the runs: what an agent takes, tickets for its streams, and what people think of its runs."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Sequence

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from unspool.access import Principal, Tickets
from unspool.errors import InvalidInput
from unspool.eventlog import EventLog, Feedback, Run
from unspool.http.bodies import FeedbackBody, read_body
from unspool.http.owned import owned_run
from unspool.http.problems import json_response
from unspool.http.views import FeedbackView, SchemasView, TicketView
from unspool.runs import Mount
from unspool.sources import Schemas

logger = logging.getLogger("unspool")

OnFeedback = Callable[[Feedback, Run, Principal], Awaitable[object]]
"""Called with feedback that was stored, to pass it on. Has 10 seconds; its failure is logged, and nothing else."""

MAX_KEYS = 100
"""Feedback that one run may have, by key."""

FORWARD_SECONDS = 10.0

_MEDIA_TYPE = re.compile(r"[\w.+-]+/(?:[\w.+-]+|\*)", re.ASCII)


def media_types(accepts: Sequence[str]) -> list[str]:
    """Return the media types that a client may attach to a message: ``image/png``, ``image/*``. Raises ValueError."""
    if isinstance(accepts, str) or not all(_MEDIA_TYPE.fullmatch(item) for item in accepts):
        raise ValueError(f"accepts must be media types, as ['image/*', 'application/pdf']; it is {accepts!r}")
    return list(accepts)


class AboutRoutes:
    """The handlers of one mount.

    Args:
        log: Where its runs are.
        mount: The mount.
        tickets: Signs them.
        accepts: As :func:`media_types` returns them.
        description: For people.
        max_body_bytes: Of a request body.
        on_feedback: See :data:`OnFeedback`.
    """

    def __init__(
        self,
        log: EventLog,
        mount: Mount,
        *,
        tickets: Tickets,
        accepts: list[str],
        description: str | None,
        max_body_bytes: int,
        on_feedback: OnFeedback | None,
    ) -> None:
        self._log = log
        self._mount = mount
        self._tickets = tickets
        self._accepts = accepts
        self._description = description
        self._max_body_bytes = max_body_bytes
        self._on_feedback = on_feedback
        self._schemas: Schemas | None = None

    async def schemas(self, request: Request, principal: Principal) -> Response:  # noqa: ARG002 - a handler
        """GET /schemas: JSON Schemas of input, output and config, and what may be attached."""
        if self._schemas is None:
            self._schemas = await anyio.to_thread.run_sync(self._mount.source.schemas)
        view = SchemasView(
            name=self._mount.name,
            description=self._description,
            input=self._schemas.input,
            output=self._schemas.output,
            config=self._schemas.config,
            accepts=self._accepts,
            max_body_bytes=self._max_body_bytes,
        )
        return json_response(view)

    async def ticket(self, request: Request, principal: Principal) -> Response:  # noqa: ARG002 - a handler
        """POST /tickets: a ticket for this mount's streams."""
        ticket = self._tickets.issue(principal, mount=self._mount.name)
        view = TicketView(ticket=ticket, expires_in=self._tickets.seconds)
        return json_response(view, headers={"Cache-Control": "no-store"})

    async def feedback(self, request: Request, principal: Principal) -> Response:
        """POST /feedback: score a run, or say something about it."""
        body = await read_body(request, FeedbackBody, limit=self._max_body_bytes)
        run = await owned_run(self._log, self._mount, body.run_id, principal)
        keys = {item.key for item in await self._log.feedback(run.id)} | {body.key}
        if len(keys) > MAX_KEYS:
            raise InvalidInput(f"one run takes feedback under {MAX_KEYS} keys, and no more")
        given = Feedback(key=body.key, at=0.0, score=body.score, value=body.value, comment=body.comment)
        stored = await self._log.put_feedback(run.id, given)
        await self._forward(stored, run, principal)
        return json_response(FeedbackView(run_id=run.id, **msgspec.structs.asdict(stored)))

    async def _forward(self, feedback: Feedback, run: Run, principal: Principal) -> None:
        if self._on_feedback is None:
            return
        try:
            with anyio.fail_after(FORWARD_SECONDS):
                await self._on_feedback(feedback, run, principal)
        except Exception:
            logger.exception("run %s: its feedback is stored, and could not be passed on", run.id)
