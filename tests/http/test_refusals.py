"""What is refused, and how: statuses, problems, and other people's runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from openapi_spec_validator import validate
from starlette.requests import HTTPConnection

from tests.support.native import stream
from tests.support.server import serve
from unspool import MemoryLog, Principal, Retention, Unspool
from unspool.errors import NotAuthenticated
from unspool.testing import ScriptedSource


def _app(**options: Any) -> FastAPI:
    app = FastAPI()
    unspool = Unspool(grace=0.2, **options)
    unspool.add_routes(app, ScriptedSource(["a"]), path="/agent")
    unspool.add_routes(app, ScriptedSource(["b"]), path="/other")
    return app


@pytest.mark.parametrize(
    ("content", "status", "detail"),
    [
        (b"{", 400, "not valid JSON"),
        (b'{"input": "\xff"}', 400, "not valid JSON"),
        (b'{"input": ' + b"[" * 100_000, 400, "not valid JSON"),
        (b"[]", 422, "Expected `object`"),
        (b"{}", 422, "`input`"),
        (b'{"input": 1, "run_id": "a b"}', 422, "$.run_id"),
        (b'{"input": 1, "run_id": ""}', 422, "$.run_id"),
        (b'{"input": 1, "run_id": "' + b"x" * 129 + b'"}', 422, "$.run_id"),
        (b'{"input": 1, "run_id": "a\\n"}', 422, "$.run_id"),
        (b'{"input": 1, "thread_id": 5}', 422, "$.thread_id"),
        (b'{"input": 1, "config": []}', 422, "$.config"),
        (b'{"input": 1, "inptu": 2}', 422, "`inptu`"),
        (b'{"input": "' + b"x" * 1000 + b'"}', 413, "1,000 bytes"),
    ],
)
async def test_a_body_that_cannot_be_used_is_a_problem(content: bytes, status: int, detail: str) -> None:
    """spec: HTTP-14, LIM-3"""
    limit = 1000 if status == 413 else 1024 * 1024
    async with serve(_app(max_body_bytes=limit)) as url, httpx.AsyncClient() as client:
        for path in ("stream", "runs", "invoke"):
            response = await client.post(f"{url}/agent/{path}", content=content)
            assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
            assert detail in response.json()["detail"]
            assert response.json()["code"] == "validation"
        assert (await client.get(f"{url}/agent/runs")).json()["runs"] == []


async def test_a_body_at_the_limit_is_taken_also_without_a_length() -> None:
    """spec: LIM-3"""
    body = b'{"input": "' + b"x" * 87 + b'"}'
    assert len(body) == 100

    async def chunks(size: int) -> AsyncGenerator[bytes, None]:
        yield body[:50]
        yield body[50:-2] + b"x" * (size - 100) + body[-2:]

    async with serve(_app(max_body_bytes=100)) as url, httpx.AsyncClient() as client:
        assert (await client.post(f"{url}/agent/runs", content=body)).status_code == 202
        assert (await client.post(f"{url}/agent/runs", content=chunks(100))).status_code == 202
        assert (await client.post(f"{url}/agent/runs", content=chunks(101))).status_code == 413


@pytest.mark.parametrize(
    ("cursor", "status", "code"),
    [
        ("garbage", 409, "cursor_unknown"),
        ("-1", 409, "cursor_unknown"),
        ("99", 409, "cursor_unknown"),
        ("another-run:1", 409, "cursor_unknown"),
    ],
)
async def test_a_cursor_that_was_never_issued_is_refused(cursor: str, status: int, code: str) -> None:
    """spec: CUR-2"""
    async with serve(_app()) as url, httpx.AsyncClient() as client:
        run = await stream(f"{url}/agent", {"input": 1})
        follow = f"{url}/agent/runs/{run.headers['unspool-run-id']}/stream"
        by_header = await client.get(follow, headers={"Last-Event-ID": cursor})
        by_query = await client.get(follow, params={"after": cursor})
    for response in (by_header, by_query):
        assert (response.status_code, response.json()["code"]) == (status, code)


async def test_a_cursor_that_retention_overtook_is_told_so() -> None:
    """spec: CUR-5"""
    log = MemoryLog()
    async with serve(_app(log=log)) as url, httpx.AsyncClient() as client:
        run = await stream(f"{url}/agent", {"input": 1})
        await log.trim(Retention(max_runs=0))
        base = f"{url}/agent/runs/{run.headers['unspool-run-id']}"
        followed = await client.get(f"{base}/stream", params={"after": 1})
        status = await client.get(base)
    assert (followed.status_code, followed.json()["code"]) == (410, "cursor_expired")
    assert (status.status_code, status.json()["status"]) == (200, "completed")


async def test_unknown_runs_and_bad_parameters_are_refused() -> None:
    """spec: HTTP-15"""
    async with serve(_app()) as url, httpx.AsyncClient() as client:
        for method, path in (("GET", ""), ("GET", "/stream"), ("POST", "/cancel"), ("POST", "/resume")):
            response = await client.request(method, f"{url}/agent/runs/no-such-run{path}", json={"answer": 1})
            assert (response.status_code, response.json()["code"]) == (404, "not_found"), path
        for query in ("limit=0", "limit=201", "limit=x", "before=no-such-run"):
            assert (await client.get(f"{url}/agent/runs?{query}")).status_code in {404, 422}, query
        assert (await client.get(f"{url}/agent/stream")).status_code == 422
        assert (await client.get(f"{url}/agent/stream?input=x&config=[")).status_code == 422
        assert (await client.post(f"{url}/agent/batch", json={"inputs": []})).status_code == 422
        assert (await client.post(f"{url}/agent/batch", json={"inputs": [1] * 101})).status_code == 422
        run = await stream(f"{url}/agent", {"input": 1})
        assert (await client.get(f"{url}/agent/runs/{run.headers['unspool-run-id']}?include=x")).status_code == 422
        key = await client.post(f"{url}/agent/runs", json={"input": 1}, headers={"Idempotency-Key": "k" * 256})
        assert key.status_code == 422


async def _by_header(connection: HTTPConnection) -> Principal:
    name = connection.headers.get("x-user")
    if name is None:
        raise NotAuthenticated("send X-User")
    return Principal(id=name)


async def test_nobody_sees_or_touches_the_runs_of_another_principal() -> None:
    """spec: SEC-1"""
    ann, bob = {"X-User": "ann"}, {"X-User": "bob"}
    async with serve(_app(authenticate=_by_header)) as url, httpx.AsyncClient() as client:
        run = await stream(f"{url}/agent", {"input": 1, "thread_id": "t"}, **ann)
        base = f"{url}/agent/runs/{run.headers['unspool-run-id']}"
        for method, path in (("GET", ""), ("GET", "/stream"), ("POST", "/cancel"), ("POST", "/resume")):
            foreign = await client.request(method, base + path, json={"answer": 1}, headers=bob)
            missing = await client.request(method, f"{url}/agent/runs/x{path}", json={"answer": 1}, headers=bob)
            assert (foreign.status_code, foreign.json()["code"]) == (404, "not_found")
            assert foreign.json()["title"] == missing.json()["title"]
        assert (await client.get(f"{url}/agent/runs", headers=bob)).json()["runs"] == []
        assert (await client.get(f"{url}/agent/threads", headers=bob)).json()["threads"] == []
        assert (await client.get(f"{url}/agent/threads/t", headers=bob)).status_code == 404
        taken = await stream(f"{url}/agent", {"input": 1, "run_id": run.headers["unspool-run-id"]}, **bob)
        assert taken.status_code == 409
        nobody = await client.get(base)
        assert (nobody.status_code, nobody.json()["code"]) == (401, "auth")
        assert (await client.get(base, headers=ann)).status_code == 200


async def test_a_mount_does_not_show_the_runs_of_another_mount() -> None:
    """spec: SEC-2"""
    async with serve(_app()) as url, httpx.AsyncClient() as client:
        run = await stream(f"{url}/agent", {"input": 1})
        assert (await client.get(f"{url}/other/runs/{run.headers['unspool-run-id']}")).status_code == 404
        assert (await client.get(f"{url}/other/runs")).json()["runs"] == []


async def test_openapi_describes_every_route_and_is_valid() -> None:
    app = _app()
    async with serve(app) as url, httpx.AsyncClient() as client:
        document = (await client.get(f"{url}/openapi.json")).json()
    validate(document)
    served = {route.path for route in app.routes if getattr(route, "path", "").startswith("/agent")}  # type: ignore[attr-defined]
    described = {path for path in document["paths"] if path.startswith("/agent")}
    assert {path for path in served - described if not path.startswith("/agent/playground")} == {"/agent/ws"}


def test_a_path_or_a_name_that_cannot_work_is_refused() -> None:
    app, unspool = FastAPI(), Unspool()
    for path in ("agent", "/agent/"):
        with pytest.raises(ValueError, match="path must begin"):
            unspool.add_routes(app, ScriptedSource([]), path=path)
    unspool.add_routes(app, ScriptedSource([]), path="/agent")
    with pytest.raises(ValueError, match="already"):
        unspool.add_routes(app, ScriptedSource([]), path="/x", name="agent")
    with pytest.raises(ValueError, match="no protocol smoke; there are: ai-sdk, ag-ui"):
        unspool.add_routes(app, ScriptedSource([]), path="/y", protocols=["ag-ui", "smoke"])
    unspool.add_routes(app, ScriptedSource([]), path="/y", protocols=["ag-ui"])  # the name was not taken
    paths = {getattr(route, "path", "") for route in app.routes}
    assert {path for path in paths if path in {"/y/ag-ui", "/y/ai-sdk"}} == {"/y/ag-ui"}
