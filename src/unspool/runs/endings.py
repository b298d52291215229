"""Why a run is stopped before it is done, and what its log says of that."""

from __future__ import annotations

from enum import Enum

from unspool.errors import Failure
from unspool.events import Error


class Stop(Enum):
    """Why a source is stopped before it is done."""

    CANCELLED = "somebody asked for it"
    TIMEOUT = "it took too long"
    FENCED = "the log takes no more from this process"
    LOG_LOST = "the log lost records that were committed"
    SHUTDOWN = "the process is about to stop"


def error_event(failure: Failure) -> Error:
    """Put a failure on the wire."""
    return Error(
        code=failure.code,
        message=failure.message,
        retryable=failure.retryable,
        retry_after=failure.retry_after,
        error_id=failure.error_id,
        detail=None if failure.which is None else {"which": failure.which},
    )


def lost(message: str) -> Failure:
    """A run whose process stopped, and that nobody can take up."""
    return Failure(code="lost", message=message, retryable=True)
