"""Tool calls in the AI SDK's UI message stream: what the client was told of each, and what may be told next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from unspool.events import Interrupt, ToolArgs, ToolCall, ToolEnd, ToolStart
from unspool.wire.ai_sdk_parts import chunk

NOT_COMPLETED = "The call was not completed."
_SETTLED = -1


class Approval(NamedTuple):
    """A tool call that a person is asked about. ``action``: which one of the interrupt it is."""

    interrupt_id: str
    action: int
    call_id: str

    @property
    def id(self) -> str:
        """What the client calls it."""
        return approval_id(self.interrupt_id, self.action)

    def response_in(self, answers: Mapping[str, Any]) -> ApprovalResponse | None:
        """What a person said, in the answers by interrupt id. None: nothing."""
        answer: object = answers.get(self.interrupt_id)
        decisions: object = cast("Mapping[str, Any]", answer if isinstance(answer, Mapping) else {}).get("decisions")
        given = cast("list[object]", decisions if isinstance(decisions, list) else [])
        decision = given[self.action] if self.action < len(given) else None
        if not isinstance(decision, Mapping):
            return None
        said = cast("Mapping[str, object]", decision)
        reason = said.get("message")
        return ApprovalResponse(
            self.call_id, self.id, said.get("type") != "reject", reason if isinstance(reason, str) else None
        )


class ApprovalResponse(NamedTuple):
    """What a person said of a tool call. ``id``: of the approval."""

    call_id: str
    id: str
    approved: bool
    reason: str | None


def approval_id(interrupt_id: str, action: int) -> str:
    """The id of the approval that one action of an interrupt asks for."""
    return f"{interrupt_id}:{action}"


def actions_of(value: object) -> list[Mapping[str, Any]]:
    """The actions that an interrupt of LangChain's human-in-the-loop form asks about. Empty: it has another form."""
    members = cast("Mapping[str, object]", value if isinstance(value, Mapping) else {})
    actions: object = members.get("action_requests")
    if not isinstance(actions, list) or "review_configs" not in members:
        return []
    found = [
        cast("Mapping[str, Any]", action) for action in cast("list[object]", actions) if isinstance(action, Mapping)
    ]
    return found if len(found) == len(cast("list[object]", actions)) else []


class _Tool:
    """One call. Each of these is a seq, and 0 until then.

    Attributes:
        seq: Where it began.
        told: Where the client was told of it.
        called: Where its arguments were complete.
        asked: Where a person was asked about it.
        ended: Where it was answered.
    """

    __slots__ = ("args", "asked", "called", "ended", "name", "pending", "sent", "seq", "streaming", "told", "waiting")

    def __init__(self, name: str, seq: int) -> None:
        self.name = name
        self.seq = seq
        self.told = 0
        self.called = 0
        self.asked = 0
        self.ended = 0
        self.args: Any = None
        self.begin(0)
        self.streaming = False

    def begin(self, seq: int) -> None:
        """The client is told of it, and waits for the arguments."""
        self.told = seq
        self.streaming = True
        self.sent = 0
        self.pending: list[str] = []
        self.waiting = 0

    def void(self, keep_seq: int) -> bool:
        """Forget what came after ``keep_seq``. Return whether the client has something of that."""
        stale = max(self.called, self.asked, self.ended) > keep_seq
        if self.called > keep_seq:
            self.called, self.args = 0, None
        self.asked = self.asked if self.asked <= keep_seq else 0
        self.ended = self.ended if self.ended <= keep_seq else 0
        return stale


