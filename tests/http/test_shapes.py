"""The token shapes of common guides on a real server, read by plain fetch and by EventSource."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from tests.browser.pages import chromium
from tests.support.node import Node, node
from tests.support.proxy import cutting
from tests.support.server import serve
from unspool import RunOptions, SourceError, Unspool
from unspool.testing import ScriptedSource
from unspool.testing.codec import HOSTILE
from unspool.wire.shapes import SHAPES

WORDS = [f"word{number} " for number in range(40)]


@pytest.fixture(scope="module")
def client() -> Iterator[Node]:
    """The process that fetch and EventSource run in."""
    with node(Path(__file__).with_name("shapes_client.mjs")) as process:
        yield process


def _app(source: object) -> FastAPI:
    app = FastAPI()
    Unspool(heartbeat=0.3, grace=0.2).add_routes(app, source, path="/agent", options=RunOptions(), playground=False)
    return app


async def test_a_plain_fetch_reader_gets_each_shape(client: Node) -> None:
    """spec: HTTP-20"""
    source = ScriptedSource(["a", ' "b"\n', "c"], fail={3: []})
    async with serve(_app(source)) as url:
        said = {
            shape: await client.ask(url=f"{url}/agent/stream?shape={shape}", body={"input": "hi", "run_id": shape})
            for shape in SHAPES
        }
    texts = ["a", ' "b"\n', "c"]
    assert [json.loads(line) for line in said["token"]] == [*({"token": text} for text in texts), {"done": True}]
    assert [json.loads(line) for line in said["delta"]] == [*({"delta": text} for text in texts), {"done": True}]
    assert said["text"] == ["a", ' "b"', "", "c", "[DONE]"]
    for shape in ("typed", "named"):
        assert [json.loads(line) for line in said[shape]] == [
            {"type": "start", "content": shape},
            *({"type": "token", "content": text} for text in texts),
            {"type": "complete", "content": "completed"},
        ]


async def test_an_error_ends_each_shape(client: Node) -> None:
    """spec: HTTP-20"""
    for shape in SHAPES:
        source = ScriptedSource(["a", "b"], fail={1: [SourceError("The model said no.", retryable=False)]})
        async with serve(_app(source)) as url:
            said = await client.ask(url=f"{url}/agent/stream?shape={shape}", body={"input": "hi"})
        assert "The model said no." in "".join(said[-2:])
        assert sum("The model said no." in line for line in said) == 1


async def test_event_source_resumes_a_shape_and_ends(client: Node) -> None:
    """spec: HTTP-21, CUR-3, HTTP-4"""
    source = ScriptedSource([*WORDS, *HOSTILE])
    for shape, names in (("text", ["message"]), ("named", ["ai_event"])):
        async with serve(_app(source)) as url, cutting(url, iter([900])) as proxy:
            said = await client.ask(url=f"{proxy.url}/agent/stream?shape={shape}&input=hi", names=names)
        data = [text for _, text in said]
        whole = "".join([*WORDS, *HOSTILE])
        if shape == "text":
            assert "".join(data[:-1]) == whole.replace("\r\n", "\n").replace("\r", "\n")
            assert data[-1] == "[DONE]"
        else:
            events = [json.loads(text) for text in data]
            assert "".join(event["content"] for event in events if event["type"] == "token") == whole
        assert proxy.connections >= 2
    assert len(source.calls) == 2


@pytest.mark.browser
async def test_a_browsers_event_source_resumes_a_shape_and_ends() -> None:
    """spec: HTTP-21

    The run has an id of the page's: Chromium may drop what came just before a connection broke, and with it the id.
    """
    source = ScriptedSource([*WORDS, *HOSTILE])
    async with (
        serve(_app(source)) as url,
        cutting(url, iter([1 << 60, 2000])) as proxy,
        chromium() as browser,
    ):
        page = await browser.new_page()
        await page.goto(f"{proxy.url}/agent/schemas")
        with anyio.fail_after(20):
            said = await page.evaluate(
                """() => new Promise(resolve => {
                  const source = new EventSource('/agent/stream?shape=token&input=hi&run_id=r')
                  const found = []
                  source.onmessage = event => found.push(JSON.parse(event.data))
                  source.onerror = () => source.readyState === 2 && resolve(found)
                })"""
            )
    assert "".join(event.get("token", "") for event in said) == "".join([*WORDS, *HOSTILE])
    assert (said[-1], len(source.calls)) == ({"done": True}, 1)


async def test_a_shape_can_be_coalesced_and_followed_again() -> None:
    """spec: HTTP-20, HTTP-21"""
    async with serve(_app(ScriptedSource(["a", "b", "c"]))) as url, httpx.AsyncClient() as http:
        body = {"input": "hi", "run_id": "r"}
        bare = await http.post(f"{url}/agent/stream", params={"shape": "delta"}, json=body)
        run = f"{url}/agent/runs/r/stream"
        fewer = await http.get(run, params={"shape": "delta", "coalesce_tokens": 10})
        rest = await http.get(run, params={"shape": "delta"}, headers={"Last-Event-ID": "4"})
        over = await http.get(run, params={"shape": "delta"}, headers={"Last-Event-ID": "7"})
    assert bare.text.startswith('data: {"delta":"a"}\n\n')
    assert "id:" not in bare.text
    assert fewer.text == 'retry: 1000\n\nid: 5\ndata: {"delta":"abc"}\n\nid: 7\ndata: {"done":true}\n\n'
    assert rest.text == 'retry: 1000\n\nid: 5\ndata: {"delta":"c"}\n\nid: 7\ndata: {"done":true}\n\n'
    assert over.status_code == 204


@pytest.mark.parametrize(
    ("params", "accept"), [({"shape": "odd"}, "*/*"), ({"shape": "token"}, "application/x-ndjson")]
)
async def test_a_shape_that_cannot_be_is_refused_before_anything_starts(params: dict[str, Any], accept: str) -> None:
    """spec: HTTP-22"""
    source = ScriptedSource(["a"])
    async with serve(_app(source)) as url, httpx.AsyncClient() as http:
        for answer in (
            await http.post(f"{url}/agent/stream", params=params, json={"input": "x"}, headers={"Accept": accept}),
            await http.get(f"{url}/agent/stream", params={**params, "input": "x"}, headers={"Accept": accept}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (422, "validation")
    assert source.calls == []
