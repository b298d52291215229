"""The native protocol: ``spec/PROTOCOL.md``. The bytes of an event go out as the log holds them."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from unspool.events import Record
from unspool.wire.base import Codec


class NativeSse(Codec):
    """Records as server-sent events: the seq as ``id``, the event's JSON as ``data``, and no ``event`` field.

    Args:
        run_id: Put before each id, for a client that learns of its run only from the ids (EventSource).
        retry_ms: What EventSource waits before it reconnects.
    """

    stateful = False

    def __init__(self, run_id: str | None = None, *, retry_ms: int = 1000) -> None:
        self._head = b"id: %d\ndata: " if run_id is None else b"id: " + run_id.encode() + b":%d\ndata: "
        self._retry_ms = retry_ms

    @property
    @override
    def media_type(self) -> str:
        return "text/event-stream; charset=utf-8"

    @override
    def skip(self, records: Sequence[Record]) -> None:
        pass

    @override
    def open(self) -> bytes:
        return b"retry: %d\n\n" % self._retry_ms

    @override
    def encode(self, records: Sequence[Record]) -> bytes:
        frame = self._head + b"%b\n\n"
        return b"".join([frame % (record.seq, record.data) for record in records])

    @override
    def heartbeat(self) -> bytes:
        return b":\n\n"


class NativeNdjson(Codec):
    """Records as lines: ``{"seq":…,"at":…,"event":{…}}``. An empty line is a heartbeat."""

    stateful = False

    @property
    @override
    def media_type(self) -> str:
        return "application/x-ndjson"

    @override
    def skip(self, records: Sequence[Record]) -> None:
        pass

    @override
    def open(self) -> bytes:
        return b""

    @override
    def encode(self, records: Sequence[Record]) -> bytes:
        return b"".join([b'{"seq":%d,"at":%.3f,"event":%b}\n' % (r.seq, r.at, r.data) for r in records])

    @override
    def heartbeat(self) -> bytes:
        return b"\n"
