"""any-llm, with its own provider over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
from any_llm import AnyLLM
from any_llm.exceptions import AnyLLMError, InsufficientFundsError, MissingApiKeyError, UnsupportedProviderError
from fastapi import FastAPI

from tests.support.native import stream
from tests.support.server import serve
from tests.support.sources import collect
from unspool import Unspool
from unspool.closing import opened
from unspool.errors import SourceError, classify
from unspool.events import (
    Citation,
    MessageEnd,
    MessageStart,
    Reasoning,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
    Usage,
)
from unspool.sources import Call, adapt
from unspool.sources.any_llm import any_llm
from unspool.sources.base import NOT_RUN
from unspool.testing import FakeOpenAI, check_source
from unspool.testing.script import CallTool, Cite, Drop, Fail, Piece, Refuse, Say, Stall, Status, Think, Tokens

Connect = Callable[[FakeOpenAI], AnyLLM]


@pytest.fixture
async def connect() -> AsyncGenerator[Connect, None]:
    """Makes any-llm's OpenAI provider, as the source itself does, and closes its client."""
    async with AsyncExitStack() as stack:

        def make(server: FakeOpenAI) -> AnyLLM:
            llm = AnyLLM.create("openai", "none", server.base_url, unified_exceptions=True, max_retries=0)
            stack.push_async_callback(llm.client.close)  # type: ignore[attr-defined]
            return llm

        yield make


async def test_what_a_model_says_becomes_events(connect: Connect) -> None:
    pieces = [
        Think("hm"),
        Say("It ", "is"),
        CallTool("f", '{"a"', ":1}", call_id="c"),
        Cite("https://example.org", "Paris", 3, 5),
        Tokens(10, 7, 2, 4),
    ]
    with FakeOpenAI(pieces) as server:
        found = await collect(any_llm("m", provider=connect(server), instructions="Be brief.", temperature=0.5))
    assert found == [
        MessageStart("run-1-1"),
        Reasoning("run-1-1", "hm"),
        Token("run-1-1", "It "),
        Token("run-1-1", "is"),
        ToolStart("c", "f", "run-1-1"),
        ToolArgs("c", '{"a"'),
        ToolArgs("c", ":1}"),
        Citation("run-1-1", "https://example.org", "Paris", start=3, end=5),
        ToolCall("c", "f", {"a": 1}),
        Usage(10, 7, 17, 2, 4, "m"),
        MessageEnd("run-1-1", "tool_calls"),
        ToolEnd("c", error=NOT_RUN),
    ]
    assert server.requests[0].body == {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
    }


async def test_a_refusal_says_so(connect: Connect) -> None:
    with FakeOpenAI([Refuse("no")]) as server:
        found = await collect(any_llm("m", provider=connect(server)))
    assert found[-1] == MessageEnd("run-1-1", "refusal")


@pytest.mark.parametrize(("model", "provider"), [("openai:m", None), ("m", "openai")])
async def test_a_provider_is_made_by_its_name(model: str, provider: str | None) -> None:
    def answer(request: Any) -> list[Piece]:
        return [Status(402)] if request.body["messages"][-1]["content"] == "fail" else [Say("a")]

    with FakeOpenAI(answer=answer) as server:
        source = any_llm(
            model, provider=provider, api_base=server.base_url, api_key="k", client_args={"max_retries": 0}
        )
        assert [type(event) for event in await collect(source)] == [MessageStart, Token, Usage, MessageEnd]
        with pytest.raises(InsufficientFundsError):
            await collect(source, "fail")
        client: Any = source._ask.args[0].client  # type: ignore[attr-defined]  # an app's lives as long as the source
        assert (client.max_retries, source.name) == (0, "m")
        await client.close()
    assert (server.requests[0].body["model"], server.requests[0].headers["authorization"]) == ("m", "Bearer k")


def test_what_cannot_work_is_refused_when_the_source_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(MissingApiKeyError):
        any_llm("openai:m")
    with pytest.raises(UnsupportedProviderError):
        any_llm("nobody:m")
    with pytest.raises(TypeError, match="set by the source"):
        any_llm("openai:m", api_key="k", stream=False)


async def test_it_passes_the_kit(connect: Connect) -> None:
    with FakeOpenAI([Think("hm"), Say("a", "b"), CallTool("f", "{}", call_id="c")]) as server:
        llm = connect(server)
        await check_source(lambda: any_llm("m", provider=llm), Call(run_id="r", input="hi"))


