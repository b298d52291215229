"""OpenAI's Responses API and two Python functions as its tools; no framework.

Run it with `python -m examples.responses_tools`, and ask to convert 26.2 miles to kilometres, or how many days lie
between two dates. A real model may call both at once, and they run side by side.

With `--model`, `responses_agent` is all there is to it. The embedded model's server speaks the Responses API, too, but
the model cannot choose tools. So there `embedded_agent` stands in for the loop: code chooses the tool by a word of the
question, and the model fills in the arguments (see `guided.py`). The tools are the same, and run for real.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from datetime import date
from typing import Any, Literal

from examples.guided import MAX_ARGUMENT_TOKENS, Hint, choose
from examples.models import Model, run
from unspool import Call, Tool, responses_agent
from unspool.events import ToolArgs, ToolCall, ToolEnd, ToolStart

Unit = Literal["miles", "kilometres", "pounds", "kilograms"]
IN_BASE_UNITS = {"miles": 1.609344, "kilometres": 1.0, "pounds": 0.45359237, "kilograms": 1.0}
LENGTHS = {"miles", "kilometres"}


def convert(value: float, unit: Unit, to: Unit) -> str:
    """Convert a length or a weight to another unit."""
    if (unit in LENGTHS) != (to in LENGTHS):
        return f"{unit} cannot be converted to {to}."
    return f"{value:g} {unit} are {value * IN_BASE_UNITS[unit] / IN_BASE_UNITS[to]:.2f} {to}."


async def days_between(first: date, second: date) -> str:
    """Count the days from one date to another."""
    return f"From {first} to {second} it is {(second - first).days} days."


def build(model: Model) -> Any:
    """The agent."""
    if model.embedded:
        return embedded_agent(model)
    return responses_agent(
        model.client,
        model.name,
        tools=[convert, days_between],
        instructions="Answer in one sentence. Convert units and count days with the tools.",
    )


def embedded_agent(model: Model) -> Any:
    """One tool call, or none; then the answer."""
    tools = {tool.name: tool for tool in (Tool(convert), Tool(days_between))}

    async def agent(text: str, call: Call) -> AsyncGenerator[Any, None]:
        hint = choose(HINTS, text)
        if hint is None:
            create = model.client.responses.create
            async with await create(model=model.name, input=text, max_output_tokens=200, stream=True) as answer:
                async for item in answer:
                    yield item  # what the SDK yields is understood as it is
            return
        tool = tools[hint.tool]
        call_id = f"{call.run_id}-{tool.name}"
        yield ToolStart(call_id, tool.name)
        written: list[str] = []
        async for fragment in _written(model, hint, tool, text):
            written.append(fragment)
            yield ToolArgs(call_id, fragment)
        yield ToolCall(call_id, tool.name, json.loads("".join(written)))
        outcome = await tool.run("".join(written), call, timeout=10.0)
        yield ToolEnd(call_id, outcome.result, outcome.error)
        yield outcome.told

    return agent


async def _written(model: Model, hint: Hint, tool: Tool, question: str) -> AsyncGenerator[str, None]:
    """The arguments, as the model writes them. By Chat Completions: the examples are a conversation."""
    stream = await model.client.chat.completions.create(
        model=model.name,
        messages=hint.prompt(question),
        max_tokens=MAX_ARGUMENT_TOKENS,
        stream=True,
        **hint.form(tool.parameters),
    )
    async with stream:
        async for chunk in stream:
            for choice in chunk.choices:
                if choice.delta.content:
                    yield choice.delta.content


def _conversion(value: float, unit: Unit, to: Unit) -> dict[str, Any]:
    return {"value": value, "unit": unit, "to": to}


HINTS = [
    Hint(
        tool="convert",
        when=r"\b(miles?|kilomet|km|pounds?|kilos?|kilogram|kg|lbs?)",
        shots=[
            ("How many km are 5 miles?", _conversion(5, "miles", "kilometres")),
            ("Convert 80.5 pounds to kilograms", _conversion(80.5, "pounds", "kilograms")),
            ("What are 300 kilometres in miles?", _conversion(300, "kilometres", "miles")),
            ("Convert 12 miles to kilometres", _conversion(12, "miles", "kilometres")),
            ("I weigh 70 kg, how many lbs is that?", _conversion(70, "kilograms", "pounds")),
        ],
    ),
    Hint(
        tool="days_between",
        when=r"\bdays\b",
        shots=[
            ("How many days from 2024-01-05 to 2024-02-01?", {"first": "2024-01-05", "second": "2024-02-01"}),
            ("Count the days between 1999-12-31 and 2000-03-01", {"first": "1999-12-31", "second": "2000-03-01"}),
            ("days between 2026-05-10 and 2026-11-02?", {"first": "2026-05-10", "second": "2026-11-02"}),
            (
                "From 2030-07-04 until 2031-07-04, how many days is that?",
                {"first": "2030-07-04", "second": "2031-07-04"},
            ),
        ],
    ),
]

if __name__ == "__main__":
    run("Tools with the Responses API", build)
