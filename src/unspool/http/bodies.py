"""What requests may hold, and how it is read."""

from __future__ import annotations

from itertools import accumulate
from typing import Annotated, Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from unspool.errors import InvalidInput, MalformedBody, TooLarge

T = TypeVar("T")

Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._~-]{1,128}$(?!\n)")]
"""An id that a client may choose: 1 to 128 of ``A-Z a-z 0-9 . _ ~ -``.

The pattern is in schemas, too, and means the same in JavaScript, which has no ``\\Z``.
"""

MAX_DEPTH = 200
"""Arrays and objects of a request in one another. What is deeper could be read, and then not be written."""

_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))

MAX_BATCH = 100
"""Inputs of one ``/batch`` request."""

MAX_COMMENT = 4000
"""Characters of a comment."""


class StartBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Start a run.

    Attributes:
        input: What to ask the source: any JSON.
        thread_id: The conversation.
        config: For the source.
        run_id: Chosen by the client, so that a repeated request finds the run it started before.
        replaces: The run of the thread whose place this one takes.
    """

    input: Any
    thread_id: Id | None = None
    config: dict[str, Any] = {}
    run_id: Id | None = None
    replaces: Id | None = None


class ResumeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answer an interrupted run.

    Attributes:
        answer: To its interrupt, where there is just one.
        answers: By interrupt id.
        config: For the source.
        run_id: Of the run that carries the answer.
    """

    answer: Any = msgspec.UNSET
    answers: dict[str, Any] | None = None
    config: dict[str, Any] = {}
    run_id: Id | None = None


class BatchBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Run several inputs and wait for all. At most 100."""

    inputs: Annotated[list[Any], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]
    config: dict[str, Any] = {}


class FeedbackBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say what you think of a run.

    Attributes:
        run_id: The run, ended or not.
        key: What it is about. The same key again replaces what was said.
        score: A number, or yes or no.
        value: Any JSON.
        comment: At most 4,000 characters.
    """

    run_id: str
    key: Id = "score"
    score: bool | int | float | None = None
    value: Any = None
    comment: Annotated[str, msgspec.Meta(max_length=MAX_COMMENT)] | None = None


async def read_body(request: Request, kind: type[T], *, limit: int) -> T:
    """Return the JSON body as ``kind``.

    Raises:
        TooLarge: It has more than ``limit`` bytes. No more than that is read.
        MalformedBody: It is not JSON in UTF-8, or nested more than 200 levels deep.
        InvalidInput: A field is missing, unknown or of the wrong type; the message says which.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge("the request body", limit=limit)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise TooLarge("the request body", limit=limit)
    except ClientDisconnect as exc:
        raise MalformedBody("the client left in the middle of its request") from exc
    return decode_json(body, kind)


def decode_json(data: bytes | bytearray | str, kind: type[T]) -> T:
    """Return ``data`` as ``kind``. Raises as :func:`read_body` does."""
    try:
        decoded = msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as exc:
        raise InvalidInput(f"the request is not valid: {exc}") from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise MalformedBody("the request body is not valid JSON in UTF-8") from exc
    if _depth(data.encode() if isinstance(data, str) else data) > MAX_DEPTH:
        raise MalformedBody(f"the request is nested more than {MAX_DEPTH} levels deep")
    return decoded


def _depth(data: bytes | bytearray) -> int:
    """How deep valid JSON is nested, or less than ``MAX_DEPTH`` where that is seen without a closer look."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return 0
    quoted = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    steps = b"".join(quoted.split(b'"')[::2]).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0)


def valid_id(value: str | None, what: str) -> str | None:
    """Return ``value`` if a client may choose it as an id. Raises InvalidInput."""
    if value is None:
        return None
    try:
        return msgspec.convert(value, Id)
    except msgspec.ValidationError as exc:
        raise InvalidInput(f"{what} must be 1 to 128 characters out of A-Z a-z 0-9 . _ ~ -") from exc


def whole_number(value: str | None, what: str, *, default: int, low: int, high: int) -> int:
    """Return a query parameter as a number. Raises InvalidInput."""
    if value is None:
        return default
    if not value.isascii() or not value.isdigit() or len(value) > 18 or not low <= int(value) <= high:
        raise InvalidInput(f"{what} must be a whole number from {low} to {high}")
    return int(value)
