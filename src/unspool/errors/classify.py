"""What of a failure a client may know: a known, safe message, and never the exception's own."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from unspool.errors.tree import ErrorCode, NotStarted, SourceError, SourceTimeout, TimeoutKind, UnspoolError


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

Known = tuple[ErrorCode, str, bool]
"""Our code, our words, and whether trying again may help."""

_INVALID: Known = ("validation", "The model provider refused the request as invalid.", False)
_CREDENTIALS: Known = ("auth", "The model provider refused the server's credentials.", False)
_UNKNOWN_MODEL: Known = ("provider", "The model provider does not know this model or address.", False)
_TOO_LONG: Known = ("validation", "The conversation is too long for the model.", False)
_FILTERED: Known = ("provider", "The model provider's content filter refused this.", False)
_LIMITED: Known = ("rate_limit", "The model provider is limiting requests. Try again later.", True)
_NO_QUOTA: Known = ("rate_limit", "The quota at the model provider is used up.", False)
_OVERLOADED: Known = ("overloaded", "The model provider is overloaded. Try again later.", True)
_SLOW: Known = ("timeout", "The model provider took too long.", True)
_FAILED: Known = ("provider", "The model provider failed.", True)
_UNREACHABLE: Known = ("provider", "The model provider could not be reached.", True)
_LOST: Known = ("provider", "The connection to the model provider failed.", True)
_UNUSABLE: Known = ("provider", "The model answered in a way that the agent cannot use.", False)

# What OpenAI, Azure, Anthropic and llama.cpp call their errors, in the `code` or `type` of a body or of an event.
_BY_CODE: Mapping[str, Known] = {
    "authentication_error": _CREDENTIALS,
    "billing_error": _NO_QUOTA,
    "content_filter": _FILTERED,
    "content_policy_violation": _FILTERED,
    "context_length_exceeded": _TOO_LONG,
    "exceed_context_size_error": _TOO_LONG,
    "insufficient_quota": _NO_QUOTA,
    "invalid_api_key": _CREDENTIALS,
    "invalid_prompt": _INVALID,
    "model_not_found": _UNKNOWN_MODEL,
    "overloaded_error": _OVERLOADED,
    "permission_error": _CREDENTIALS,
    "rate_limit_error": _LIMITED,
    "rate_limit_exceeded": _LIMITED,
    "request_too_large": _TOO_LONG,
    "server_is_overloaded": _OVERLOADED,
    "slow_down": _OVERLOADED,
    "string_above_max_length": _TOO_LONG,
    "timeout_error": _SLOW,
}

# These say less than an HTTP status does, so they count only where there is none.
_BY_VAGUE_CODE: Mapping[str, Known] = {
    "api_error": _FAILED,
    "internal_error": _FAILED,
    "invalid_request_error": _INVALID,
    "not_found_error": _UNKNOWN_MODEL,
    "server_error": _FAILED,
}

# By the HTTP status that an SDK's exception reports, itself or by its `response`. 529 is Anthropic's.
_BY_STATUS: Mapping[int, Known] = {
    400: _INVALID,
    401: _CREDENTIALS,
    402: _NO_QUOTA,
    403: _CREDENTIALS,
    404: _UNKNOWN_MODEL,
    408: _SLOW,
    409: ("provider", "The model provider reported a conflict.", True),
    413: _TOO_LONG,
    422: _INVALID,
    429: _LIMITED,
    503: _OVERLOADED,
    504: _SLOW,
    529: _OVERLOADED,
}

# By class name, for exceptions that carry neither; the packages they come from are optional for us.
_BY_NAME: Mapping[str, Known] = {
    "APITimeoutError": _SLOW,
    "APIConnectionError": _UNREACHABLE,
    "TimeoutException": _SLOW,
    "TransportError": _LOST,
    "GraphRecursionError": ("internal", "The agent took more steps than it is allowed.", False),
    # openai-agents
    "InputGuardrailTripwireTriggered": ("validation", "The input was refused by a guardrail.", False),
    "OutputGuardrailTripwireTriggered": ("provider", "The answer was refused by a guardrail.", False),
    "ToolInputGuardrailTripwireTriggered": ("provider", "A tool call was refused by a guardrail.", False),
    "ToolOutputGuardrailTripwireTriggered": ("provider", "A tool's result was refused by a guardrail.", False),
    "MaxTurnsExceeded": ("internal", "The agent took more turns than it is allowed.", False),
    "ModelBehaviorError": _UNUSABLE,
    "ToolTimeoutError": ("timeout", "A tool took too long.", False),
    # pydantic-ai; the narrow ones first
    "ModelAuthenticationError": _CREDENTIALS,
    "ModelContextWindowExceededError": _TOO_LONG,
    "ModelNotFoundError": _UNKNOWN_MODEL,
    "ModelQuotaExceededError": _NO_QUOTA,
    "ModelRateLimitError": _LIMITED,
    "ModelOverloadedError": _OVERLOADED,
    "ModelUnavailableError": _OVERLOADED,
    "ModelServerError": _FAILED,
    "ModelRequestTimeout": _SLOW,
    "ModelTimeoutError": _SLOW,
    "ModelConnectionError": _UNREACHABLE,
    "ModelRequestRejectedError": _INVALID,
    "ModelAPIError": _FAILED,
    "RunTimedOut": ("timeout", "The agent took too long.", True),
    "ConcurrencyLimitExceeded": ("overloaded", "The server has no room for more. Try again later.", True),
    "FallbackExceptionGroup": ("provider", "No model provider answered.", True),
    "UsageLimitExceeded": ("internal", "The agent used more than it is allowed.", False),
    "ContentFilterError": _FILTERED,
    "OutputTokenLimitExceeded": ("provider", "The model's answer was cut off at its length limit.", False),
    "UnexpectedModelBehavior": _UNUSABLE,
    # any-llm
    "ContextLengthExceededError": _TOO_LONG,
    "InsufficientFundsError": _NO_QUOTA,
    "RateLimitError": _LIMITED,
    "AuthenticationError": _CREDENTIALS,
    "MissingApiKeyError": _CREDENTIALS,
    "GatewayTimeoutError": _SLOW,
    "InvalidRequestError": _INVALID,
    "UpstreamProviderError": _FAILED,
    "ProviderError": _FAILED,
    # openai and mcp
    "APIError": _FAILED,
    "MCPError": ("provider", "A tool server failed.", False),
}
_MISTAKES = frozenset({"UserError"})
"""What openai-agents and pydantic-ai raise where the program is wrong. Its cause would tell a client nothing true."""

_KNOWN_PACKAGES = frozenset(
    {
        "agents",
        "anthropic",
        "any_llm",
        "cohere",
        "groq",
        "httpx",
        "httpx2",
        "langgraph",
        "mcp",
        "mistralai",
        "openai",
        "pydantic_ai",
    }
)


def classify(exc: BaseException) -> Failure:
    """Say what a client may know of ``exc``.

    Exception groups of one are looked into, and so are the causes of a wrapping exception. Everything
    that is not known is ``internal``, with a new ``error_id``; the caller logs the exception under it.
    """
    for candidate in _chain(exc):
        if type(candidate).__name__ in _MISTAKES:
            break
        known = _known(candidate)
        if known is not None:
            return known
    return Failure(code="internal", message=_INTERNAL, error_id=uuid.uuid4().hex[:12])


def provider_error(code: str | None, *, status: int | None = None, retry_after: float | None = None) -> SourceError:
    """The exception for an error that a provider reports inside of a stream, to be raised.

    Args:
        code: What the provider calls it: ``rate_limit_exceeded``, ``overloaded_error``, and so on.
        status: An HTTP status, where the event has one.
        retry_after: Seconds to wait, where the event says so.
    """
    known = _by_code([code], status) or _FAILED
    return SourceError(known[1], code=known[0], retryable=known[2], retry_after=retry_after)


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
    names = [cls.__name__ for cls in type(exc).__mro__ if cls.__module__.partition(".")[0] in _KNOWN_PACKAGES]
    if not names:
        return None
    known = _by_code(_codes(exc), _status(exc)) or next((_BY_NAME[name] for name in names if name in _BY_NAME), None)
    if known is None:
        return None
    return Failure(code=known[0], message=known[1], retryable=known[2], retry_after=_retry_after(exc))


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


def _by_code(codes: Sequence[object], status: int | None) -> Known | None:
    """What the provider's own names for it, or else the HTTP status, mean."""
    for code in codes:
        if isinstance(code, str) and code in _BY_CODE:
            return _BY_CODE[code]
    if status is not None and status >= 400:
        return _BY_STATUS.get(status, ("provider", "The model provider failed.", status >= 500))
    for code in codes:
        if isinstance(code, str) and code in _BY_VAGUE_CODE:
            return _BY_VAGUE_CODE[code]
    return None


