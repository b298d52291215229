"""An agent without a framework: one async generator that yields text, and events where text is not enough.

Run it with `python -m examples.plain_generator`. Ask what time it is, to see a tool at work; ask again in the same
conversation, and it knows what was said.

Real: the model, the clock and the memory. With either model it is code that decides when the clock is looked at.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

from examples.models import Model, run
from unspool import Call
from unspool.events import AnyEvent, Data, ToolCall, ToolEnd, ToolStart


def build(model: Model) -> Any:
    """The agent is a function: what a client sends, and the call with all that is known of it."""

    async def agent(text: str, call: Call) -> AsyncGenerator[str | AnyEvent, None]:
        # A data event with the same name and id takes the place of the one before: progress, in one place.
        yield Data("progress", {"done": 0, "of": 2, "now": "remembering"}, id="progress")
        messages: list[Any] = [
            {"role": message.role, "content": message.text}
            for past in (await call.history())[-3:]
            for message in past.messages
            if message.text
        ]

        if re.search(r"\btime\b", text):
            call_id = f"{call.run_id}-clock"
            yield ToolStart(call_id, "clock")
            yield ToolCall(call_id, "clock", {"zone": "UTC"})
            time = await asyncio.to_thread(look_at_the_clock)
            yield ToolEnd(call_id, time)
            yield f"It is {time}. "

        yield Data("progress", {"done": 1, "of": 2, "now": "answering"}, id="progress")
        stream = await model.client.chat.completions.create(
            model=model.name, messages=[*messages, {"role": "user", "content": text}], max_tokens=128, stream=True
        )
        async with stream:  # closed when the run is cancelled: the provider stops at once
            async for chunk in stream:
                for choice in chunk.choices:
                    yield choice.delta.content or ""
        yield Data("progress", {"done": 2, "of": 2, "now": "done"}, id="progress")

    return agent


def look_at_the_clock() -> str:
    return f"{datetime.now(UTC):%H:%M} UTC"


if __name__ == "__main__":
    run("A plain generator", build)
