"""The AI SDK's UI message stream, for ``useChat`` and its like, versions 6 and 7. One run is one assistant message."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from typing_extensions import override

from unspool.events import (
    Citation,
    Data,
    End,
    Error,
    File,
    Interrupt,
    MessageEnd,
    MessageStart,
    Reasoning,
    Record,
    Retry,
    StepEnd,
    StepStart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    Usage,
)
from unspool.wire import ai_sdk_parts as parts
from unspool.wire.ai_sdk_parts import chunk
from unspool.wire.ai_sdk_texts import TextParts
from unspool.wire.ai_sdk_tools import Approval, ApprovalResponse, ToolCalls
from unspool.wire.ai_sdk_void import Kept
from unspool.wire.base import Codec

HEADERS: Mapping[str, str] = {"x-vercel-ai-ui-message-stream": "v1"}

_DONE = b"data: [DONE]\n\n"


class Earlier(NamedTuple):
    """An interrupted run that the message begins with, and what it was answered, by interrupt id."""

    records: Sequence[Record]
    answer: Mapping[str, Any]


class AiSdkSse(Codec):
    """Records as chunks of a UI message stream.

    Args:
        run_id: The run.
        version: Of the AI SDK. 7 can drop what a ``retry`` voids, as far as the current step goes; 6 cannot.
        message_id: Of the assistant message. Default: the run's id.
        earlier: The runs that this one goes on with, oldest first. Their message is the same.
        replay: Whether the client needs what the earlier runs said.

    Attributes:
        responses: What people said of tool calls of the earlier runs, once it was opened.
    """

    stateful = True

    def __init__(
        self,
        run_id: str,
        *,
        version: int = 6,
        message_id: str | None = None,
        earlier: Sequence[Earlier] = (),
        replay: bool = False,
    ) -> None:
        self._run_id = run_id
        self._resets = version >= 7
        self._message_id = message_id or run_id
        self._earlier = earlier
        self._replay = replay
        self.responses: list[ApprovalResponse] = []
        self._texts = TextParts()
        self._messages: dict[str, int] = {}  # those that are open, by where they began
        self._silent: dict[str, int] = {}  # those that are not the assistant's, by where they began
        self._tools = ToolCalls()
        self._approvals: Kept[Approval] = Kept()
        self._interrupts: Kept[Interrupt] = Kept()
        self._answered = False  # whether what is asked here has its answer
        self._usages: Kept[Usage] = Kept()
        self._usage = Usage()  # as the client has it
        self._error: Error | None = None
        self._finishes: Kept[str | None] = Kept()
        self._filled = False  # whether the step has content
        self._step_began = 0
        self._step: list[Record] = []  # the records of the step, where it can be reset

    @property
    @override
    def media_type(self) -> str:
        return "text/event-stream; charset=utf-8"

    @override
    def skip(self, records: Sequence[Record]) -> None:
        self.encode(records)
        self._texts.close_all()
        self._tools.drop()
        self._filled = False
        self._step = []

    @override
    def open(self) -> bytes:
        start = chunk("start", messageId=self._message_id, messageMetadata={"runId": self._run_id})
        before = [self._before(run) for run in self._earlier]
        return b"".join([start, *before, chunk("start-step")])

    def _before(self, run: Earlier) -> bytes:
        """An earlier run, as a step of its own, and what became of what it asked."""
        self._answered = True
        said = self.encode([record for record in run.records if record.type not in {"error", "end"}])
        said += self._texts.close_all() + self._tools.close_arguments()
        self._answered = False
        answered = [parts.question(asked, answered=True) for asked in self._interrupts]
        responses = [one.response_in(run.answer) for one in self._approvals]
        decided = [response for response in responses if response is not None]
        self.responses.extend(decided)
        denied = [self._tools.deny(response.call_id) for response in decided if not response.approved]
        self._tools.settle()
        self._usages.settle()
        self._approvals, self._interrupts, self._finishes = Kept(), Kept(), Kept()
        self._silent = dict.fromkeys(self._silent, 0)
        self._messages, self._step, self._filled, self._step_began = {}, [], False, 0
        step = [chunk("start-step"), said, *answered, *denied, chunk("finish-step")]
        return b"".join(step if self._replay else [*answered, *denied])

    @override
    def heartbeat(self) -> bytes:
        return b":\n\n"

    @override
    def encode(self, records: Sequence[Record]) -> bytes:
        chunks: list[bytes] = []
        texts = self._texts
        for record in records:
            data = record.data
            if self._resets:
                self._step.append(record)
            if data.startswith(texts.head):
                chunks.append(b"%b%b\n\n" % (texts.delta, data[len(texts.head) :]))
                continue
            apply = self._APPLY.get(record.type)
            if apply is not None:
                chunks.append(apply(self, record.event, record.seq))
        return b"".join(chunks)

    # -- text -------------------------------------------------------------------------------------------

    def _on_message_start(self, event: MessageStart, seq: int) -> bytes:
        if event.role != "assistant":
            self._silent[event.message_id] = seq
            return b""
        step = b""
        if self._filled and not self._messages and not self._tools.streaming:
            step = self._texts.close_all() + chunk("finish-step") + chunk("start-step")
            self._filled = False
            self._step = self._step[-1:]
            self._step_began = seq
        self._messages[event.message_id] = seq
        return step

    def _on_text(self, event: Token | Reasoning, _seq: int) -> bytes:
        if event.message_id in self._silent:
            return b""
        self._filled = True
        return self._texts.add(event)

    def _on_message_end(self, event: MessageEnd, seq: int) -> bytes:
        self._finishes.add(event.finish_reason, seq)
        self._messages.pop(event.message_id, None)
        return self._texts.close(event.message_id)

    # -- tools and people -------------------------------------------------------------------------------

    def _on_tool(self, event: ToolStart | ToolCall | ToolEnd, seq: int) -> bytes:
        before = self._texts.close_all()
        self._filled = True
        if isinstance(event, ToolStart):
            return before + self._tools.start(event, seq)
        if isinstance(event, ToolCall):
            return before + self._tools.call(event, seq)
        return before + self._tools.end(event, seq)

    def _on_tool_args(self, event: ToolArgs, _seq: int) -> bytes:
        return self._tools.arguments(event)

    def _on_interrupt(self, event: Interrupt, seq: int) -> bytes:
        before = self._texts.close_all()
        approvals = self._tools.approvals(event, seq)
        for one in approvals:
            self._approvals.add(one, seq)
        if not approvals:
            self._interrupts.add(event, seq)
        if self._answered:
            return before
        if not approvals:
            return before + parts.question(event)
        asked = [chunk("tool-approval-request", approvalId=one.id, toolCallId=one.call_id) for one in approvals]
        return before + b"".join(asked)

    # -- other parts ------------------------------------------------------------------------------------

    def _on_part(self, event: Citation | Data | File | StepStart | StepEnd, seq: int) -> bytes:
        if isinstance(event, Data):
            return parts.data(event)
        if isinstance(event, StepStart | StepEnd):
            return parts.step(event)
        self._filled = True
        if isinstance(event, Citation):
            return parts.source(event, seq)
        return self._texts.close_all() + parts.file(event)

    def _on_usage(self, event: Usage, seq: int) -> bytes:
        self._usages.add(event, seq)
        return self._used()

    def _used(self) -> bytes:
        """What the model calls took, if the client has it otherwise."""
        before, self._usage = self._usage, parts.summed(self._usages)
        return b"" if self._usage == before else parts.usage(self._usage)

    # -- beginning again, and the end -------------------------------------------------------------------

    def _on_retry(self, event: Retry, seq: int) -> bytes:
        if event.keep_seq == seq - 1:
            return b""
        told = chunk("data-retry", data={"attempt": event.attempt, "reason": event.reason}, transient=True)
        asked = [parts.question(one, answered=True) for one in self._interrupts.after(event.keep_seq)]
        ended = self._tools.close(after=event.keep_seq) + b"".join(asked)
        if self._resets:
            return told + ended + self._reset(event.keep_seq) + self._used()
        ended += self._texts.close_all()
        self._void(event.keep_seq)
        ended += self._tools.again(self._step_began) + self._used()
        if self._tools.streaming:  # the client looks for the call in the step that it is in
            return ended + told
        self._step_began = seq
        return ended + chunk("finish-step") + told + chunk("start-step")

    def _reset(self, keep_seq: int) -> bytes:
        """Drop the parts of the step, and write those anew that are not void."""
        kept = [record for record in self._step if record.seq <= keep_seq and not parts.is_transient(record)]
        first = self._step[0].seq
        self._texts.drop()
        self._step = []
        self._void(min(keep_seq, first - 1))
        self._tools.drop(first)
        return chunk("reset-step") + self.encode(kept)

    def _void(self, keep_seq: int) -> None:
        self._tools.void(keep_seq)
        for kept in (self._approvals, self._interrupts, self._usages, self._finishes):
            kept.void(keep_seq)
        self._messages, self._silent = (
            {key: began for key, began in messages.items() if began <= keep_seq}
            for messages in (self._messages, self._silent)
        )
        self._filled = False

    def _on_error(self, event: Error, _seq: int) -> bytes:
        self._error = event
        return b""

    def _on_end(self, event: End, _seq: int) -> bytes:
        waits = event.status in {"interrupted", "completed"}
        closed = self._texts.close_all() + (self._tools.close_arguments() if waits else self._tools.close())
        return closed + chunk("finish-step") + parts.ending(event, self._error, self._reason(event)) + _DONE

    def _reason(self, event: End) -> str:
        if event.status == "interrupted":
            return "tool-calls" if self._approvals else "other"
        return parts.finish_reason(self._finishes.last)

    _APPLY: ClassVar[Mapping[str, Callable[[Any, Any, int], bytes]]] = {
        "message_start": _on_message_start,
        "token": _on_text,
        "reasoning": _on_text,
        "message_end": _on_message_end,
        "tool_start": _on_tool,
        "tool_args": _on_tool_args,
        "tool_call": _on_tool,
        "tool_end": _on_tool,
        "interrupt": _on_interrupt,
        "citation": _on_part,
        "file": _on_part,
        "data": _on_part,
        "step_start": _on_part,
        "step_end": _on_part,
        "usage": _on_usage,
        "retry": _on_retry,
        "error": _on_error,
        "end": _on_end,
    }
