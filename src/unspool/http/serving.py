"""What every route group of one mount needs: to start runs, to find them, and to follow them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TypeVar

import anyio
from starlette.requests import Request
from starlette.responses import Response

from unspool.access import Principal
from unspool.closing import opened
from unspool.errors import CursorUnknown, IdempotencyConflict, InvalidInput, RunConflict
from unspool.eventlog import Run
from unspool.events import Transcript
from unspool.http.bodies import read_body
from unspool.http.follower import FollowerResponse, followed
from unspool.http.owned import owned_run
from unspool.http.resuming import answer_key
from unspool.runs import Mount, Runner, RunRequest
from unspool.wire import Codec, parse_cursor

T = TypeVar("T")

STOP_SECONDS = 10.0


class Serving:
    """One source at one path. Its methods raise :class:`~unspool.errors.UnspoolError`.

    Args:
        runner: Runs it.
        mount: The source, and the name of its runs.
        path: Where the mount is.
        max_body_bytes: Of a request body.
        heartbeat: Seconds of silence after which a follower gets a sign of life.
    """

    def __init__(self, runner: Runner, mount: Mount, *, path: str, max_body_bytes: int, heartbeat: float) -> None:
        self.runner = runner
        self.log = runner.log
        self.mount = mount
        self.path = path
        self._max_body_bytes = max_body_bytes
        self._heartbeat = heartbeat

    async def body(self, request: Request, kind: type[T]) -> T:
        """The JSON body of a request: see :func:`~unspool.http.bodies.read_body`."""
        return await read_body(request, kind, limit=self._max_body_bytes)

    async def owned(self, run_id: str, principal: Principal) -> Run:
        """A run of this mount that belongs to the caller."""
        return await owned_run(self.log, self.mount, run_id, principal)

    async def start(
        self, request: Request, principal: Principal, wanted: RunRequest, *, run_id: str | None = None
    ) -> Run:
        """Start a run, or find the one that the same request started before; ``Idempotency-Key`` is honoured.

        The interrupts of a run are answered once: the same answer finds the run that carries it, and another one is
        a RunConflict, unless that run failed, was cancelled or replaced.
        """
        key = given = request.headers.get("idempotency-key")
        if given is not None and not 0 < len(given) <= 255:
            raise InvalidInput("Idempotency-Key must have 1 to 255 characters")
        if given is None and wanted.resumes is not None:
            key = await answer_key(self.log, wanted, owner=principal.id, source=self.mount.name)
        try:
            created = await self.runner.start(
                self.mount, wanted, owner=principal.id, run_id=run_id, idempotency_key=key
            )
        except IdempotencyConflict as exc:
            if given is not None:
                raise
            raise RunConflict("the run was answered already, in another way") from exc
        return created.run

    def follow(
        self,
        run: Run,
        codec: Codec,
        *,
        after: int = 0,
        headers: Mapping[str, str] | None = None,
        coalesce_tokens: int = 0,
        coalesce_ms: int = 0,
    ) -> Response:
        """The response that follows ``run`` from behind ``after``, in the protocol of ``codec``."""
        return FollowerResponse(
            self.runner,
            run.id,
            after=after,
            codec=codec,
            heartbeat=self._heartbeat,
            headers=headers or {},
            coalesce_tokens=coalesce_tokens,
            coalesce_ms=coalesce_ms,
        )

    async def follow_from(
        self,
        request: Request,
        run: Run,
        codec: Codec,
        *,
        headers: Mapping[str, str] | None = None,
        coalesce_tokens: int = 0,
        coalesce_ms: int = 0,
    ) -> Response:
        """Follow from behind the request's cursor on; 204 where the run has ended and all of it was seen."""
        after = _after(request, run)
        await self.log.read(run.id, after=after, limit=1)  # refuses a cursor before the first byte
        if run.ended and after == run.last_seq and after > 0:
            return Response(status_code=204, headers={"Unspool-Run-Id": run.id, "Cache-Control": "no-cache"})
        return self.follow(
            run, codec, after=after, headers=headers, coalesce_tokens=coalesce_tokens, coalesce_ms=coalesce_ms
        )

    async def stopped(self, run: Run) -> None:
        """Stop ``run``, if it goes on, and wait until it has ended: only then another one can replace it.

        Raises:
            RunConflict: It did not end within 10 seconds.
        """
        if run.ended:
            return
        with suppress(RunConflict):  # it ended meanwhile
            await self.runner.cancel(run.id)
        with anyio.move_on_after(STOP_SECONDS) as waiting:
            await self.finished(run)
        if waiting.cancelled_caught:
            raise RunConflict(f"the run {run.id} did not stop in time; try again")

    async def finished(self, run: Run) -> Transcript:
        """Wait for the end of ``run``, and return what it came to."""
        transcript = Transcript()
        async with opened(followed(self.runner, run.id, after=0, idle=self._heartbeat)) as batches:
            async for batch in batches:
                for record in batch:
                    transcript.fold(record)
        return transcript


def _after(request: Request, run: Run) -> int:
    """Where to begin: ``Last-Event-ID``, or ``?after=``. The header wins, as EventSource keeps the old URL."""
    text = request.headers.get("last-event-id") or request.query_params.get("after")
    if not text:
        return 0
    cursor = parse_cursor(text)
    if cursor.run_id not in {None, run.id}:
        raise CursorUnknown(asked=text[:200], last=run.last_seq)
    return cursor.seq
