"""AG-UI 1.0: a run as the events that its clients verify, one JSON object per server-sent event.

Ids of messages are ``run_id`` for the first message of the assistant, and ``run_id:n`` for all others. So a server
sees from the messages that a client sends back which runs that client still shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from typing_extensions import override

from unspool.events import End, Record, Retry
from unspool.wire.ag_ui_ends import Ending
from unspool.wire.ag_ui_fields import custom, frame
from unspool.wire.ag_ui_steps import States, Steps
from unspool.wire.ag_ui_texts import Texts
from unspool.wire.ag_ui_told import Told
from unspool.wire.ag_ui_tools import Tools
from unspool.wire.base import Codec

PROTOCOL_VERSION = "1.0"


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
        self._told = Told(run_id, messages)
        self._texts = Texts(self._told)
        self._tools = Tools(run_id, self._told, self._texts, resumes=resumes)
        self._steps = Steps()
        self._states = States(state)
        self._ending = Ending(thread_id, run_id)
        self._apply: Mapping[str, Callable[[Any, int], bytes]] = {
            "message_start": self._texts.start,
            "token": self._texts.text,
            "reasoning": self._texts.reasoning,
            "message_end": self._texts.end,
            "citation": self._texts.citation,
            "file": self._texts.file,
            "tool_start": self._tools.start,
            "tool_args": self._tools.arguments,
            "tool_call": self._tools.call,
            "tool_end": self._tools.end,
            "step_start": self._steps.start,
            "step_end": self._steps.end,
            "state": self._states.add,
            "data": custom,
            "usage": self._ending.keep,
            "interrupt": self._ending.keep,
            "error": self._ending.fail,
        }

    @property
    @override
    def media_type(self) -> str:
        return "text/event-stream; charset=utf-8"

    @override
    def skip(self, records: Sequence[Record]) -> None:
        self.encode(records)

    @override
    def open(self) -> bytes:
        started = frame("RUN_STARTED", threadId=self._thread_id, runId=self._run_id, protocolVersion=PROTOCOL_VERSION)
        return started + self._told.taken_back() + self._steps.open() + self._told.open()

    @override
    def encode(self, records: Sequence[Record]) -> bytes:
        frames: list[bytes] = []
        told = self._told
        seqs: list[int] = []
        texts: list[bytes] = []
        for record in records:
            data = record.data
            if data.startswith(told.head):
                seqs.append(record.seq)
                texts.append(data[len(told.head) : -1])
                continue
            if texts:
                frames.append(told.grow(seqs, texts))
                seqs, texts = [], []
            frames.append(self._one(record))
        if texts:
            frames.append(told.grow(seqs, texts))
        return b"".join(frames)

    @override
    def heartbeat(self) -> bytes:
        return b":\n\n"

    def _one(self, record: Record) -> bytes:
        apply = self._apply.get(record.type)
        if apply is not None:
            return apply(record.event, record.seq)
        of_all = self._OF_ALL.get(record.type)
        return b"" if of_all is None else of_all(self, record.event)

    def _end_all(self) -> bytes:
        return self._told.end_all() + self._steps.end_all()

    def _retry(self, event: Retry) -> bytes:
        """Take back what is void: the client gets all messages anew, and the state, if any of it is void."""
        keep = event.keep_seq
        ended = self._end_all()
        self._texts.cut(keep)
        self._tools.cut(keep)
        self._ending.cut(keep)
        return ended + self._told.cut(keep) + self._states.cut(keep)

    def _end(self, event: End) -> bytes:
        return self._end_all() + self._ending.end(event, self._tools.unanswered())

    _OF_ALL: ClassVar[Mapping[str, Callable[[Any, Any], bytes]]] = {"retry": _retry, "end": _end}
