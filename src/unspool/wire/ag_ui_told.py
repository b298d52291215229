"""What an AG-UI client was told of a run, in order, so that a retry can take a part of it back.

AG-UI's word for that is ``MESSAGES_SNAPSHOT``: all messages that count, those of the thread before the run included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from unspool.events import Reasoning, Token, ToolArgs, encode
from unspool.wire.ag_ui_fields import frame, run_of
from unspool.wire.ag_ui_said import Growing, Said, beginning, continuing, ending, snapshot

_NONE = b"\n"
"""No event begins so."""


class Told:
    """All that a run has said, with ids for it. Its methods return the bytes that tell of it.

    Args:
        run_id: The run.
        messages: What the client sent with its request.

    Attributes:
        before: The messages of the thread before the run. Those that are the run's own were sent by a client that holds
            a part of it, and will be told all of it once more.
        said: In order. What is open in it is told to end before the run is.
        head: What an event begins with that adds to what grew last: all of it but its text.
    """

    def __init__(self, run_id: str, messages: Sequence[Mapping[str, Any]]) -> None:
        self.before = [message for message in messages if run_of(str(message.get("id"))) != run_id]
        self.said: list[Said] = []
        self.head = _NONE
        self._run_id = run_id
        self._again = len(self.before) < len(messages)
        self._count = 0
        self._first_is_free = True
        self._grows = Growing()
        self._delta = b""

    def next_id(self, *, of_assistant: bool = False) -> str:
        """An id for a message. ``of_assistant``: its first one has that of the run."""
        if of_assistant and self._first_is_free:
            self._first_is_free = False
            return self._run_id
        self._count += 1
        return f"{self._run_id}:{self._count}"

    def taken_back(self) -> bytes:
        """To a client that holds a part of the run, and joins at its beginning: the messages without that."""
        return frame("MESSAGES_SNAPSHOT", messages=self.before) if self._again and not self.said else b""

    def open(self) -> bytes:
        """To a client that joins: what goes on."""
        return b"".join([beginning(said) for said in self.said if said.open])

    def begin(self, said: Said) -> bytes:
        """It begins, or goes on. Nothing, if it is open."""
        if said.open:
            return b""
        said.open = True
        return beginning(said)

    def add(self, said: Said, event: Token | Reasoning | ToolArgs, seq: int) -> bytes:
        """It grows, and begins before that, if it is not open. What is added next can go by :meth:`grow`."""
        own = event.call_id if isinstance(event, ToolArgs) else event.message_id
        begun = self.begin(said)
        self._grows = said.growing
        self._delta = continuing(said)
        self.head = encode(type(event)(own, ""))[: -len('""}')]
        return begun + self.grow([seq], [msgspec.json.encode(event.text)])

    def grow(self, seqs: Sequence[int], texts: Sequence[bytes]) -> bytes:
        """What grew last grows again. The texts, one of each record, go from JSON to JSON as they are."""
        self._grows.add(seqs, texts)
        return self._delta + (b"}\n\n" + self._delta).join(texts) + b"}\n\n"

    def pause(self) -> None:
        """What grew last does not grow by :meth:`grow` again, before :meth:`add`."""
        self.head = _NONE

    def end(self, said: Said) -> bytes:
        """It is complete. Nothing, if it is not open."""
        if not said.open:
            return b""
        said.open = False
        if said.growing is self._grows:
            self.pause()
        return ending(said)

    def end_all(self) -> bytes:
        """All that is open is complete, the newest first."""
        return b"".join([self.end(said) for said in reversed(self.said)])

    def cut(self, keep_seq: int) -> bytes:
        """What came after ``keep_seq`` is void: all messages are told anew."""
        self.said = [said for said in self.said if said.cut(keep_seq)]
        self._first_is_free = all(said.id != self._run_id for said in self.said)
        return frame("MESSAGES_SNAPSHOT", messages=[*self.before, *snapshot(self.said)])
