"""Plain generators as runnables, which LangChain runs only where there is no event loop."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any, cast

from anyio import to_thread
from langchain_core.runnables import Runnable, RunnableGenerator, RunnableLambda, RunnableSequence
from langchain_core.runnables.base import RunnableBindingBase

_NO_MORE: Any = object()


def for_event_loops(runnable: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """Return a runnable that does the same, with plain generators in threads.

    Of sequences and bindings, too. A generator that takes more than its input stays as it is.
    """
    known: Any = runnable
    if isinstance(runnable, RunnableSequence):
        steps = [for_event_loops(step) for step in known.steps]
        if all(new is old for new, old in zip(steps, known.steps, strict=True)):  # LangChain finds them equal
            return runnable
        changed: Runnable[Any, Any] = known.model_copy(
            update={"first": steps[0], "middle": steps[1:-1], "last": steps[-1]}
        )
        return changed
    if isinstance(runnable, RunnableBindingBase):
        bound = for_event_loops(known.bound)
        return runnable if bound is known.bound else known.model_copy(update={"bound": bound})
    if isinstance(runnable, RunnableGenerator) and not hasattr(known, "_atransform"):
        return _threaded(runnable, known._transform)
    if isinstance(runnable, RunnableLambda) and not hasattr(known, "afunc") and inspect.isgeneratorfunction(known.func):

        def whole(chunks: Iterator[Any]) -> Iterator[Any]:
            yield from known.func(_sum(chunks))

        return _threaded(runnable, whole, known.func)
    return runnable


def _threaded(
    runnable: Runnable[Any, Any], transform: Callable[[Iterator[Any]], Iterator[Any]], takes: Any = None
) -> Runnable[Any, Any]:
    if len(inspect.signature(takes or transform).parameters) != 1:
        return runnable

    async def in_threads(chunks: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
        given = [chunk async for chunk in chunks]
        items = transform(iter(given))
        try:
            while (item := await to_thread.run_sync(next, items, _NO_MORE)) is not _NO_MORE:
                yield item
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                await to_thread.run_sync(close)

    return cast("Runnable[Any, Any]", RunnableGenerator(transform, in_threads, name=runnable.get_name()))


def _sum(chunks: Iterator[Any]) -> Any:
    """A function gets its whole input at once."""
    total = next(chunks)
    for chunk in chunks:
        total = total + chunk
    return total
