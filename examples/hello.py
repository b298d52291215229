"""The smallest agent: a plain generator, streamed. Run it with: unspool serve examples/hello.py:agent."""

import asyncio
from collections.abc import AsyncGenerator


async def agent(text: str) -> AsyncGenerator[str, None]:
    for word in f"You said: {text}. That was all.".split():
        yield word + " "
        await asyncio.sleep(0.1)
