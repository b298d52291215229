"""Errors as HTTP responses: RFC 9457 problem details."""

from __future__ import annotations

import logging
import math
from typing import Any

import msgspec
from starlette.responses import Response

from unspool.errors import Failure, NotStarted, UnspoolError, classify

logger = logging.getLogger("unspool")

MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of an error response.

    Attributes:
        type: ``urn:unspool:error:`` and the code.
        title: The same for every problem of one kind.
        status: The HTTP status.
        detail: What happened, and what to do about it.
        code: Stable; see :data:`unspool.errors.ErrorCode`.
        retryable: Whether the same request may succeed later.
        retry_after: Seconds to wait before that; also in the ``Retry-After`` header.
        error_id: What to quote to those who run the server.
        run_id: The run that it is about.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool = False
    retry_after: float | None = None
    error_id: str | None = None
    run_id: str | None = None


def problem_of(exc: Exception) -> Problem:
    """Say what a client may know of ``exc``. What is not ours is logged, under the error id that it gets."""
    failure = classify(exc) if isinstance(exc, UnspoolError) else classify(RuntimeError())
    if failure.error_id is not None and not isinstance(exc, UnspoolError):
        logger.error("error id %s", failure.error_id, exc_info=exc)
    known = exc if isinstance(exc, UnspoolError) else UnspoolError(failure.message)
    return Problem(
        type=f"urn:unspool:error:{failure.code}",
        title=known.title,
        status=known.status,
        detail=_detail(known, failure),
        code=failure.code,
        retryable=failure.retryable,
        retry_after=failure.retry_after,
        error_id=failure.error_id,
        run_id=getattr(exc, "run_id", None),
    )


def _detail(exc: UnspoolError, failure: Failure) -> str:
    # NotStarted is a mistake in the set-up: whoever can mend it reads it here first, and it names nothing else.
    return exc.message if failure.code != "internal" or isinstance(exc, NotStarted) else failure.message


def problem_response(exc: Exception) -> Response:
    """The response that tells of ``exc``."""
    problem = problem_of(exc)
    headers: dict[str, str] = {"Cache-Control": "no-store"}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(problem.retry_after))
    return json_response(problem, status=problem.status, headers=headers, media_type=MEDIA_TYPE)


def json_response(
    body: Any, *, status: int = 200, headers: dict[str, str] | None = None, media_type: str = "application/json"
) -> Response:
    """A response with ``body`` as JSON."""
    return Response(msgspec.json.encode(body), status_code=status, headers=headers, media_type=media_type)
