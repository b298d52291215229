"""Picks the adapter for what a team already has, without importing a framework that is not there."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any, cast

from unspool.sources.base import Source
from unspool.sources.functions import FunctionSource

_CAN = (
    "an async or sync generator function, a coroutine function or another callable, a LangChain runnable, "
    "a compiled LangGraph graph, an agent of the OpenAI Agents SDK or of pydantic-ai, what `unspool.responses` and "
    "its like return, or an object with `name`, `stream`, `schemas` and `resume_point`"
)

_ADAPTERS = {
    "langgraph.Pregel": "unspool.sources.langgraph.graphs:LangGraphSource",
    "langchain_classic.AgentExecutor": "unspool.sources.langchain.classic:AgentExecutorSource",
    "langchain_core.Runnable": "unspool.sources.langchain.runnables:LangChainSource",
    "agents.agent.Agent": "unspool.sources.openai_agents.source:AgentsSource",
    "pydantic_ai.AbstractAgent": "unspool.sources.pydantic_ai.source:PydanticAISource",
}
"""By the package, and the name, of an object's class or of one above it. The first that fits; so the narrow ones first.

``agents`` is a name that users give to packages of their own: there the whole module counts.
"""


def adapt(source: Any, *, name: str | None = None) -> Source:
    """Make a :class:`Source` of ``source``.

    Args:
        source: A source already, a compiled LangGraph graph, a LangChain runnable, an agent of the OpenAI Agents SDK or
            of pydantic-ai, or a function.
        name: What to call it, if not by its own name.

    Raises:
        TypeError: It is none of these; the message says what to do.
    """
    if _is_source(source):
        return cast("Source", source)
    names = _names(type(source))
    if "langgraph.StateGraph" in names:
        raise TypeError("this is a graph that is not compiled; give the result of its `.compile()`")
    for known, adapter in _ADAPTERS.items():
        if known in names:
            path, _, cls = adapter.partition(":")
            return cast("Source", getattr(import_module(path), cls)(source, name=name))
    if inspect.isasyncgen(source) or inspect.isgenerator(source) or inspect.iscoroutine(source):
        raise TypeError("this is a generator that has started already; give the function, not what it returned")
    if callable(source) and not isinstance(source, type):
        return FunctionSource(source, name=name)
    raise TypeError(f"{type(source).__name__!r} cannot be used as a source; what can: {_CAN}")


def _names(kind: type) -> set[str]:
    classes = [(cls.__module__, cls.__name__) for cls in kind.__mro__]
    packages = {f"{module.partition('.')[0]}.{name}" for module, name in classes}
    return packages | {f"{module}.{name}" for module, name in classes}


def _is_source(source: Any) -> bool:
    members = ("name", "stream", "schemas", "resume_point")
    return not isinstance(source, type) and all(hasattr(source, member) for member in members)
