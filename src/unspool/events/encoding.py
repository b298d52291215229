"""Events as JSON bytes, and back.

The bytes hold no raw line end (JSON escapes them) and begin with ``{"type":"…"``, so that a codec can frame
them, and tell the type, without parsing.
"""

from __future__ import annotations

import math
from typing import Any, cast

import msgspec

from unspool.errors import InvalidInput, MalformedBody
from unspool.events.types import AnyEvent, KnownEvent, Unknown

MAX_EVENT_BYTES = 4 * 1024 * 1024
"""The largest event, as JSON. A larger one is refused, and ends its run with ``validation``."""

_HEAD = b'{"type":"'


def encode(event: AnyEvent) -> bytes:
    """Return the JSON of ``event``, on one line, ``type`` first.

    A lone surrogate, which UTF-8 cannot say, becomes U+FFFD; a number that is not finite becomes null.

    Raises:
        InvalidInput: The event holds an object that is not plain data (see :func:`plain`), or it is over
            :data:`MAX_EVENT_BYTES`.
    """
    try:
        data = _encode(event)
    except UnicodeEncodeError:
        data = _encode(from_dict(_mended(msgspec.to_builtins(event))))
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        reason = str(exc) if isinstance(exc, TypeError) else type(exc).__name__
        raise InvalidInput(f"a {_type_of(event)!r} event cannot be written as JSON: {reason}") from exc
    if len(data) > MAX_EVENT_BYTES:
        raise InvalidInput(f"a {_type_of(event)!r} event of {len(data):,} bytes is over {MAX_EVENT_BYTES:,}")
    return data


def decode(data: bytes | bytearray | memoryview | str) -> AnyEvent:
    """Return the event that ``data`` holds; :class:`Unknown` where the type is not one of ours.

    Raises:
        MalformedBody: It is not JSON, not an object with a string ``type``, or a known type with a field
            that is missing or of the wrong type.
    """
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError as exc:  # ValidationError is a DecodeError
        return _unknown(data, exc)
    except (UnicodeDecodeError, RecursionError) as exc:
        raise MalformedBody("an event is not valid JSON") from exc


def from_dict(fields: dict[str, Any]) -> AnyEvent:
    """Return the event that a dict describes. Raises as :func:`decode` does."""
    try:
        return cast("KnownEvent", msgspec.convert(fields, KnownEvent))
    except msgspec.ValidationError as exc:
        return _unknown_from(fields, exc)


def type_of(data: bytes) -> str:
    """Return the type of an encoded event without parsing it.

    Raises:
        MalformedBody: ``data`` did not come from :func:`encode`.
    """
    if not data.startswith(_HEAD):
        raise MalformedBody("an event must be a JSON object whose first member is its type")
    return data[len(_HEAD) : data.index(b'"', len(_HEAD))].decode()


def is_end(data: bytes) -> bool:
    """Tell whether an encoded event is the ``end`` of its run."""
    return data.startswith(b'{"type":"end"')


def _unknown(data: bytes | bytearray | memoryview | str, exc: msgspec.DecodeError) -> AnyEvent:
    try:
        fields: object = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as inner:
        raise MalformedBody("an event is not valid JSON") from inner
    return _unknown_from(fields, exc)


def _unknown_from(fields: object, exc: msgspec.DecodeError) -> AnyEvent:
    if not isinstance(fields, dict):
        raise MalformedBody("an event must be a JSON object") from exc
    members = cast("dict[str, Any]", fields)
    name: object = members.get("type")
    if not isinstance(name, str) or not name:
        raise MalformedBody("an event must have a `type`") from exc
    if name in _KNOWN_TYPES:
        raise MalformedBody(f"a {name!r} event is malformed: {exc}") from exc
    return Unknown(type=name, fields=members)


def _encode(event: AnyEvent) -> bytes:
    if isinstance(event, Unknown):
        return _encoder.encode({"type": event.type, **{k: v for k, v in event.fields.items() if k != "type"}})
    return _encoder.encode(event)


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mended(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in cast("dict[Any, Any]", value).items()}
    return value


def _type_of(event: AnyEvent) -> str:
    return event.type if isinstance(event, Unknown) else str(type(event).__struct_config__.tag)


def plain(value: object) -> Any:
    """Turn what frameworks hand out into plain JSON data.

    Pydantic models, dataclasses, structs, dates, sets, bytes (as base64) and UUIDs become what their
    usual JSON is; anything else becomes its ``repr``, cut at 1,000 characters; numbers that are not
    finite become None. Never raises for a value that can be looked at.
    """
    return msgspec.to_builtins(value, str_keys=True, enc_hook=_as_builtin) if not _is_simple(value) else value


def _is_simple(value: object) -> bool:
    return value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def _as_builtin(value: object) -> Any:
    for method in ("model_dump", "to_json", "dict"):
        dump = getattr(value, method, None)
        if callable(dump) and not isinstance(value, type):
            return dump()
    if isinstance(value, Exception):
        return type(value).__name__
    return repr(value)[:1000]


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[KnownEvent] = msgspec.json.Decoder(KnownEvent)
_KNOWN_TYPES = frozenset(str(cls.__struct_config__.tag) for cls in KnownEvent.__args__)
