"""Records in, bytes out, and back: pure codecs."""

from unspool.sse import MAX_FRAME_BYTES, Frame, SseDecoder
from unspool.wire.base import Codec
from unspool.wire.coalesce import Coalescer
from unspool.wire.cursor import Cursor, format_cursor, parse_cursor
from unspool.wire.native import NativeNdjson, NativeSse
from unspool.wire.ndjson import NdjsonDecoder

__all__ = [
    "MAX_FRAME_BYTES",
    "Coalescer",
    "Codec",
    "Cursor",
    "Frame",
    "NativeNdjson",
    "NativeSse",
    "NdjsonDecoder",
    "SseDecoder",
    "format_cursor",
    "parse_cursor",
]
