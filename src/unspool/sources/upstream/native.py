"""Another Unspool as a source: its runs, in its own protocol, through lost connections and restarts of either side."""

from __future__ import annotations

import hashlib
import logging
import random
import time
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from typing import Any, cast

import anyio
import httpx
import msgspec
from typing_extensions import override

from unspool.closing import opened
from unspool.errors import ErrorCode, InvalidInput, MalformedBody, SourceError
from unspool.events import AnyEvent, Data, End, Error, Record, Retry, Start, decode
from unspool.sources.base import Call, Item, Keep, Output, ResumePoint, Rewind, Schemas, Source, refuse_config
from unspool.sources.upstream.http import Link, Refused
from unspool.sources.upstream.place import MARK, Place, place_of
from unspool.sse import Frame

logger = logging.getLogger("unspool")

MAX_ID = 128
"""Characters of an id that a client may choose."""

CANCEL_SECONDS = 3.0
FIRST_WAIT = 0.1
LONGEST_WAIT = 5.0


class NativeUpstream(Source):
    """Runs an agent of another Unspool server, and passes its events on as they are.

    The upstream's ``start``, ``end`` and ``retry`` become those of our run. Its run id is made from ours, so that
    asking again never starts it twice, and so that another process of ours finds it.

    Args:
        link: Where the agent is mounted.
        name: What it is called.
        patience: Seconds for which a connection that was lost is tried again, since the last event.
        config: The keys of a client's ``config`` that are passed on.
    """

    def __init__(self, link: Link, *, name: str, patience: float = 60.0, config: Collection[str] = ()) -> None:
        self._link = link
        self._name = name
        self._patience = patience
        self._config = frozenset(config)

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        path, body = await self._request(call)
        async with self._link.client() as http:
            following = await self._following(http, call)
            try:
                async with opened(following.items(path, {**body, "run_id": following.run_id})) as items:
                    async for item in items:
                        yield item
            finally:
                if not following.over and not call.goes_on_elsewhere:
                    await self._cancel(http, call, following.run_id)

    async def _request(self, call: Call) -> tuple[str, dict[str, Any]]:
        """What starts the upstream's run: path and body."""
        config = refuse_config(call, self._config)
        if call.resumes is not None:
            return await self._answer(call, config)
        body: dict[str, Any] = {"input": call.input}
        if config:
            body["config"] = config
        if call.thread_id is not None:
            body["thread_id"] = _upstream_thread(call)
        if call.replaces is not None:
            body["replaces"] = upstream_id(call.replaces)
        return "/stream", body

    async def _answer(self, call: Call, config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        past = next((past for past in await call.history() if past.run_id == call.resumes), None)
        known = [] if past is None else [interrupt.interrupt_id for interrupt in past.interrupts]
        answer = dict(call.answer or {})
        if not answer or not answer.keys() <= set(known):
            raise InvalidInput(f"answer these interrupts, by id: {', '.join(known)}")
        kept: object = None if past is None else past.kept
        run_id = cast("dict[str, str]", kept)["run_id"] if isinstance(kept, dict) else upstream_id(str(call.resumes))
        body: dict[str, Any] = {"answers": answer}
        if config:
            body["config"] = config
        return f"/runs/{run_id}/resume", body

    async def _following(self, http: httpx.AsyncClient, call: Call) -> _Following:
        if call.position is not None:
            place = msgspec.convert(call.position, Place)
            return _Following(self._link, http, call, place, patience=self._patience)
        number = 1
        while number < call.attempt and await self._has_failed(http, call, upstream_id(call.run_id, number)):
            number += 1
        place = Place(run_id=upstream_id(call.run_id, number))
        return _Following(self._link, http, call, place, patience=self._patience)

    async def _has_failed(self, http: httpx.AsyncClient, call: Call, run_id: str) -> bool:
        """Whether an earlier attempt's run is of no use. One that goes on, or was never begun, is."""
        run = await self._link.ask(http, call, "GET", f"/runs/{run_id}")
        return isinstance(run, dict) and cast("dict[str, Any]", run).get("status") in {"failed", "cancelled"}

    async def _cancel(self, http: httpx.AsyncClient, call: Call, run_id: str) -> None:
        """Stop the upstream's run, if it can be done in time."""
        with anyio.move_on_after(CANCEL_SECONDS, shield=True) as late:
            try:
                await self._link.ask(http, call, "POST", f"/runs/{run_id}/cancel")
            except httpx.HTTPError as exc:
                logger.warning("the upstream's run %s could not be cancelled: %s", run_id, type(exc).__name__)
        if late.cancelled_caught:
            logger.warning("the upstream's run %s could not be cancelled in time", run_id)

    @override
    def schemas(self) -> Schemas:
        """What the upstream says; ``{}`` if it does not within 5 seconds, or wants headers that a call decides."""
        try:
            found = msgspec.convert(self._link.schemas(), Schemas)
        except (httpx.HTTPError, msgspec.MsgspecError, SourceError) as exc:
            logger.warning("the upstream %s did not say its schemas: %s", self._name, type(exc).__name__)
            return Schemas()
        config = {} if not self._config else found.config
        return Schemas(input=found.input, output=found.output, config=config)

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        """Everything that reached the log counts; the upstream's run is followed from behind it."""
        if not records:
            return None
        ids = [upstream_id(call.run_id, number) for number in range(1, call.attempt + 1)]
        place = place_of(records, ids)
        return ResumePoint(keep_seq=records[-1].seq, position=msgspec.to_builtins(place))


class _Following:
    """One run of the upstream, followed to its end over as many connections as it takes.

    Attributes:
        run_id: The upstream's run.
        over: Whether there is nothing left to cancel: it ended, or it is out of reach.
    """

    def __init__(self, link: Link, http: httpx.AsyncClient, call: Call, place: Place, *, patience: float) -> None:
        self.run_id = place.run_id
        self.over = False
        self._link = link
        self._http = http
        self._call = call
        self._place = place
        self._patience = patience
        self._met = call.position is not None
        self._ended = False
        self._error: Error | None = None
        self._since = time.monotonic()
        self._failures = 0

    async def items(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Item, None]:
        if self._call.position is not None:
            yield self._mark()
        while not self._ended:
            lost: Exception | None = None
            try:
                async with opened(self._connection(path, body)) as frames:
                    async for frame in frames:
                        for item in self._taken(frame):
                            yield item
            except httpx.TransportError as exc:
                lost = exc
            except Refused as exc:
                if "replaces" in body and _code_of(exc) == "not_found":
                    # The run of ours that is replaced never reached the upstream: there is nothing to replace.
                    body = {key: value for key, value in body.items() if key != "replaces"}
                    continue
                lost = self._refused(exc)
            if not self._ended:
                await self._pause(lost)

    def _connection(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Frame, None]:
        # Starting it again finds the same run, and works whether or not the first request arrived.
        if self._place.after <= 1:
            return self._link.frames(self._http, self._call, "POST", path, body=body)
        seen = {"Last-Event-ID": str(self._place.after)}
        return self._link.frames(self._http, self._call, "GET", f"/runs/{self.run_id}/stream", headers=seen)

    def _taken(self, frame: Frame) -> Sequence[Item]:
        """What a frame means for our run."""
        self._met = True
        seq = _seq(frame)
        if seq <= self._place.after:
            return ()
        if seq != self._place.after + 1:
            raise SourceError("The upstream left out a part of its run.")
        event = _event(frame)
        self._place.after = seq
        self._since = time.monotonic()
        self._failures = 0
        match event:
            case Start():
                if self._call.attempt > 1:
                    return (self._mark(),)  # an attempt before this one had a run of its own
                self._place.begun(seq)
                return ()
            case Retry():
                self._error = None
                rewind = Rewind(keep=self._place.kept(event.keep_seq), reason=event.reason)
                self._place.count += 1
                return rewind, self._mark()
            case Error():
                self._error = event
                return ()
            case End():
                return self._end(event)
            case _:
                self._place.count += 1
                return (event,)

    def _mark(self) -> Data:
        self._place.count += 1
        self._place.begun(self._place.after)
        return Data(MARK, {"run_id": self.run_id, "seq": self._place.after}, transient=True)

    def _end(self, end: End) -> Sequence[Item]:
        self._ended = self.over = True
        if self._error is not None:
            error = self._error
            raise SourceError(
                error.message, code=_known(error.code), retryable=error.retryable, retry_after=error.retry_after
            )
        if end.status == "cancelled":
            raise SourceError("The upstream's run was cancelled.", code="cancelled")
        found: list[Item] = []
        if end.status == "interrupted":
            found.append(Keep({"run_id": self.run_id}))
        if end.output is not None:
            found.append(Output(end.output))
        return found

    def _refused(self, exc: Refused) -> Exception:
        """Raise what the server said, unless it may say something else in a moment."""
        status = exc.response.status_code
        if self._met and (status >= 500 or status == 429):
            return exc
        self.over = True
        if self._met and _code_of(exc) in {"not_found", "cursor_unknown", "cursor_expired"}:
            raise SourceError("The upstream has lost the run.", code="lost", retryable=True) from exc
        raise _problem(exc) from exc

    async def _pause(self, lost: Exception | None) -> None:
        """Wait before the next connection.

        Raises:
            Exception: ``lost``, where no connection was ever made: the run may be tried again from its beginning.
            SourceError: It was tried for long enough.
        """
        if not self._met and lost is not None:
            self.over = isinstance(lost, httpx.ConnectError)
            raise lost
        self._failures += 1
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0**self._failures) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        if time.monotonic() + wait > self._since + self._patience:
            self.over = True
            raise SourceError("The connection to the upstream was lost.", retryable=True) from lost
        logger.info("the upstream's run %s: connecting again in %.1f s", self.run_id, wait)
        await anyio.sleep(wait)


