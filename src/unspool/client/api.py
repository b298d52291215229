"""The requests that are not streams, as data: shared by the sync and the async client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from unspool.runs import new_run_id


class Ask(NamedTuple):
    """One request."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    params: Mapping[str, str | int] | None = None
    headers: Mapping[str, str] | None = None


def start_body(
    value: Any,
    thread_id: str | None,
    config: Mapping[str, Any] | None,
    run_id: str | None,
    replaces: str | None = None,
) -> dict[str, Any]:
    """The body that starts a run. The client chooses the id, so that asking again finds the same run."""
    body: dict[str, Any] = {"input": value, "run_id": run_id or new_run_id()}
    if thread_id is not None:
        body["thread_id"] = thread_id
    if config:
        body["config"] = dict(config)
    if replaces is not None:
        body["replaces"] = replaces
    return body


def feedback_body(run_id: str, key: str, score: float | None, value: Any, comment: str | None) -> dict[str, Any]:
    """The body that scores a run."""
    given = {"score": score, "value": value, "comment": comment}
    return {"run_id": run_id, "key": key, **{name: item for name, item in given.items() if item is not None}}


def resume_body(answer: Any, answers: Mapping[str, Any] | None, run_id: str | None) -> dict[str, Any]:
    """The body that answers an interrupted run."""
    given: dict[str, Any] = {"answers": dict(answers)} if answers is not None else {"answer": answer}
    return {**given, "run_id": run_id or new_run_id()}


def key_header(idempotency_key: str | None) -> dict[str, str]:
    """The header for an idempotency key."""
    return {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}


def page(limit: int, before: str | None, **more: str | None) -> dict[str, str | int]:
    """Query parameters of a page."""
    wanted = {"before": before, **more}
    return {"limit": limit, **{name: value for name, value in wanted.items() if value is not None}}


def content(body: Mapping[str, Any] | None) -> bytes | None:
    """A body as JSON."""
    return None if body is None else msgspec.json.encode(body)
