"""Tickets for streams that cannot send headers, on a real server."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import connect

from tests.http.test_refusals import _app, _by_header
from tests.support.native import events_of, stream
from tests.support.server import serve
from unspool import Principal, Unspool
from unspool.access import Tickets
from unspool.errors import NotAuthenticated

SECRET = "a secret of the tests"
ANN = {"X-User": "ann"}


def _secured(**options: Any) -> FastAPI:
    return _app(authenticate=_by_header, ticket_secret=SECRET, **options)


async def _ticket(client: httpx.AsyncClient, mount: str, **headers: str) -> str:
    response = await client.post(f"{mount}/tickets", headers=headers)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["expires_in"] == 60
    ticket: str = response.json()["ticket"]
    return ticket


async def test_a_ticket_stands_for_who_asked_for_it_on_the_streams(caplog: pytest.LogCaptureFixture) -> None:
    """spec: SEC-3"""
    caplog.set_level(logging.DEBUG)
    async with serve(_secured()) as url, httpx.AsyncClient() as client:
        mount = f"{url}/agent"
        ticket = await _ticket(client, mount, **ANN)
        started = await client.get(f"{mount}/stream", params={"input": "x", "ticket": ticket})
        run_id = started.headers["unspool-run-id"]
        followed = await client.get(f"{mount}/runs/{run_id}/stream", params={"ticket": ticket})
        async with connect(f"{mount}/ws?ticket={ticket}".replace("http", "ws")) as socket:
            await socket.send(json.dumps({"type": "resume", "run_id": run_id}))
            first = json.loads(await socket.recv())
        owned = (await client.get(f"{mount}/runs", headers=ANN)).json()["runs"]
        foreign = await _ticket(client, mount, **{"X-User": "bob"})
        hidden = await client.get(f"{mount}/runs/{run_id}/stream", params={"ticket": foreign})
        nobody = await client.post(f"{mount}/tickets")
    assert events_of(started.content) == events_of(followed.content)
    assert first["event"]["run_id"] == run_id
    assert [run["id"] for run in owned] == [run_id]
    assert hidden.status_code == 404
    assert (nobody.status_code, nobody.json()["code"]) == (401, "auth")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("unspool")]
    assert not any(ticket in message for message in ours)


async def test_a_ticket_is_of_no_use_elsewhere() -> None:
    """spec: SEC-3"""
    async with serve(_secured()) as url, httpx.AsyncClient() as client:
        mount = f"{url}/agent"
        run = (await stream(mount, {"input": 1, "thread_id": "t"}, **ANN)).headers["unspool-run-id"]
        params = {"ticket": await _ticket(client, mount, **ANN)}
        for method, path in (
            ("POST", "/stream"),
            ("POST", "/runs"),
            ("POST", "/invoke"),
            ("POST", "/batch"),
            ("POST", "/feedback"),
            ("POST", "/tickets"),
            ("POST", f"/runs/{run}/cancel"),
            ("POST", f"/runs/{run}/resume"),
            ("GET", "/runs"),
            ("GET", f"/runs/{run}"),
            ("GET", "/threads"),
            ("GET", "/threads/t"),
            ("GET", "/schemas"),
        ):
            refused = await client.request(method, mount + path, params=params, json={"input": 1})
            assert (refused.status_code, refused.json()["code"]) == (401, "auth"), path


@pytest.mark.parametrize(
    "kind", ["expired", "from the future", "tampered", "of another mount", "of another secret", "x"]
)
async def test_a_ticket_that_is_not_valid_is_refused(kind: str) -> None:
    """spec: SEC-4, WS-6"""
    ann = Principal(id="ann")
    late = Tickets(secret=SECRET, clock=lambda: time.time() - 62)
    early = Tickets(secret=SECRET, clock=lambda: time.time() + 3600)
    good = Tickets(secret=SECRET).issue(ann, mount="agent")
    ticket = {
        "expired": late.issue(ann, mount="agent"),
        "from the future": early.issue(ann, mount="agent"),
        "tampered": ("A" if good[0] != "A" else "B") + good[1:],
        "of another mount": Tickets(secret=SECRET).issue(ann, mount="other"),
        "of another secret": Tickets().issue(ann, mount="agent"),
    }.get(kind, kind)
    async with serve(_secured()) as url, httpx.AsyncClient() as client:
        run = (await stream(f"{url}/agent", {"input": 1}, **ANN)).headers["unspool-run-id"]
        for path in ("/stream?input=x", f"/runs/{run}/stream?after=0"):
            refused = await client.get(f"{url}/agent{path}&ticket={ticket}", headers=ANN)
            assert (refused.status_code, refused.json()["code"]) == (401, "auth")
        async with connect(f"{url}/agent/ws?ticket={ticket}".replace("http", "ws")) as socket:
            await socket.wait_closed()
            assert socket.close_code == 4401
        assert (await client.get(f"{url}/agent/stream?input=x&ticket={good}")).status_code == 200


def test_a_ticket_carries_the_whole_principal_until_its_time_is_over() -> None:
    now = [1_000_000.0]
    tickets = Tickets(seconds=5, clock=lambda: now[0])
    ann = Principal(id="ann", scopes=frozenset({"read", "write"}), claims={"team": ["a", {"b": 1}]})
    ticket = tickets.issue(ann, mount="agent")
    now[0] += 5
    assert tickets.principal_of(ticket, mount="agent") == ann
    now[0] += 1
    with pytest.raises(NotAuthenticated):
        tickets.principal_of(ticket, mount="agent")


def test_a_secret_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="16 characters"):
        Unspool(ticket_secret="short")
    with pytest.raises(ValueError, match="at least 1"):
        Unspool(ticket_seconds=0)