async def test_cancelling_or_closing_it_in_a_stall_closes_the_request_at_once(connect: Connect) -> None:
    with anyio.fail_after(20), FakeOpenAI([Say("a"), Stall(), Say("b")]) as server:
        source = any_llm("m", provider=connect(server))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect, source)
            await server.stalled()
            tasks.cancel_scope.cancel()
        assert (await server.disconnected()).number == 0
        async with opened(source.stream(Call(run_id="r", input="hi"))) as events:
            assert [await anext(events), await anext(events)] == [MessageStart("r-1"), Token("r-1", "a")]
        assert (await server.disconnected()).number == 1


@pytest.mark.parametrize(
    ("piece", "code", "retry_after"),
    [
        (Fail("server_error"), "provider", None),
        (Drop(), "provider", None),
        (Status(429, "rate_limit_exceeded", retry_after=2.0), "rate_limit", 2.0),
        (Status(400, "context_length_exceeded"), "validation", None),
        (Status(401), "auth", None),
        (Status(503), "overloaded", None),
    ],
)
async def test_what_fails_is_told_in_our_words(
    connect: Connect, piece: Piece, code: str, retry_after: float | None
) -> None:
    first = [] if isinstance(piece, Status) else [Say("a")]
    with FakeOpenAI([*first, piece]) as server:
        with pytest.raises((AnyLLMError, SourceError)) as raised:
            await collect(any_llm("m", provider=connect(server)))
    failure = classify(raised.value)
    assert (failure.code, failure.retry_after, "boom" in failure.message) == (code, retry_after, False)


async def test_usage_is_not_asked_for_again_where_the_server_refuses_that(connect: Connect) -> None:
    def answer(request: Any) -> list[Piece]:
        return [Status(400, message="stream_options is unknown")] if "stream_options" in request.body else [Say("a")]

    with FakeOpenAI(answer=answer) as server:
        source = any_llm("m", provider=connect(server))
        for _ in range(2):
            assert await collect(source) == [
                MessageStart("run-1-1"),
                Token("run-1-1", "a"),
                MessageEnd("run-1-1", "stop"),
            ]
    assert ["stream_options" in request.body for request in server.requests] == [True, False, False]


async def test_ten_thousand_tokens_arrive(connect: Connect) -> None:
    words = [f"word {number} " for number in range(10_000)]
    with FakeOpenAI([Say(*words)], together=True) as server:
        found = await collect(any_llm("m", provider=connect(server)))
    assert [event.text for event in found if isinstance(event, Token)] == words


async def test_a_thread_is_told_to_the_model(connect: Connect) -> None:
    with FakeOpenAI([Say("I am ", "well.")]) as server:
        app, unspool = FastAPI(), Unspool()
        unspool.add_routes(app, any_llm("m", provider=connect(server)), path="/agent")
        async with serve(app) as url:
            with anyio.fail_after(20):
                await stream(f"{url}/agent", {"input": "How are you?", "thread_id": "t"})
                await stream(f"{url}/agent", {"input": "Why?", "thread_id": "t"})
        assert server.requests[1].body["messages"] == [
            {"role": "user", "content": "How are you?"},
            {"role": "assistant", "content": "I am well."},
            {"role": "user", "content": "Why?"},
        ]


async def test_a_function_may_yield_any_llms_chunks(connect: Connect) -> None:
    with FakeOpenAI([Think("hm"), Say("a")]) as server:
        llm = connect(server)

        async def agent(text: str) -> AsyncGenerator[Any, None]:
            messages: list[Any] = [{"role": "user", "content": text}]
            async with opened(await llm.acompletion("m", messages, stream=True)) as chunks:
                async for chunk in chunks:
                    yield chunk

        assert await collect(adapt(agent)) == [
            *(MessageStart("run-1-1"), Reasoning("run-1-1", "hm"), Token("run-1-1", "a")),
            MessageEnd("run-1-1", "stop"),
        ]


@pytest.mark.local_model
async def test_a_real_model_answers(real_model: Any) -> None:
    llm = AnyLLM.create("llamacpp", "none", real_model.base_url, unified_exceptions=True)
    async with llm.client:  # type: ignore[attr-defined]
        source = any_llm(real_model.name, provider=llm, max_completion_tokens=20)
        found = await collect(source, "Say hello.")
    usage = next(event for event in found if isinstance(event, Usage))
    assert len([event for event in found if isinstance(event, Token)]) > 2
    assert usage.input_tokens > 0 < usage.output_tokens <= 20
    assert isinstance(found[-1], MessageEnd)
