"""One HTTP request whose answer is an event stream, within limits: what every upstream source is made of."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import msgspec

from unspool.closing import opened
from unspool.errors import SourceError, TooLarge
from unspool.events import MAX_EVENT_BYTES
from unspool.sources.base import Call
from unspool.sse import Frame, SseDecoder

Headers = Mapping[str, str] | Callable[[Call], Mapping[str, str]]
"""What every request carries, or a function that says so for each call."""

MAX_ERROR_BYTES = 64 * 1024
"""Of an error response, what is read of its body."""

SCHEMA_SECONDS = 5.0

CLOSED_EARLY = "The model provider closed the stream before its end."


class Refused(httpx.HTTPStatusError):
    """The server answered with an error, whose own words are not shown to anybody.

    Attributes:
        code: What the server calls it, where its body says so: ``context_length_exceeded``, for example.
        body: The JSON of the body, up to :data:`MAX_ERROR_BYTES`; None where it is none.
    """

    def __init__(self, response: httpx.Response, body: Any) -> None:
        super().__init__(f"the upstream answered {response.status_code}", request=response.request, response=response)
        self.body = body
        self.code = _code(body)


class Link:
    """How an upstream is reached.

    Args:
        url: Where it is.
        headers: For every request.
        http: A client to use, which stays open. Default: a new one for each call, which keeps to the proxies and
            certificates that the environment names, as httpx does.
        connect: Seconds until a connection is made, and until a short request is answered.
        silence: Seconds without a byte after which a stream is taken for dead.
        max_event_bytes: Of one event of a stream. More ends the call.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Headers | None = None,
        http: httpx.AsyncClient | None = None,
        connect: float = 10.0,
        silence: float = 60.0,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        if httpx.URL(url).scheme not in {"http", "https"}:
            raise ValueError(f"an upstream needs an http or https URL, not {url!r}")
        if connect <= 0 or silence <= 0 or max_event_bytes <= 0:
            raise ValueError("connect, silence and max_event_bytes must be positive")
        self.url = url
        self._headers: Headers = headers or {}
        self._http = http
        self._short = httpx.Timeout(connect)
        self._long = httpx.Timeout(connect, read=silence)
        self._max_event_bytes = max_event_bytes
        self._tls: ssl.SSLContext | None = None

    def at(self, path: str) -> str:
        """The address of ``path`` below the URL; of the URL itself, to the letter, where it is empty."""
        return self.url.rstrip("/") + path if path else self.url

    def headers(self, call: Call | None) -> dict[str, str]:
        """What a request for ``call`` carries. Without a call: what all carry, if that is known."""
        if callable(self._headers):
            return {} if call is None else dict(self._headers(call))
        return dict(self._headers)

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[httpx.AsyncClient, None]:
        """The client for one call."""
        if self._http is not None:
            yield self._http
            return
        if self._tls is None:
            self._tls = httpx.create_ssl_context()  # reads the certificates: once, and not for every call
        async with httpx.AsyncClient(verify=self._tls) as client:
            yield client

    async def ask(self, http: httpx.AsyncClient, call: Call, method: str, path: str) -> Any:
        """A short request. Returns the JSON of the answer, up to 64 KiB; None where it is none, or no success.

        Raises:
            httpx.TransportError: There was no answer in time.
        """
        # A redirect could take the credentials to another host.
        request = http.stream(
            method, self.at(path), headers=self.headers(call), timeout=self._short, follow_redirects=False
        )
        async with request as response:
            return await _small_body(response) if response.is_success else None

    def schemas(self) -> Any:
        """The JSON at ``/schemas``, asked for without a call, and without the given client. Blocks.

        Raises:
            httpx.HTTPError: There was no answer within 5 seconds, or none that is a success.
            SourceError: It is over 4 MiB.
            msgspec.DecodeError: It is no JSON.
        """
        found = bytearray()
        with httpx.stream("GET", self.at("/schemas"), headers=self.headers(None), timeout=SCHEMA_SECONDS) as response:
            response.raise_for_status()
            for chunk in response.iter_bytes():
                found += chunk
                if len(found) > MAX_EVENT_BYTES:
                    raise SourceError("The upstream's schemas are too large.")
        return msgspec.json.decode(found)

    async def frames(
        self,
        http: httpx.AsyncClient,
        call: Call,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> AsyncGenerator[Frame, None]:
        """The events of a stream. The connection is closed with this generator, also in mid-stream.

        Raises:
            Refused: The answer is no success.
            SourceError: The answer is a redirect, or no event stream, or an event is over the limit.
            httpx.TransportError: The connection failed, or was silent for too long.
        """
        sent = {
            # Compressed, a stream comes in lumps, and a small lump may be a large text.
            "Accept-Encoding": "identity",
            "Accept": "text/event-stream",
            **self.headers(call),
            **(headers or {}),
        }
        if body is not None:
            sent["Content-Type"] = "application/json"
        request = http.stream(
            method,
            self.at(path),
            headers=sent,
            content=None if body is None else msgspec.json.encode(body),
            timeout=self._long,
            follow_redirects=False,
        )
        async with request as response:
            if response.is_redirect:
                raise SourceError("The upstream answered with a redirect, which is not followed.")
            if not response.is_success:
                raise Refused(response, await _small_body(response))
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise SourceError("The upstream did not answer with an event stream.")
            async with opened(_decoded(response, SseDecoder(max_bytes=self._max_event_bytes))) as frames:
                async for frame in frames:
                    yield frame


async def _decoded(response: httpx.Response, decoder: SseDecoder) -> AsyncGenerator[Frame, None]:
    async with opened(response.aiter_bytes()) as chunks:
        async for chunk in chunks:
            try:
                frames = decoder.feed(chunk)
            except TooLarge as exc:
                raise SourceError(f"The upstream sent an event over the limit of {exc.limit:,} bytes.") from exc
            for frame in frames:
                yield frame


async def _small_body(response: httpx.Response) -> Any:
    found = bytearray()
    async with opened(response.aiter_bytes()) as chunks:
        async for chunk in chunks:
            found += chunk
            if len(found) > MAX_ERROR_BYTES:
                return None
    try:
        return msgspec.json.decode(found)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _code(body: Any) -> str | None:
    """The code of an error body: OpenAI's form, ours, or one that holds it at its top."""
    error: Any = body.get("error", body) if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return None
    fields = cast("dict[str, Any]", error)
    found = next((fields[name] for name in ("code", "type") if isinstance(fields.get(name), str)), None)
    return cast("str | None", found)


def json_of(frame: Frame) -> dict[str, Any]:
    """The JSON object that a frame holds.

    Raises:
        SourceError: It holds none.
    """
    try:
        return msgspec.json.decode(frame.data, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as exc:
        raise SourceError("The upstream sent an event that cannot be understood.") from exc
