"""What an app's OpenAPI document says of a mount, and of the protocols that have routes of their own."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.node import program
from unspool import Principal, Unspool
from unspool.errors import NotAuthenticated
from unspool.http.protocols import PROTOCOLS
from unspool.testing import ScriptedSource

USER = {"id": "u", "role": "user", "content": "hi", "parts": [{"type": "text", "text": "hi"}]}

BODIES: dict[str, tuple[Any, Any]] = {
    "/ai-sdk": ({"id": "c", "messages": [USER], "trigger": "submit-message"}, {"id": "c", "messages": [{"parts": 3}]}),
    "/ai-sdk/completion": ({"prompt": "hi"}, {"prompt": 3}),
    "/ai-sdk/object": ({"any": ["thing"]}, None),
    "/ag-ui": (
        {"threadId": "t", "runId": "r", "messages": [USER], "tools": [], "context": []},
        {"threadId": "t", "runId": "r", "messages": [{"id": "u", "role": "robot"}]},
    ),
}
"""By route: a body that is taken, and one that is refused. None: nothing is."""


def _app(protocols: list[str] | None = None) -> FastAPI:
    app = FastAPI()
    Unspool(grace=0.2).add_routes(app, ScriptedSource(["a"]), path="/agent", protocols=protocols, playground=False)
    return app


def _operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Those of the protocols."""
    paths = {path.removeprefix("/agent"): about for path, about in document["paths"].items()}
    return {
        (method, path): operation
        for path, about in paths.items()
        if path.split("/")[1] in PROTOCOLS
        for method, operation in about.items()
    }


@pytest.mark.parametrize("protocols", [None, [], *([name] for name in PROTOCOLS)])
def test_the_document_is_valid_with_whatever_protocols(protocols: list[str] | None) -> None:
    document = _app(protocols).openapi()
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()
    named = {path.split("/")[1] for _, path in _operations(document)}
    assert named == set(PROTOCOLS if protocols is None else protocols)


def test_an_id_matches_its_pattern_in_javascript_as_in_python() -> None:
    schema = _app().openapi()["components"]["schemas"]["Unspool.RunAgentInput"]["properties"]["threadId"]
    script = "console.log(JSON.stringify(['t1', 't1\\n', 'a/b'].map(id => new RegExp(process.argv[1], 'u').test(id))))"
    found = subprocess.run(
        [program(), "-e", script, schema["pattern"]], capture_output=True, text=True, check=True, timeout=30
    )
    assert found.stdout.strip() == "[true,false,false]"
    assert [bool(re.search(schema["pattern"], each)) for each in ("t1", "t1\n", "a/b")] == [True, False, False]


def test_every_route_of_a_protocol_says_what_it_is_for_what_it_answers_and_how_it_refuses() -> None:
    for (method, path), operation in _operations(_app().openapi()).items():
        assert operation["summary"]
        assert (method == "post" and not path.endswith("/stop")) == ("requestBody" in operation), path
        refused = set(operation["responses"].pop("default")["content"])
        assert refused == {"application/problem+json"} | ({"text/plain"} if path.startswith("/ai-sdk") else set())
        assert operation["responses"], path
        for status, answer in operation["responses"].items():
            assert answer["description"]
            content = answer.get("content", {})
            assert (status == "200") == bool(content), path
            followed = bool(content) and "application/json" not in content
            assert followed == ("Unspool-Run-Id" in answer.get("headers", {})), path


def test_the_parts_of_a_path_and_what_is_in_the_query_are_described() -> None:
    operations = _operations(_app().openapi())
    found = {
        path: {(parameter["in"], parameter["name"]) for parameter in operation["parameters"]}
        for (_, path), operation in operations.items()
    }
    assert found["/ai-sdk/{chat_id}/stop"] == {("path", "chat_id"), ("query", "run_id")}
    assert found["/ai-sdk/{chat_id}/messages"] == {("path", "chat_id"), ("query", "v")}
    assert found["/ai-sdk/completion"] == {("query", "protocol"), ("query", "v"), ("header", "Idempotency-Key")}
    (version,) = [each for each in operations["post", "/ai-sdk"]["parameters"] if each["name"] == "v"]
    assert version["schema"] == {"type": "string", "enum": ["6", "7"]}


@pytest.mark.parametrize("path", BODIES)
def test_who_may_not_ask_is_told_in_a_problem_as_is_described(path: str) -> None:
    async def nobody(_: Any) -> Principal:
        raise NotAuthenticated("Sign in.")

    app = FastAPI()
    Unspool(authenticate=nobody).add_routes(app, ScriptedSource(["a"]), path="/agent", playground=False)
    described = _operations(app.openapi())["post", path]["responses"]["default"]["content"]
    with TestClient(app) as http:
        answer = http.post(f"/agent{path}", json=BODIES[path][0])
    assert (answer.status_code, answer.headers["content-type"] in described) == (401, True)


@pytest.mark.parametrize("path", BODIES)
def test_what_a_bodys_schema_takes_and_refuses_the_route_does_too(path: str) -> None:
    app = _app()
    document = app.openapi()
    (content,) = _operations(document)["post", path]["requestBody"]["content"].values()
    schema = Draft202012Validator({**content["schema"], "components": document["components"]})
    taken, refused = BODIES[path]
    with TestClient(app) as http:
        schema.validate(taken)
        answer = http.post(f"/agent{path}", json=taken)
        assert answer.status_code == 200
        described = _operations(document)["post", path]["responses"]["200"]
        assert answer.headers["content-type"].partition(";")[0] in described["content"]
        ours = {name for name in answer.headers if name.startswith(("unspool-", "x-vercel-"))}
        assert {name.lower() for name in described["headers"]} == ours
        if refused is not None:
            assert not schema.is_valid(refused)
            answer = http.post(f"/agent{path}", json=refused)
            kinds = _operations(document)["post", path]["responses"]["default"]["content"]
            assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (422, next(iter(kinds)))
