"""A server as a source: one that speaks Unspool's own protocol, AG-UI, or one of OpenAI's."""

from __future__ import annotations

from typing import Any, Literal, assert_never

import httpx

from unspool.events import MAX_EVENT_BYTES
from unspool.sources.base import Source
from unspool.sources.upstream.agui import AguiUpstream
from unspool.sources.upstream.http import Headers, Link
from unspool.sources.upstream.native import NativeUpstream
from unspool.sources.upstream.openai import OpenAIUpstream

Protocol = Literal["native", "ag-ui", "openai-chat", "openai-responses"]


def upstream(
    url: str,
    *,
    protocol: Protocol = "native",
    headers: Headers | None = None,
    name: str | None = None,
    http: httpx.AsyncClient | None = None,
    connect: float = 10.0,
    silence: float = 60.0,
    max_event_bytes: int = MAX_EVENT_BYTES,
    **options: Any,
) -> Source:
    """Make a source of a server that streams.

    Redirects are not followed: they could take the headers to another host.

    Args:
        url: ``native``: where the agent is mounted. ``ag-ui``: what runs are posted to. ``openai-chat`` and
            ``openai-responses``: the base URL, as OpenAI's SDK wants it: ``https://api.openai.com/v1``.
        protocol: What the server speaks.
        headers: For every request, or a function of the :class:`Call` that returns them: to pass on who asks.
        name: What the source is called. Default: the host of the URL.
        http: A client to use, which stays open. Default: one for each call.
        connect: Seconds until a connection is made, and until a request that is no stream is answered.
        silence: Seconds without a byte after which a stream is taken for dead.
        max_event_bytes: The largest event of a stream. A larger one ends the run with an error.
        options: Of the protocol: see :class:`~unspool.sources.upstream.native.NativeUpstream`,
            :class:`~unspool.sources.upstream.agui.AguiUpstream` and
            :class:`~unspool.sources.upstream.openai.OpenAIUpstream`.

    Raises:
        TypeError: The protocol has no such option, or needs one that is missing.
        ValueError: The URL is none, or a limit is not positive.
    """
    link = Link(url, headers=headers, http=http, connect=connect, silence=silence, max_event_bytes=max_event_bytes)
    called = name or httpx.URL(url).host
    match protocol:
        case "native":
            return NativeUpstream(link, name=called, **options)
        case "ag-ui":
            return AguiUpstream(link, name=called, **options)
        case "openai-chat" | "openai-responses":
            return OpenAIUpstream(link, name=called, responses=protocol == "openai-responses", **options)
        case _:
            assert_never(protocol)
