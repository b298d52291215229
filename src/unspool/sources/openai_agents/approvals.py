"""Runs of the OpenAI Agents SDK that wait for a person: what is asked, what is kept, and what the answer does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from unspool.errors import InvalidInput
from unspool.events import Interrupt, plain
from unspool.sources.approvals import REJECTED, Action, Decision, answer_to, asking, decisions, kept_by
from unspool.sources.base import Call, Item, Keep
from unspool.sources.openai.responses_items import parsed
from unspool.sources.openai_agents.events import key_of

if TYPE_CHECKING:
    from agents import Agent, RunResultStreaming, RunState, ToolApprovalItem

KEPT = "agents_run_state"

# Not "edit": the SDK runs what the model asked for, or does not.
DECISIONS: tuple[Decision, ...] = ("approve", "reject")


def asked(result: RunResultStreaming) -> Iterator[Item]:
    """What a run that waits for a person keeps and asks; nothing, if it does not wait."""
    if not result.interruptions:
        return
    # The object that tools get is the server's: it is made anew for the run that goes on.
    state = result.to_state().to_json(context_serializer=lambda _: {})
    yield Keep({KEPT: _without_context(plain(state))})
    for interrupt_id, item in _by_id(result.interruptions).items():
        yield Interrupt(interrupt_id, asking([_action(item)], allowed=DECISIONS))


async def answered(agent: Agent[Any], call: Call, context: object) -> tuple[RunState[Any, Any], set[str]]:
    """The state to go on from, with the decisions of the person in it; and the provider's ids of the rejected calls.

    Raises:
        InvalidInput: The run does not wait for this, or it is no decision.
    """
    from agents import RunState

    state = (await kept_by(call)).get(KEPT)
    if not isinstance(state, dict):
        raise InvalidInput(f"the run {call.resumes} does not wait for an answer")
    restored = await RunState.from_json(agent, cast("dict[str, Any]", state), context_override=cast("Any", context))
    waiting = _by_id(restored.get_interruptions())
    rejected: set[str] = set()
    for interrupt_id, answer in answer_to(call, list(waiting)).items():
        item = waiting[interrupt_id]
        [decided] = decisions(answer, [_action(item)], allowed=DECISIONS)
        if decided.type == "approve":
            restored.approve(item)
        else:
            restored.reject(item, rejection_message=decided.message or REJECTED)
            rejected.add(key_of(item.raw_item))
    return restored, rejected


def _by_id(items: Sequence[ToolApprovalItem]) -> dict[str, ToolApprovalItem]:
    """What waits, by interrupt id: the provider's id of the call, as far as that tells them apart."""
    found: dict[str, ToolApprovalItem] = {}
    for number, item in enumerate(items):
        key = key_of(item.raw_item)
        found[f"{key}-{number}" if key in found else key] = item
    return found


def _action(item: ToolApprovalItem) -> Action:
    return Action(item.name or "", parsed(item.arguments))


def _without_context(value: Any) -> Any:
    """The state, and those of the agents that are tools in it, without what tools get as ``context``."""
    if isinstance(value, list):
        return [_without_context(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    if "context_meta" in fields:
        fields = {name: item for name, item in fields.items() if name not in {"context", "context_meta"}}
        return {**_without_context(fields), "context": None}
    return {name: _without_context(item) for name, item in fields.items()}
