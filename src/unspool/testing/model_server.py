"""A model provider on loopback that answers from a script: for tests with the real SDKs over real HTTP.

The server runs in a thread with an event loop of its own, so that sync clients can talk to it as well.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, cast

import anyio
import msgspec
from typing_extensions import override

from unspool.testing.script import Drop, Frame, Stall, Status, Turn

T = TypeVar("T")

MAX_BODY_BYTES = 64 * 2**20
WAIT_SECONDS = 10.0


class Request(msgspec.Struct, kw_only=True):
    """What a client asked.

    Attributes:
        number: In order of arrival, from 0.
        path: Without the query.
        headers: By lower-case name.
        body: The JSON object.
        turn: How often the model has spoken since the last thing that the user said.
    """

    number: int
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    turn: int = 0


class Refused(Exception):
    """The real API would not accept the request."""

    def __init__(self, message: str, *, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.message, self.status, self.code = message, status, code


class Wire(Protocol):
    """One provider's format. Pure: no I/O."""

    def check(self, request: Request) -> None:
        """Look for what the real API would refuse, and set the turn.

        Raises:
            Refused: It would.
        """
        ...

    def stream(self, request: Request, turn: Turn) -> Iterable[Frame]:
        """The frames of the streamed answer."""
        ...

    def whole(self, request: Request, turn: Turn) -> Any:
        """The answer to a request that did not ask for a stream: a JSON object.

        Raises:
            Refused: The script fails.
        """
        ...

    def error(self, status: int, code: str | None, message: str) -> Any:
        """The body of an HTTP error."""
        ...


class _Left(Exception):
    """The client closed its connection before its answer was complete."""


class _Connection(asyncio.StreamReaderProtocol):
    """Knows at once that the client has left, also while nobody reads or writes."""

    def __init__(self, serve: Callable[[_Connection], Any]) -> None:
        self.left = asyncio.Event()
        self.reader = asyncio.StreamReader()
        self.writer: asyncio.StreamWriter

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Any:
            self.writer = writer
            return serve(self)

        super().__init__(self.reader, connected)

    @override
    def eof_received(self) -> bool | None:
        self.left.set()
        return super().eof_received()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.left.set()
        super().connection_lost(exc)