class ToolCalls:
    """The calls of a message, in order. Its methods return the chunks that tell of an event.

    The client parses all arguments anew with each of their deltas. So a fragment waits until those that wait are
    a sixteenth of what was sent: the work of the client then grows with the length, and not with its square.
    """

    def __init__(self) -> None:
        self._calls: dict[str, _Tool] = {}
        self._stale: list[tuple[str, _Tool]] = []

    @property
    def streaming(self) -> bool:
        """Whether the arguments of a call are being sent."""
        return any(call.streaming for call in self._calls.values())

    def start(self, event: ToolStart, seq: int) -> bytes:
        """The model begins to call."""
        if event.call_id in self._calls:
            return b""
        call = self._calls[event.call_id] = _Tool(event.name, seq)
        return self._begun(event.call_id, call, seq)

    @staticmethod
    def _begun(call_id: str, call: _Tool, seq: int) -> bytes:
        call.begin(seq)
        return chunk("tool-input-start", toolCallId=call_id, toolName=call.name, dynamic=True)

    def arguments(self, event: ToolArgs) -> bytes:
        """A fragment of the arguments."""
        call = self._calls.get(event.call_id)
        if call is None or not call.streaming:
            return b""
        call.pending.append(event.text)
        call.waiting += len(event.text)
        return self._flush(event.call_id, call) if call.waiting * 16 >= call.sent else b""

    def _flush(self, call_id: str, call: _Tool) -> bytes:
        if not call.pending:
            return b""
        text = "".join(call.pending)
        call.sent += call.waiting
        call.pending, call.waiting = [], 0
        return chunk("tool-input-delta", toolCallId=call_id, inputTextDelta=text)

    def call(self, event: ToolCall, seq: int) -> bytes:
        """The arguments are complete."""
        call = self._calls.setdefault(event.call_id, _Tool(event.name, seq))
        call.name = event.name or call.name
        if call.called or call.ended:
            return b""
        call.args, call.called = event.args, seq
        rest = self._flush(event.call_id, call)
        return rest + self._available(event.call_id, call, seq)

    @staticmethod
    def _available(call_id: str, call: _Tool, seq: int) -> bytes:
        call.told, call.streaming = seq, False
        return chunk("tool-input-available", toolCallId=call_id, toolName=call.name, input=call.args, dynamic=True)

    def end(self, event: ToolEnd, seq: int) -> bytes:
        """The tool answered."""
        call = self._calls.setdefault(event.call_id, _Tool("tool", seq))
        if call.ended:
            return b""
        before = self._flush(event.call_id, call) if call.told else self._available(event.call_id, call, seq)
        call.ended, call.streaming = seq, False
        if event.error is not None:
            return before + chunk("tool-output-error", toolCallId=event.call_id, errorText=event.error, dynamic=True)
        return before + chunk("tool-output-available", toolCallId=event.call_id, output=event.result, dynamic=True)

    def approvals(self, event: Interrupt, seq: int) -> list[Approval]:
        """The calls that an interrupt asks about. Empty: it asks about something else."""
        free = [(call_id, call) for call_id, call in self._calls.items() if self._waits(call) and call.called]
        found: list[Approval] = []
        for index, action in enumerate(actions_of(event.value)):
            named = [(call_id, call) for call_id, call in free if call.name == action.get("name")]
            same = [pair for pair in named if pair[1].args == action.get("args")] or named
            if not same:
                return []
            free.remove(same[0])
            found.append(Approval(event.interrupt_id, index, same[0][0]))
        for one in found:
            self._calls[one.call_id].asked = seq
        return found

    def deny(self, call_id: str) -> bytes:
        """A person said no. What the source says of the call itself is not told any more."""
        self._calls[call_id].ended = _SETTLED
        return chunk("tool-output-denied", toolCallId=call_id)

    def settle(self) -> None:
        """All that was told is part of an earlier run, which no retry voids."""
        for call in self._calls.values():
            call.seq = call.asked = 0
            call.told, call.called, call.ended = (at and _SETTLED for at in (call.told, call.called, call.ended))

    @staticmethod
    def _waits(call: _Tool) -> bool:
        return bool(call.told) and not call.ended

    def close_arguments(self) -> bytes:
        """End the calls whose arguments were cut off."""
        return self._fail([pair for pair in self._calls.items() if self._waits(pair[1]) and not pair[1].called])

    def close(self, *, after: int = 0) -> bytes:
        """End all calls begun after a seq that were not answered."""
        return self._fail([pair for pair in self._calls.items() if self._waits(pair[1]) and pair[1].seq > after])

    def _fail(self, calls: Sequence[tuple[str, _Tool]]) -> bytes:
        chunks: list[bytes] = []
        for call_id, call in calls:
            chunks.append(self._flush(call_id, call))
            chunks.append(chunk("tool-output-error", toolCallId=call_id, errorText=NOT_COMPLETED, dynamic=True))
            call.ended, call.streaming = _SETTLED, False
        return b"".join(chunks)

    # -- beginning again --------------------------------------------------------------------------------

    def void(self, keep_seq: int) -> None:
        """Forget what came after ``keep_seq``."""
        self._calls = {call_id: call for call_id, call in self._calls.items() if call.seq <= keep_seq}
        self._stale = [pair for pair in self._calls.items() if pair[1].void(keep_seq) and pair[1].told]

    def again(self, began: int) -> bytes:
        """Tell what is left of calls of which the client knows more, as far as the step that began there holds them."""
        chunks: list[bytes] = []
        for call_id, call in self._stale:
            if call.told >= began:
                tell = self._available if call.called else self._begun
                chunks.append(tell(call_id, call, call.told))
        return b"".join(chunks)

    def drop(self, began: int = 0) -> None:
        """The client has nothing of what was told from ``began`` on."""
        for call in self._calls.values():
            if call.told >= began:
                call.begin(0)
                call.streaming = False
