"""Streams that a client comes back to: with ``Unspool-Resume: 1``, and without any other difference."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import anyio
import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request
from langchain_core.runnables import Runnable, RunnableGenerator, RunnableLambda
from starlette.requests import HTTPConnection

from langserve import RemoteRunnable
from tests.langserve.compare import without_ids
from tests.langserve.test_server import HASH, RUN, asked, model, served
from tests.support.server import serve
from unspool import Principal, SQLiteLog, Unspool
from unspool.langserve import APIHandler, add_routes

KEEP = {"Unspool-Resume": "1"}


def app_of(runnable: Runnable[Any, Any], **options: Any) -> FastAPI:
    app = FastAPI()
    add_routes(app, runnable, path="/r", **options)
    return app


class Halting:
    """A runnable that waits in the middle until it is told to go on, and knows whether it was cancelled."""

    def __init__(self) -> None:
        self.go_on = anyio.Event()
        self.closed = anyio.Event()

    async def words(self, inputs: AsyncIterator[Any]) -> AsyncIterator[str]:
        try:
            async for _ in inputs:
                yield "one"
                yield "two"
                await self.go_on.wait()
                yield "three"
        finally:
            self.closed.set()

    @property
    def runnable(self) -> Runnable[Any, Any]:
        return RunnableGenerator(self.words)


@asynccontextmanager
async def cut_after(client: httpx.AsyncClient, text: str, **headers: str) -> AsyncIterator[tuple[str, str, str]]:
    """Start a stream, and leave it once ``text`` was read: the run's id, the last id, and what was read."""
    seen = ""
    async with client.stream("POST", "/r/stream", json={"input": 1}, headers={**KEEP, **headers}) as response:
        assert response.status_code == 200
        async for piece in response.aiter_text():
            seen += piece
            if text in seen:
                break
        run_id = response.headers["unspool-run-id"]
    yield run_id, re.findall(r"id: (\d+)", seen)[-1], seen


def plain(text: str) -> str:
    """A stream without what the opt-in adds to it."""
    return without_ids(re.sub(r"id: \d+\r\n", "", text))


@pytest.mark.filterwarnings("ignore:astream_log is deprecated")
@pytest.mark.parametrize("route", ["stream", "stream_log", "stream_events"])
async def test_a_kept_stream_says_what_the_other_says_and_has_ids_beside(route: str) -> None:
    async with served(app_of(model())) as client:
        usual = await client.post(f"/r/{route}", json={"input": "hi"})
        kept = await client.post(f"/r/{route}", json={"input": "hi"}, headers=KEEP)
        ids = [int(number) for number in re.findall(r"^id: (\d+)", kept.text, re.MULTILINE)]
        assert "id:" not in re.sub(r"data: .*", "", usual.text)
        assert "unspool-run-id" not in usual.headers
        assert plain(kept.text) == plain(usual.text)
        assert ids == list(range(2, 2 + len(ids)))
        assert len(ids) == kept.text.count("event: ")
        assert kept.headers["unspool-run-id"] in kept.text or route == "stream_log"
        again = await client.get(urljoin(f"/r/{route}", kept.headers["content-location"]))
        assert again.text == kept.text


async def test_a_client_that_lost_its_connection_goes_on_where_it_was() -> None:
    halting = Halting()
    async with served(app_of(halting.runnable)) as client, cut_after(client, '"two"') as (run_id, last, seen):
        halting.go_on.set()
        rest = await client.get(f"/r/runs/{run_id}/stream", headers={"Last-Event-ID": last})
        whole = await client.get(f"/r/runs/{run_id}/stream")
        assert seen + rest.text == whole.text
        assert re.findall(r'data: "(\w+)"', whole.text) == ["one", "two", "three"]
        assert whole.text.endswith("event: end\r\n\r\n")
        end = re.findall(r"id: (\d+)", whole.text)[-1]
        assert (await client.get(f"/r/runs/{run_id}/stream?after={end}")).status_code == 204
        assert (await client.get(f"/r/runs/{run_id}/stream?after=99")).status_code == 409
        assert (await client.get(f"/r/runs/{run_id}/stream?after=x")).status_code == 409


