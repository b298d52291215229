"""The async client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import anyio
import httpx
import msgspec

from unspool.client.api import Ask, content, feedback_body, key_header, page, resume_body, start_body
from unspool.client.following import Backoff, Disconnected, Following, error_of
from unspool.closing import opened
from unspool.errors import UnspoolError
from unspool.events import AnyEvent, Record, Transcript


class AsyncClient:
    """Talks to an agent that is mounted somewhere.

    Args:
        url: Where: ``https://example.org/agent``.
        headers: For every request: credentials, for example.
        timeout: Seconds until a connection is made, and until a request that is no stream is answered.
        silence: Seconds without a byte, not even a heartbeat, after which a stream is taken for dead.
        backoff: How to wait between two connections.
        http: An httpx client to use, which stays open. Default: one of its own.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        silence: float = 45.0,
        backoff: Backoff | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = dict(headers or {})
        self._timeout = httpx.Timeout(timeout)
        self._stream_timeout = httpx.Timeout(timeout, read=silence)
        self._backoff = backoff or Backoff()
        self._http = http or httpx.AsyncClient()
        self._owned = http is None

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        if self._owned:
            await self._http.aclose()

    # -- streams ----------------------------------------------------------------------------------------

    def stream(
        self,
        value: Any,
        *,
        thread_id: str | None = None,
        config: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        replaces: str | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncRunStream:
        """Start a run with the input ``value`` and follow it. An async context manager and iterator.

        With ``replaces``, a run of the same thread, it takes the place of that run and of all after it: to ask
        again, or to ask something else.
        """
        body = start_body(value, thread_id, config, run_id, replaces)
        return self._run_stream(
            Following(body["run_id"], start=body, headers=key_header(idempotency_key), backoff=self._backoff)
        )

    def follow(self, run_id: str, *, after: int = 0) -> AsyncRunStream:
        """Follow a run from behind ``after``."""
        return self._run_stream(Following(run_id, after=after, backoff=self._backoff))

    def resume(
        self, run_id: str, answer: Any = None, *, answers: Mapping[str, Any] | None = None, new_id: str | None = None
    ) -> AsyncRunStream:
        """Answer an interrupted run, and follow the new one that goes on with it."""
        body = resume_body(answer, answers, new_id)
        return self._run_stream(
            Following(body["run_id"], start=body, path=f"/runs/{run_id}/resume", backoff=self._backoff)
        )

    def _run_stream(self, following: Following) -> AsyncRunStream:
        return AsyncRunStream(self, following)

    @asynccontextmanager
    async def connect(self, following: Following) -> AsyncGenerator[httpx.Response, None]:
        """Make the next connection that ``following`` wants. Raises what an error response stands for."""
        method, path, headers, body = following.request()
        async with self._http.stream(
            method,
            self._url + path,
            headers={**self._headers, **headers},
            content=content(body),
            timeout=self._stream_timeout,
        ) as response:
            if response.status_code >= 400:
                raise error_of(response.status_code, await response.aread())
            yield response

    # -- everything else --------------------------------------------------------------------------------

    async def _ask(self, ask: Ask) -> Any:
        try:
            response = await self._http.request(
                ask.method,
                self._url + ask.path,
                headers={**self._headers, **(ask.headers or {})},
                params=ask.params,
                content=content(ask.body),
                timeout=self._timeout,
            )
        except httpx.TransportError as exc:
            raise Disconnected("the server cannot be reached") from exc
        if response.status_code >= 400:
            raise error_of(response.status_code, response.content)
        return msgspec.json.decode(response.content)

    async def start(
        self,
        value: Any,
        *,
        thread_id: str | None = None,
        config: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        replaces: str | None = None,
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """Start a run in the background. Return it, as ``GET /runs/{id}`` would."""
        body = start_body(value, thread_id, config, run_id, replaces)
        run: dict[str, Any] = await self._ask(Ask("POST", "/runs", body, headers=key_header(idempotency_key)))
        return run

    async def invoke(
        self,
        value: Any,
        *,
        thread_id: str | None = None,
        config: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        replaces: str | None = None,
    ) -> Any:
        """Run it and return its output, through lost connections.

        Raises:
            RunFailed: It failed, was cancelled, or was lost.
        """
        async with self.stream(value, thread_id=thread_id, config=config, run_id=run_id, replaces=replaces) as stream:
            return await stream.output()

    async def cancel(self, run_id: str) -> dict[str, Any]:
        """Stop a run. What it produced is kept."""
        run: dict[str, Any] = await self._ask(Ask("POST", f"/runs/{run_id}/cancel"))
        return run

    async def get(self, run_id: str) -> dict[str, Any]:
        """Return a run: status, output and more."""
        run: dict[str, Any] = await self._ask(Ask("GET", f"/runs/{run_id}"))
        return run

    async def transcript(self, run_id: str) -> dict[str, Any]:
        """Return a run folded into messages, steps, state and more."""
        run = await self._ask(Ask("GET", f"/runs/{run_id}", params={"include": "transcript"}))
        transcript: dict[str, Any] = run["transcript"]
        return transcript

    async def runs(self, *, thread_id: str | None = None, limit: int = 50, before: str | None = None) -> dict[str, Any]:
        """Return a page of runs, newest first: ``{"runs": […], "next": …}``."""
        found: dict[str, Any] = await self._ask(Ask("GET", "/runs", params=page(limit, before, thread_id=thread_id)))
        return found

    async def threads(self, *, limit: int = 50, before: str | None = None) -> dict[str, Any]:
        """Return a page of conversations, newest first: ``{"threads": […], "next": …}``."""
        found: dict[str, Any] = await self._ask(Ask("GET", "/threads", params=page(limit, before)))
        return found

    async def thread(self, thread_id: str, *, transcripts: bool = False) -> dict[str, Any]:
        """Return a conversation: its runs, and the messages that they fold into; with ``transcripts``, of each run."""
        params = {"include": "transcripts"} if transcripts else None
        found: dict[str, Any] = await self._ask(Ask("GET", f"/threads/{thread_id}", params=params))
        return found

    async def feedback(
        self,
        run_id: str,
        *,
        key: str = "score",
        score: float | None = None,
        value: Any = None,
        comment: str | None = None,
    ) -> dict[str, Any]:
        """Say what you think of a run: a number or a bool, any JSON, or words. The same key again replaces it."""
        body = feedback_body(run_id, key, score, value, comment)
        stored: dict[str, Any] = await self._ask(Ask("POST", "/feedback", body))
        return stored

    async def schemas(self) -> dict[str, Any]:
        """Return JSON Schemas of input, output and config, and what may be attached."""
        found: dict[str, Any] = await self._ask(Ask("GET", "/schemas"))
        return found


class AsyncRunStream:
    """A run that is being followed. Iterate it for its events, typed; it connects again by itself.

    Leaving it does not touch the run; :meth:`cancel` stops it.
    """

    def __init__(self, client: AsyncClient, following: Following) -> None:
        self._client = client
        self._following = following
        self._records = self._read()

    @property
    def run_id(self) -> str:
        """The run."""
        return self._following.run_id

    @property
    def last_seq(self) -> int:
        """The last record that arrived."""
        return self._following.last_seq

    @property
    def transcript(self) -> Transcript:
        """What has arrived, folded."""
        return self._following.transcript

    async def __aenter__(self) -> Self:
        """Return the stream. The connection is made at the first event."""
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection; the run goes on."""
        await self._records.aclose()

    def __aiter__(self) -> AsyncIterator[AnyEvent]:
        """Iterate over the events."""
        return self._events()

    async def _events(self) -> AsyncGenerator[AnyEvent, None]:
        async for record in self._records:
            yield record.event

    def records(self) -> AsyncIterator[Record]:
        """Iterate over the events with their seqs instead."""
        return self._records

    async def _read(self) -> AsyncGenerator[Record, None]:
        following = self._following
        while not following.ended:
            error: UnspoolError | None = None
            try:
                async with self._client.connect(following) as response:
                    following.connected(response.status_code, response.headers)
                    async with opened(response.aiter_bytes()) as chunks:
                        async for chunk in chunks:
                            for record in following.feed(chunk):
                                yield record
            except httpx.TransportError as exc:
                error = Disconnected("the connection was lost")
                error.__cause__ = exc
            except UnspoolError as exc:
                error = exc
            if not following.ended:
                await anyio.sleep(following.failed(error))

    async def output(self) -> Any:
        """Read to the end, and return what the run returned.

        Raises:
            RunFailed: It failed, was cancelled, or was lost.
        """
        async for _ in self._records:
            pass
        return self._following.output()

    async def cancel(self) -> None:
        """Stop the run. Its ``end`` arrives as any other event."""
        await self._client.cancel(self.run_id)
