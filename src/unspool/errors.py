"""Everything Unspool raises, and what of a failure a client may see.

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

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a client may know of an exception: a known, safe message, and never ``str(exc)``.

    Attributes:
        code: The stable name of the condition.
        message: Written by us, for a person.
        retryable: Whether the same request may succeed later.
        retry_after: Seconds to wait before that, where the provider said so.
        error_id: Set for ``internal`` only: what to look for in the server's log.
        which: For ``timeout``: which limit was reached.
    """

    code: ErrorCode
    message: str
    retryable: bool = False
    retry_after: float | None = None
    error_id: str | None = None
    which: TimeoutKind | None = None


_INTERNAL = "Something went wrong on the server."

# What upstream SDKs raise, by the HTTP status they report: `status_code` (openai, anthropic, litellm) or
# `response.status_code` (httpx). 529 is Anthropic's "overloaded".
_BY_STATUS: Mapping[int, tuple[ErrorCode, str, bool]] = {
    400: ("validation", "The model provider refused the request as invalid.", False),
    401: ("auth", "The model provider refused the server's credentials.", False),
    403: ("auth", "The model provider refused the server's credentials.", False),
    404: ("provider", "The model provider does not know this model or address.", False),
    408: ("timeout", "The model provider took too long.", True),
    409: ("provider", "The model provider reported a conflict.", True),
    413: ("validation", "The conversation is too long for the model.", False),
    422: ("validation", "The model provider refused the request as invalid.", False),
    429: ("rate_limit", "The model provider is limiting requests. Try again later.", True),
    529: ("overloaded", "The model provider is overloaded. Try again later.", True),
}

_CONTEXT_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"})
_FILTER_CODES = frozenset({"content_filter", "content_policy_violation"})

# Exceptions that carry no status, by class name; the packages they come from are optional for us.
_BY_NAME: Mapping[str, tuple[ErrorCode, str, bool]] = {
    "APITimeoutError": ("timeout", "The model provider took too long.", True),
    "APIConnectionError": ("provider", "The model provider could not be reached.", True),
    "TimeoutException": ("timeout", "The model provider took too long.", True),
    "TransportError": ("provider", "The connection to the model provider failed.", True),
    "GraphRecursionError": ("internal", "The agent took more steps than it is allowed.", False),
}
_KNOWN_PACKAGES = frozenset(
    {"openai", "anthropic", "httpx", "httpx2", "langgraph", "litellm", "mistralai", "groq", "cohere"}
)


def classify(exc: BaseException) -> Failure:
    """Say what a client may know of ``exc``.

    Exception groups of one are looked into, and so are the causes of a wrapping exception. Everything
    that is not known is ``internal``, with a new ``error_id``; the caller logs the exception under it.
    """
    for candidate in _chain(exc):
        known = _known(candidate)
        if known is not None:
            return known
    return Failure(code="internal", message=_INTERNAL, error_id=uuid.uuid4().hex[:12])


def _chain(exc: BaseException) -> list[BaseException]:
    """Return ``exc``, what it wraps, and why it was raised, nearest first."""
    found: list[BaseException] = []
    following: BaseException | None = exc
    while following is not None and following not in found:
        found.append(following)
        if isinstance(following, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", following)
            following = group.exceptions[0] if len(group.exceptions) == 1 else None
        else:
            following = following.__cause__
    return found


def _known(exc: BaseException) -> Failure | None:
    if isinstance(exc, UnspoolError):
        return _own(exc)
    if isinstance(exc, TimeoutError):
        return Failure(code="timeout", message="The source took too long.", retryable=True)
    names = {cls.__name__ for cls in type(exc).__mro__ if cls.__module__.partition(".")[0] in _KNOWN_PACKAGES}
    if not names:
        return None
    status = _status(exc)
    if status is not None:
        return _from_status(exc, status)
    return next(
        (
            Failure(code=code, message=message, retryable=retryable)
            for name, (code, message, retryable) in _BY_NAME.items()
            if name in names
        ),
        None,
    )


def _own(exc: UnspoolError) -> Failure | None:
    if isinstance(exc, NotStarted):
        return None
    return Failure(
        code=exc.code,
        message=exc.message,
        retryable=bool(getattr(exc, "retryable", exc.code in {"timeout", "overloaded", "lost", "rate_limit"})),
        retry_after=exc.retry_after,
        error_id=getattr(exc, "error_id", None),
        which=exc.which if isinstance(exc, SourceTimeout) else None,
    )


def _status(exc: BaseException) -> int | None:
    response = getattr(exc, "response", None)
    for holder in (exc, response):
        status: object = getattr(holder, "status_code", None)
        if isinstance(status, int):
            return status
    return None


def _from_status(exc: BaseException, status: int) -> Failure:
    upstream_code: object = getattr(exc, "code", None) or getattr(exc, "type", None)
    if upstream_code in _CONTEXT_CODES:
        return Failure(code="validation", message="The conversation is too long for the model.")
    if upstream_code in _FILTER_CODES:
        return Failure(code="provider", message="The model provider's content filter refused this.")
    unlisted: tuple[ErrorCode, str, bool] = ("provider", "The model provider failed.", status >= 500)
    code, message, retryable = _BY_STATUS.get(status, unlisted)
    return Failure(code=code, message=message, retryable=retryable, retry_after=_retry_after(exc))


def _retry_after(exc: BaseException) -> float | None:
    headers: Any = getattr(getattr(exc, "response", None), "headers", None)
    value: object = None if headers is None else headers.get("retry-after")
    try:
        return max(0.0, float(str(value))) if value is not None else None
    except ValueError:  # the HTTP-date form, which model providers do not send
        return None
