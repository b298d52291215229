"""The kit for sources: a legal stream, closed when it is told to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio
import msgspec

from unspool.closing import opened
from unspool.events import (
    AnyEvent,
    Citation,
    End,
    MessageEnd,
    MessageStart,
    Reasoning,
    Retry,
    Start,
    StepEnd,
    StepStart,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    encode,
)
from unspool.sources import Call, Item, Keep, Output, Rewind, Source

SECONDS = 30.0


def check_events(events: Sequence[Item]) -> None:
    """Check that what a source yielded, when it ended normally, is legal.

    Every event can be encoded. No ``start``, ``retry`` or ``end``. No empty text. What is opened is closed, once,
    and used only in between. An ``Output`` comes at most once, last. What is to be kept is plain JSON.

    Raises:
        AssertionError: It is not.
    """
    opened_now: set[tuple[str, str]] = set()
    counted: list[AnyEvent | None] = []
    for index, event in enumerate(events):
        if isinstance(event, Output):
            assert index == len(events) - 1, "an Output is not the last item"
            continue
        if isinstance(event, Keep):
            msgspec.json.encode(event.value)
            continue
        if isinstance(event, Rewind):
            assert event.keep <= len(counted), "more is kept than there is"
            kept = counted[: max(0, event.keep)]
            opened_now = _opened_by(kept)
            counted = kept + [None] * (len(counted) + 1 - len(kept))
            continue
        encode(event)
        assert not isinstance(event, Start | Retry | End), f"{event} belongs to the run"
        _check_event(event, opened_now)
        counted.append(event)
    assert not opened_now, f"never closed: {opened_now}"


def _opened_by(events: Sequence[AnyEvent | None]) -> set[tuple[str, str]]:
    now: set[tuple[str, str]] = set()
    for event in events:
        if event is not None:
            _check_event(event, now)
    return now


def _check_event(event: AnyEvent, now: set[tuple[str, str]]) -> None:
    match event:
        case MessageStart():
            _open(now, "message", event.message_id)
        case Token() | Reasoning():
            assert event.text, "an empty text"
            assert ("message", event.message_id) in now, f"{event} is outside of its message"
        case Citation():
            assert ("message", event.message_id) in now, f"{event} is outside of its message"
        case MessageEnd():
            now.remove(("message", event.message_id))
        case ToolStart():
            _open(now, "tool", event.call_id)
        case ToolArgs() | ToolCall():
            assert ("tool", event.call_id) in now, f"{event} is outside of its call"
        case ToolEnd():
            now.remove(("tool", event.call_id))
        case StepStart():
            _open(now, "step", event.step_id)
        case StepEnd():
            now.remove(("step", event.step_id))
        case _:
            pass


def _open(now: set[tuple[str, str]], kind: str, name: str) -> None:
    assert name, f"a {kind} without an id"
    assert (kind, name) not in now, f"the {kind} {name!r} is open already"
    now.add((kind, name))


async def check_source(make: Callable[[], Source], call: Call) -> None:
    """Check that a source keeps the promises of :class:`unspool.Source`.

    Args:
        make: Returns a new source that answers ``call`` normally, with at least two events.
        call: What to ask it.

    Raises:
        AssertionError: A promise is not kept.
        TimeoutError: Something that should end does not.
    """
    with anyio.fail_after(SECONDS):
        first = await _collect(make(), call)
        check_events(first)
        assert len(first) >= 2, "the call should be answered with at least two events"
        source = make()
        msgspec.json.encode(source.schemas())
        await _check_closing(source, call)
        await _check_side_by_side(source, call, [type(event) for event in first])


async def _collect(source: Source, call: Call) -> list[Item]:
    async with opened(source.stream(call)) as events:
        return [event async for event in events]


async def _check_closing(source: Source, call: Call) -> None:
    """Closed behind the first event, it ends at once, and answers the next call in full."""
    async with opened(source.stream(call), close_within=5.0) as events:
        await anext(events)


async def _check_side_by_side(source: Source, call: Call, kinds: list[type]) -> None:
    """Two calls at once do not mix."""
    answers: list[list[Item]] = []

    async def ask(run_id: str) -> None:
        answers.append(await _collect(source, msgspec.structs.replace(call, run_id=run_id, thread_id=run_id)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, f"{call.run_id}-a")
        tasks.start_soon(ask, f"{call.run_id}-b")
    for answer in answers:
        check_events(answer)
        assert [type(event) for event in answer] == kinds, "two calls at once got in each other's way"
