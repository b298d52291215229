"""The streams of the model SDKs: opened, read and closed as each SDK wants it, async and sync.

Closing the iterator of such a stream does not close its HTTP response: the stream itself must be closed. A stream
manager (what ``client.responses.stream()`` and ``client.messages.stream()`` return) must be entered first.
"""

from __future__ import annotations

import inspect
import logging
import socket
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable
from contextlib import ExitStack
from importlib import import_module
from typing import Any, cast

import anyio
import msgspec

from unspool.closing import opened
from unspool.sources.base import Call
from unspool.sources.threads import iterate_in_thread

logger = logging.getLogger("unspool")

CLOSE_SECONDS = 5.0

_KNOWN = {
    "agents.result.RunResultStreaming": "unspool.sources.openai_agents.source:returned_run",
}
"""By the class of what a function returned: a function of it and the :class:`Call` that gives its items."""


class Returned(msgspec.Struct, frozen=True):
    """What a function returned that is not a stream."""

    value: Any


def stream_of(result: Any, call: Call) -> AsyncIterable[object] | None:
    """The items of what a function returned. None: it is not a stream that is read on the event loop.

    Whoever takes it closes it; that closes ``result``.
    """
    for cls in type(result).__mro__:
        known = _KNOWN.get(f"{cls.__module__}.{cls.__name__}")
        if known is not None:
            path, _, name = known.partition(":")
            made: AsyncIterable[object] = getattr(import_module(path), name)(result, call)
            return made
    if hasattr(result, "__aenter__"):
        return _entered(result)
    return cast("AsyncIterable[object]", result) if isinstance(result, AsyncIterable) else None


def sdk_stream(create: Callable[..., Any], **params: Any) -> AsyncGenerator[Any, None]:
    """Call an SDK's method that returns a stream, and yield the stream's items.

    Closing this generator, or cancelling what awaits it, closes the HTTP response at once.

    Args:
        create: Such as ``client.responses.create``. One of a sync client is called, read and closed in a thread of
            its own; see :class:`ThreadStream` for what cancelling does there.
        params: What to call it with.
    """
    if inspect.iscoroutinefunction(inspect.unwrap(create)):
        return _created(create, params)
    stream = ThreadStream(lambda: create(**params))
    return iterate_in_thread(stream.items, interrupt=stream.interrupt)


async def _created(create: Callable[..., Awaitable[Any]], params: dict[str, Any]) -> AsyncGenerator[Any, None]:
    async with opened(_entered(await create(**params))) as items:
        async for item in items:
            yield item


async def _entered(manager: Any) -> AsyncGenerator[Any, None]:
    """The items of what is an async context manager, and perhaps its own stream."""
    stream = await manager.__aenter__()
    try:
        if not isinstance(stream, AsyncIterable):
            raise TypeError(f"a {type(manager).__name__} was returned, and what it opens is not a stream")
        async for item in cast("AsyncIterable[Any]", stream):
            yield item
    finally:
        with anyio.move_on_after(CLOSE_SECONDS, shield=True) as late:
            await manager.__aexit__(None, None, None)
        if late.cancelled_caught:
            logger.warning("%r did not close within %.1f s", manager, CLOSE_SECONDS)


class ThreadStream:
    """A blocking stream that one thread opens, reads and closes, and that another can stop.

    A thread that waits for the provider's next bytes does so in ``recv``, which closing the response from another
    thread does not end; shutting the socket down does, and tells the provider. While the thread still waits for the
    response to begin, there is no socket to be had: the stream is closed as soon as it has begun.

    Args:
        make: Returns the stream, in the thread: an SDK's stream or stream manager, a generator, or anything else,
            which then comes as one :class:`Returned`.
    """

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make
        self._response: Any = None
        self._stopped = False

    def items(self) -> Generator[Any, None, None]:
        """In the thread: what the stream yields."""
        made = self._make()
        with ExitStack() as stack:
            if hasattr(made, "__enter__"):
                stream: object = stack.enter_context(cast("Any", made))
            elif inspect.isgenerator(made):
                stream = made
            else:
                yield Returned(made)
                return
            self._response = getattr(stream, "response", None) or getattr(stream, "_response", None)
            if not self._stopped:
                yield from cast("Iterable[Any]", stream)

    def interrupt(self) -> None:
        """From any thread: end the wait for the next bytes."""
        self._stopped = True
        response = self._response
        # A response that is closed has given its connection back, and somebody else may be using that.
        if response is None or response.is_closed:
            return
        connection: Any = response.extensions.get("network_stream")
        peer: object = None if connection is None else connection.get_extra_info("socket")
        if isinstance(peer, socket.socket):
            try:
                # Not the method of an SSLSocket, which takes away the state that the thread is reading with.
                socket.socket.shutdown(peer, socket.SHUT_RDWR)
            except OSError:  # it is closed already
                logger.debug("the socket of a stream was gone before it was shut down")