def _codes(exc: BaseException) -> list[object]:
    """What the provider calls the error, wherever the SDK has it; the most telling first."""
    found: list[object] = [getattr(exc, name, None) for name in _CODE_NAMES]
    body: object = getattr(exc, "body", None)
    if isinstance(body, Mapping):  # Anthropic: {"type": "error", "error": {"type": "overloaded_error", …}}
        error: object = cast("Mapping[str, object]", body).get("error")
        if isinstance(error, Mapping):
            fields = cast("Mapping[str, object]", error)
            found += [fields.get("code"), fields.get("type")]
    return found


_CODE_NAMES = ("code", "provider_error_code", "type", "provider_error_type", "error_type")


def _status(exc: BaseException) -> int | None:
    """The status of an error; an exception from inside a stream that began with 200 has none."""
    response = getattr(exc, "response", None)
    for holder in (exc, response):
        status: object = getattr(holder, "status_code", None)
        if isinstance(status, int) and status >= 400:
            return status
    return None


def _retry_after(exc: BaseException) -> float | None:
    headers: Any = getattr(getattr(exc, "response", None), "headers", None)
    value: object = getattr(exc, "retry_after", None)
    if value is None and headers is not None:
        value = headers.get("retry-after")
    try:
        return max(0.0, float(str(value))) if value is not None else None
    except ValueError:  # the HTTP-date form, which model providers do not send
        return None
