"""AG-UI 1.0: a run as the events that its clients verify, one JSON object per server-sent event.

Ids of messages are ``run_id`` for the first message of the assistant, and ``run_id:n`` for all others. So a server
sees from the messages that a client sends back which runs that client still shows.

One state machine, and so one module: what it needs that has no state is in the ``ag_ui_`` modules beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec
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
    State,
    StepEnd,
    StepStart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    Usage,
    encode,
)
from unspool.wire.ag_ui_fields import (
    ROLES,
    OpenCall,
    call_ids,
    calls_of,
    folded,
    of_message,
    parsed,
    run_of,
    usage_by_model,
)
from unspool.wire.ag_ui_interrupts import agui_interrupts
from unspool.wire.ag_ui_said import Said, beginning, ending, snapshot
from unspool.wire.base import Codec

PROTOCOL_VERSION = "1.0"

_NOTHING = b"\n"
"""Begins no record."""

_encode = msgspec.json.Encoder().encode


def _frame(event: Mapping[str, Any]) -> bytes:
    return b"data: " + _encode(event) + b"\n\n"


class AgUiSse(Codec):
    """Records of one run as AG-UI events.

    Args:
        thread_id: The thread, as the client calls it.
        run_id: The run.
        messages: The messages that the client sent with its request.
        resumes: Whether the run answers interrupts: tool calls that the client knows go on, and do not begin again.
        state: The state that the client sent.
    """

    stateful = True

    def __init__(
        self,
        thread_id: str,
        run_id: str,
        *,
        messages: Sequence[Mapping[str, Any]] = (),
        resumes: bool = False,
        state: Any = None,
    ) -> None:
        self._thread_id = thread_id
        self._run_id = run_id
        self._before = [message for message in messages if run_of(str(message.get("id"))) != run_id]
        self._again = len(self._before) < len(messages)
        self._earlier = calls_of(self._before)
        self._known = call_ids(self._before)
        self._resumes = resumes
        self._first_state: Any = {} if state is None else state
        self._out: list[bytes] = []
        self._seq = 0
        self._count = 0
        self._first_is_free = True
        self._said: list[Said] = []
        self._messages: dict[str, Said] = {}
        self._thinking: dict[str, Said] = {}
        self._calls: dict[str, Said] = {}
        self._speaker: str | None = None
        self._steps: dict[str, str] = {}
        self._states: list[tuple[int, State]] = []
        self._usage: list[tuple[int, Usage]] = []
        self._interrupts: list[tuple[int, Interrupt]] = []
        self._error: Error | None = None
        self._telling: Said | None = None
        self._tell_nothing()

    @property
    @override
    def media_type(self) -> str:
        return "text/event-stream; charset=utf-8"

    @override
    def skip(self, records: Sequence[Record]) -> None:
        self.encode(records)

    @override
    def open(self) -> bytes:
        self._emit("RUN_STARTED", threadId=self._thread_id, runId=self._run_id, protocolVersion=PROTOCOL_VERSION)
        if self._again and not self._said:
            # The client holds a part of this run, and will be told all of it once more.
            self._emit("MESSAGES_SNAPSHOT", messages=self._before)
        for name in self._steps.values():
            self._emit("STEP_STARTED", stepName=name)
        for said in self._said:
            if said.open:
                self._begin(said)
        return self._flush()

    @override
    def encode(self, records: Sequence[Record]) -> bytes:
        out = self._out
        for record in records:
            data = record.data
            if data.startswith(self._prefix) and self._telling is not None:
                text = data[len(self._prefix) : -1]
                self._telling.growing.add(record.seq, text)
                out.append(self._head + text + b"}\n\n")
                continue
            handle = self._HANDLERS.get(record.type)
            if handle is not None:
                self._seq = record.seq
                handle(self, record.event)
        return self._flush()

    @override
    def heartbeat(self) -> bytes:
        return b":\n\n"

    # -- writing ----------------------------------------------------------------------------------------

    def _emit(self, kind: str, **fields: Any) -> None:
        self._out.append(_frame({"type": kind, **fields}))

    def _flush(self) -> bytes:
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _tell(self, message_id: str, said: Said) -> None:
        """From now on what is added to this text needs no parsing: it goes from JSON to JSON as it is."""
        self._telling = said
        event, kind = (Token, "TEXT") if said.kind == "text" else (Reasoning, "REASONING")
        self._prefix = encode(event(message_id, ""))[: -len('""}')]
        self._head = b'data: {"type":"%b_MESSAGE_CONTENT","messageId":%b,"delta":' % (kind.encode(), _encode(said.id))

    def _tell_nothing(self) -> None:
        self._telling = None
        self._prefix = _NOTHING
        self._head = b""

    def _begin(self, said: Said) -> None:
        said.open = True
        self._out += [_frame(event) for event in beginning(said)]

    def _finish(self, said: Said) -> None:
        if said.open:
            said.open = False
            if said is self._telling:
                self._tell_nothing()
            self._out += [_frame(event) for event in ending(said)]

    def _finish_all(self) -> None:
        for said in reversed(self._said):
            self._finish(said)
        for name in reversed(self._steps.values()):
            self._emit("STEP_FINISHED", stepName=name)
        self._steps.clear()

    # -- messages ---------------------------------------------------------------------------------------

    def _next_id(self, *, of_assistant: bool = False) -> str:
        if of_assistant and self._first_is_free:
            self._first_is_free = False
            return self._run_id
        self._count += 1
        return f"{self._run_id}:{self._count}"

    def _message(self, message_id: str, role: str = "assistant", name: str | None = None) -> Said:
        said = self._messages.get(message_id)
        if said is None:
            said_id = self._next_id(of_assistant=role == "assistant")
            said = Said(self._seq, "text", said_id, role=role if role in ROLES else None, name=name)
            self._messages[message_id] = said
            self._said.append(said)
        self._speaker = message_id
        return said

    def _on_message_start(self, event: MessageStart) -> None:
        self._message(event.message_id, event.role, event.name)

    def _on_token(self, event: Token) -> None:
        said = self._message(event.message_id)
        if said.role is None:
            return
        self._end_thinking(event.message_id)
        if not said.open:
            self._begin(said)
        self._tell(event.message_id, said)
        said.growing.add(self._seq, _encode(event.text))
        self._emit("TEXT_MESSAGE_CONTENT", messageId=said.id, delta=event.text)

    def _on_reasoning(self, event: Reasoning) -> None:
        thinking = self._thinking.get(event.message_id)
        if thinking is None:
            self._message(event.message_id)
            thinking = self._thinking[event.message_id] = Said(self._seq, "reasoning", self._next_id())
            self._said.append(thinking)
            self._begin(thinking)
        self._tell(event.message_id, thinking)
        thinking.growing.add(self._seq, _encode(event.text))
        self._emit("REASONING_MESSAGE_CONTENT", messageId=thinking.id, delta=event.text)

    def _end_thinking(self, message_id: str) -> None:
        thinking = self._thinking.pop(message_id, None)
        if thinking is not None:
            self._finish(thinking)

    def _on_message_end(self, event: MessageEnd) -> None:
        self._end_thinking(event.message_id)
        said = self._messages.get(event.message_id)
        if said is not None:
            self._finish(said)

    # -- tools ------------------------------------------------------------------------------------------

    def _call(self, call_id: str, name: str = "", message_id: str | None = None) -> Said:
        said = self._calls.get(call_id)
        if said is not None:
            return said
        speaker = message_id or self._speaker or f"{call_id}-message"
        parent = self._message(speaker)
        self._end_thinking(speaker)
        shown = self._shown(call_id)
        said_id = call_id if call_id not in self._known else f"{self._run_id}:{call_id}"
        said = self._calls[call_id] = Said(self._seq, "call", shown or said_id, name=name, parent=parent.id)
        if shown is not None:
            said.done = self._seq
        else:
            self._said.append(said)
            self._begin(said)
        return said

    def _shown(self, call_id: str) -> str | None:
        """What the client calls a tool call that it knows already, and that goes on in this run."""
        if not self._resumes:
            return None
        waiting = [known for known in self._earlier if known == call_id or known.endswith(f":{call_id}")]
        return waiting[-1] if waiting else call_id if call_id in self._known else None

    def _on_tool_start(self, event: ToolStart) -> None:
        self._call(event.call_id, event.name, event.message_id)

    def _on_tool_args(self, event: ToolArgs) -> None:
        said = self._call(event.call_id)
        if not said.done:
            self._args(said, event.text)

    def _args(self, said: Said, text: str) -> None:
        if not said.open:
            self._begin(said)
        said.growing.add(self._seq, _encode(text))
        self._emit("TOOL_CALL_ARGS", toolCallId=said.id, delta=text)

    def _on_tool_call(self, event: ToolCall) -> None:
        said = self._call(event.call_id, event.name)
        if said.done:
            return
        if not said.growing:
            self._args(said, _encode(event.args).decode())
        said.done = self._seq
        self._finish(said)

    def _on_tool_end(self, event: ToolEnd) -> None:
        call = self._call(event.call_id)
        self._finish(call)
        result = event.result if event.error is None else event.error
        content = result if isinstance(result, str) else _encode(result).decode()
        said = Said(self._seq, "result", self._next_id(), parent=call.id)
        said.growing.add(self._seq, _encode(content))
        self._said.append(said)
        failed = {} if event.error is None else {"metadata": {"error": event.error}}
        self._emit("TOOL_CALL_RESULT", messageId=said.id, toolCallId=call.id, content=content, role="tool", **failed)

    # -- steps, state and the source's own --------------------------------------------------------------

    def _on_step_start(self, event: StepStart) -> None:
        if event.step_id in self._steps:
            return
        name, number = event.name, 1
        taken = set(self._steps.values())
        while name in taken:
            number += 1
            name = f"{event.name} ({number})"
        self._steps[event.step_id] = name
        self._emit("STEP_STARTED", stepName=name)

    def _on_step_end(self, event: StepEnd) -> None:
        name = self._steps.pop(event.step_id, None)
        if name is not None:
            self._emit("STEP_FINISHED", stepName=name)

    def _on_state(self, event: State) -> None:
        self._states.append((self._seq, event))
        if event.patch is None:
            self._emit("STATE_SNAPSHOT", snapshot=event.snapshot)
        else:
            self._emit("STATE_DELTA", delta=event.patch)

    def _on_data(self, event: Data) -> None:
        identified = {} if event.id is None else {"metadata": {"id": event.id}}
        self._emit("CUSTOM", name=event.name, value=event.value, **identified)

    def _on_citation(self, event: Citation) -> None:
        said = self._message(event.message_id)
        self._emit("CUSTOM", name="citation", value=of_message(event, said.id))

    def _on_file(self, event: File) -> None:
        message_id = event.message_id or self._speaker
        said_id = None if message_id is None else self._message(message_id).id
        self._emit("CUSTOM", name="file", value=of_message(event, said_id))

    def _on_usage(self, event: Usage) -> None:
        self._usage.append((self._seq, event))

    # -- the end ----------------------------------------------------------------------------------------

    def _on_retry(self, event: Retry) -> None:
        """Take back what is void: the client gets all messages anew, and the state, if any of it is void."""
        keep = event.keep_seq
        self._finish_all()
        self._said = [said for said in self._said if said.cut(keep)]
        self._messages = {key: said for key, said in self._messages.items() if said.seq <= keep}
        self._calls = {key: said for key, said in self._calls.items() if said.seq <= keep}
        self._first_is_free = all(said.id != self._run_id for said in self._messages.values())
        self._thinking.clear()
        self._speaker = next(reversed(self._messages), None)
        self._usage = [(at, usage) for at, usage in self._usage if at <= keep]
        self._interrupts = [(at, interrupt) for at, interrupt in self._interrupts if at <= keep]
        self._emit("MESSAGES_SNAPSHOT", messages=snapshot(self._before, self._said))
        states = [(at, state) for at, state in self._states if at <= keep]
        if len(states) < len(self._states):
            self._states = states
            self._emit("STATE_SNAPSHOT", snapshot=folded(self._first_state, [state for _, state in states]))

    def _on_interrupt(self, event: Interrupt) -> None:
        self._interrupts.append((self._seq, event))

    def _on_error(self, event: Error) -> None:
        self._error = event

    def _on_end(self, event: End) -> None:
        self._finish_all()
        usage = usage_by_model([usage for _, usage in self._usage])
        more: dict[str, Any] = {"usage": usage} if usage else {}
        if event.status == "failed" or (event.status == "interrupted" and not self._interrupts):
            error = self._error or Error("internal", "The run failed.")
            self._emit("RUN_ERROR", message=error.message, code=error.code, **more)
            return
        if event.output is not None:
            more["result"] = event.output
        outcome: dict[str, Any] = {"type": "success"}
        if event.status == "cancelled":
            outcome = {"type": "cancelled"}
        elif event.status == "interrupted":
            interrupts = [interrupt for _, interrupt in self._interrupts]
            outcome = {"type": "interrupt", "interrupts": agui_interrupts(interrupts, self._open_calls())}
        self._emit("RUN_FINISHED", threadId=self._thread_id, runId=self._run_id, outcome=outcome, **more)

    def _open_calls(self) -> list[OpenCall]:
        """The calls without a result, in order; of a run that resumes another, those of that one, too."""
        answered = {said.parent for said in self._said if said.kind == "result"}
        mine = [
            OpenCall(said.id, said.name or "", parsed(str(said.growing))) for said in self._said if said.kind == "call"
        ]
        earlier = self._earlier.values() if self._resumes else ()
        return [call for call in (*earlier, *mine) if call.call_id not in answered]

    _HANDLERS: ClassVar[Mapping[str, Callable[[Any, Any], None]]] = {
        "message_start": _on_message_start,
        "token": _on_token,
        "reasoning": _on_reasoning,
        "message_end": _on_message_end,
        "tool_start": _on_tool_start,
        "tool_args": _on_tool_args,
        "tool_call": _on_tool_call,
        "tool_end": _on_tool_end,
        "step_start": _on_step_start,
        "step_end": _on_step_end,
        "state": _on_state,
        "data": _on_data,
        "citation": _on_citation,
        "file": _on_file,
        "usage": _on_usage,
        "interrupt": _on_interrupt,
        "retry": _on_retry,
        "error": _on_error,
        "end": _on_end,
    }
