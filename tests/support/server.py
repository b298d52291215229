"""A real server in the test's own event loop, on a port that the kernel picks."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import uvicorn
from starlette.types import ASGIApp


@asynccontextmanager
async def serve(app: ASGIApp) -> AsyncIterator[str]:
    """Serve ``app`` and give its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        server.config.setup_event_loop = lambda: None  # type: ignore[method-assign]
        stopped = anyio.Event()

        async def run() -> None:
            try:
                await server._serve([listener])
            finally:
                stopped.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            with anyio.fail_after(10):
                while not server.started:
                    await anyio.sleep(0.005)
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                # Also when the body failed: a server that is cancelled leaves its sockets to the tests that follow.
                server.should_exit = True
                with anyio.move_on_after(10, shield=True):
                    await stopped.wait()
