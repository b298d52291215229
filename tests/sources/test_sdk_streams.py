"""Plain functions that return an SDK's stream: it is opened, read and closed as the SDK wants it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from types import SimpleNamespace
from typing import Any

import anthropic
import anyio
import openai
import pytest

from tests.support.sources import collect
from unspool.closing import opened
from unspool.events import MessageEnd, Token, ToolEnd
from unspool.sources import Call, Output, adapt
from unspool.sources.base import NOT_RUN
from unspool.sources.sdk_streams import ThreadStream
from unspool.sources.threads import iterate_in_thread
from unspool.testing import FakeAnthropic, FakeOpenAI
from unspool.testing.script import CallTool, Say, Stall

ASKED: dict[str, Any] = {"model": "m", "input": "x"}
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
MESSAGES: dict[str, Any] = {**CHAT, "max_tokens": 9}

OPENAI: dict[str, Callable[[Any], Any]] = {
    "responses.create": lambda client: client.responses.create(**ASKED, stream=True),
    "responses.stream": lambda client: client.responses.stream(**ASKED),
    "chat.create": lambda client: client.chat.completions.create(**CHAT, stream=True),
    "chat.stream": lambda client: client.chat.completions.stream(**CHAT),
}
ANTHROPIC: dict[str, Callable[[Any], Any]] = {
    "messages.create": lambda client: client.messages.create(**MESSAGES, stream=True),
    "messages.stream": lambda client: client.messages.stream(**MESSAGES),
}
ALL = [*OPENAI, *ANTHROPIC]


@contextlib.asynccontextmanager
async def _asking(how: str, *, sync: bool, pieces: list[Any]) -> AsyncGenerator[tuple[Any, Any]]:
    """A server, and a function that asks it."""
    fake: Any = FakeOpenAI if how in OPENAI else FakeAnthropic
    with fake(pieces) as server:
        options = {"base_url": server.base_url, "api_key": "none", "max_retries": 0}
        if how in OPENAI:
            made: Any = openai.OpenAI(**options) if sync else openai.AsyncOpenAI(**options)
        else:
            made = anthropic.Anthropic(**options) if sync else anthropic.AsyncAnthropic(**options)
        ask = (OPENAI | ANTHROPIC)[how]
        try:
            yield server, lambda: ask(made)
        finally:
            if sync:
                made.close()
            else:
                await made.close()


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("how", ALL)
async def test_a_returned_stream_is_read(how: str, *, sync: bool) -> None:
    async with _asking(how, sync=sync, pieces=[Say("a", "b")]) as (_, ask):
        events = await collect(adapt(ask, name="f"))
    assert [event.text for event in events if isinstance(event, Token)] == ["a", "b"]
    assert isinstance(events[-1], MessageEnd)


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("how", ALL)
async def test_a_returned_stream_is_closed_at_once_while_it_stalls(how: str, *, sync: bool) -> None:
    async with _asking(how, sync=sync, pieces=[Say("a"), Stall()]) as (server, ask):
        with anyio.fail_after(10):
            async with opened(adapt(ask, name="f").stream(Call(run_id="r", input="x"))) as events:
                async for event in events:
                    if isinstance(event, Token):
                        break
                await server.stalled()
            assert (await server.disconnected(timeout=3)).number == 0


async def test_a_coroutine_function_may_return_a_stream_of_either_kind() -> None:
    with FakeOpenAI([Say("a")]) as server, openai.OpenAI(base_url=server.base_url, api_key="none") as client:

        async def blocking() -> Any:
            return client.responses.create(**ASKED, stream=True)

        async def generator() -> Any:
            return (text for text in "ab")

        assert Token("run-1-1", "a") in await collect(adapt(blocking))
        assert Token("run-1-1", "b") in await collect(adapt(generator))


async def test_a_function_may_run_the_tools_of_a_stream_that_it_reads() -> None:
    """What it answers itself is not closed again."""
    with FakeOpenAI([CallTool("add", "{}", call_id="c1"), CallTool("sub", "{}", call_id="c2")]) as server:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:

            async def agent() -> AsyncGenerator[Any, None]:
                async with await client.responses.create(**ASKED, stream=True) as stream:
                    async for item in stream:
                        yield item
                yield ToolEnd("c1", 3)

            events = await collect(adapt(agent))
    assert [event for event in events if isinstance(event, ToolEnd)] == [
        ToolEnd("c1", 3),
        ToolEnd("c2", error=NOT_RUN),
    ]


async def test_a_whole_answer_is_the_output() -> None:
    with FakeOpenAI([Say("a")]) as server:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:

            async def agent() -> Any:
                return await client.responses.create(**ASKED)

            [output] = await collect(adapt(agent))
    assert isinstance(output, Output)
    assert output.value["output"][0]["content"][0]["text"] == "a"


async def test_a_context_manager_that_opens_no_stream_is_refused() -> None:
    async def agent() -> Any:
        return contextlib.nullcontext(5)

    with pytest.raises(TypeError, match="not a stream"):
        await collect(adapt(agent))


async def test_a_blocking_stream_that_begins_after_the_run_was_stopped_is_closed_unread() -> None:
    entered, begin, closed = threading.Event(), threading.Event(), threading.Event()
    read: list[str] = []

    class Stream:
        def __enter__(self) -> Iterator[str]:
            return self._items()

        def _items(self) -> Generator[str, None, None]:
            read.append("read")
            yield "late"

        def __exit__(self, *_: object) -> None:
            closed.set()

    def agent() -> Any:
        entered.set()
        begin.wait(10)
        return Stream()

    source = adapt(agent)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect, source)
            await anyio.to_thread.run_sync(entered.wait, 5)
            tasks.cancel_scope.cancel()
        begin.set()
        await anyio.to_thread.run_sync(closed.wait, 5)
    assert closed.is_set()
    assert read == []


@pytest.mark.parametrize("given_back", [True, False])
def test_only_a_connection_that_was_not_given_back_is_shut_down(*, given_back: bool) -> None:
    """Else another request may be using it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = SimpleNamespace(get_extra_info={"socket": ours}.get)
        response = SimpleNamespace(is_closed=given_back, extensions={"network_stream": connection})

        class Items(list[str]):
            def __init__(self) -> None:
                super().__init__("a")
                self.response = response

        stream = ThreadStream(lambda: contextlib.nullcontext(Items()))
        assert list(stream.items()) == ["a"]
        stream.interrupt()
        theirs.setblocking(False)
        if given_back:
            with pytest.raises(BlockingIOError):
                theirs.recv(1)
        else:
            assert theirs.recv(1) == b""
        theirs.close()
        ours.close()
        stream.interrupt()  # a socket that is gone already


def test_a_thread_that_outlives_its_loop_ends_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[object] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    proceed = threading.Event()
    threads: list[threading.Thread] = []

    def blocked() -> Generator[str, None, None]:
        threads.append(threading.current_thread())
        yield "a"
        proceed.wait(10)

    async def leave() -> None:
        async with opened(iterate_in_thread(blocked)) as items:
            await anext(items)

            async def read_on() -> None:
                await anext(items)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read_on)
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()

    anyio.run(leave)
    proceed.set()
    threads[0].join(10)
    assert raised == []
