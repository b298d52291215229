"""What each source adds to iterating the bare stream of its SDK: CPU time of this process, per token.

The model is a fake provider in a process of its own, which sends each answer in one write. Both sides read the same
answer, one after the other, in turns that change places; what is added is the median of the differences.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, NamedTuple

from benchmarks.measure import median, serving
from benchmarks.servers import TOKEN
from unspool.closing import opened
from unspool.events import Token
from unspool.sources import Call, Source, adapt

ALLOWED_PART = 0.15
ALLOWED_US = 10.0
MODEL = "fake-model"
ASKED = "Go."


class Urls(NamedTuple):
    """Where the servers are."""

    openai: str
    anthropic: str
    native: str


class Case(NamedTuple):
    """One source, and the same by hand: a function that reads the SDK's stream and returns the text."""

    bare: Callable[[], Awaitable[str]]
    source: Source
    input: Any = ASKED


@contextmanager
def providers(tokens: int) -> Generator[Urls, None, None]:
    """Fake providers that say ``tokens`` tokens, and an Unspool server."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sources", str(tokens)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        openai, anthropic = json.loads(process.stdout.readline())
        with serving("ours_memory") as server:
            yield Urls(openai, anthropic, f"http://127.0.0.1:{server.port}/agent")
    finally:
        process.communicate(b"", timeout=30)


def _serve(tokens: int) -> None:
    from unspool.testing import FakeAnthropic, FakeOpenAI
    from unspool.testing.script import Say

    turn = [Say(*[TOKEN] * tokens)]
    with FakeOpenAI(turn, together=True) as openai, FakeAnthropic(turn, together=True) as anthropic:
        print(json.dumps([openai.base_url, anthropic.base_url]), flush=True)
        sys.stdin.read()


async def _joined(texts: AsyncIterator[str]) -> str:
    return "".join([text async for text in texts])


def _openai(urls: Urls) -> Any:
    from openai import AsyncOpenAI

    return AsyncOpenAI(base_url=urls.openai, api_key="none", max_retries=0)


async def _chunks(client: Any) -> AsyncGenerator[Any, None]:
    messages = [{"role": "user", "content": ASKED}]
    async for chunk in await client.chat.completions.create(model=MODEL, messages=messages, stream=True):
        yield chunk


async def _chat_texts(client: Any) -> AsyncGenerator[str, None]:
    messages = [{"role": "user", "content": ASKED}]
    async for chunk in await client.chat.completions.create(model=MODEL, messages=messages, stream=True):
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


async def _response_texts(client: Any) -> AsyncGenerator[str, None]:
    async for event in await client.responses.create(model=MODEL, input=ASKED, stream=True):
        if event.type == "response.output_text.delta":
            yield event.delta


def function(urls: Urls, _: int) -> Case:
    """An async generator that yields the text of chat completions."""
    client = _openai(urls)

    async def agent(asked: str) -> AsyncGenerator[str, None]:
        async for text in _chat_texts(client):
            yield text

    return Case(lambda: _joined(agent(ASKED)), adapt(agent))


def function_of_chunks(urls: Urls, _: int) -> Case:
    """An async generator that yields the SDK's chunks as they are."""
    client = _openai(urls)

    async def agent(asked: str) -> AsyncGenerator[Any, None]:
        async for chunk in _chunks(client):
            yield chunk

    return Case(lambda: _joined(_chat_texts(client)), adapt(agent))


def chat_completions(urls: Urls, _: int) -> Case:
    """OpenAI's Chat Completions."""
    from unspool.sources.openai.chat import chat_completions as make

    client = _openai(urls)
    return Case(lambda: _joined(_chat_texts(client)), make(client, model=MODEL))


def responses(urls: Urls, _: int) -> Case:
    """OpenAI's Responses."""
    from unspool.sources.openai.responses import responses as make

    client = _openai(urls)
    return Case(lambda: _joined(_response_texts(client)), make(client, model=MODEL))


def responses_agent(urls: Urls, _: int) -> Case:
    """The loop over OpenAI's Responses; by hand, the one call that it makes here."""
    from unspool.sources.openai.responses_agent import responses_agent as make

    client = _openai(urls)
    return Case(lambda: _joined(_response_texts(client)), make(client, MODEL, tools=[]))


