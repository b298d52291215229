"""What two servers answered to the same request, in a form that can be compared: ids and times are left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import start_blocking_portal

from tests.support.process import ServerProcess, free_port

ORIGINAL, OURS = "langserve", "unspool.langserve"
UNTRACED = {"LANGSMITH_TRACING": "false"}
_ID = re.compile(r"(?!0{8})[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?")
_PORT = re.compile(r"127\.0\.0\.1:\d+")
_HEADERS = ("content-type", "cache-control", "x-accel-buffering", "allow", "location", "x-tea")


@dataclass(frozen=True)
class Asked:
    """One request."""

    name: str
    path: str
    body: Any = None
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Answered:
    """One answer. ``cut`` is whether the connection ended before the answer did."""

    status: int
    headers: dict[str, str]
    text: str
    cut: bool = False

    def lines(self) -> list[str]:
        """For a look at what differs."""
        head = [f"{self.status}{' cut' if self.cut else ''}", *(f"{key}: {self.headers[key]}" for key in self.headers)]
        return [*head, *(line.replace("\r", "\\r") for line in self.text.split("\n"))]


@contextmanager
def serving(module: str, directory: Path, env: Mapping[str, str] = UNTRACED) -> Iterator[str]:
    """The app of :mod:`tests.langserve.runnables` on one of the two, in a process of its own."""
    port = free_port()
    command = ["-m", "tests.langserve.runnables", module, str(port)]
    process = ServerProcess(command, port=port, ready="/add/input_schema", env=env, log=directory / "log")
    try:
        with start_blocking_portal() as elsewhere:  # fixtures run in a loop, which must not wait
            elsewhere.call(process.start)
        yield process.url
    finally:
        process.end()


def new_client() -> httpx.AsyncClient:
    """A connection for each request: the server closes those on which a stream broke."""
    return httpx.AsyncClient(timeout=20, limits=httpx.Limits(max_keepalive_connections=0))


async def ask(client: httpx.AsyncClient, url: str, asked: Asked) -> Answered:
    """Ask one of the two."""
    content = asked.body if isinstance(asked.body, str | None) else json.dumps(asked.body)
    headers = {"content-type": "application/json", **asked.headers}
    pieces: list[bytes] = []
    cut = False
    async with client.stream(asked.method, url + asked.path, content=content, headers=headers) as response:
        try:
            async for piece in response.aiter_bytes():
                pieces.append(piece)
        except httpx.RemoteProtocolError:
            cut = True
    seen = {key: _PORT.sub("HOST", response.headers[key]) for key in _HEADERS if key in response.headers}
    return Answered(response.status_code, seen, without_ids(b"".join(pieces).decode()), cut)


def without_ids(text: str) -> str:
    """Ids numbered in the order in which they come, so that one that comes twice has to come twice in the other.

    Those of the requests begin with zeros, and stay.
    """
    ids: dict[str, str] = {}
    text = _ID.sub(lambda found: ids.setdefault(found[0], f"ID{len(ids)}"), text)
    return _TIME.sub("TIME", text)
