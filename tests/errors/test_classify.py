"""What a client is told of the exceptions that SDKs really raise."""

from __future__ import annotations

from typing import Any

import agents.exceptions
import anthropic
import any_llm.exceptions
import httpx
import httpx2
import openai
import pydantic_ai.exceptions
import pytest

from unspool.errors import SourceError, SourceTimeout, classify, provider_error

SECRET = "sk-secret: the body of the upstream"
REQUEST = httpx2.Request("POST", "http://model.invalid/v1")


def _http(status: int, **headers: str) -> httpx2.Response:
    return httpx2.Response(status, request=REQUEST, headers=headers)


def _openai(status: int, code: str | None = None, **headers: str) -> openai.APIStatusError:
    return openai.APIStatusError(SECRET, response=_http(status, **headers), body={"code": code, "message": SECRET})


def _anthropic(status: int, kind: str) -> anthropic.APIStatusError:
    body = {"type": "error", "error": {"type": kind, "message": SECRET}}
    return anthropic.APIStatusError(SECRET, response=_http(status), body=body)


def _in_stream(code: str | None, kind: str | None = None) -> openai.APIError:
    return openai.APIError(SECRET, REQUEST, body={"code": code, "type": kind, "message": SECRET})


CASES: list[tuple[BaseException, str, bool, str]] = [
    (_openai(429, "rate_limit_exceeded"), "rate_limit", True, "limiting requests"),
    (_openai(429, "insufficient_quota"), "rate_limit", False, "quota"),
    (_openai(400, "context_length_exceeded"), "validation", False, "too long"),
    (_openai(400, "content_filter"), "provider", False, "content filter"),
    (_openai(400), "validation", False, "invalid"),
    (_openai(401, "invalid_api_key"), "auth", False, "credentials"),
    (_openai(404, "model_not_found"), "provider", False, "does not know"),
    (_openai(500), "provider", True, "failed"),
    (_openai(503), "overloaded", True, "overloaded"),
    (_openai(418), "provider", False, "failed"),
    (_in_stream("rate_limit_exceeded"), "rate_limit", True, "limiting requests"),
    (_in_stream(None, "server_error"), "provider", True, "failed"),
    (_in_stream(None), "provider", True, "failed"),
    (openai.APITimeoutError(REQUEST), "timeout", True, "too long"),
    (openai.APIConnectionError(request=REQUEST), "provider", True, "could not be reached"),
    (_anthropic(529, "overloaded_error"), "overloaded", True, "overloaded"),
    (_anthropic(200, "overloaded_error"), "overloaded", True, "overloaded"),
    (_anthropic(200, "api_error"), "provider", True, "failed"),
    (_anthropic(401, "authentication_error"), "auth", False, "credentials"),
    (httpx.ReadTimeout(SECRET), "timeout", True, "too long"),
    (httpx.RemoteProtocolError(SECRET), "provider", True, "connection"),
    (any_llm.exceptions.RateLimitError(SECRET), "rate_limit", True, "limiting requests"),
    (any_llm.exceptions.ContextLengthExceededError(SECRET), "validation", False, "too long"),
    (any_llm.exceptions.MissingApiKeyError("x", SECRET), "auth", False, "credentials"),
    (any_llm.exceptions.ContentFilterError(SECRET), "provider", False, "content filter"),
    (agents.exceptions.MaxTurnsExceeded(SECRET), "internal", False, "more turns"),
    (agents.exceptions.ModelBehaviorError(SECRET), "provider", False, "cannot use"),
    (pydantic_ai.exceptions.ModelHTTPError(429, "m", SECRET), "rate_limit", True, "limiting requests"),
    (pydantic_ai.exceptions.ModelConnectionError("m", SECRET), "provider", True, "could not be reached"),
    (pydantic_ai.exceptions.UsageLimitExceeded(SECRET), "internal", False, "more than it is allowed"),
    (pydantic_ai.exceptions.UnexpectedModelBehavior(SECRET), "provider", False, "cannot use"),
    (
        pydantic_ai.exceptions.FallbackExceptionGroup("g", [_openai(429), _openai(500)]),
        "provider",
        True,
        "No model provider",
    ),
    (ExceptionGroup("g", [_openai(429)]), "rate_limit", True, "limiting requests"),
    (TimeoutError(SECRET), "timeout", True, "too long"),
    (SourceTimeout("idle", 3), "timeout", True, "nothing more arrived for 3 s"),
]


@pytest.mark.parametrize(("exc", "code", "retryable", "words"), CASES, ids=lambda value: type(value).__name__)
def test_a_known_failure_has_a_code_and_our_own_words(
    exc: BaseException, code: str, retryable: bool, words: str
) -> None:
    failure = classify(exc)
    assert (failure.code, failure.retryable, failure.error_id) == (code, retryable, None)
    assert words in failure.message
    assert SECRET not in failure.message


@pytest.mark.parametrize(
    ("exc", "seconds"),
    [
        (_openai(429, **{"retry-after": "2.5"}), 2.5),
        (_openai(429, **{"retry-after": "Sat, 21 Nov 2026 15:00:00 GMT"}), None),
        (_openai(429), None),
        (any_llm.exceptions.RateLimitError(SECRET, retry_after="7"), 7.0),
        (pydantic_ai.exceptions.ModelHTTPError(429, "m", headers={"Retry-After": "3"}), 3.0),
        (provider_error("rate_limit_exceeded", retry_after=4.0), 4.0),
    ],
)
def test_the_provider_s_retry_after_is_passed_on(exc: BaseException, seconds: float | None) -> None:
    assert (classify(exc).code, classify(exc).retry_after) == ("rate_limit", seconds)


@pytest.mark.parametrize("exc", [RuntimeError(SECRET), ExceptionGroup("g", [_openai(429), RuntimeError(SECRET)])])
def test_what_is_not_known_is_internal_and_says_nothing(exc: BaseException) -> None:
    failure = classify(exc)
    assert (failure.code, failure.message) == ("internal", "Something went wrong on the server.")
    assert failure.error_id is not None


def test_a_mistake_of_the_program_is_internal_whatever_caused_it() -> None:
    mistake = agents.exceptions.UserError(SECRET)
    mistake.__cause__ = httpx.ConnectError(SECRET)
    assert classify(mistake).code == "internal"


def test_the_cause_counts_where_the_exception_itself_is_not_known() -> None:
    wrapped = RuntimeError(SECRET)
    wrapped.__cause__ = _openai(503)
    assert classify(wrapped).code == "overloaded"


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("context_length_exceeded", None, "validation"),
        ("server_error", None, "provider"),
        ("invalid_request_error", 429, "rate_limit"),
        (None, 401, "auth"),
        ("never_heard_of", None, "provider"),
        (None, None, "provider"),
    ],
)
def test_an_error_inside_a_stream_becomes_one_of_ours(code: Any, status: Any, expected: str) -> None:
    error = provider_error(code, status=status)
    assert isinstance(error, SourceError)
    assert error.code == expected
