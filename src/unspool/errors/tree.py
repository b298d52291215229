"""Everything Unspool raises.

    UnspoolError                code             HTTP
    ├── InvalidInput            validation        422  a body, a parameter or an input that cannot be used
    │   ├── MalformedBody       validation        400  bytes that are not in the agreed format
    │   └── TooLarge            validation        413  over a documented limit
    ├── NotAuthenticated        auth              401  nobody is asking, as far as we can tell
    ├── RunNotFound             not_found         404  no such run, or not yours
    ├── RunConflict             conflict          409  the run is in a state that does not allow this
    │   ├── RunIdTaken          conflict          409  the run id was used for something else
    │   └── CursorUnknown       cursor_unknown    409  a position that this log never issued
    ├── CursorExpired           cursor_expired    410  retention removed what follows that position
    ├── IdempotencyConflict     validation        422  the idempotency key was used for another request
    ├── Overloaded              overloaded        503  no room, or shutting down; try again
    ├── LogUnavailable          overloaded        503  the event log did not answer or could not write
    ├── RunFailed               (its own)         5xx  a run that ended in an error, raised by ``invoke``
    │   ├── RunCancelled        cancelled         409  somebody stopped the run
    │   └── RunLost             lost              503  the process that ran it died
    ├── SourceTimeout           timeout           504  the source took too long; ``which`` says for what
    ├── SourceError             (its own)         502  what a source may raise to choose the code itself
    └── NotStarted              internal          500  the app's lifespan did not run

Arguments of the wrong type or range raise ``TypeError`` or ``ValueError`` instead: those are mistakes
in the program, not states of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

ErrorCode = Literal[
    "provider",
    "rate_limit",
    "timeout",
    "auth",
    "validation",
    "cancelled",
    "lost",
    "log_lost",
    "overloaded",
    "not_found",
    "conflict",
    "cursor_unknown",
    "cursor_expired",
    "internal",
]
"""Stable names, the same in Python, TypeScript and on the wire."""


class UnspoolError(Exception):
    """Base of all that Unspool raises.

    Attributes:
        code: The stable name of the condition.
        status: The HTTP status that a response about it carries.
        title: One line for a person, the same for every instance of the class.
        retry_after: Seconds after which trying again makes sense, if that is known.
    """

    code: ErrorCode = "internal"
    status: int = 500
    title: ClassVar[str] = "Internal error"
    retry_after: float | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(UnspoolError):
    """A body, a parameter or an input that cannot be used. The message says what to change."""

    code: ErrorCode = "validation"
    status = 422
    title = "Invalid input"


class MalformedBody(InvalidInput):
    """Bytes from the peer are not in the agreed format."""

    status = 400
    title = "Malformed request"


class TooLarge(InvalidInput):
    """Something is over a documented limit."""

    status = 413
    title = "Too large"

    def __init__(self, what: str, *, limit: int) -> None:
        super().__init__(f"{what} is over the limit of {limit:,} bytes")
        self.limit = limit


class NotAuthenticated(UnspoolError):
    """The request carries no credentials that we accept."""

    code: ErrorCode = "auth"
    status = 401
    title = "Not authenticated"


class RunNotFound(UnspoolError):
    """No run has that id, or it belongs to somebody else: the two are not told apart."""

    code: ErrorCode = "not_found"
    status = 404
    title = "Run not found"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"there is no run {run_id!r}")
        self.run_id = run_id


class ThreadNotFound(UnspoolError):
    """No thread has that id, or it belongs to somebody else: the two are not told apart."""

    code: ErrorCode = "not_found"
    status = 404
    title = "Thread not found"

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"there is no thread {thread_id!r}")
        self.thread_id = thread_id


class RunConflict(UnspoolError):
    """The run is in a state that does not allow what was asked for."""

    code: ErrorCode = "conflict"
    status = 409
    title = "Conflict"


class RunIdTaken(RunConflict):
    """The caller chose a run id that was used before, for another request."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"the run id {run_id!r} was already used for another request; choose a new one")
        self.run_id = run_id


class CursorUnknown(RunConflict):
    """The position to resume from was not issued by this log. Start again from 0."""

    code: ErrorCode = "cursor_unknown"
    title = "Unknown cursor"

    def __init__(self, *, asked: int | str, last: int) -> None:
        super().__init__(f"the log has no position {asked}; its last one is {last}. Read again from 0")
        self.asked = asked
        self.last = last


