"""The same question in each protocol that has routes of its own, as its client would send it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anyio
import httpx
import pytest
from fastapi import FastAPI

from tests.support.server import serve
from unspool import RunOptions, Unspool
from unspool.sources import Source


class Asking(NamedTuple):
    """A way to ask.

    Attributes:
        path: Behind the mount's.
        body: What a client sends.
    """

    path: str
    body: dict[str, Any]


def ag_ui(*messages: Mapping[str, Any], thread: Any = "t", run: Any = "run-1", **more: Any) -> Asking:
    """A ``RunAgentInput``. Without messages: hi."""
    sent = messages or ({"id": "u", "role": "user", "content": "hi"},)
    return Asking("/ag-ui", {"threadId": thread, "runId": run, "messages": sent, **more})


def ai_sdk(*messages: Mapping[str, Any], chat: Any = "t", **more: Any) -> Asking:
    """A chat. Without messages: hi."""
    return Asking("/ai-sdk", {"id": chat, "messages": messages or (ui("user", "hi"),), **more})


def ui(role: str, *parts: str | Mapping[str, Any], id: str = "u") -> dict[str, Any]:  # noqa: A002 - theirs
    """A message of the AI SDK."""
    return {"id": id, "role": role, "parts": [{"type": "text", "text": p} if isinstance(p, str) else p for p in parts]}


WAYS = {
    "ag-ui": ag_ui(),
    "chat": ai_sdk(),
    "completion": Asking("/ai-sdk/completion", {"prompt": "hi"}),
    "object": Asking("/ai-sdk/object", {"prompt": "hi"}),
    "shape": Asking("/stream?shape=token", {"input": "hi", "thread_id": "t"}),
}


class Served(NamedTuple):
    """A mount that is being served.

    Attributes:
        url: Its address.
        host: Of the server.
        unspool: It.
        http: A client.
    """

    url: str
    host: tuple[str, int]
    unspool: Unspool
    http: httpx.AsyncClient

    async def ask(self, asking: Asking, **headers: str) -> httpx.Response:
        """Post it, and read the answer to its end."""
        return await self.http.post(self.url + asking.path, json=asking.body, headers=headers)

    async def runs(self, **headers: str) -> list[dict[str, Any]]:
        """The caller's, oldest first."""
        listed = await self.http.get(f"{self.url}/runs?limit=200", headers=headers)
        return list(reversed(listed.json()["runs"]))


@asynccontextmanager
async def serving(
    source: Source, caplog: pytest.LogCaptureFixture, *, options: RunOptions | None = None, **of_unspool: Any
) -> AsyncIterator[Served]:
    """Serve ``source`` at ``/agent``; at the end nothing may be left of it, and no error in the log."""
    app, unspool = FastAPI(), Unspool(grace=0.2, **of_unspool)
    unspool.add_routes(app, source, path="/agent", options=options, playground=False)
    before = asyncio.all_tasks()
    async with serve(app) as url, httpx.AsyncClient(timeout=20) as http:
        where = httpx.URL(url)
        logging.getLogger("uvicorn").addHandler(caplog.handler)  # it does not pass on what it logs
        yield Served(f"{url}/agent", (where.host, where.port or 0), unspool, http)
        with anyio.fail_after(10):
            while any(run["status"] in {"queued", "running"} for run in await _all_runs(unspool)):
                await anyio.lowlevel.checkpoint()
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()
    assert [record.getMessage() for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []


async def _all_runs(unspool: Unspool) -> list[dict[str, str]]:
    return [{"status": run.status} for owner in ("anonymous", "ann", "bob") for run in await unspool.log.list(owner)]
