"""Picks the adapter for what a team already has, without importing a framework that is not there."""

from __future__ import annotations

import inspect
from typing import Any, cast

from unspool.sources.base import Source
from unspool.sources.functions import FunctionSource

_CAN = (
    "an async or sync generator function, a coroutine function or another callable, a LangChain runnable, "
    "a compiled LangGraph graph, or an object with `name`, `stream`, `schemas` and `resume_point`"
)


def adapt(source: Any, *, name: str | None = None) -> Source:
    """Make a :class:`Source` of ``source``.

    Args:
        source: A source already, a compiled LangGraph graph, a LangChain runnable, or a function.
        name: What to call it, if not by its own name.

    Raises:
        TypeError: It is none of these; the message says what to do.
    """
    if _is_source(source):
        return cast("Source", source)
    names = {f"{cls.__module__.partition('.')[0]}.{cls.__name__}" for cls in type(source).__mro__}
    if "langgraph.Pregel" in names:
        from unspool.sources.langgraph import LangGraphSource

        return LangGraphSource(source, name=name)
    if "langgraph.StateGraph" in names:
        raise TypeError("this is a graph that is not compiled; give the result of its `.compile()`")
    if "langchain_core.Runnable" in names:
        from unspool.sources.langchain import LangChainSource

        return LangChainSource(source, name=name)
    if inspect.isasyncgen(source) or inspect.isgenerator(source) or inspect.iscoroutine(source):
        raise TypeError("this is a generator that has started already; give the function, not what it returned")
    if callable(source) and not isinstance(source, type):
        return FunctionSource(source, name=name)
    raise TypeError(f"{type(source).__name__!r} cannot be used as a source; what can: {_CAN}")


def _is_source(source: Any) -> bool:
    members = ("name", "stream", "schemas", "resume_point")
    return not isinstance(source, type) and all(hasattr(source, member) for member in members)
