"""The tool calls of one message of Chat Completions, from their fragments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from unspool.events import ToolArgs, ToolCall, ToolStart
from unspool.sources.base import Item
from unspool.sources.ids import Ids


class CallsOfMessage:
    """Puts the fragments of parallel calls together.

    A call is known by its ``index``; where a server sends none, by its id. One that comes under an index in use, with
    an id and a name of its own, is another call: some servers give each the index 0. A fragment that has neither index
    nor id goes on with the last call, unless it has a name.

    Args:
        ids: Makes the ids of calls.
        message_id: The message that makes the calls.
    """

    def __init__(self, ids: Ids, message_id: str) -> None:
        self._ids = ids
        self._message_id = message_id
        self._calls: list[_Call] = []
        self._by_key: dict[object, _Call] = {}

    @property
    def ids(self) -> list[str]:
        """The calls that were started, by our ids."""
        return [call.id for call in self._calls if call.id]

    def feed(self, delta: Mapping[str, Any]) -> Iterator[Item]:
        """The events of the fragments that a delta holds."""
        for item in delta.get("tool_calls") or ():
            fragment = members(item)
            # Custom tools take free text instead of JSON.
            custom = members(fragment.get("custom"))
            function = custom or members(fragment.get("function"))
            call = self._call(fragment.get("index"), fragment.get("id"), function.get("name"))
            call.is_text = bool(custom)
            yield from self._add(call, function.get("input" if custom else "arguments"))
        function = members(delta.get("function_call"))  # before there were tools: one call, and no id
        if function:
            yield from self._add(self._call("function_call", None, function.get("name")), function.get("arguments"))

    def _call(self, index: object, given: str | None, name: str | None) -> _Call:
        key = index if index is not None else given
        call = self._by_key.get(key) if key is not None else None
        if key is None and not name and self._calls:
            call = self._calls[-1]
        if call is None or call.is_other(given, name):
            call = _Call()
            self._calls.append(call)
            if key is not None:
                self._by_key[key] = call
        call.given = call.given or given
        call.name = call.name or name or ""
        return call

    def _add(self, call: _Call, args: object) -> Iterator[Item]:
        text = args if isinstance(args, str) else "" if args is None else msgspec.json.encode(args).decode()
        if text:
            call.args.append(text)
        if not call.id:
            if not call.name:
                return  # a call without its name cannot be shown yet
            yield from self._start(call)
        elif text:
            yield ToolArgs(call.id, text)

    def _start(self, call: _Call) -> Iterator[Item]:
        call.id = self._ids.call(call.given)
        yield ToolStart(call.id, call.name, self._message_id)
        for text in call.args:
            yield ToolArgs(call.id, text)

    def end(self) -> Iterator[Item]:
        """The events of what is complete, once the model has said all."""
        for call in self._calls:
            if not call.id:
                yield from self._start(call)
            yield ToolCall(call.id, call.name, call.parsed())


class _Call:
    __slots__ = ("args", "given", "id", "is_text", "name")

    def __init__(self) -> None:
        self.id = ""
        self.given: str | None = None
        self.name = ""
        self.args: list[str] = []
        self.is_text = False

    def is_other(self, given: str | None, name: str | None) -> bool:
        """Whether a fragment with this id and name begins another call. Servers may repeat both with each fragment."""
        if self.given is None:
            return bool(name and self.name and name != self.name)
        return bool(name and given and given != self.given)

    def parsed(self) -> Any:
        """The arguments as JSON; the text itself where the model did not write JSON."""
        text = "".join(self.args)
        if self.is_text:
            return text
        try:
            return msgspec.json.decode(text) if text else {}
        except (msgspec.DecodeError, RecursionError):
            return text


def members(value: Any) -> Mapping[str, Any]:
    """All that an object of an SDK holds, declared in its types or not; of a mapping, its items."""
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value)
    held: dict[str, Any] = getattr(value, "__dict__", None) or {}
    more: dict[str, Any] | None = getattr(value, "__pydantic_extra__", None)
    return {**held, **more} if more else held
