"""What a client does next, without doing it: pure, shared by the sync and the async client."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from unspool.errors import (
    CursorExpired,
    CursorUnknown,
    ErrorCode,
    InvalidInput,
    MalformedBody,
    NotAuthenticated,
    Overloaded,
    RunCancelled,
    RunConflict,
    RunFailed,
    RunLost,
    RunNotFound,
    UnspoolError,
)
from unspool.events import End, Error, Record, Transcript
from unspool.wire import SseDecoder, parse_cursor


class Problem(msgspec.Struct, frozen=True):
    """What a client reads of a problem response."""

    code: str = "internal"
    detail: str = "the server did not say what went wrong"
    retryable: bool = False
    retry_after: float | None = None
    error_id: str | None = None
    run_id: str | None = None


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How a client waits before it connects again: exponential, with full jitter, and capped.

    Attributes:
        first: The longest first wait, in seconds.
        longest: No wait is longer, unless the server asks for it by ``Retry-After``.
        attempts: Failures in a row before it gives up. Every new event begins the count anew.
    """

    first: float = 0.25
    longest: float = 10.0
    attempts: int = 12

    def wait(self, failures: int) -> float:
        """Seconds before the next attempt, after so many failures in a row."""
        return random.uniform(0.0, min(self.longest, self.first * 2.0 ** (failures - 1)))  # noqa: S311 - jitter


class Disconnected(UnspoolError):
    """The connection was lost, and could not be made again in as many attempts as allowed."""

    code: ErrorCode = "overloaded"
    status = 503
    title = "Disconnected"


def error_of(status: int, body: bytes) -> UnspoolError:
    """The exception that an error response stands for."""
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except msgspec.DecodeError:
        problem = Problem(code=_CODE_OF.get(status, "internal"), detail=f"the server answered {status}")
    return error_from(problem, status)


_CODE_OF = {
    401: "auth",
    403: "auth",
    404: "not_found",
    429: "rate_limit",
    502: "overloaded",
    503: "overloaded",
    504: "overloaded",
}
"""What an answer without a problem body means: a proxy's, or another server's."""


def error_from(problem: Problem, status: int) -> UnspoolError:
    """The exception for a problem."""
    if problem.run_id is not None and problem.code not in {"not_found", "conflict"}:
        return failure_of(problem)
    simple: dict[str, type[UnspoolError]] = {
        "validation": InvalidInput,
        "auth": NotAuthenticated,
        "conflict": RunConflict,
    }
    if problem.code in simple:
        return simple[problem.code](problem.detail)
    match problem.code:
        case "not_found":
            return RunNotFound(problem.run_id or "")
        case "cursor_unknown":
            return CursorUnknown(asked="", last=0)
        case "cursor_expired":
            return CursorExpired(asked=0, first=0)
        case "overloaded":
            return Overloaded(problem.detail, retry_after=problem.retry_after or 1.0)
        case _:
            error = failure_of(problem)
            error.status = status
            return error


def failure_of(problem: Problem | Error, run_id: str | None = None) -> RunFailed:
    """The exception for a run that failed."""
    known = run_id or getattr(problem, "run_id", None)
    if problem.code == "lost":
        return RunLost(run_id=known)
    if problem.code == "cancelled":
        return RunCancelled(run_id=known)
    return RunFailed(
        problem.detail if isinstance(problem, Problem) else problem.message,
        code=_known_code(problem.code),
        run_id=known,
        retryable=problem.retryable,
        retry_after=problem.retry_after,
        error_id=problem.error_id,
    )


def _known_code(code: str) -> ErrorCode:
    try:
        return cast("ErrorCode", msgspec.convert(code, cast("Any", ErrorCode)))
    except msgspec.ValidationError:
        return "internal"


class Following:
    """One run, followed from a seq to its end, over as many connections as it takes.

    Args:
        run_id: The run. Chosen by the client when it starts one, so that a lost reply loses nothing. The server may
            know of one already that the same was asked of: then it is that.
        start: The body that starts it; None to follow a run that is there.
        after: Where to begin.
        path: What the run is started at, for the first connection.
        headers: More headers for the first connection.
    """

    def __init__(
        self,
        run_id: str,
        *,
        start: Mapping[str, Any] | None = None,
        path: str = "/stream",
        headers: Mapping[str, str] | None = None,
        after: int = 0,
        backoff: Backoff,
    ) -> None:
        self.run_id = run_id
        self.transcript = Transcript(contiguous=after == 0)
        self.last_seq = after
        self.ended = False
        self._start = start
        self._path = path
        self._headers = dict(headers or {})
        self._backoff = backoff
        self._failures = 0
        self._decoder = SseDecoder()

    def request(self) -> tuple[str, str, dict[str, str], Mapping[str, Any] | None]:
        """The next connection: method, path, headers and JSON body."""
        self._decoder = SseDecoder()
        headers = {"Accept": "text/event-stream"}
        if self._start is not None:
            return "POST", self._path, {**headers, **self._headers}, self._start
        headers["Last-Event-ID"] = str(self.last_seq)
        return "GET", f"/runs/{self.run_id}/stream", headers, None

    def connected(self, status: int, headers: Mapping[str, str]) -> None:
        """The server answered with a stream, or with 204: there is nothing more.

        It may be that of another run: of the one that was started with the same key, or that carries the same answer.
        """
        self.run_id = headers.get("unspool-run-id", self.run_id)
        self._start = None
        if status == 204:
            self.ended = True

    def feed(self, chunk: bytes) -> list[Record]:
        """The records that a chunk completes, without those that were there before.

        Raises:
            MalformedBody: Records are missing, or the stream is not one of ours.
        """
        records: list[Record] = []
        for frame in self._decoder.feed(chunk):
            seq = parse_cursor(frame.id).seq
            if seq <= self.last_seq:
                continue
            if seq != self.last_seq + 1:
                raise MalformedBody(f"the server left out events {self.last_seq + 1} to {seq - 1}")
            record = Record(seq, 0.0, frame.data.encode())
            self.transcript.fold(record)
            self.last_seq = seq
            self._failures = 0
            self.ended = self.ended or isinstance(record.event, End)
            records.append(record)
        return records

    def failed(self, error: UnspoolError | None) -> float:
        """A connection was lost, refused, or closed before the end. Return the seconds to wait before the next.

        Raises:
            UnspoolError: Trying again cannot help, or was tried often enough.
        """
        if error is not None and not isinstance(error, Overloaded | Disconnected) and error.status < 500:
            raise error
        if isinstance(error, RunFailed):
            raise error
        self._failures += 1
        if self._failures >= self._backoff.attempts:
            raise error or Disconnected("the server closed the stream before its end, again and again")
        wait = self._backoff.wait(self._failures)
        return max(wait, error.retry_after or 0.0) if error is not None else wait

    def output(self) -> Any:
        """What the run returned.

        Raises:
            RunFailed: It failed, was cancelled, or was lost.
        """
        transcript = self.transcript
        if transcript.status == "cancelled":
            raise RunCancelled(run_id=self.run_id)
        if transcript.error is not None:
            raise failure_of(transcript.error, self.run_id)
        return transcript.output
