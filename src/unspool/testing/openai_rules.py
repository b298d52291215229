"""What OpenAI's two APIs refuse alike, and how they say so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from typing_extensions import override

from unspool.testing.model_server import Refused, Request, Wire
from unspool.testing.script import Frame, Turn

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TYPES = {401: "authentication_error", 429: "rate_limit_error", 403: "permission_error", 404: "not_found_error"}


def openai_error(status: int, code: str | None, message: str) -> dict[str, Any]:
    """The body of an HTTP error, and of one in the middle of a stream."""
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def check_model(body: Mapping[str, Any]) -> None:
    """Refuse a request that names no model."""
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Refused("you must provide a model parameter", code="missing_required_parameter")


def check_tools(functions: Iterable[Mapping[str, Any]]) -> None:
    """Refuse functions without a usable name, or with one that another has."""
    names: set[str] = set()
    for function in functions:
        check_name(function.get("name"))
        if function["name"] in names:
            raise Refused(f"Duplicate tool name: {function['name']}.")
        names.add(function["name"])


def check_name(name: object) -> None:
    """Refuse a name that no function can have."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Refused(f"Invalid name: {name!r}. Expected a string that matches '^[a-zA-Z0-9_-]+$'.")


class ModelsWire(Wire):
    """``GET /v1/models``: one model, in a form that OpenAI's and Anthropic's clients both read."""

    @override
    def check(self, request: Request) -> None:
        pass

    @override
    def stream(self, request: Request, turn: Turn) -> Iterable[Frame]:
        return ()

    @override
    def whole(self, request: Request, turn: Turn) -> Any:
        model = {
            "id": "fake-model",
            "object": "model",
            "created": 1_700_000_000,
            "owned_by": "unspool",
            "type": "model",
            "display_name": "Fake model",
            "created_at": "2026-01-01T00:00:00Z",
        }
        return {
            "object": "list",
            "data": [model],
            "has_more": False,
            "first_id": "fake-model",
            "last_id": "fake-model",
        }

    @override
    def error(self, status: int, code: str | None, message: str) -> Any:
        return openai_error(status, code, message)
