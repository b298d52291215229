"""What can happen in a run: one struct per event type, as ``spec/PROTOCOL.md`` section 3 puts them on the wire.

Fields that are at their default are left out of the JSON. Fields that end in ``_ms`` are milliseconds;
``created_at`` and ``at`` are seconds since the Unix epoch.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

RunStatus = Literal["queued", "running", "completed", "failed", "cancelled", "interrupted"]
EndStatus = Literal["completed", "failed", "cancelled", "interrupted"]
ENDED: frozenset[RunStatus] = frozenset({"completed", "failed", "cancelled", "interrupted"})

Role = Literal["assistant", "user", "system", "tool"]


class Event(msgspec.Struct, omit_defaults=True, frozen=True, tag_field="type"):
    """Base of all events. ``type`` is the first member of the JSON of each."""


class Start(Event, tag="start", frozen=True):
    """The run began. Always seq 1, exactly once.

    Attributes:
        run_id: The run.
        source: The name of the source that answers.
        created_at: When, in seconds since the Unix epoch, by the log's clock.
        attempt: 1; a later attempt begins with a ``retry`` event, not with another ``start``.
        thread_id: The conversation that the run belongs to.
        input: What the run was asked, so that a transcript can show both sides.
        resumes: The interrupted run that this one continues.
        replaces: The run of the thread whose place this one takes, and that of all runs after it.
    """

    run_id: str
    source: str
    created_at: float
    attempt: int = 1
    thread_id: str | None = None
    input: Any = None
    resumes: str | None = None
    replaces: str | None = None


class MessageStart(Event, tag="message_start", frozen=True):
    """A message begins. ``name`` is the agent or graph node that speaks."""

    message_id: str
    role: Role = "assistant"
    name: str | None = None


class Token(Event, tag="token", frozen=True):
    """Text to append to a message. Never empty."""

    message_id: str
    text: str


class Reasoning(Event, tag="reasoning", frozen=True):
    """Text to append to the thinking that goes with a message. Never empty."""

    message_id: str
    text: str


class MessageEnd(Event, tag="message_end", frozen=True):
    """The message is complete. ``finish_reason`` is the provider's: ``stop``, ``length``, ``tool_calls`` and others."""

    message_id: str
    finish_reason: str | None = None


class ToolStart(Event, tag="tool_start", frozen=True):
    """The model begins to call a tool; its arguments follow."""

    call_id: str
    name: str
    message_id: str | None = None


class ToolArgs(Event, tag="tool_args", frozen=True):
    """A fragment of the JSON arguments. The fragments of one call, joined, are the model's own text."""

    call_id: str
    text: str


class ToolCall(Event, tag="tool_call", frozen=True):
    """The complete arguments, parsed. ``args`` is an object unless the model wrote something else."""

    call_id: str
    name: str
    args: Any = None


class ToolEnd(Event, tag="tool_end", frozen=True):
    """The tool answered. ``result`` is any JSON; ``error`` is a message that a client may see."""

    call_id: str
    result: Any = None
    error: str | None = None


class StepStart(Event, tag="step_start", frozen=True):
    """A graph node, a chain link or an agent begins to work."""

    step_id: str
    name: str
    parent_id: str | None = None


class StepEnd(Event, tag="step_end", frozen=True):
    """The step is done."""

    step_id: str
    name: str
    parent_id: str | None = None


class State(Event, tag="state", frozen=True):
    """The source's state: either a ``snapshot``, or a ``patch`` (RFC 6902) on the state so far."""

    snapshot: Any = None
    patch: list[dict[str, Any]] | None = None


class Data(Event, tag="data", frozen=True):
    """The source's own event. One with the same ``name`` and ``id`` replaces the earlier one.

    ``transient`` data are not part of the transcript.
    """

    name: str
    value: Any = None
    id: str | None = None
    transient: bool = False


class Citation(Event, tag="citation", frozen=True):
    """Where a part of a message comes from. ``start`` and ``end`` count code points of the message's text."""

    message_id: str
    url: str | None = None
    title: str | None = None
    text: str | None = None
    start: int | None = None
    end: int | None = None


class File(Event, tag="file", frozen=True):
    """An image, a sound or a document: by ``url``, or as base64 in ``data``."""

    media_type: str
    message_id: str | None = None
    url: str | None = None
    data: str | None = None
    name: str | None = None


class Usage(Event, tag="usage", frozen=True):
    """Tokens that one model call took. A run may have several; they add up."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    model: str | None = None


class Interrupt(Event, tag="interrupt", frozen=True):
    """The run waits for a person. It ends with status ``interrupted``; another run carries the answer."""

    interrupt_id: str
    value: Any = None


class Retry(Event, tag="retry", frozen=True):
    """Everything after ``keep_seq`` (and before this event) is void: clients drop it.

    Attributes:
        attempt: The attempt that begins here; 2 for the first retry.
        reason: A stable error code: why the attempt before failed.
        keep_seq: The last seq that still counts.
    """

    attempt: int
    reason: str
    keep_seq: int


class Error(Event, tag="error", frozen=True):
    """The run failed. The text is safe to show. ``end`` with status ``failed`` follows.

    Attributes:
        code: Stable; see ``unspool.errors.ErrorCode``.
        message: For a person.
        retryable: Whether the same request may succeed later.
        retry_after: Seconds to wait before that.
        error_id: For ``internal``: what to quote to those who run the server.
        detail: More, by code: ``{"which": "idle"}`` for ``timeout``.
    """

    code: str
    message: str
    retryable: bool = False
    retry_after: float | None = None
    error_id: str | None = None
    detail: Any = None


class Metrics(msgspec.Struct, omit_defaults=True, frozen=True):
    """How a run went, measured on the server that ran it.

    Attributes:
        tokens: ``token`` and ``reasoning`` events.
        elapsed_ms: From the start to the end, over all attempts of this process.
        ttft_ms: Until the first ``token`` or ``reasoning`` event.
        tokens_per_second: Over the time from the first token to the last.
    """

    tokens: int = 0
    elapsed_ms: float = 0.0
    ttft_ms: float | None = None
    tokens_per_second: float | None = None


class End(Event, tag="end", frozen=True):
    """The run is over. Always last, exactly once; nothing follows.

    ``output`` is set where the source states one that the events before it do not already hold.
    """

    status: EndStatus
    output: Any = None
    metrics: Metrics | None = None


class Unknown(msgspec.Struct, frozen=True):
    """An event of a type that this version does not know. It is kept, and passed on as it came.

    Attributes:
        type: Its type.
        fields: All members of its JSON object, ``type`` included.
    """

    type: str
    fields: dict[str, Any]


KnownEvent = (
    Start
    | MessageStart
    | Token
    | Reasoning
    | MessageEnd
    | ToolStart
    | ToolArgs
    | ToolCall
    | ToolEnd
    | StepStart
    | StepEnd
    | State
    | Data
    | Citation
    | File
    | Usage
    | Interrupt
    | Retry
    | Error
    | End
)
AnyEvent = KnownEvent | Unknown
"""What a reader meets: a known event, or one of a type that came after this version."""
