"""What the examples share: which model they talk to, and how they are served.

Each example has a function that makes its agent from a :class:`Model`. ``run`` starts the model, serves the agent with
the playground, or asks it one question on the terminal:

    python -m examples.banking_agent                        # the embedded model: nothing to set up
    python -m examples.banking_agent --model gpt-4.1-mini   # with OPENAI_API_KEY; OPENAI_BASE_URL for other providers
    python -m examples.banking_agent --ask "What is the ROI of 1000 at 5% over 7 years?"
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI
from openai import AsyncOpenAI

from unspool import Call, Unspool, adapt
from unspool.closing import opened
from unspool.events import Citation, Data, Interrupt, MessageStart, Token, ToolCall, ToolEnd
from unspool.local import LocalModel
from unspool.sources import Item

EMBEDDED_NOTE = "The embedded model has 135 million parameters: fluent, and often wrong. --model takes a real one."


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model behind an OpenAI-compatible endpoint.

    Attributes:
        name: What to ask for there.
        client: Talks to it. Closed by who made it.
        embedded: Whether it is the small one that comes with Unspool, which cannot choose tools.
    """

    name: str
    client: AsyncOpenAI
    embedded: bool = False


Build = Callable[[Model], Any]
"""Makes an agent: anything that :func:`unspool.adapt` takes."""


@asynccontextmanager
async def open_model(name: str | None) -> AsyncGenerator[Model, None]:
    """The model called ``name``, where ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY`` say. None: start the embedded one."""
    if name is not None:
        key = os.environ.get("OPENAI_API_KEY", "none")  # local servers want none
        async with AsyncOpenAI(api_key=key, max_retries=0) as client:
            yield Model(name=name, client=client)
        return
    async with LocalModel() as local, AsyncOpenAI(base_url=local.base_url, api_key="none", max_retries=0) as client:
        yield Model(name=local.name, client=client, embedded=True)


def make_app(title: str, build: Build, model: AbstractAsyncContextManager[Model]) -> FastAPI:
    """An app with the agent at ``/agent`` and the playground at ``/``; the model lives as long as it does."""
    unspool = Unspool()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with model as ready:
            unspool.add_routes(app, build(ready), path="/agent")
            unspool.add_playground(app, model=ready.name, note=EMBEDDED_NOTE if ready.embedded else "")
            async with unspool:
                yield

    return FastAPI(title=title, lifespan=lifespan)


async def ask(build: Build, model: AbstractAsyncContextManager[Model], question: str) -> None:
    """Print one answer as it comes. Where it waits for a person, ask on the terminal."""
    async with model as ready:
        source = adapt(build(ready))
        call: Call | None = Call(run_id=str(uuid.uuid4()), thread_id="terminal", input=question)
        while call is not None:
            waits_for: list[Interrupt] = []
            async with opened(source.stream(call)) as events:
                async for event in events:
                    if isinstance(event, Interrupt):
                        waits_for.append(event)
                    print(_shown(event), end="", flush=True)
            print()
            call = await _answered(call, waits_for)


def _shown(event: Item) -> str:
    match event:
        case Token():
            return event.text
        case MessageStart():
            return f"\n{event.name}: " if event.name else "\n"
        case ToolCall():
            return f"\n[{event.name} {event.args}]"
        case ToolEnd():
            return f"\n[→ {event.error or event.result}]"
        case Citation():
            return f"\n[“{event.title}”: {event.text}]"
        case Data(transient=False):
            return f"\n[{event.name}: {event.value}]\n"
        case _:
            return ""


async def _answered(call: Call, waits_for: Sequence[Interrupt]) -> Call | None:
    """The call that goes on with a person's decision about each tool call. None: nothing was asked."""
    answer: dict[str, Any] = {}
    for interrupt in waits_for:
        decisions: list[dict[str, str]] = []
        for action in interrupt.value["action_requests"]:
            said = await asyncio.to_thread(input, f"Run {action['name']} {action['args']}? [y/n] ")
            decisions.append({"type": "approve" if said.strip().lower() in {"y", "yes"} else "reject"})
        answer[interrupt.interrupt_id] = {"decisions": decisions}
    if not answer:
        return None
    return Call(run_id=str(uuid.uuid4()), thread_id=call.thread_id, resumes=call.run_id, answer=answer)


def run(title: str, build: Build) -> None:
    """The command line of an example."""
    logging.basicConfig(level=logging.WARNING)  # before a library sets it to INFO
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--model", help="a model of an OpenAI-compatible provider; default: the embedded one")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--ask", metavar="QUESTION", help="answer on the terminal, and leave")
    options = parser.parse_args()
    model = open_model(options.model)
    if options.ask:
        asyncio.run(ask(build, model, options.ask))
        return
    print(f"{title}: http://127.0.0.1:{options.port}/  (Ctrl-C stops it)", flush=True)
    app = make_app(title, build, model)
    uvicorn.run(app, port=options.port, log_level="warning", timeout_graceful_shutdown=3)
