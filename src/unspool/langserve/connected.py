"""Work that ends when its client leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")


async def while_connected(request: Request, work: Callable[[], Awaitable[T]]) -> T:
    """Return what ``work`` does, and cancel it if the client leaves. The body must have been read.

    Raises:
        ClientDisconnect: It left.
    """
    done: list[T] = []
    failed: list[Exception] = []
    async with anyio.create_task_group() as tasks:

        async def leave_with_the_client() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()

        tasks.start_soon(leave_with_the_client)
        try:
            done.append(await work())
        except Exception as exc:  # noqa: BLE001 - raised below, outside of the group that would wrap it
            failed.append(exc)
        tasks.cancel_scope.cancel()
    if failed:
        raise failed[0]
    if not done:
        raise ClientDisconnect
    return done[0]
