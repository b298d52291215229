"""What sources of chats say of their input, and what they take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from tests.support.server import serve
from tests.support.sources import collect
from unspool import add_routes
from unspool.errors import InvalidInput
from unspool.sources import Source
from unspool.sources.openai.chat import chat_completions
from unspool.sources.upstream.source import upstream
from unspool.testing import FakeOpenAI, ScriptedSource
from unspool.testing.script import Say

USER = {"role": "user", "content": "hi"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}

TAKEN: dict[str, Any] = {
    "text": "hi",
    "a message": {"messages": [USER]},
    "a conversation": {"messages": [USER, {"role": "assistant", "content": "Yes?"}, {**USER, "name": "a", "id": "7"}]},
    "a tool call": {"messages": [USER, {"role": "assistant", "content": "So:", "tool_calls": [CALL]}, USER]},
    "blocks": {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "see"}, {"type": "image", "url": "https://example.org/x.png"}],
            }
        ]
    },
    "more members": {"messages": [USER], "more": 1},
}

REFUSED: dict[str, Any] = {
    "no text": "",
    "a number": 3,
    "nothing": None,
    "no messages": {},
    "none of them": {"messages": []},
    "text for a message": {"messages": ["hi"]},
    "no role": {"messages": [{"content": "hi"}]},
    "an unknown role": {"messages": [{"role": "robot", "content": "hi"}]},
    "the server's role": {"messages": [{"role": "system", "content": "hi"}]},
    "no content": {"messages": [{"role": "user"}]},
    "no blocks": {"messages": [{"role": "user", "content": []}]},
    "an unknown block": {"messages": [{"role": "user", "content": [{"type": "smell"}]}]},
    "a block without text": {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
    "a block without an image": {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
    "a tool call without a name": {
        "messages": [
            {"role": "assistant", "content": "x", "tool_calls": [{"id": "c", "function": {"arguments": "{}"}}]}
        ]
    },
    "no tool call": {"messages": [{"role": "assistant", "content": "x", "tool_calls": [3]}]},
    "a tool call without an id": {
        "messages": [{"role": "assistant", "content": "x", "tool_calls": [{"function": CALL["function"]}]}]
    },
}

SOURCES = ["chat", "openai-chat", "openai-responses", "ag-ui"]


@asynccontextmanager
async def _source(kind: str) -> AsyncIterator[Source]:
    if kind == "ag-ui":
        app = FastAPI()
        add_routes(app, ScriptedSource(["ok"]), path="/agent", playground=False)
        async with serve(app) as url:
            yield upstream(f"{url}/agent/ag-ui", protocol="ag-ui")
        return
    with FakeOpenAI([Say("ok")]) as server:
        if kind == "chat":
            async with openai.AsyncOpenAI(base_url=server.base_url, api_key="k", max_retries=0) as client:
                yield chat_completions(client, model="m")
        else:
            yield upstream(server.base_url, protocol=kind, model="m", api_key="k")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", SOURCES)
async def test_what_the_schema_takes_the_source_takes(kind: str) -> None:
    async with _source(kind) as source:
        schema = Draft202012Validator(source.schemas().input)
        for name, asked in TAKEN.items():
            schema.validate(asked)
            assert await collect(source, asked, run_id=f"run-{name.replace(' ', '-')}"), name


@pytest.mark.parametrize("kind", SOURCES)
async def test_what_the_source_refuses_the_schema_refuses(kind: str) -> None:
    async with _source(kind) as source:
        schema = Draft202012Validator(source.schemas().input)
        for name, asked in REFUSED.items():
            assert not schema.is_valid(asked), name
            with pytest.raises(InvalidInput):
                await collect(source, asked)


@pytest.mark.parametrize("kind", SOURCES)
async def test_config_is_described_as_what_is_taken_of_it(kind: str) -> None:
    async with _source(kind) as source:
        schema = Draft202012Validator(source.schemas().config)
        assert (schema.is_valid({}), schema.is_valid({"temperature": 1})) == (True, False)
        with pytest.raises(InvalidInput):
            await collect(source, config={"temperature": 1})
