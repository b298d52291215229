"""The transcript: the events of one run folded into what a UI shows, what ``invoke`` returns, what history is.

The rules are in ``spec/PROTOCOL.md``, section 8, and in ``spec/fixtures/transcript.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import jsonpatch
import msgspec

from unspool.errors import MalformedBody
from unspool.events.asked import asked_messages
from unspool.events.messages import CitationPart, FilePart, Message, Part, Step, TextPart, ToolPart
from unspool.events.records import Record
from unspool.events.types import (
    AnyEvent,
    Citation,
    Data,
    End,
    Error,
    File,
    Interrupt,
    MessageEnd,
    MessageStart,
    Metrics,
    Reasoning,
    Retry,
    RunStatus,
    Start,
    State,
    StepEnd,
    StepStart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    Usage,
)


class Snapshot(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A transcript as plain data, for JSON."""

    last_seq: int
    status: RunStatus
    messages: list[Message]
    run_id: str | None = None
    thread_id: str | None = None
    source: str | None = None
    attempt: int = 1
    input: Any = None
    resumes: str | None = None
    replaces: str | None = None
    steps: list[Step] = []
    state: Any = None
    data: list[Data] = []
    usage: Usage | None = None
    interrupts: list[Interrupt] = []
    error: Error | None = None
    output: Any = None
    metrics: Metrics | None = None