class CursorExpired(UnspoolError):
    """What follows that position was removed by retention."""

    code: ErrorCode = "cursor_expired"
    status = 410
    title = "Expired cursor"

    def __init__(self, *, asked: int, first: int) -> None:
        super().__init__(f"what follows position {asked} was removed by retention; the log now begins at {first}")
        self.asked = asked
        self.first = first


class IdempotencyConflict(InvalidInput):
    """The idempotency key was used before, with another request."""

    title = "Idempotency key used for another request"

    def __init__(self, key: str) -> None:
        super().__init__(f"the idempotency key {key!r} was already used with another request; use a new key")
        self.key = key


class Overloaded(UnspoolError):
    """There is no room for more, or the server is about to stop. Trying again later makes sense."""

    code: ErrorCode = "overloaded"
    status = 503
    title = "Overloaded"

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LogUnavailable(UnspoolError):
    """The event log did not answer, or could not write. What was not acknowledged may be missing."""

    code: ErrorCode = "overloaded"
    status = 503
    title = "Event log unavailable"


class NotStarted(UnspoolError):
    """Unspool was asked to run something before its lifespan began, or after it ended."""

    def __init__(self) -> None:
        super().__init__(
            "Unspool is not running: the app's lifespan did not start it. Serve the app itself (not a copy "
            "mounted below another app), or enter `async with unspool:` around its use"
        )


class RunFailed(UnspoolError):
    """A run ended in an error. Raised where somebody waits for a run's output.

    Attributes:
        run_id: The run, whose log still holds what it produced.
        retryable: Whether the same request may succeed later.
        error_id: What to look for in the server's log, where the code is ``internal``.
    """

    title = "The run failed"

    def __init__(
        self,
        message: str,
        *,
        code: ErrorCode = "internal",
        run_id: str | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
        error_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = HTTP_STATUS[code]
        self.run_id = run_id
        self.retryable = retryable
        self.retry_after = retry_after
        self.error_id = error_id


class RunCancelled(RunFailed):
    """Somebody stopped the run. Its partial output is kept."""

    title = "The run was cancelled"

    def __init__(self, *, run_id: str | None = None) -> None:
        super().__init__("the run was cancelled", code="cancelled", run_id=run_id)


class RunLost(RunFailed):
    """The process that ran it died, and the run could not be taken up again."""

    title = "The run was lost"

    def __init__(self, *, run_id: str | None = None) -> None:
        super().__init__("the process that ran it stopped", code="lost", run_id=run_id, retryable=True)


TimeoutKind = Literal["first_token", "idle", "total"]


class SourceTimeout(UnspoolError):
    """The source took too long.

    Attributes:
        which: ``first_token``, ``idle`` (between two events) or ``total``.
        seconds: The limit that was reached.
    """

    code: ErrorCode = "timeout"
    status = 504
    title = "The source took too long"

    def __init__(self, which: TimeoutKind, seconds: float) -> None:
        wait = {
            "first_token": f"nothing arrived within {seconds:g} s",
            "idle": f"nothing more arrived for {seconds:g} s",
            "total": f"the run took longer than {seconds:g} s",
        }[which]
        super().__init__(wait)
        self.which: TimeoutKind = which
        self.seconds = seconds


class SourceError(UnspoolError):
    """Raise this in a source to choose what the client is told.

    Args:
        message: Shown to the client as it is, so write it for that reader.
        code: One of the stable codes.
        retryable: Whether the same request may succeed later.
        retry_after: Seconds to wait before that, if known.
    """

    title = "The source failed"

    def __init__(
        self,
        message: str,
        *,
        code: ErrorCode = "provider",
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = HTTP_STATUS[code]
        self.retryable = retryable
        self.retry_after = retry_after


HTTP_STATUS: Mapping[ErrorCode, int] = {
    "provider": 502,
    "rate_limit": 429,
    "timeout": 504,
    "auth": 502,
    "validation": 422,
    "cancelled": 409,
    "lost": 503,
    "log_lost": 503,
    "overloaded": 503,
    "not_found": 404,
    "conflict": 409,
    "cursor_unknown": 409,
    "cursor_expired": 410,
    "internal": 500,
}
"""The HTTP status of a run that ended with a code. ``auth`` is the provider refusing *us*: 502."""
