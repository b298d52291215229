"""LangServe's streams, with ids: for a run whose source says in ``data`` events what LangServe's own would say.

The frames are those of LangServe 0.3.3, which has neither ids nor a way to come back; its clients ignore both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from typing_extensions import override

from unspool.errors import HTTP_STATUS
from unspool.events import Data, End, Error, Record
from unspool.wire.base import Codec

METADATA = "langserve.metadata"
"""The name of the ``data`` event whose value is the stream's metadata."""

CHUNK = "langserve.chunk"
"""The name of ``data`` events whose value is a chunk."""


class _Value(msgspec.Struct):
    """The part of a ``data`` event that goes on as it is."""

    name: str
    value: msgspec.Raw = msgspec.Raw(b"null")


_decode = msgspec.json.Decoder(_Value).decode


class LangServeSse(Codec):
    """Chunks as ``data`` events, then ``end``; or ``error``, after which nothing follows."""

    stateful = False

    @property
    @override
    def media_type(self) -> str:
        return "text/event-stream; charset=utf-8"

    @override
    def skip(self, records: Sequence[Record]) -> None:
        pass

    @override
    def open(self) -> bytes:
        return b""

    @override
    def encode(self, records: Sequence[Record]) -> bytes:
        return b"".join([self._frame(record) for record in records])

    def _frame(self, record: Record) -> bytes:
        if record.type == "data":
            said = _decode(record.data)
            if said.name == CHUNK:
                return b"id: %d\r\nevent: data\r\ndata: %b\r\n\r\n" % (record.seq, said.value)
        return self._rare(record)

    def _rare(self, record: Record) -> bytes:
        event = record.event
        if isinstance(event, Data) and event.name == METADATA:
            return _spaced(record.seq, "metadata", event.value)
        if isinstance(event, Error):
            return _spaced(record.seq, "error", _told(event))
        if isinstance(event, End) and event.status != "failed":
            return b"id: %d\r\nevent: end\r\n\r\n" % record.seq
        return b""

    @override
    def heartbeat(self) -> bytes:
        return b": ping\r\n\r\n"


def _spaced(seq: int, name: str, value: Any) -> bytes:
    return f"id: {seq}\r\nevent: {name}\r\ndata: {json.dumps(value)}\r\n\r\n".encode()


def _told(error: Error) -> dict[str, Any]:
    """What an HTTPException of the runnable says; of another failure what the run says of it."""
    detail = error.detail
    if isinstance(detail, dict) and "status_code" in detail:
        return cast("dict[str, Any]", detail)
    statuses = cast("Mapping[str, int]", HTTP_STATUS)  # codes on the wire are open; ours are these
    return {"status_code": statuses.get(error.code, 500), "message": error.message}