async def test_stop_is_a_request_and_ends_the_runnable_at_once() -> None:
    halting = Halting()
    async with served(app_of(halting.runnable)) as client, cut_after(client, '"two"') as (run_id, _, _):
        assert not halting.closed.is_set()
        stopped = await client.post(f"/r/runs/{run_id}/cancel")
        await halting.closed.wait()
        text = (await client.get(f"/r/runs/{run_id}/stream")).text
        assert stopped.status_code == 202
        assert text.endswith('data: "two"\r\n\r\nid: 5\r\nevent: end\r\n\r\n')
        again = await client.post(f"/r/runs/{run_id}/cancel")
        assert (again.status_code, again.json()["status"]) == (200, "cancelled")


async def test_langserves_own_client_reads_a_kept_stream() -> None:
    async with serve(app_of(model())) as url:
        usual: RemoteRunnable[Any, Any] = RemoteRunnable(f"{url}/r")
        kept: RemoteRunnable[Any, Any] = RemoteRunnable(f"{url}/r", headers=KEEP)
        with anyio.fail_after(20):
            try:
                theirs = [chunk.content async for chunk in usual.astream("hi")]
                assert [chunk.content async for chunk in kept.astream("hi")] == theirs
                events = [event["event"] async for event in kept.astream_events("hi")]
                assert events == [event["event"] async for event in usual.astream_events("hi")]
            finally:
                for remote in (usual, kept):
                    remote.sync_client.close()
                    await remote.async_client.aclose()


async def test_what_fails_is_told_as_the_usual_stream_tells_it_and_why_where_that_is_safe() -> None:
    async def refuse(_: Any) -> Any:
        raise HTTPException(418, "a teapot")

    async def slow(_: Any) -> Any:
        raise TimeoutError("at /secret")

    async with served(app_of(RunnableLambda(refuse))) as client:
        told = (await client.post("/r/stream", json={"input": 1}, headers=KEEP)).text
        assert plain(told) == 'event: error\r\ndata: {"status_code": 418, "message": "a teapot"}\r\n\r\n'
    async with served(app_of(RunnableLambda(slow))) as client:
        told = (await client.post("/r/stream", json={"input": 1}, headers=KEEP)).text
        assert '{"status_code": 504, ' in told
        assert "secret" not in told


async def test_nobody_follows_or_stops_what_another_started() -> None:
    halting = Halting()
    ann, bob = {"Authorization": "Bearer ann"}, {"Authorization": "Bearer bob"}
    async with (
        served(app_of(halting.runnable)) as client,
        cut_after(client, '"two"', **ann) as (run_id, _, _),
    ):
        for other in (bob, {}):
            assert (await client.get(f"/r/runs/{run_id}/stream", headers=other)).status_code == 404
            assert (await client.post(f"/r/runs/{run_id}/cancel", headers=other)).status_code == 404
        assert (await client.post(f"/r/runs/{run_id}/cancel", headers=ann)).status_code == 202


async def test_an_unspool_says_whose_runs_they_are_and_its_log_outlives_the_server(tmp_path: Path) -> None:
    async def by_user(connection: HTTPConnection) -> Principal:
        return Principal(id=connection.headers["x-user"])

    def app(halting: Halting) -> FastAPI:
        unspool = Unspool(log=SQLiteLog(tmp_path / "runs.sqlite"), authenticate=by_user, grace=0.0)
        return app_of(halting.runnable, unspool=unspool)

    halting = Halting()
    async with (
        served(app(halting)) as client,
        cut_after(client, '"two"', **{"x-user": "ann"}) as (cut_off, _, _),
    ):
        halting.go_on.set()
        done = await client.post("/r/stream", json={"input": 1}, headers={**KEEP, "x-user": "ann"})
        halting.go_on = anyio.Event()
        async with cut_after(client, '"two"', **{"x-user": "ann"}) as (lost, _, _):
            pass
    async with served(app(Halting())) as client:
        run_id = done.headers["unspool-run-id"]
        again = await client.get(f"/r/runs/{run_id}/stream", headers={"x-user": "ann"})
        assert again.text == done.text
        assert (await client.get(f"/r/runs/{run_id}/stream", headers={"x-user": "bob"})).status_code == 404
        assert '"three"' in (await client.get(f"/r/runs/{cut_off}/stream", headers={"x-user": "ann"})).text
        ended = (await client.get(f"/r/runs/{lost}/stream", headers={"x-user": "ann"})).text
        assert ended.count("event: data") == 2
        assert ended.splitlines()[-2].startswith('data: {"status_code": 503, ')