def any_llm(urls: Urls, _: int) -> Case:
    """any-llm, with its OpenAI provider."""
    from any_llm import AnyLLM

    from unspool.sources.any_llm import any_llm as make

    llm = AnyLLM.create("openai", api_key="none", api_base=urls.openai)

    async def texts() -> AsyncGenerator[str, None]:
        messages: Any = [{"role": "user", "content": ASKED}]
        stream: Any = await llm.acompletion(model=MODEL, messages=messages, stream=True)
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content

    return Case(lambda: _joined(texts()), make(MODEL, provider=llm))


def openai_agents(urls: Urls, _: int) -> Case:
    """The OpenAI Agents SDK."""
    from agents import Agent, OpenAIResponsesModel, RunConfig, Runner

    from unspool.sources.openai_agents.source import agents_sdk

    agent: Any = Agent(name="agent", model=OpenAIResponsesModel(model=MODEL, openai_client=_openai(urls)))
    config = RunConfig(tracing_disabled=True)

    async def texts() -> AsyncGenerator[str, None]:
        async for event in Runner.run_streamed(agent, ASKED, run_config=config).stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                yield event.data.delta

    return Case(lambda: _joined(texts()), agents_sdk(agent, run_config=config))


def pydantic_ai(urls: Urls, _: int) -> Case:
    """pydantic-ai."""
    from pydantic_ai import Agent, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    from unspool.sources.pydantic_ai.source import pydantic_agent

    agent: Any = Agent(OpenAIChatModel(MODEL, provider=OpenAIProvider(openai_client=_openai(urls))))

    async def texts() -> AsyncGenerator[str, None]:
        async with agent.run_stream_events(ASKED) as events:
            async for event in events:
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    yield event.part.content
                elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    yield event.delta.content_delta

    return Case(lambda: _joined(texts()), pydantic_agent(agent))


def anthropic_messages(urls: Urls, _: int) -> Case:
    """Anthropic's Messages."""
    from anthropic import AsyncAnthropic

    from unspool.sources.anthropic.messages import anthropic_messages as make

    client: Any = AsyncAnthropic(base_url=urls.anthropic, api_key="none", max_retries=0)

    async def texts() -> AsyncGenerator[str, None]:
        messages = [{"role": "user", "content": ASKED}]
        async for event in await client.messages.create(model=MODEL, messages=messages, max_tokens=4096, stream=True):
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                yield event.delta.text

    return Case(lambda: _joined(texts()), make(client, model=MODEL))


def _chat_model(urls: Urls) -> Any:
    from langchain_openai import ChatOpenAI

    options: dict[str, Any] = {"api_key": "none", "max_retries": 0}
    return ChatOpenAI(base_url=urls.openai, model=MODEL, **options)


def langchain_model(urls: Urls, _: int) -> Case:
    """A LangChain chat model."""
    model = _chat_model(urls)

    async def texts() -> AsyncGenerator[str, None]:
        async for chunk in model.astream(ASKED):
            yield chunk.content

    return Case(lambda: _joined(texts()), adapt(model))


def langchain_chain(urls: Urls, _: int) -> Case:
    """A prompt, a chat model and a parser."""
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import PromptTemplate

    chain = PromptTemplate.from_template("{asked}") | _chat_model(urls) | StrOutputParser()
    return Case(lambda: _joined(chain.astream({"asked": ASKED})), adapt(chain), {"asked": ASKED})


def langgraph(urls: Urls, _: int) -> Case:
    """A LangGraph agent; by hand, its ``messages`` alone."""
    from langchain.agents import create_agent

    graph = create_agent(_chat_model(urls), [])

    async def texts() -> AsyncGenerator[str, None]:
        given: Any = {"messages": [{"role": "user", "content": ASKED}]}
        async for message, _ in graph.astream(given, stream_mode="messages"):
            yield message.content  # type: ignore[union-attr]

    return Case(lambda: _joined(texts()), adapt(graph))


