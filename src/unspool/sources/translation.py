"""What turns the items of a foreign stream into events, and which one a plain function's items need.

A translation knows the shape of the items and imports no framework: whoever yields them has it already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Protocol, cast

from unspool.sources.base import Item
from unspool.sources.ids import Ids


class Translation(Protocol):
    """The items of one SDK in, events out. Pure: no I/O. One per run; it goes on from one model call to the next."""

    def feed(self, item: Any) -> Iterable[Item]:
        """The events of one item.

        Raises:
            SourceError: The item says that the model call failed.
        """
        ...

    def end(self) -> Iterable[Item]:
        """The events that close what is open, once the stream has ended by itself.

        Raises:
            SourceError: It ended before the model was done.
        """
        ...


_KNOWN = {
    "openai.types.responses": "unspool.sources.openai.responses_events:ResponsesTranslation",
    "openai.lib.streaming.responses": "unspool.sources.openai.responses_events:ResponsesTranslation",
    "openai.types.chat": "unspool.sources.openai.chat_chunks:ChatTranslation",
    "openai.lib.streaming.chat": "unspool.sources.openai.chat_chunks:ChatTranslation",
    "any_llm.types.completion": "unspool.sources.openai.chat_chunks:ChatTranslation",
    "anthropic.types": "unspool.sources.anthropic.events:MessagesTranslation",
    "anthropic.lib.streaming": "unspool.sources.anthropic.events:MessagesTranslation",
    "agents.stream_events": "unspool.sources.openai_agents.events:AgentsTranslation",
    "pydantic_ai.messages": "unspool.sources.pydantic_ai.events:PydanticTranslation",
    "pydantic_ai.run": "unspool.sources.pydantic_ai.events:PydanticTranslation",
}
"""By the module that an item's class is from, or a package above it."""


class Translations:
    """Finds the translation for an item, and keeps it for the next ones of its kind. One per run."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._by_type: dict[type, Translation | None] = {}
        self._by_name: dict[str, Translation] = {}

    def of(self, item: object) -> Translation | None:
        """The translation for ``item``. None: nobody knows what it means."""
        kind = type(item)
        if kind not in self._by_type:
            self._by_type[kind] = self._find(kind)
        return self._by_type[kind]

    def end(self) -> Iterable[Item]:
        """What closes all of them."""
        for translation in self._by_name.values():
            yield from translation.end()

    def _find(self, kind: type) -> Translation | None:
        # A subscripted generic of pydantic, and a class of an SDK's user, have a module of their own.
        for cls in kind.__mro__:
            module = cls.__module__
            while module:
                if module in _KNOWN:
                    return self._named(_KNOWN[module])
                module = module.rpartition(".")[0]
        return None

    def _named(self, name: str) -> Translation:
        if name not in self._by_name:
            path, _, cls = name.partition(":")
            make = cast("Callable[[Ids], Translation]", getattr(import_module(path), cls))
            self._by_name[name] = make(self._ids)
        return self._by_name[name]
