"""What the routes of a protocol say of themselves, for an app's OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from unspool.http.endpoints import Handler
from unspool.http.problems import MEDIA_TYPE, Problem


class Answer(NamedTuple):
    """What a status means.

    Attributes:
        media_types: Of its body, where a run is followed in that.
        headers: Beside that with the run's id, where a run is followed.
        body: The type that its body is, where that is JSON.
    """

    description: str
    media_types: Sequence[str] = ()
    headers: Mapping[str, str] = {}
    body: Any = None


class Parameter(NamedTuple):
    """Something in the query or in a header that a route reads."""

    name: str
    description: str
    choices: Sequence[str] = ()
    place: str = "query"


IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key", "The same key and body find the run that the first one started.", place="header"
)

_RUN_ID = {"Unspool-Run-Id": "The run."}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One route of a protocol.

    Attributes:
        summary: What it is for.
        answers: By status, those that are no refusal.
        body: The type that the handler decodes the request's body as. None: it reads none.
        path: What the parts of the path are, by their names there.
        parameters: What else it reads.
        refusals: The media type in which it refuses: problem details, or text. Who may not ask is always told in
            problem details.
    """

    summary: str
    answers: Mapping[int, Answer]
    body: Any = None
    path: Mapping[str, str] = {}
    parameters: Sequence[Parameter] = ()
    refusals: str = MEDIA_TYPE


class ProtocolRoute(NamedTuple):
    """Method, path behind the mount's own, who answers, and what it says of itself."""

    method: str
    path: str
    handler: Handler
    operation: Operation


def body_types(routes: Sequence[ProtocolRoute]) -> list[Any]:
    """The types of all that the routes read and write as JSON."""
    operations = [route.operation for route in routes]
    read = [operation.body for operation in operations]
    written = [answer.body for operation in operations for answer in operation.answers.values()]
    return [body for body in [*read, *written] if body is not None]


def described(routes: Sequence[ProtocolRoute], tag: str, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    """The routes as the document has them, by path and method. ``schemas``: of the types that they name."""
    found: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = route.operation
        about: dict[str, Any] = {
            "tags": [tag],
            "summary": operation.summary,
            "parameters": [*_path_parameters(route), *map(_parameter, operation.parameters)],
            "responses": {
                **{str(status): _answer(answer, schemas) for status, answer in operation.answers.items()},
                "default": _refusal(operation.refusals, schemas),
            },
        }
        if operation.body is not None:
            about["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": schemas[operation.body]}},
            }
        found.setdefault(route.path, {})[route.method.lower()] = about
    return found


def _path_parameters(route: ProtocolRoute) -> list[dict[str, Any]]:
    return [
        {
            "in": "path",
            "name": name,
            "description": route.operation.path[name],
            "required": True,
            "schema": {"type": "string"},
        }
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    choices = {"enum": list(parameter.choices)} if parameter.choices else {}
    return {
        "in": parameter.place,
        "name": parameter.name,
        "description": parameter.description,
        "required": False,
        "schema": {"type": "string", **choices},
    }


def _answer(answer: Answer, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    if answer.body is not None:
        return {"description": answer.description, "content": {"application/json": {"schema": schemas[answer.body]}}}
    if not answer.media_types:
        return {"description": answer.description}
    headers = {**_RUN_ID, **answer.headers}
    return {
        "description": answer.description,
        "headers": {name: {"description": said, "schema": {"type": "string"}} for name, said in headers.items()},
        "content": {media_type: {"schema": {"type": "string"}} for media_type in answer.media_types},
    }


def _refusal(media_type: str, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    problem = {MEDIA_TYPE: {"schema": schemas[Problem]}}
    if media_type == MEDIA_TYPE:
        return {"description": "A problem, RFC 9457.", "content": problem}
    return {
        "description": "A refusal, as text that can be shown to the user; of who is asking, a problem, RFC 9457.",
        "content": {media_type: {"schema": {"type": "string"}}, **problem},
    }