def agent_executor(urls: Urls, _: int) -> Case:
    """LangChain's classic agent; by hand, the least that shows its tokens: a callback."""
    from langchain_classic.agents import AgentExecutor, create_tool_calling_agent
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.prompts import ChatPromptTemplate

    from unspool.sources.langchain.classic import AgentExecutorSource

    prompt = ChatPromptTemplate.from_messages([("human", "{input}"), ("placeholder", "{agent_scratchpad}")])
    executor = AgentExecutor(agent=create_tool_calling_agent(_chat_model(urls), [], prompt), tools=[])

    class Listener(BaseCallbackHandler):
        run_inline = True

        def __init__(self) -> None:
            self.texts: list[str] = []

        def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
            self.texts.append(token)

    async def text() -> str:
        listener = Listener()
        async for _ in executor.astream({"input": ASKED}, {"callbacks": [listener]}):
            pass
        return "".join(listener.texts)

    return Case(text, AgentExecutorSource(executor))


def upstream(urls: Urls, tokens: int) -> Case:
    """Another Unspool server; by hand, our Python client."""
    from unspool.client import AsyncClient
    from unspool.sources.upstream.source import upstream as make

    client = AsyncClient(urls.native)
    asked = {"n": tokens}

    async def texts() -> AsyncGenerator[str, None]:
        async with client.stream(asked) as stream:
            async for event in stream:
                if isinstance(event, Token):
                    yield event.text

    return Case(lambda: _joined(texts()), make(urls.native), asked)


CASES: dict[str, Callable[[Urls, int], Case]] = {
    make.__name__: make
    for make in (
        function,
        function_of_chunks,
        chat_completions,
        responses,
        responses_agent,
        any_llm,
        openai_agents,
        pydantic_ai,
        anthropic_messages,
        langchain_model,
        langchain_chain,
        langgraph,
        agent_executor,
        upstream,
    )
}


async def _ours(case: Case) -> str:
    async with opened(case.source.stream(Call(run_id="bench", input=case.input))) as events:
        return "".join([event.text async for event in events if type(event) is Token])


async def _timed(read: Awaitable[str], want: str) -> float:
    """Seconds of CPU that reading took."""
    gc.collect()
    began = time.process_time()
    text = await read
    spent = time.process_time() - began
    if text != want:
        sys.exit(f"{len(text)} characters came instead of {len(want)}")
    return spent


async def measured(make: Callable[[Urls, int], Case], urls: Urls, tokens: int, repeats: int) -> dict[str, float]:
    """What the bare stream costs, and what the source adds: microseconds of CPU per token."""
    case = make(urls, tokens)
    want = TOKEN * tokens
    bare: list[float] = []
    ours: list[float] = []
    for index in range(repeats + 1):  # the first is the warm-up
        for side in (0, 1) if index % 2 else (1, 0):
            if side:
                ours.append(await _timed(_ours(case), want))
            else:
                bare.append(await _timed(case.bare(), want))
    each = 1e6 / tokens
    base = median(bare[1:]) * each
    added = median([after - before for after, before in zip(ours[1:], bare[1:], strict=True)]) * each
    return {"bare_us": base, "added_us": added, "allowed_us": max(ALLOWED_PART * base, ALLOWED_US)}


async def _all(urls: Urls, tokens: int, repeats: int, only: str) -> dict[str, dict[str, float]]:
    """On one event loop, since some SDKs share their connections between all of their clients."""
    results: dict[str, dict[str, float]] = {}
    for name, make in CASES.items():
        if only not in name:
            continue
        found = results[name] = await measured(make, urls, tokens, repeats)
        print(
            f"  {name:20} bare {found['bare_us']:7.1f} µs  added {found['added_us']:6.1f} µs  "
            f"{found['added_us'] / found['bare_us']:6.1%}  of {found['allowed_us']:5.1f} µs allowed  "
            f"{'met' if found['added_us'] <= found['allowed_us'] else 'NOT MET'}",
            flush=True,
        )
        gc.collect()  # clients close their connections while there is a loop
    return results


def measure(tokens: int, repeats: int, only: str = "") -> dict[str, dict[str, float]]:
    """Measure every source whose name has ``only`` in it, and print what each adds."""
    with providers(tokens) as urls:
        return asyncio.run(_all(urls, tokens, repeats, only))


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