async def test_the_clients_run_id_is_the_runs_and_the_same_one_starts_nothing_twice() -> None:
    calls: list[Any] = []

    def count(given: Any) -> Any:
        calls.append(given)
        return given

    async with served(app_of(RunnableLambda(count), config_keys=("run_id",))) as client:
        body = {"input": 1, "config": {"run_id": RUN}}
        first = await client.post("/r/stream", json=body, headers=KEEP)
        again = await client.post("/r/stream", json=body, headers=KEEP)
        assert first.headers["unspool-run-id"] == RUN
        assert again.text == first.text
        assert calls == [1]
        taken = await client.post("/r/stream", json={**body, "input": 2}, headers=KEEP)
        assert taken.status_code == 409
        keyed = {**KEEP, "Idempotency-Key": "k"}
        one, two = [await client.post("/r/stream", json={"input": 3}, headers=keyed) for _ in "ab"]
        assert (two.text, calls) == (one.text, [1, 3])
        for route, more in (("stream_events", {}), ("stream", {"config": {"tags": ["other"]}})):
            other = await client.post(f"/r/{route}", json={"input": 3, **more}, headers=keyed)
            assert (other.status_code, calls) == (422, [1, 3])


async def test_the_config_in_the_address_and_the_dependencies_count_for_kept_streams_too() -> None:
    def guard(x_key: str = Header("")) -> None:
        if x_key != "open":
            raise HTTPException(403)

    router = APIRouter(prefix="/api")
    add_routes(router, asked(), path="/r", dependencies=[Depends(guard)])
    app = FastAPI()
    app.include_router(router)
    async with served(app) as client:
        client.headers["x-key"] = "open"
        address = f"/api/r/c/{HASH}/stream"
        kept = await client.post(address, json={"input": {"w": "x"}}, headers=KEEP)
        assert '"no x"' in kept.text
        where = urljoin(address, kept.headers["content-location"])
        assert (await client.get(where)).text == kept.text
        client.headers["x-key"] = "wrong"
        assert (await client.get(where)).status_code == 403
        assert (await client.post(where.replace("/stream", "/cancel"))).status_code == 403


async def test_what_is_not_clear_is_refused_before_anything_runs() -> None:
    calls: list[Any] = []
    async with served(app_of(RunnableLambda(calls.append))) as client:
        unclear = await client.post("/r/stream", json={"input": 1}, headers={"Unspool-Resume": "yes"})
        assert (unclear.status_code, unclear.json()) == (422, {"detail": "`Unspool-Resume` must be 1 or 0"})
        off = await client.post("/r/stream", json={"input": 1}, headers={"Unspool-Resume": "0"})
        assert "id:" not in off.text
        assert calls == [1]
        assert (await client.get(f"/r/runs/{RUN}/stream")).status_code == 404


async def test_a_handler_keeps_streams_and_has_a_playground_where_it_is_given_an_unspool() -> None:
    unspool = Unspool()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with unspool:
            yield

    app = FastAPI(lifespan=lifespan)
    rich = APIHandler(asked(), path="/rich", unspool=unspool)
    poor = APIHandler(asked(), path="/poor")

    @app.api_route("/{which}/page/{file_path:path}", methods=["GET", "POST"])
    async def page(which: str, file_path: str, request: Request) -> Any:
        own: Any = {"configurable": {"template": "server {w}"}}
        return await (rich if which == "rich" else poor).playground(file_path, request, server_config=own)

    @app.post("/{which}/stream")
    async def stream(which: str, request: Request) -> Any:
        return await (rich if which == "rich" else poor).stream(request)

    @app.get("/{which}/runs/{run_id}/stream")
    async def follow(which: str, run_id: str, request: Request) -> Any:
        return await (rich if which == "rich" else poor).follow_run(request, run_id)

    body = {"input": {"w": "x"}}
    async with served(app) as client:
        kept = await client.post("/rich/stream", json=body, headers=KEEP)
        assert (await client.get(urljoin("/rich/stream", kept.headers["content-location"]))).text == kept.text
        config = (await client.get("/rich/page/config.json")).json()
        agent = f"/rich/page/{config['agents'][0]['url']}"
        assert (await client.get("/rich/page/")).headers["content-type"].startswith("text/html")
        answer = await client.post(f"{agent}/invoke", json=body)
        assert answer.json()["output"] == "server x"
        assert (await client.get(f"{agent}/runs/{answer.json()['run_id']}")).json()["output"] == "server x"
        assert (await client.post("/rich/page/config.json")).status_code == 405
        assert (await client.post("/poor/stream", json=body, headers=KEEP)).status_code == 422
        assert (await client.post("/poor/stream", json=body)).status_code == 200
        assert (await client.get("/poor/page/")).status_code == 404
