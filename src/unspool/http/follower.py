"""The response that follows a run."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping, Sequence

import anyio
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from typing_extensions import override

from unspool.closing import opened
from unspool.eventlog import READ_LIMIT, EventLog, tail
from unspool.events import Record
from unspool.runs import Follower, Runner
from unspool.wire import Coalescer, Codec

WATCH_SECONDS = 45.0
"""How long a follower of another process's run counts, each time it says that it is there."""


class FollowerResponse(Response):
    """Sends a run, from ``after`` on, until it ends or the client leaves. Leaving does not touch the run.

    Whatever is committed when the follower wakes goes as one write. The response owns the cursor into the
    log and nothing else: no queue, no timer, one task beside its own that waits for the client to leave.
    """

    def __init__(
        self,
        runner: Runner,
        run_id: str,
        *,
        after: int,
        codec: Codec,
        heartbeat: float,
        headers: Mapping[str, str],
        coalesce_tokens: int = 0,
        coalesce_ms: int = 0,
    ) -> None:
        self.status_code = 200
        self.background = None
        self._runner = runner
        self._run_id = run_id
        self._after = after
        self._codec = codec
        self._heartbeat = heartbeat
        self._coalesce = (coalesce_tokens, coalesce_ms)
        self.body = b""
        self.init_headers(
            {
                "Content-Type": codec.media_type,
                "Cache-Control": "no-cache, no-transform",
                "X-Accel-Buffering": "no",
                "Unspool-Run-Id": run_id,
                **headers,
            }
        )
        del MutableHeaders(raw=self.raw_headers)["content-length"]

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = anyio.CancelScope()
        async with anyio.create_task_group() as tasks:
            follower = Follower(self._run_id, close=sending.cancel, abort=tasks.cancel_scope.cancel)

            async def leave_with_the_client() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(leave_with_the_client)
            with self._runner.followers.attached(follower):
                if self._after and self._codec.stateful:
                    await self._skip()
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await send(_chunk(self._codec.open()))
                with sending:
                    await self._send_records(follower, send)
                await send({"type": "http.response.body", "body": b""})
            tasks.cancel_scope.cancel()

    async def _skip(self) -> None:
        """Tell the codec what the follower has already."""
        done = 0
        while done < self._after:
            limit = min(self._after - done, READ_LIMIT)
            records = await self._runner.log.read(self._run_id, after=done, limit=limit)
            self._codec.skip(records)
            done = records[-1].seq

    async def _send_records(self, follower: Follower, send: Send) -> None:
        codec = self._codec
        batches = followed(self._runner, self._run_id, after=self._after, idle=self._heartbeat)
        if any(self._coalesce):
            batches = coalesced(batches, tokens=self._coalesce[0], milliseconds=self._coalesce[1])
        async with opened(batches) as records:
            async for batch in records:
                data = codec.encode(batch) if batch else codec.heartbeat()
                if data:
                    follower.sending_since = time.monotonic()
                    await send(_chunk(data))
                    follower.sending_since = None


def _chunk(data: bytes) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": True}


async def followed(runner: Runner, run_id: str, *, after: int, idle: float) -> AsyncGenerator[Sequence[Record], None]:
    """Yield what :func:`unspool.eventlog.tail` does, and let the run's owner know that it is being followed."""
    log: EventLog = runner.log
    if not runner.is_active(run_id):
        await log.watch(run_id, seconds=WATCH_SECONDS)
    async with opened(tail(log, run_id, after=after, idle=idle)) as batches:
        async for batch in batches:
            if not batch and not runner.is_active(run_id):
                await log.watch(run_id, seconds=WATCH_SECONDS)
            yield batch


async def coalesced(
    batches: AsyncGenerator[Sequence[Record], None], *, tokens: int, milliseconds: int
) -> AsyncGenerator[Sequence[Record], None]:
    """Merge neighbouring tokens, for a follower that asked for fewer and larger ones.

    Args:
        batches: What a follower would get.
        tokens: Merge up to so many into one. 0: any number.
        milliseconds: Let so long pass between two writes. What is committed meanwhile waits in the log, and
            goes as one; the first write does not wait.
    """
    coalescer = Coalescer(tokens=tokens or None)
    async with opened(batches) as source:
        async for batch in source:
            yield coalescer.merge(batch) if batch else batch
            await anyio.sleep(milliseconds / 1000)
