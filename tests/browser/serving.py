"""The server of ``tests.support.browser_app``, for browsers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.support.process import ServerProcess, free_port


class AppServer:
    """Scripted agents, each at its own path, and the playground of each at ``{path}/playground/``."""

    def __init__(self, server: ServerProcess, url: str) -> None:
        self.server = server
        self.url = url

    def playground(self, agent: str = "agent") -> str:
        return f"{self.url}/{agent}/playground/"

    async def release(self, gate: str, passes: int | str = 1) -> None:
        """Let so many words pass the gate; ``"all"`` opens it."""
        async with httpx.AsyncClient() as client:
            (await client.post(f"{self.url}/gate/{gate}", params={"passes": str(passes)})).raise_for_status()


@asynccontextmanager
async def app_server(directory: Path, *arguments: str, prefix: str = "") -> AsyncGenerator[AppServer, None]:
    """Serve until the block ends.

    Args:
        directory: For the log.
        arguments: As ``python -m tests.support.browser_app`` has them.
        prefix: All of it is served under this path.
    """
    port = free_port()
    command = [
        "-m",
        "tests.support.browser_app",
        "--port",
        str(port),
        "--log",
        str(directory / "runs.sqlite"),
        "--prefix",
        prefix,
        *arguments,
    ]
    server = ServerProcess(
        command, port=port, ready=f"{prefix}/agent/playground/config.json", env={}, log=directory / "server.log"
    )
    await server.start()
    try:
        yield AppServer(server, server.url + prefix)
    finally:
        server.end()
