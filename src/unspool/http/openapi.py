"""The routes of a mount in an app's OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI

from unspool.events import KnownEvent, Snapshot
from unspool.http.bodies import BatchBody, FeedbackBody, ResumeBody, StartBody
from unspool.http.operations import ProtocolRoute, body_types, described
from unspool.http.problems import MEDIA_TYPE, Problem
from unspool.http.views import (
    BatchView,
    FeedbackView,
    InvokeView,
    RunPage,
    RunView,
    SchemasView,
    ThreadPage,
    ThreadView,
    TicketView,
)

_REF = "#/components/schemas/Unspool.{name}"
_BODIES = (StartBody, ResumeBody, BatchBody, FeedbackBody)
_VIEWS = (
    RunView,
    RunPage,
    ThreadPage,
    ThreadView,
    InvokeView,
    BatchView,
    SchemasView,
    FeedbackView,
    TicketView,
    Problem,
    Snapshot,
)

_STREAM = (
    "One event per frame: `id` is its seq, `data` its JSON. A response that closes without an `end` event was cut: "
    "follow the run from the last id."
)


def describe(app: FastAPI, path: str, *, name: str, others: Sequence[ProtocolRoute] = ()) -> None:
    """Add the native routes of one mount, and those of ``others``, to the document that ``app.openapi()`` makes."""
    inner: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        document = inner()
        if path + "/stream" not in document.setdefault("paths", {}):
            schemas, components = _schemas(body_types(others))
            of_others = {path + suffix: about for suffix, about in described(others, name, schemas).items()}
            document["paths"].update({**_paths(path, name), **of_others})
            document.setdefault("components", {}).setdefault("schemas", {}).update(components)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # what FastAPI's documentation says to do


def _schemas(bodies: Sequence[Any]) -> tuple[Mapping[Any, dict[str, Any]], dict[str, Any]]:
    """The schemas of our own types and of ``bodies``, by type; and the components that they refer to."""
    types = [*_BODIES, *_VIEWS, *bodies, KnownEvent]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    return dict(zip(types, schemas, strict=True)), {f"Unspool.{name}": schema for name, schema in components.items()}


def _paths(path: str, name: str) -> dict[str, Any]:
    run, thread = _path_parameter("run_id", "The run."), _path_parameter("thread_id", "The thread.")
    key = _parameter("header", "Idempotency-Key", "The same key and body find the run that the first one started.")
    last = _parameter("header", "Last-Event-ID", "Resume behind this id. Wins over `after`.")
    after = _parameter("query", "after", "Resume behind this seq.")
    ticket = _parameter("query", "ticket", "In place of other credentials: see `/tickets`.")
    fewer = [
        _parameter("query", "coalesce_tokens", "Merge neighbouring tokens, up to so many.", kind="integer"),
        _parameter("query", "coalesce_ms", "At most one write in so many milliseconds.", kind="integer"),
        _parameter("query", "shape", "Another shape of the stream: token, delta, text, typed or named."),
    ]
    page = [
        _parameter("query", "limit", "At most so many, 200 at the most.", kind="integer"),
        _parameter("query", "before", "The `next` of the page before."),
    ]
    started = [
        _parameter("query", "input", "Text, or a JSON object or array.", required=True),
        _parameter("query", "thread_id", "The conversation."),
        _parameter("query", "run_id", "Chosen by the client."),
        _parameter("query", "config", "A JSON object."),
        _parameter("query", "replaces", "The run of the thread whose place the new one takes."),
    ]

    def operation(summary: str, responses: dict[str, Any], **more: Any) -> dict[str, Any]:
        problem = {"description": "A problem, RFC 9457.", "content": {MEDIA_TYPE: {"schema": _ref("Problem")}}}
        return {"tags": [name], "summary": summary, "responses": {**responses, "default": problem}, **more}

    return {
        f"{path}/stream": {
            "post": operation(
                "Start a run and follow it", _streams(), requestBody=_body("StartBody"), parameters=[key, *fewer]
            ),
            "get": operation(
                "Start a run and follow it, for EventSource", _streams(), parameters=[*started, last, *fewer, ticket]
            ),
        },
        f"{path}/invoke": {
            "post": operation(
                "Start a run and wait for its output",
                _json("InvokeView"),
                requestBody=_body("StartBody"),
                parameters=[key],
            )
        },
        f"{path}/batch": {
            "post": operation("Run several inputs and wait for all", _json("BatchView"), requestBody=_body("BatchBody"))
        },
        f"{path}/runs": {
            "post": operation(
                "Start a run in the background",
                _json("RunView", status="202"),
                requestBody=_body("StartBody"),
                parameters=[key],
            ),
            "get": operation(
                "List runs", _json("RunPage"), parameters=[_parameter("query", "thread_id", "Of it."), *page]
            ),
        },
        f"{path}/runs/{{run_id}}": {
            "get": operation(
                "Get a run's status and output",
                _json("RunView"),
                parameters=[run, _parameter("query", "include", "`transcript`: everything, folded.")],
            )
        },
        f"{path}/runs/{{run_id}}/stream": {
            "get": operation("Follow a run", _streams(), parameters=[run, last, after, *fewer, ticket])
        },
        f"{path}/runs/{{run_id}}/cancel": {
            "post": operation("Stop a run", {**_json("RunView", status="202"), **_json("RunView")}, parameters=[run])
        },
        f"{path}/runs/{{run_id}}/resume": {
            "post": operation(
                "Answer an interrupted run with a new one, and follow that",
                _streams(),
                requestBody=_body("ResumeBody"),
                parameters=[run, key, *fewer],
            )
        },
        f"{path}/threads": {"get": operation("List conversations", _json("ThreadPage"), parameters=page)},
        f"{path}/threads/{{thread_id}}": {
            "get": operation(
                "Get a conversation's messages",
                _json("ThreadView"),
                parameters=[thread, _parameter("query", "include", "`transcripts`: of each run, everything, folded.")],
            )
        },
        f"{path}/schemas": {
            "get": operation("Get JSON Schemas of input, output and config, and limits", _json("SchemasView"))
        },
        f"{path}/feedback": {
            "post": operation("Say what you think of a run", _json("FeedbackView"), requestBody=_body("FeedbackBody"))
        },
        f"{path}/tickets": {
            "post": operation("Get a ticket for streams that cannot send headers", _json("TicketView"))
        },
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": _REF.format(name=name)}


def _body(name: str) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": _ref(name)}}}


def _json(name: str, *, status: str = "200") -> dict[str, Any]:
    return {status: {"description": "Done.", "content": {"application/json": {"schema": _ref(name)}}}}


def _streams() -> dict[str, Any]:
    text = {"schema": {"type": "string"}}
    headers = {"Unspool-Run-Id": {"description": "The run.", "schema": {"type": "string"}}}
    return {
        "200": {
            "description": _STREAM,
            "headers": headers,
            "content": {"text/event-stream": text, "application/x-ndjson": text},
        },
        "204": {"description": "The run has ended, and nothing follows the cursor.", "headers": headers},
    }


def _parameter(
    place: str, name: str, description: str, *, kind: str = "string", required: bool = False
) -> dict[str, Any]:
    return {"in": place, "name": name, "description": description, "required": required, "schema": {"type": kind}}


def _path_parameter(name: str, description: str) -> dict[str, Any]:
    return _parameter("path", name, description, required=True)
