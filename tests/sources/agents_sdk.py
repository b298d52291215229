"""What the tests of the Agents SDK share: its models, on a fake provider, with tracing off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from agents import Model, ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, set_tracing_disabled
from fastapi import FastAPI
from openai import AsyncOpenAI

from unspool import RunOptions, Unspool
from unspool.closing import opened
from unspool.errors import Failure, classify
from unspool.events import ToolEnd, ToolStart
from unspool.sources import Call, Past, Source
from unspool.testing import FakeOpenAI
from unspool.testing.source import check_events

set_tracing_disabled(True)  # it would send to OpenAI

SECONDS = 20.0

WITH_USAGE = ModelSettings(include_usage=True)
"""Chat completions tell the usage only where they are asked to."""


@asynccontextmanager
async def model_on(server: FakeOpenAI, backend: str = "responses") -> AsyncIterator[Model]:
    """A model of the SDK that speaks to ``server``."""
    async with AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        if backend == "chat":
            yield OpenAIChatCompletionsModel(model="m", openai_client=client)
        else:
            yield OpenAIResponsesModel(model="m", openai_client=client)


async def ask(
    source: Source, value: Any = "hi", *, legal: bool = True, seconds: float = SECONDS, **fields: Any
) -> list[Any]:
    """The events of one run. Not ``legal``: tools wait for another run to end them."""
    found: list[Any] = []
    with anyio.fail_after(seconds):
        async with opened(source.stream(Call(**{"run_id": "run-1", "input": value, **fields}))) as events:
            async for event in events:
                found.append(event)
    waiting = {event.call_id for event in of(found, ToolStart)} - {event.call_id for event in of(found, ToolEnd)}
    check_events(found if legal else [*found, *map(ToolEnd, waiting)])
    return found


async def failing(source: Source, **fields: Any) -> tuple[list[Any], Failure]:
    """The events of a run that fails, and what a client is told of why."""
    found: list[Any] = []
    with anyio.fail_after(SECONDS):
        try:
            async with opened(source.stream(Call(**{"run_id": "run-1", "input": "hi", **fields}))) as events:
                async for event in events:
                    found.append(event)
        except Exception as exc:  # noqa: BLE001 - what it is, is what is tested
            return found, classify(exc)
    raise AssertionError(f"it did not fail: {found}")


def of(events: Sequence[Any], *kinds: type) -> list[Any]:
    """Those of some types."""
    return [event for event in events if isinstance(event, kinds)]


def thread(*pasts: Past) -> dict[str, Any]:
    """The fields of a call in a thread with these runs."""

    async def history() -> Sequence[Past]:
        return pasts

    return {"thread_id": "t", "load_history": history}


def app_of(source: Any) -> FastAPI:
    """An app that serves it under ``/agent``."""
    app = FastAPI()
    Unspool(grace=0.2).add_routes(app, source, path="/agent", options=RunOptions())
    return app