class ModelServer:
    """Base of the fake providers: a context manager, sync or async. Leaving it cuts what is still under way.

    The turn is chosen by the request and not by a counter, so that concurrent runs and retries each get the right
    one: turn n answers a conversation in which the model spoke n times since the last thing that the user said; the
    last turn repeats.

    Args:
        turns: Each a list of pieces of :mod:`unspool.testing.script`.
        answer: Makes the pieces from the request instead. Called in the server's thread.
        together: Send what lies between two waits in one write, for measurements. Else every frame is a write.

    Attributes:
        requests: What was asked and accepted, in order of arrival.
    """

    prefix = ""
    """What ``base_url`` ends with."""

    def __init__(self, *turns: Turn, answer: Callable[[Request], Turn] | None = None, together: bool = False) -> None:
        if not turns and answer is None:
            raise TypeError("a model server needs at least one turn, or an answer")
        self.requests: list[Request] = []
        self._turns, self._answer, self._together = turns, answer, together
        self._wires = self._make_wires()
        self._changed = threading.Condition()
        self._stalled: list[Request] = []
        self._left: list[Request] = []
        self._mistake: Exception | None = None
        self._ready = threading.Event()
        self._connections: dict[_Connection, asyncio.Task[Any]] = {}
        self._listener = socket.socket()
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._go: asyncio.Event
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="model-server", daemon=True)

    def _make_wires(self) -> Mapping[str, Wire]:
        """By method and path, without the prefix: ``POST /responses``."""
        raise NotImplementedError

    def _authorized(self, headers: Mapping[str, str]) -> bool:
        """Whether there is a key; any will do."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and bool(token.strip())

    @property
    def base_url(self) -> str:
        """What an SDK's client takes as ``base_url``."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}{self.prefix}"

    def __enter__(self) -> Self:
        self._listener.bind(("127.0.0.1", 0))
        self._thread.start()
        if not self._ready.wait(WAIT_SECONDS):
            raise TimeoutError("the model server did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT_SECONDS)
        if exc is None and self._mistake is not None:
            raise self._mistake

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, exc, trace)

    def release(self) -> None:
        """Let the answers that stand at a ``Stall`` go on, and later ones not stall."""
        self._loop.call_soon_threadsafe(self._go.set)

    def wait_stalled(self, count: int = 1, *, timeout: float = WAIT_SECONDS) -> Request:
        """Wait until ``count`` answers stand at a ``Stall`` now, and return the request of the first.

        Raises:
            TimeoutError: They did not within ``timeout`` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._stalled) >= count, timeout):
                raise TimeoutError(f"no answer came to a Stall within {timeout} seconds")
            return self._stalled[0]

    def wait_disconnected(self, *, timeout: float = WAIT_SECONDS) -> Request:
        """Wait for a client that left before its answer was complete; each is returned once, in order.

        Raises:
            TimeoutError: Nobody did within ``timeout`` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._left, timeout):
                raise TimeoutError(f"no client left early within {timeout} seconds")
            return self._left.pop(0)

    async def stalled(self, count: int = 1, *, timeout: float = WAIT_SECONDS) -> Request:
        """See :meth:`wait_stalled`."""
        wait = partial(self.wait_stalled, count, timeout=timeout)
        return await anyio.to_thread.run_sync(wait, abandon_on_cancel=True)

    async def disconnected(self, *, timeout: float = WAIT_SECONDS) -> Request:
        """See :meth:`wait_disconnected`."""
        wait = partial(self.wait_disconnected, timeout=timeout)
        return await anyio.to_thread.run_sync(wait, abandon_on_cancel=True)

    async def _serve(self) -> None:
        self._loop, self._stop, self._go = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        server = await self._loop.create_server(lambda: _Connection(self._connected), sock=self._listener)
        self._ready.set()
        await self._stop.wait()
        server.close()
        for connection in self._connections:
            # A reset, not an end: it closes idle connections that a test's client still keeps, which would be
            # reported as leaked once the client is collected.
            with suppress(OSError):  # it is closed already
                peer = connection.writer.get_extra_info("socket")
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.writer.transport.abort()
        if self._connections:
            await asyncio.wait(self._connections.values())  # each ends at once: its connection is gone

    async def _connected(self, connection: _Connection) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[connection] = task
        try:
            while await self._exchange(connection):
                pass
        except (_Left, ConnectionError, asyncio.IncompleteReadError):
            pass
        except Exception as exc:  # noqa: BLE001 - raised again in the test, when it leaves the server
            self._mistake = exc
        finally:
            connection.writer.close()
            del self._connections[connection]

    async def _exchange(self, connection: _Connection) -> bool:
        """One request and its answer. False: the connection is of no more use."""
        head = (await connection.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        path = target.partition("?")[0]
        size = int(headers.get("content-length", "0"))
        if "transfer-encoding" in headers or size > MAX_BODY_BYTES:
            await _send(connection, 411, b"a body needs a Content-Length, of 64 MiB at most")
            return False
        body = await connection.reader.readexactly(size)
        wire = self._wires.get(f"{method} {path.removeprefix(self.prefix)}") if path.startswith(self.prefix) else None
        if wire is None:
            await _send(connection, 404, msgspec.json.encode({"error": {"message": f"Invalid URL ({method} {path})"}}))
            return True
        try:
            return await self._answered(connection, wire, path, headers, body)
        except Refused as exc:
            await _send(connection, exc.status, msgspec.json.encode(wire.error(exc.status, exc.code, exc.message)))
            return True

    async def _answered(
        self, connection: _Connection, wire: Wire, path: str, headers: Mapping[str, str], body: bytes
    ) -> bool:
        if not self._authorized(headers):
            raise Refused("You didn't provide an API key.", status=401, code="invalid_api_key")
        request = Request(number=len(self.requests), path=path, headers=headers, body=_object(body))
        wire.check(request)
        self.requests.append(request)
        try:
            return await self._answer_with(connection, wire, request, self._turn(request))
        except (_Left, ConnectionError):
            with self._changed:
                self._left.append(request)
                self._changed.notify_all()
            raise

    def _turn(self, request: Request) -> Turn:
        try:
            if self._answer is not None:
                return list(self._answer(request))
        except Exception as exc:
            self._mistake = exc
            raise Refused(f"the answer of the test failed: {exc!r}", status=500) from exc
        return self._turns[min(request.turn, len(self._turns) - 1)]

    async def _answer_with(self, connection: _Connection, wire: Wire, request: Request, turn: Turn) -> bool:
        status = next((piece for piece in turn if isinstance(piece, Status)), None)
        if status is None and request.body.get("stream"):
            return await self._stream(connection, request, self._frames(wire, request, turn))
        for piece in turn:
            if isinstance(piece, Stall):
                await self._hold(connection, request)
            if isinstance(piece, Drop):
                return False
            if piece is status:
                break
        if status is None:
            await _send(connection, 200, msgspec.json.encode(self._made(lambda: wire.whole(request, turn))))
            return True
        after = {} if status.retry_after is None else {"retry-after": f"{status.retry_after:g}"}
        error = wire.error(status.status, status.code, status.message)
        await _send(connection, status.status, msgspec.json.encode(error), after)
        return True

    def _frames(self, wire: Wire, request: Request, turn: Turn) -> list[Frame]:
        """All of them, made before the first is sent: what the format cannot say is found in time for a status."""
        frames = self._made(lambda: list(wire.stream(request, turn)))
        return _joined(frames) if self._together else frames

    def _made(self, make: Callable[[], T]) -> T:
        """What a format makes of a script. A mistake in that is told to the client, and to the test at its end."""
        try:
            return make()
        except (TypeError, ValueError) as exc:
            self._mistake = exc
            raise Refused(str(exc), status=500) from exc

    async def _stream(self, connection: _Connection, request: Request, frames: Iterable[Frame]) -> bool:
        writer = connection.writer
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
            b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        for frame in frames:
            if isinstance(frame, Stall):
                await self._hold(connection, request)
            elif isinstance(frame, Drop):
                return False
            else:
                writer.write(b"%x\r\n%b\r\n" % (len(frame), frame))
                await writer.drain()
                await asyncio.sleep(0)  # a client that left is noticed, and other streams get their turn
            if connection.left.is_set():
                raise _Left
        writer.write(b"0\r\n\r\n")
        return True

    async def _hold(self, connection: _Connection, request: Request) -> None:
        with self._changed:
            self._stalled.append(request)
            self._changed.notify_all()
        waits = [asyncio.ensure_future(event.wait()) for event in (connection.left, self._go)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            with self._changed:
                self._stalled.remove(request)
        if connection.left.is_set():
            raise _Left


def _joined(frames: Iterable[Frame]) -> list[Frame]:
    found: list[Frame] = []
    run: list[bytes] = []
    for frame in frames:
        if isinstance(frame, bytes):
            run.append(frame)
            continue
        found.extend([b"".join(run), frame] if run else [frame])
        run = []
    return [*found, b"".join(run)] if run else found


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value: object = msgspec.json.decode(body) if body else {}
    except msgspec.DecodeError as exc:
        raise Refused("We could not parse the JSON body of your request.") from exc
    if not isinstance(value, dict):
        raise Refused("The body of your request must be a JSON object.")
    return cast("dict[str, Any]", value)


async def _send(connection: _Connection, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    connection.writer.write(head.encode() + body)
    await connection.writer.drain()
