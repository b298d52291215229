"""A real server in the test's own event loop, on a port that the kernel picks."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

GRACE = 2.0
"""Seconds that open responses have once the server is told to end. Then they are cancelled."""


class _Server(uvicorn.Server):
    """Uvicorn's server, which is told when to end, and looks often for its last response.

    Uvicorn's own loops look ten times a second. Most tests start a server, so that would be minutes of waiting.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(uvicorn.Config(app, log_level="error", lifespan="on"))
        self.ready = anyio.Event()
        self.end = anyio.Event()
        self.ended = anyio.Event()

    async def run_on(self, listener: socket.socket) -> None:
        try:
            await self._serve([listener])
        finally:
            self.ended.set()

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @override
    async def main_loop(self) -> None:
        await self.on_tick(0)  # makes the headers that every response has
        await self.end.wait()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with anyio.move_on_after(GRACE):
            while self.server_state.connections or self.server_state.tasks:
                await anyio.sleep(0.002)
        for task in self.server_state.tasks:
            task.cancel()
        await self.lifespan.shutdown()


@asynccontextmanager
async def serve(app: ASGIApp) -> AsyncIterator[str]:
    """Serve ``app`` and give its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = _Server(app)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.run_on, listener)
            with anyio.fail_after(10):
                await server.ready.wait()
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                # Also when the body failed: a server that is cancelled leaves its sockets to the tests that follow.
                server.end.set()
                with anyio.move_on_after(10, shield=True):
                    await server.ended.wait()
