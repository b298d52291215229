"""Messages of text and of reasoning in AG-UI, which has them apart: thinking ends where its message begins to speak."""

from __future__ import annotations

from unspool.events import Citation, File, MessageEnd, MessageStart, Reasoning, Token
from unspool.wire.ag_ui_fields import of_message
from unspool.wire.ag_ui_said import Said
from unspool.wire.ag_ui_told import Told

_ROLES = frozenset({"assistant", "user", "system"})
"""The roles of our messages that a text message of AG-UI can have."""


class Texts:
    """The messages of a run, by our ids. Its methods return the bytes that tell of an event.

    Attributes:
        speaker: The message that spoke last.
    """

    def __init__(self, told: Told) -> None:
        self._told = told
        self._messages: dict[str, Said] = {}
        self._thinking: dict[str, Said] = {}
        self.speaker: str | None = None

    def message(self, message_id: str, seq: int, *, role: str = "assistant", name: str | None = None) -> Said:
        """The message of that id; one of the assistant, if it was not heard of."""
        said = self._messages.get(message_id)
        if said is None:
            said_id = self._told.next_id(of_assistant=role == "assistant")
            said = Said(seq, "text", said_id, role=role if role in _ROLES else None, name=name)
            self._messages[message_id] = said
            self._told.said.append(said)
        if message_id != self.speaker:
            self.speaker = message_id
            self._told.pause()  # by `grow`, the one before would add to its text without being the speaker again
        return said

    def start(self, event: MessageStart, seq: int) -> bytes:
        """A message begins. The client learns of it when there is text."""
        self.message(event.message_id, seq, role=event.role, name=event.name)
        return b""

    def text(self, event: Token, seq: int) -> bytes:
        """A message says something."""
        said = self.message(event.message_id, seq)
        if said.role is None:
            return b""
        return self.end_thinking(event.message_id) + self._told.add(said, event, seq)

    def reasoning(self, event: Reasoning, seq: int) -> bytes:
        """Thinking that goes with a message."""
        self.message(event.message_id, seq)
        thinking = self._thinking.get(event.message_id)
        if thinking is None:
            thinking = self._thinking[event.message_id] = Said(seq, "reasoning", self._told.next_id())
            self._told.said.append(thinking)
        return self._told.add(thinking, event, seq)

    def end_thinking(self, message_id: str) -> bytes:
        """A message has done with thinking, if it did."""
        thinking = self._thinking.pop(message_id, None)
        return b"" if thinking is None else self._told.end(thinking)

    def end(self, event: MessageEnd, _seq: int) -> bytes:
        """A message is complete."""
        ended = self.end_thinking(event.message_id)
        said = self._messages.get(event.message_id)
        return ended if said is None else ended + self._told.end(said)

    def citation(self, event: Citation, seq: int) -> bytes:
        """Where a part of a message comes from."""
        return of_message("citation", event, self.message(event.message_id, seq).id)

    def file(self, event: File, seq: int) -> bytes:
        """A file that goes with a message, or with the one that spoke last."""
        message_id = event.message_id or self.speaker
        return of_message("file", event, None if message_id is None else self.message(message_id, seq).id)

    def cut(self, keep_seq: int) -> None:
        """Forget what came after ``keep_seq``."""
        self._messages = {key: said for key, said in self._messages.items() if said.seq <= keep_seq}
        self._thinking.clear()
        self.speaker = next(reversed(self._messages), None)
