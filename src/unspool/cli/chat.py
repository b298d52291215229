"""``unspool chat``: a mounted agent in the terminal."""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import Callable

import anyio
from rich.console import Console
from rich.text import Text

from unspool.client import AsyncClient, AsyncRunStream
from unspool.errors import UnspoolError
from unspool.events import AnyEvent, End, Error, Interrupt, Reasoning, Retry, Token, ToolCall, ToolEnd

console = Console(highlight=False)


async def run_chat(url: str, thread: str | None) -> None:
    """Ask, print the answer as it comes, and ask again until the input ends."""
    thread_id = thread or str(uuid.uuid4())
    console.print(Text(f"Conversation {thread_id}. Ctrl-C stops an answer, and leaves at the prompt.", style="dim"))
    async with AsyncClient(url) as client:
        while True:
            asked = await _prompt()
            if asked is None:
                return
            if asked.strip():
                await _answer(client, asked, thread_id)


async def _prompt() -> str | None:
    try:
        return await anyio.to_thread.run_sync(lambda: console.input("[bold]> [/bold]"), abandon_on_cancel=True)
    except (EOFError, KeyboardInterrupt):
        return None


async def _answer(client: AsyncClient, asked: str, thread_id: str) -> None:
    stream = client.stream(asked, thread_id=thread_id)
    while True:
        interrupt = await _print_run(stream)
        if interrupt is None:
            return
        console.print(Text(f"\n? {interrupt.value}", style="magenta"))
        answer = await _prompt()
        if answer is None:
            return
        stream = client.resume(stream.run_id, answer)


async def _print_run(stream: AsyncRunStream) -> Interrupt | None:
    """Print a run to its end. Return what it waits for, if it does."""
    interrupt: Interrupt | None = None
    try:
        async with stream, anyio.create_task_group() as tasks:
            stopped = anyio.Event()

            async def cancel_when_told() -> None:
                await stopped.wait()
                console.print(Text("\nStopping…", style="dim"))
                await stream.cancel()

            tasks.start_soon(cancel_when_told)
            with _on_interrupt(stopped.set):
                async for event in stream:
                    interrupt = event if isinstance(event, Interrupt) else interrupt
                    _print(event)
            tasks.cancel_scope.cancel()
    except* UnspoolError as group:
        interrupt = None
        for error in group.exceptions:
            console.print(Text(str(error), style="red"))
    return interrupt


class _on_interrupt:  # noqa: N801 - used as a statement
    """Ctrl-C calls ``action`` for as long as this is entered."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> None:
        self._loop.add_signal_handler(signal.SIGINT, self._action)

    def __exit__(self, *_: object) -> None:
        self._loop.remove_signal_handler(signal.SIGINT)


def _print(event: AnyEvent) -> None:
    match event:
        case Token():
            console.print(Text(event.text), end="", soft_wrap=True)
        case Reasoning():
            console.print(Text(event.text, style="dim italic"), end="", soft_wrap=True)
        case ToolCall():
            console.print(Text(f"\n[{event.name} {event.args}]", style="cyan"))
        case ToolEnd():
            console.print(Text(f"[→ {event.error or event.result}]", style="red" if event.error else "cyan"))
        case Retry():
            console.print(Text("\n(begun again)", style="yellow"))
        case Error():
            console.print(Text(f"\n{event.message}", style="red"))
        case End():
            _print_end(event)
        case _:
            pass


def _print_end(event: End) -> None:
    rate = event.metrics.tokens_per_second if event.metrics is not None else None
    console.print(Text(f"\n({event.status}{f', {rate} tokens/s' if rate else ''})", style="dim"))
