"""Single events of AG-UI, and parts of them, made of ours."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from unspool.events import Citation, Data, File


def frame(kind: str, **fields: Any) -> bytes:
    """One event as a server-sent event."""
    return b"data: %b\n\n" % msgspec.json.encode({"type": kind, **fields})


def run_of(message_id: str) -> str:
    """The run that a message comes from, if its id is one that :class:`~unspool.wire.ag_ui.AgUiSse` gave."""
    return message_id.partition(":")[0]


def custom(event: Data, _seq: int) -> bytes:
    """The source's own."""
    identified = {} if event.id is None else {"metadata": {"id": event.id}}
    return frame("CUSTOM", name=event.name, value=event.value, **identified)


def of_message(name: str, event: Citation | File, message_id: str | None) -> bytes:
    """What belongs to a message, with the id that the client knows the message by."""
    fields = cast("dict[str, Any]", msgspec.to_builtins(event))
    del fields["type"]
    fields.pop("message_id", None)
    return frame("CUSTOM", name=name, value=fields if message_id is None else {"messageId": message_id, **fields})
