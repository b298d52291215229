"""Where the playground is served, with which headers, and what it is told."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import anyio
import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.support.server import serve
from unspool import Unspool, add_routes
from unspool.testing import ScriptedSource
from unspool.web import Agent, PlaygroundConfig, playground_routes

PAGE = "<!doctype html><title>Playground</title>"
SCRIPT = "console.log(1)" * 100


@pytest.fixture
def files(tmp_path: Path) -> Path:
    built = tmp_path / "built"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text(PAGE)
    (built / "assets" / "index-abc.js").write_text(SCRIPT)
    (built / "assets" / "index-abc.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    (built / "assets" / "style-abc.css").write_text("a{}")
    (built / "assets" / "font-abc.woff2").write_bytes(b"wOF2")
    (built / "assets" / "logo-abc.png").write_bytes(b"png")
    (tmp_path / "secret.txt").write_text("secret")
    return built


def _playground(path: str, files: Path) -> Starlette:
    config = PlaygroundConfig(title="T", agents=[Agent("a", "..")])
    return Starlette(routes=playground_routes(path, lambda: config, files=files))


@pytest.mark.parametrize("path", ["", "/agent/playground"])
async def test_the_page_its_assets_and_its_config_are_served(path: str, files: Path) -> None:
    async with serve(_playground(path, files)) as url, httpx.AsyncClient() as client:
        page = await client.get(f"{url}{path}/")
        config = await client.get(f"{url}{path}/config.json")
        script = await client.get(f"{url}{path}/assets/index-abc.js", headers={"Accept-Encoding": "identity"})
        others = {
            name: (await client.get(f"{url}{path}/assets/{name}")).headers["content-type"].partition(";")[0]
            for name in ("style-abc.css", "font-abc.woff2", "logo-abc.png")
        }
        missing = await client.get(f"{url}{path}/assets/no-such.js")
    assert (page.status_code, page.text) == (200, PAGE)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert config.json() == {"title": "T", "agents": [{"name": "a", "url": ".."}], "model": "", "note": ""}
    assert (config.headers["content-type"], config.headers["cache-control"]) == ("application/json", "no-cache")
    assert (script.status_code, script.text) == (200, SCRIPT)
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert others == {"style-abc.css": "text/css", "font-abc.woff2": "font/woff2", "logo-abc.png": "image/png"}
    assert missing.status_code == 404
    for response in (page, config, script):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert set(response.headers["content-security-policy"].split("; ")) == {
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        }


async def test_a_packed_asset_goes_to_those_who_can_unpack_it(files: Path) -> None:
    async with serve(_playground("", files)) as url, httpx.AsyncClient() as client:
        packed = await client.get(f"{url}/assets/index-abc.js", headers={"Accept-Encoding": "br, gzip"})
        plain = await client.get(f"{url}/assets/index-abc.js", headers={"Accept-Encoding": "identity"})
        small = await client.get(f"{url}/assets/style-abc.css", headers={"Accept-Encoding": "gzip"})
    assert (packed.headers["content-encoding"], packed.text) == ("gzip", SCRIPT)
    assert packed.headers["content-type"] == plain.headers["content-type"]
    assert packed.headers["etag"] != plain.headers["etag"]
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in small.headers
    assert {response.headers["vary"] for response in (packed, plain, small)} == {"Accept-Encoding"}


@pytest.mark.parametrize("name", ["", "assets/index-abc.js"])
async def test_what_a_browser_has_is_not_sent_again(name: str, files: Path) -> None:
    async with serve(_playground("", files)) as url, httpx.AsyncClient() as client:
        first = await client.get(f"{url}/{name}")
        again = await client.get(f"{url}/{name}", headers={"If-None-Match": first.headers["etag"]})
        head = await client.head(f"{url}/{name}")
    assert (again.status_code, again.content) == (304, b"")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize(
    "path", ["../../secret.txt", "..%2f..%2fsecret.txt", "%2e%2e/%2e%2e/secret.txt", "../index.html"]
)
async def test_nothing_else_of_the_machine_is_served(path: str, files: Path) -> None:
    async with serve(_playground("/p", files)) as url:
        host, port = url.removeprefix("http://").split(":")
        async with await anyio.connect_tcp(host, int(port)) as raw:  # a client would clean the path
            request = f"GET /p/assets/{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            await raw.send(request.encode())
            answer = b""
            try:
                while True:
                    answer += await raw.receive()
            except anyio.EndOfStream:
                pass
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"secret" not in answer


async def test_a_checkout_that_was_not_built_says_how(tmp_path: Path) -> None:
    async with serve(_playground("/p", tmp_path / "nothing")) as url, httpx.AsyncClient() as client:
        for path in ("/p/", "/p/assets/index-abc.js"):
            response = await client.get(url + path)
            assert response.status_code == 503
            assert response.headers["content-type"] == "text/plain; charset=utf-8"
            assert "make playground" in response.text
        assert (await client.get(f"{url}/p/config.json")).json()["title"] == "T"


def _agents(page: str, config: dict[str, Any]) -> dict[str, str]:
    """Where the page would look for its agents."""
    return {agent["name"]: urljoin(page, agent["url"] + "/").rstrip("/") for agent in config["agents"]}


async def test_every_playground_finds_every_agent_of_its_app_from_where_it_is() -> None:
    """Also below a prefix that the app does not know of: all addresses are relative."""
    app, other, unspool = FastAPI(title="Zoo"), FastAPI(), Unspool()
    for path, name in (("", "root"), ("/agent", None), ("/deep/er", "deep")):
        unspool.add_routes(app, ScriptedSource([]), path=path, name=name)
    unspool.add_routes(other, ScriptedSource([]), path="/elsewhere")
    unspool.add_playground(app, model="m", note="n")
    outer = Starlette(routes=[Mount("/prefix", app)])
    where = {"root": "", "agent": "/agent", "deep": "/deep/er"}
    for served, prefix in ((app, ""), (outer, "/prefix")):
        async with serve(served) as url, httpx.AsyncClient() as client:
            for path, first in (
                ("/", "root"),
                ("/playground/", "root"),
                ("/agent/playground/", "agent"),
                ("/deep/er/playground/", "deep"),
            ):
                page = f"{url}{prefix}{path}"
                config = (await client.get(urljoin(page, "config.json"))).json()
                assert _agents(page, config) == {name: f"{url}{prefix}{at}" for name, at in where.items()}
                assert (config["title"], config["agents"][0]["name"]) == ("Zoo", first)
                assert (config["model"], config["note"]) == (("m", "n") if path == "/" else ("", ""))


async def test_the_address_without_a_slash_leads_to_the_page() -> None:
    app = FastAPI()
    add_routes(app, ScriptedSource([]), path="/agent")
    outer = Starlette(routes=[Mount("/prefix", app)])
    async with serve(outer) as url, httpx.AsyncClient() as client:
        response = await client.get(f"{url}/prefix/agent/playground?run=r1")
    assert (response.status_code, response.headers["location"]) == (307, "playground/?run=r1")
    assert urljoin(str(response.request.url), response.headers["location"]) == f"{url}/prefix/agent/playground/?run=r1"


@pytest.mark.parametrize(
    ("everywhere", "here", "served"),
    [(True, None, True), (True, False, False), (False, None, False), (False, True, True)],
)
async def test_a_playground_can_be_left_out(everywhere: bool, here: bool | None, served: bool) -> None:
    app = FastAPI()
    Unspool(playground=everywhere).add_routes(app, ScriptedSource([]), path="/agent", playground=here)
    async with serve(app) as url, httpx.AsyncClient() as client:
        response = await client.get(f"{url}/agent/playground/config.json")
    assert response.status_code == (200 if served else 404)
