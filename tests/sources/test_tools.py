"""Python functions as tools of a model."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

import anyio
import pytest
from pydantic import AfterValidator, BaseModel, Field

from unspool.sources import Call
from unspool.sources.base import TOOL_FAILED
from unspool.sources.tools import NOT_VALID, TOOK_TOO_LONG, Outcome, Tool

CALL = Call(run_id="run-1")


class Place(BaseModel):
    """Where."""

    city: str


async def run(tool: Tool, arguments: str, *, timeout: float | None = 5.0) -> Outcome:
    with anyio.fail_after(10):
        return await tool.run(arguments, CALL, timeout=timeout)


async def weather(
    place: Place, call: Call, copy: Annotated[int, Field(description="how often", ge=1)], unit: Literal["c", "f"] = "c"
) -> dict[str, Any]:
    """Say what the weather is.

    Only here.
    """
    return {"place": place, "run": call.run_id, "copy": copy, "unit": unit}


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def test_a_function_describes_itself_and_the_call_is_not_shown() -> None:
    tool = Tool(weather)
    assert (tool.name, tool.description) == ("weather", "Say what the weather is.\n\nOnly here.")
    properties = tool.parameters["properties"]
    assert list(properties) == ["place", "copy", "unit"]
    assert (properties["copy"]["description"], properties["copy"]["minimum"]) == ("how often", 1)
    assert properties["unit"]["enum"] == ["c", "f"]
    assert tool.parameters["required"] == ["place", "copy"]
    assert tool.parameters["additionalProperties"] is False
    assert Tool(lambda: 1, name="now", description="The time.").parameters == {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }


async def test_arguments_are_made_what_the_annotations_say() -> None:
    outcome = await run(Tool(weather), '{"place": {"city": "Paris"}, "copy": 2}')
    assert outcome.result == {"place": {"city": "Paris"}, "run": "run-1", "copy": 2, "unit": "c"}
    assert outcome.told == '{"place":{"city":"Paris"},"run":"run-1","copy":2,"unit":"c"}'
    assert outcome.error is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ('{"a": 1}', "b: Field required"),
        ('{"a": 1, "b": "x", "c": 3}', "b: Input should be a valid integer, unable to parse string as an integer; "
                                       "c: Extra inputs are not permitted"),
        ("", "a: Field required; b: Field required"),
        ('{"a"', "all of it: Invalid JSON: EOF while parsing an object at line 1 column 4"),
    ],
)  # fmt: skip
async def test_a_model_is_told_what_is_wrong_with_its_arguments(arguments: str, told: str) -> None:
    assert await run(Tool(add), arguments) == Outcome(error=NOT_VALID, told=f"{NOT_VALID} {told}")


async def test_sync_functions_run_in_a_thread_and_others_on_the_loop() -> None:
    async def on_loop() -> str:
        return threading.current_thread().name

    def in_thread() -> str:
        return threading.current_thread().name

    def returns_awaitable() -> Any:
        return on_loop()

    main = threading.current_thread().name
    assert (await run(Tool(on_loop), "{}")).result == main
    assert (await run(Tool(functools.partial(on_loop), name="f"), "{}")).result == main
    assert (await run(Tool(in_thread), "{}")).result != main
    assert (await run(Tool(returns_awaitable), "{}")).result == main


def _refuse(value: int) -> int:
    raise LookupError("secret", value)


def _checked(a: Annotated[int, AfterValidator(_refuse)]) -> None:
    raise AssertionError(a)


def _broken() -> None:
    raise RuntimeError("secret")


async def test_an_exception_is_logged_and_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    for tool, arguments in [(Tool(_broken), "{}"), (Tool(_checked), '{"a": 1}')]:
        assert await run(tool, arguments) == Outcome(error=TOOL_FAILED, told=TOOL_FAILED)
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        "run run-1: the tool _broken failed",
        "run run-1: the tool _checked failed",
    ]


async def test_a_tool_may_take_only_so_long() -> None:
    release = threading.Event()

    async def slow() -> None:
        await anyio.sleep_forever()

    def blocked() -> None:
        release.wait(10)

    for function in (slow, blocked):
        assert await run(Tool(function), "{}", timeout=0.02) == Outcome(error=TOOK_TOO_LONG, told=TOOK_TOO_LONG)
    release.set()


async def test_a_tools_own_timeout_is_a_failure_like_any_other() -> None:
    async def inner() -> None:
        raise TimeoutError

    assert (await run(Tool(inner), "{}")).error == TOOL_FAILED


async def test_cancelling_stops_an_async_tool() -> None:
    started, stopped = anyio.Event(), anyio.Event()

    async def slow() -> None:
        started.set()
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, Tool(slow), "{}")
            await started.wait()
            tasks.cancel_scope.cancel()
    assert stopped.is_set()


async def _streams() -> AsyncGenerator[int, None]:
    yield 1


def _unknown(a: Missing) -> None:  # type: ignore[name-defined]  # noqa: F821
    del a


def _odd(a: threading.Event) -> None:
    del a


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda *args: args, "cannot be given by name"),
        (lambda **more: more, "cannot be given by name"),
        (lambda a, /: a, "cannot be given by name"),
        (_streams, "generator"),
        (_unknown, "cannot be looked up"),
        (_odd, "no JSON Schema"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_with_the_reason(function: Any, why: str) -> None:
    with pytest.raises(TypeError, match=why):
        Tool(function, name="f")


def test_a_tool_needs_a_name_that_providers_take() -> None:
    with pytest.raises(ValueError, match="give `name`"):
        Tool(lambda: 1)