def upstream_id(run_id: str, number: int = 1) -> str:
    """The id of the upstream's run for one of ours, and of those after it, where it failed and was tried again.

    It begins as ours does: where that is a UUID version 7, with the time.
    """
    digest = hashlib.sha256(f"unspool upstream {number} {run_id}".encode()).hexdigest()
    return f"{run_id[:13]}-{digest[:32]}" if _is_uuid(run_id) else digest


def _upstream_thread(call: Call) -> str:
    """The upstream's thread for one of ours: another one for each of our principals, and never too long for an id."""
    thread_id = call.memory_id
    return thread_id if len(thread_id) <= MAX_ID else hashlib.sha256(thread_id.encode()).hexdigest()


def _is_uuid(run_id: str) -> bool:
    return len(run_id) == 36 and run_id[8] == "-" == run_id[13]


def _seq(frame: Frame) -> int:
    text = frame.id.rpartition(":")[2]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise SourceError("The upstream does not speak Unspool's protocol.")
    return int(text)


def _event(frame: Frame) -> AnyEvent:
    try:
        return decode(frame.data)
    except MalformedBody as exc:
        raise SourceError("The upstream sent an event that cannot be understood.") from exc


def _code_of(exc: Refused) -> ErrorCode | None:
    """The code of an error response that is one of ours."""
    body: Any = exc.body
    if isinstance(body, dict) and str(cast("dict[str, Any]", body).get("type")).startswith("urn:unspool:error:"):
        return _known(str(cast("dict[str, Any]", body).get("code")))
    return None


def _problem(exc: Refused) -> Exception:
    """What an error response means. The words of one that is ours were written for a client."""
    code = _code_of(exc)
    if code is None:
        return exc
    if code == "auth":
        return SourceError("The upstream refused the server's credentials.", code="auth")
    after: object = exc.body.get("retry_after")
    return SourceError(
        str(exc.body.get("detail")),
        code=code,
        retryable=exc.body.get("retryable") is True,
        retry_after=float(after) if isinstance(after, int | float) else None,
    )


def _known(code: str) -> ErrorCode:
    try:
        return cast("ErrorCode", msgspec.convert(code, cast("Any", ErrorCode)))
    except msgspec.ValidationError:
        return "provider"