class _Growing:
    """Text that grows by fragments: joined when somebody looks, so that a fragment costs the same at any length."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[str] = []

    def add(self, text: str) -> None:
        self._parts.append(text)

    def __str__(self) -> str:
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""


class Transcript:
    """Folds the records of one run, in order. A record that was folded before changes nothing.

    Args:
        contiguous: Refuse a record when the one before it is missing. Off for a stream that was coalesced,
            where a seq stands for all since the one before.

    Attributes:
        last_seq: The last record that was folded.
    """

    def __init__(self, *, contiguous: bool = True) -> None:
        self.last_seq = 0
        self._contiguous = contiguous
        self._events: list[tuple[int, AnyEvent]] = []
        self._clear()

    def _clear(self) -> None:
        self._start: Start | None = None
        self._end: End | None = None
        self._attempt = 1
        self._messages: dict[str, Message] = {}
        self._growing: list[tuple[TextPart | ToolPart, _Growing]] = []
        self._open: dict[str, tuple[str, _Growing]] = {}  # by message: the text part that is its last part
        self._tools: dict[str, ToolPart] = {}
        self._args: dict[str, _Growing] = {}
        self._speaker: str | None = None
        self._steps: dict[str, Step] = {}
        self._data: dict[tuple[str, str | None, int], Data] = {}
        self._usage: Usage | None = None
        self._state: Any = None
        self._has_state = False
        self.interrupts: list[Interrupt] = []
        self.error: Error | None = None

    # -- folding ----------------------------------------------------------------------------------------

    def fold(self, record: Record) -> bool:
        """Fold one record. Return whether it was new.

        Raises:
            MalformedBody: Records are missing before it, or it is malformed. The transcript stays as it was.
        """
        return self.fold_event(record.seq, record.event) if record.seq > self.last_seq else False

    def fold_event(self, seq: int, event: AnyEvent) -> bool:
        """Fold one event. Return and raise as :meth:`fold` does."""
        if seq <= self.last_seq:
            return False
        if self._contiguous and seq != self.last_seq + 1:
            raise MalformedBody(f"events {self.last_seq + 1} to {seq - 1} are missing")
        self.last_seq = seq
        if isinstance(event, Retry):
            self._void(event)
        else:
            self._events.append((seq, event))
            self._apply(event)
        return True

    def _void(self, retry: Retry) -> None:
        """Drop what came after ``keep_seq``, by folding the rest anew. Retries are rare."""
        self._events = [(seq, event) for seq, event in self._events if seq <= retry.keep_seq]
        self._clear()
        for _, event in self._events:
            self._apply(event)
        self._attempt = retry.attempt

    def _apply(self, event: AnyEvent) -> None:
        apply = self._APPLY.get(type(event))
        if apply is not None:
            apply(self, event)

    def _on_start(self, event: Start) -> None:
        self._start = event
        self._attempt = event.attempt

    def _message(self, message_id: str) -> Message:
        message = self._messages.get(message_id)
        if message is None:
            message = self._messages[message_id] = Message(id=message_id, role="assistant", parts=[])
        self._speaker = message_id
        return message

    def _on_message_start(self, event: MessageStart) -> None:
        message = self._message(event.message_id)
        message.role = event.role
        message.name = event.name

    def _on_text(self, event: Token | Reasoning) -> None:
        kind: Literal["text", "reasoning"] = "text" if type(event) is Token else "reasoning"
        text = self._open.get(event.message_id)
        if text is None or text[0] != kind:
            part = TextPart(text="", kind=kind)
            self._add_part(event.message_id, part)
            text = self._open[event.message_id] = (kind, _Growing())
            self._growing.append((part, text[1]))
        text[1].add(event.text)
        self._speaker = event.message_id

    def _add_part(self, message_id: str, part: Part) -> None:
        self._message(message_id).parts.append(part)
        self._open.pop(message_id, None)

    def _on_message_end(self, event: MessageEnd) -> None:
        message = self._message(event.message_id)
        message.complete = True
        message.finish_reason = event.finish_reason

    def _tool(self, call_id: str, name: str = "", message_id: str | None = None) -> ToolPart:
        part = self._tools.get(call_id)
        if part is None:
            part = self._tools[call_id] = ToolPart(call_id=call_id, name=name)
            self._args[call_id] = growing = _Growing()
            self._growing.append((part, growing))
            self._add_part(message_id or self._speaker or f"{call_id}-message", part)
        part.name = name or part.name
        return part

    def _on_tool_start(self, event: ToolStart) -> None:
        self._tool(event.call_id, event.name, event.message_id)

    def _on_tool_args(self, event: ToolArgs) -> None:
        self._tool(event.call_id)
        self._args[event.call_id].add(event.text)

    def _on_tool_call(self, event: ToolCall) -> None:
        part = self._tool(event.call_id, event.name)
        part.args = event.args
        part.status = "running"

    def _on_tool_end(self, event: ToolEnd) -> None:
        part = self._tool(event.call_id)
        part.result = event.result
        part.error = event.error
        part.status = "done" if event.error is None else "failed"

    def _on_step_start(self, event: StepStart) -> None:
        self._steps[event.step_id] = Step(id=event.step_id, name=event.name, parent_id=event.parent_id)

    def _on_step_end(self, event: StepEnd) -> None:
        step = self._steps.setdefault(event.step_id, Step(id=event.step_id, name=event.name, parent_id=event.parent_id))
        step.done = True

    def _on_state(self, event: State) -> None:
        self._has_state = True
        if event.patch is None:
            self._state = event.snapshot
        else:
            self._state = jsonpatch.apply_patch(self._state, event.patch)

    def _on_data(self, event: Data) -> None:
        if not event.transient:
            # Without an id each one stands for itself.
            place = 0 if event.id is not None else len(self._data) + 1
            self._data[event.name, event.id, place] = event

    def _on_citation(self, event: Citation) -> None:
        part = CitationPart(url=event.url, title=event.title, text=event.text, start=event.start, end=event.end)
        self._message(event.message_id).parts.append(part)

    def _on_file(self, event: File) -> None:
        part = FilePart(media_type=event.media_type, url=event.url, data=event.data, name=event.name)
        self._add_part(event.message_id or self._speaker or "file-message", part)

    def _on_usage(self, event: Usage) -> None:
        before = self._usage or Usage()
        self._usage = Usage(
            input_tokens=before.input_tokens + event.input_tokens,
            output_tokens=before.output_tokens + event.output_tokens,
            total_tokens=before.total_tokens + event.total_tokens,
            reasoning_tokens=before.reasoning_tokens + event.reasoning_tokens,
            cached_tokens=before.cached_tokens + event.cached_tokens,
            model=event.model or before.model,
        )

    def _on_interrupt(self, event: Interrupt) -> None:
        self.interrupts.append(event)

    def _on_error(self, event: Error) -> None:
        self.error = event

    def _on_end(self, event: End) -> None:
        self._end = event

    _APPLY: ClassVar[Mapping[type, Callable[[Any, Any], None]]] = {
        Start: _on_start,
        MessageStart: _on_message_start,
        Token: _on_text,
        Reasoning: _on_text,
        MessageEnd: _on_message_end,
        ToolStart: _on_tool_start,
        ToolArgs: _on_tool_args,
        ToolCall: _on_tool_call,
        ToolEnd: _on_tool_end,
        StepStart: _on_step_start,
        StepEnd: _on_step_end,
        State: _on_state,
        Data: _on_data,
        Citation: _on_citation,
        File: _on_file,
        Usage: _on_usage,
        Interrupt: _on_interrupt,
        Error: _on_error,
        End: _on_end,
    }

    # -- looking ----------------------------------------------------------------------------------------

    @property
    def run_id(self) -> str | None:
        """The run, once its ``start`` was folded."""
        return None if self._start is None else self._start.run_id

    @property
    def thread_id(self) -> str | None:
        """The run's conversation."""
        return None if self._start is None else self._start.thread_id

    @property
    def status(self) -> RunStatus:
        """``queued`` before the start, ``running`` until the end, and then what the end says."""
        if self._end is not None:
            return self._end.status
        return "queued" if self._start is None else "running"

    @property
    def ended(self) -> bool:
        """Whether nothing follows."""
        return self._end is not None

    @property
    def messages(self) -> list[Message]:
        """What the user said, as far as the input shows it, and what was answered."""
        for part, growing in self._growing:
            if isinstance(part, ToolPart):
                part.args_text = str(growing)
            else:
                part.text = str(growing)
        asked = [] if self._start is None else asked_messages(self._start.run_id, self._start.input)
        return [*asked, *self._messages.values()]

    @property
    def text(self) -> str:
        """The text of the last assistant message."""
        said = [message for message in self.messages if message.role == "assistant"]
        return said[-1].text if said else ""

    @property
    def output(self) -> Any:
        """What the run returns: what its end says, else its state, else its text."""
        if self._end is not None and self._end.output is not None:
            return self._end.output
        if self._has_state:
            return self._state
        return self.text or None

    @property
    def state(self) -> Any:
        """The source's state."""
        return self._state

    @property
    def usage(self) -> Usage | None:
        """Tokens, over all model calls."""
        return self._usage

    @property
    def metrics(self) -> Metrics | None:
        """How the run went."""
        return None if self._end is None else self._end.metrics

    @property
    def data(self) -> list[Data]:
        """The source's own events, the latest for each name and id."""
        return list(self._data.values())

    @property
    def steps(self) -> list[Step]:
        """In the order in which they began."""
        return list(self._steps.values())

    def snapshot(self) -> Snapshot:
        """All of it, as plain data."""
        start = self._start
        return Snapshot(
            last_seq=self.last_seq,
            status=self.status,
            messages=self.messages,
            run_id=self.run_id,
            thread_id=self.thread_id,
            source=None if start is None else start.source,
            attempt=self._attempt,
            input=None if start is None else start.input,
            resumes=None if start is None else start.resumes,
            replaces=None if start is None else start.replaces,
            steps=self.steps,
            state=self._state,
            data=self.data,
            usage=self._usage,
            interrupts=self.interrupts,
            error=self.error,
            output=self.output if self.ended else None,
            metrics=self.metrics,
        )
