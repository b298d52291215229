"""Parts of AG-UI's messages and events, made of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import jsonpatch
import msgspec

from unspool.events import Citation, File, State, Usage

ROLES = frozenset({"assistant", "user", "system"})
"""The roles of our messages that a text message of AG-UI can have."""


class OpenCall(NamedTuple):
    """A tool call that has no result."""

    call_id: str
    name: str
    args: Any


def run_of(message_id: str) -> str:
    """The run that a message comes from, if its id is one that :class:`~unspool.wire.ag_ui.AgUiSse` gave."""
    return message_id.partition(":")[0]


def calls_of(messages: Sequence[Mapping[str, Any]]) -> dict[str, OpenCall]:
    """The tool calls in messages of AG-UI that none of them answers, by id."""
    found: dict[str, OpenCall] = {}
    for message in messages:
        if message.get("role") == "tool":
            found.pop(str(message.get("toolCallId")), None)
        for call in message.get("toolCalls") or ():
            function = call["function"]
            found[call["id"]] = OpenCall(call["id"], function["name"], parsed(function["arguments"]))
    return found


def call_ids(messages: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The ids of all tool calls in messages of AG-UI."""
    return frozenset(call["id"] for message in messages for call in message.get("toolCalls") or ())


def parsed(text: str) -> Any:
    """The arguments of a call, or their text where that is not JSON."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def of_message(event: Citation | File, message_id: str | None) -> dict[str, Any]:
    """The fields of an event that belongs to a message, with the id that the client knows the message by."""
    fields = cast("dict[str, Any]", msgspec.to_builtins(event))
    del fields["type"]
    fields.pop("message_id", None)
    return fields if message_id is None else {"messageId": message_id, **fields}


def folded(state: Any, events: Sequence[State]) -> Any:
    """The state after ``events``."""
    for event in events:
        if event.patch is None:
            state = event.snapshot
            continue
        try:
            state = jsonpatch.apply_patch(state, event.patch)
        except jsonpatch.JsonPatchException:
            continue  # AG-UI's clients leave a patch out that does not fit, too
    return state


def usage_by_model(usages: Sequence[Usage]) -> list[dict[str, Any]]:
    """What the calls of each model took, one entry per model, without what is not known."""
    found: dict[str | None, dict[str, Any]] = {}
    for usage in usages:
        entry = found.setdefault(usage.model, {} if usage.model is None else {"model": usage.model})
        for name, count in (
            ("inputTokens", usage.input_tokens),
            ("outputTokens", usage.output_tokens),
            ("totalTokens", usage.total_tokens or usage.input_tokens + usage.output_tokens),
            ("reasoningTokens", usage.reasoning_tokens),
            ("cachedInputTokens", usage.cached_tokens),
        ):
            if count:
                entry[name] = entry.get(name, 0) + count
    return list(found.values())
