"""A TCP proxy that loses its connections when it is told to."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator

import anyio
from anyio.abc import SocketAttribute, SocketStream


class CuttingProxy:
    """Passes bytes on to a server, and cuts each connection after the next number of bytes of its answer.

    Attributes:
        url: Where it listens.
        connections: How many it has had.
    """

    def __init__(self, target: str, cuts: Iterator[int]) -> None:
        self._host, port = target.removeprefix("http://").split(":")
        self._port = int(port)
        self._cuts = cuts
        self.url = ""
        self.connections = 0

    async def _serve(self, client: SocketStream) -> None:
        self.connections += 1
        left = next(self._cuts, 1 << 60)
        gone = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)
        with contextlib.suppress(*gone):
            async with client, await anyio.connect_tcp(self._host, self._port) as server:
                async with anyio.create_task_group() as tasks:

                    async def up() -> None:
                        with contextlib.suppress(*gone):
                            async for data in client:
                                await server.send(data)
                        tasks.cancel_scope.cancel()

                    tasks.start_soon(up)
                    with contextlib.suppress(*gone):
                        while left > 0:
                            data = await server.receive(min(left, 65536))
                            left -= len(data)
                            await client.send(data)
                    tasks.cancel_scope.cancel()


@contextlib.asynccontextmanager
async def cutting(target: str, cuts: Iterator[int]) -> AsyncGenerator[CuttingProxy, None]:
    """Run a proxy before ``target``."""
    proxy = CuttingProxy(target, cuts)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    proxy.url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"

    async def listen() -> None:
        try:
            await listener.serve(proxy._serve)
        except* anyio.ClosedResourceError:
            pass  # the end of the block

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        yield proxy
        await listener.aclose()  # a cancelled accept() fails when a connection comes at that moment
        tasks.cancel_scope.cancel()
