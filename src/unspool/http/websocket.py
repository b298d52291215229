"""Many runs over one WebSocket: ``spec/PROTOCOL.md``, section WebSocket."""

from __future__ import annotations

import logging
from typing import Any, cast

import anyio
import msgspec
from anyio.abc import TaskGroup
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from unspool.access import Authenticate, Principal
from unspool.closing import opened
from unspool.errors import InvalidInput, NotAuthenticated, Overloaded
from unspool.events import Record
from unspool.http.bodies import Id, decode_json
from unspool.http.follower import followed
from unspool.http.owned import owned_run
from unspool.http.problems import problem_of
from unspool.runs import Follower, Mount, Runner, RunRequest

logger = logging.getLogger("unspool")

SILENCE_SECONDS = 60.0
"""A client that sends nothing for so long, not even a heartbeat, is taken for gone."""

MAX_RUNS = 100
"""Runs that one socket may follow at a time."""

CLOSE_SILENT = 4408
CLOSE_NOT_AUTHENTICATED = 4401
CLOSE_GOING_AWAY = 1001


class StartMessage(msgspec.Struct, frozen=True, kw_only=True, tag="start", forbid_unknown_fields=True):
    """Start a run and follow it. ``ref`` comes back in the answer."""

    input: Any
    ref: str | None = None
    thread_id: Id | None = None
    config: dict[str, Any] = {}
    run_id: Id | None = None
    replaces: Id | None = None


class StopMessage(msgspec.Struct, frozen=True, kw_only=True, tag="stop", forbid_unknown_fields=True):
    """Cancel a run."""

    run_id: str
    ref: str | None = None


class ResumeMessage(msgspec.Struct, frozen=True, kw_only=True, tag="resume", forbid_unknown_fields=True):
    """Follow a run from behind ``after``."""

    run_id: str
    after: int = 0
    ref: str | None = None


class HeartbeatMessage(msgspec.Struct, frozen=True, kw_only=True, tag="heartbeat", forbid_unknown_fields=True):
    """The client is there. Answered with the same."""


ClientMessage = StartMessage | StopMessage | ResumeMessage | HeartbeatMessage


class WebSocketEndpoint:
    """The ``/ws`` route of one mount."""

    def __init__(
        self, runner: Runner, mount: Mount, authenticate: Authenticate, *, max_message_bytes: int, heartbeat: float
    ) -> None:
        self._runner = runner
        self._mount = mount
        self._authenticate = authenticate
        self._max_message_bytes = max_message_bytes
        self._heartbeat = heartbeat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket until the client leaves."""
        socket = WebSocket(scope, receive, send)
        try:
            principal = await self._authenticate(socket)
        except NotAuthenticated:
            await socket.accept()
            await socket.close(CLOSE_NOT_AUTHENTICATED, "not authenticated")
            return
        await socket.accept()
        session = _Session(self._runner, self._mount, principal, socket, heartbeat=self._heartbeat)
        await session.serve(max_message_bytes=self._max_message_bytes)


class _Session:
    """One open socket."""

    def __init__(
        self, runner: Runner, mount: Mount, principal: Principal, socket: WebSocket, *, heartbeat: float
    ) -> None:
        self._runner = runner
        self._mount = mount
        self._principal = principal
        self._socket = socket
        self._heartbeat = heartbeat
        self._following: dict[str, anyio.CancelScope] = {}

    async def serve(self, *, max_message_bytes: int) -> None:
        async with anyio.create_task_group() as tasks:
            try:
                while True:
                    with anyio.fail_after(SILENCE_SECONDS):
                        text = await self._socket.receive_text()
                    await self._take(text, tasks, max_message_bytes)
            except TimeoutError:
                await self._socket.close(CLOSE_SILENT, "no heartbeat")
            except (WebSocketDisconnect, KeyError):  # KeyError: a binary message, which the protocol does not have
                pass
            tasks.cancel_scope.cancel()

    async def _take(self, text: str, tasks: TaskGroup, limit: int) -> None:
        message: ClientMessage | None = None
        try:
            message = _message_of(text, limit)
            await self._obey(message, tasks)
        except Exception as exc:  # noqa: BLE001 - logged under an error id, and answered
            about = {name: getattr(message, name, None) for name in ("ref", "run_id")}
            await self._send({"type": "error", "problem": problem_of(exc), **about})

    async def _obey(self, message: ClientMessage, tasks: TaskGroup) -> None:
        match message:
            case HeartbeatMessage():
                await self._send({"type": "heartbeat"})
            case StopMessage():
                run = await owned_run(self._runner.log, self._mount, message.run_id, self._principal)
                await self._runner.cancel(run.id)
                await self._send({"type": "stopped", "run_id": run.id, "ref": message.ref})
            case ResumeMessage():
                run = await owned_run(self._runner.log, self._mount, message.run_id, self._principal)
                await self._runner.log.read(run.id, after=message.after, limit=1)  # refuses a cursor
                await self._follow(run.id, message.after, tasks)
            case StartMessage():
                self._refuse_too_many()
                request = RunRequest(
                    input=message.input,
                    thread_id=message.thread_id,
                    config=message.config,
                    replaces=message.replaces,
                )
                created = await self._runner.start(
                    self._mount, request, owner=self._principal.id, run_id=message.run_id
                )
                await self._send({"type": "started", "run_id": created.run.id, "ref": message.ref})
                await self._follow(created.run.id, 0, tasks)

    def _refuse_too_many(self) -> None:
        if len(self._following) >= MAX_RUNS:
            raise Overloaded(f"one socket may follow {MAX_RUNS} runs at a time; open another")

    async def _follow(self, run_id: str, after: int, tasks: TaskGroup) -> None:
        """Follow the run from here on; a second time replaces the first."""
        earlier = self._following.pop(run_id, None)
        if earlier is not None:
            earlier.cancel()
        self._refuse_too_many()
        self._following[run_id] = scope = anyio.CancelScope()
        tasks.start_soon(self._send_records, run_id, after, scope, tasks)

    async def _send_records(self, run_id: str, after: int, scope: anyio.CancelScope, tasks: TaskGroup) -> None:
        follower = Follower(run_id, close=scope.cancel, abort=tasks.cancel_scope.cancel)
        with scope:
            try:
                with self._runner.followers.attached(follower):
                    async with opened(followed(self._runner, run_id, after=after, idle=self._heartbeat)) as batches:
                        async for batch in batches:
                            for record in batch:
                                await self._socket.send_text(_event_message(run_id, record))
            except (WebSocketDisconnect, RuntimeError):  # the client has gone while we were sending
                tasks.cancel_scope.cancel()
        if follower.closing:
            await self._socket.close(CLOSE_GOING_AWAY, "the server is about to stop")
        if self._following.get(run_id) is scope:
            del self._following[run_id]

    async def _send(self, message: Any) -> None:
        await self._socket.send_text(msgspec.json.encode(message).decode())


def _message_of(text: str, limit: int) -> ClientMessage:
    if len(text) > limit:
        raise InvalidInput(f"a message is over the limit of {limit:,} characters")
    message: ClientMessage = decode_json(text, cast("Any", ClientMessage))
    return message


def _event_message(run_id: str, record: Record) -> str:
    head = msgspec.json.encode(run_id).decode()
    return f'{{"type":"event","run_id":{head},"seq":{record.seq},"event":{record.data.decode()}}}'
