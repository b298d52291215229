"""The example with tools from an MCP server, which is a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import anyio
import pytest
from agents import set_tracing_disabled
from examples.mcp_agent import build, tool_server
from examples.models import Model, make_app, open_model
from openai import AsyncOpenAI

from tests.support.server import serve
from unspool.client import AsyncClient
from unspool.events import ToolPart, Transcript
from unspool.local import LocalModel
from unspool.testing import FakeOpenAI
from unspool.testing.script import CallTool, Say

set_tracing_disabled(True)  # it would send to OpenAI

SECONDS = 60.0


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with tool_server() as where:
        yield where


async def _asked(model: AbstractAsyncContextManager[Model], url: str, question: str) -> Transcript:
    with anyio.fail_after(SECONDS):
        async with (
            serve(make_app("An example", partial(build, url), model)) as app,
            AsyncClient(f"{app}/agent") as client,
        ):
            async with client.stream(question) as stream:
                async for _ in stream:
                    pass
                return stream.transcript


def _tools(told: Transcript) -> list[tuple[str, object, object]]:
    parts = [part for message in told.messages for part in message.parts if isinstance(part, ToolPart)]
    return [(part.name, part.args, part.result) for part in parts]


async def test_a_real_provider_calls_the_tools_of_the_server(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call = CallTool("weight_on", '{"planet":"Mars",', '"kilograms":70}')
    with FakeOpenAI([call], [Say("About 27 kg.")]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        told = await _asked(open_model("big"), url, "What do 70 kg weigh on Mars?")
    offered = {tool["function"]["name"] for tool in server.requests[0].body["tools"]}
    assert offered == {"weight_on", "year_of"}
    assert _tools(told) == [
        ("weight_on", {"planet": "Mars", "kilograms": 70}, "On Mars a scale would show 26.5 kg."),
    ]
    assert told.messages[-1].text == "About 27 kg."


@pytest.mark.local_model
async def test_the_embedded_model_fills_in_what_the_servers_schema_asks_for(url: str, real_model: LocalModel) -> None:
    @asynccontextmanager
    async def embedded() -> AsyncIterator[Model]:
        async with AsyncOpenAI(base_url=real_model.base_url, api_key="none", max_retries=0) as client:
            yield Model(name=real_model.name, client=client, embedded=True)

    told = await _asked(embedded(), url, "What do 70 kg weigh on Mars?")
    said = "On Mars a scale would show 26.5 kg."
    assert _tools(told) == [("weight_on", {"planet": "Mars", "kilograms": 70}, said)]
    assert told.messages[-1].text == said
