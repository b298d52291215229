"""Plain functions as sources."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import AsyncGenerator, Generator
from typing import Any

import anyio
import pytest

from tests.support.sources import collect
from unspool.closing import opened
from unspool.errors import InvalidInput
from unspool.events import Data, MessageEnd, MessageStart, Reasoning, StepEnd, StepStart, Token, ToolEnd, ToolStart
from unspool.sources import Call, Output, adapt
from unspool.testing import ScriptedSource, check_source


async def _words(text: str) -> AsyncGenerator[str, None]:
    for word in text.split():
        yield word


def _sync_words(text: str) -> Generator[str, None, None]:
    yield from text.split()


@pytest.mark.parametrize("function", [_words, _sync_words])
async def test_text_becomes_one_message(function: Any) -> None:
    events = await collect(adapt(function), "a b")
    assert events == [MessageStart("run-1-1"), Token("run-1-1", "a"), Token("run-1-1", "b"), MessageEnd("run-1-1")]
    await check_source(lambda: adapt(function), Call(run_id="r", input="a b c"))


async def test_a_scripted_source_passes_the_kit() -> None:
    await check_source(lambda: ScriptedSource(["a", {"progress": 1}, "b"]), Call(run_id="r"))


async def test_items_of_all_kinds_become_events() -> None:
    async def agent() -> AsyncGenerator[Any, None]:
        yield ""
        yield {"progress": 10}
        yield {"type": "step_start", "step_id": "s", "name": "think"}
        yield Reasoning("m", "hm")
        yield {"type": "something_else"}
        yield "now text"
        yield ToolStart("c", "add")
        yield Output([1])

    with anyio.fail_after(10):
        async with opened(adapt(agent).stream(Call(run_id="run-1"))) as events:
            found = [event async for event in events]
    assert found[:9] == [
        Data("data", {"progress": 10}),
        StepStart("s", "think"),
        MessageStart("m"),
        Reasoning("m", "hm"),
        Data("data", {"type": "something_else"}),
        MessageStart("run-1-1"),
        Token("run-1-1", "now text"),
        ToolStart("c", "add"),
        Output([1]),
    ]
    closing = [ToolEnd("c"), MessageEnd("run-1-1"), MessageEnd("m"), StepEnd("s", "think")]
    assert found[9:] == closing


async def test_what_is_left_open_is_closed() -> None:
    async def agent() -> AsyncGenerator[Any, None]:
        yield "text"
        yield ToolStart("c", "add")

    assert (await collect(adapt(agent)))[-2:] == [ToolEnd("c"), MessageEnd("run-1-1")]


@pytest.mark.parametrize(
    "item", [{"type": "token", "text": 1}, {"type": "end", "status": "completed"}, object(), 5, {"type": "start"}]
)
async def test_an_item_that_means_nothing_is_refused(item: Any) -> None:
    async def agent() -> AsyncGenerator[Any, None]:
        yield item

    with pytest.raises(InvalidInput):
        await collect(adapt(agent))


async def _answer(value: str) -> str:
    return value.upper()


def _sum(value: list[int]) -> dict[str, int]:
    return {"sum": sum(value)}


async def test_a_function_that_returns_is_a_source() -> None:
    assert (await collect(adapt(_answer), "hi"))[1] == Token("run-1-1", "HI")
    assert await collect(adapt(_sum), [1, 2]) == [Output({"sum": 3})]
    assert await collect(adapt(lambda: None)) == []


async def test_a_function_may_take_the_call_and_nothing_else() -> None:
    def with_call(call: Call) -> str:
        return f"{call.thread_id}"

    def with_both(value: str, call: Call) -> str:
        return value + call.run_id

    assert (await collect(adapt(with_call), thread_id="t"))[1] == Token("run-1-1", "t")
    assert (await collect(adapt(with_both)))[1] == Token("run-1-1", "hirun-1")
    with pytest.raises(TypeError, match="wrap it in a function"):
        adapt(lambda a, b: None)  # noqa: ARG005
    assert adapt(_sum).schemas().input == {"items": {"type": "integer"}, "type": "array"}


async def test_a_sync_generator_runs_and_is_closed_in_one_thread_of_its_own() -> None:
    threads: list[int] = []
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    closed = threading.Event()

    def agent() -> Generator[str, None, None]:
        threads.append(threading.get_ident())
        try:
            while True:
                yield variable.get()
        finally:
            threads.append(threading.get_ident())
            closed.set()

    variable.set("set")
    with anyio.fail_after(10):
        async with opened(adapt(agent).stream(Call(run_id="r"))) as events:
            await anext(events)
            first = await anext(events)
        await anyio.to_thread.run_sync(closed.wait)
    assert first == Token("r-1", "set")
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


async def test_a_slow_sync_generator_does_not_block_the_loop() -> None:
    proceed = threading.Event()

    def agent() -> Generator[str, None, None]:
        yield "a"
        proceed.wait(10)
        yield "b"

    seen: list[Any] = []
    with anyio.fail_after(10):
        async with opened(adapt(agent).stream(Call(run_id="r"))) as events:
            async for event in events:
                seen.append(event)
                if event == Token("r-1", "a"):
                    proceed.set()  # only a loop that is not blocked gets here
    assert Token("r-1", "b") in seen


async def test_what_a_sync_generator_raises_is_raised() -> None:
    def agent() -> Generator[str, None, None]:
        yield "a"
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await collect(adapt(agent))


@pytest.mark.parametrize("wrong", [5, "text", None, [1]])
def test_what_cannot_be_a_source_is_refused_with_advice(wrong: object) -> None:
    with pytest.raises(TypeError, match="what can"):
        adapt(wrong)


def test_a_generator_that_has_started_is_refused_with_advice() -> None:
    with pytest.raises(TypeError, match="give the function"):
        adapt(_sync_words("a"))
