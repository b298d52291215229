"""A person decides about tool calls: what is asked, and what is understood as an answer.

The shapes are those of LangChain's human-in-the-loop middleware (langchain 1.4), which our React parts render.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import msgspec

from unspool.errors import InvalidInput
from unspool.sources.base import Call

Decision = Literal["approve", "edit", "reject"]

ALL: tuple[Decision, ...] = ("approve", "edit", "reject")

REJECTED = "A person rejected this call."

_CAN = (
    'an answer is {"decisions": [{"type": "approve"}, …]}, one for each call that was asked about, in order; '
    'or "approve" or "reject", or true or false, for all of them'
)


class Action(msgspec.Struct, frozen=True):
    """A tool call that waits."""

    name: str
    args: Any
    description: str | None = None


class Decided(msgspec.Struct, frozen=True):
    """What a person said about one action. ``args``: what to call it with. ``message``: why not, if they said so."""

    type: Decision
    args: Any = None
    message: str | None = None


def asking(actions: Sequence[Action], *, allowed: Sequence[Decision] = ALL) -> dict[str, Any]:
    """The value of an interrupt that asks about ``actions``."""
    return {
        "action_requests": [
            {"name": action.name, "args": action.args}
            | ({} if action.description is None else {"description": action.description})
            for action in actions
        ],
        "review_configs": [
            {"action_name": name, "allowed_decisions": list(allowed)}
            for name in dict.fromkeys(action.name for action in actions)
        ],
    }


async def kept_by(call: Call) -> Mapping[str, Any]:
    """What the run that ``call`` resumes kept.

    Raises:
        InvalidInput: It is gone, or kept nothing.
    """
    for past in await call.history():
        if past.run_id == call.resumes and isinstance(past.kept, Mapping):
            return cast("Mapping[str, Any]", past.kept)
    raise InvalidInput(f"the run {call.resumes} does not wait for an answer")


def answer_to(call: Call, waiting: Sequence[str]) -> dict[str, Any]:
    """What ``call`` answers, by interrupt id.

    Args:
        call: It resumes an interrupted run.
        waiting: The interrupts of that run.

    Raises:
        InvalidInput: It answers one that is not there, or leaves one out.
    """
    answers = dict(call.answer or {})
    unknown, missing = sorted(set(answers) - set(waiting)), sorted(set(waiting) - set(answers))
    if unknown:
        raise InvalidInput(f"the run does not wait for {', '.join(unknown)}")
    if missing:
        raise InvalidInput(f"these interrupts of the run need an answer as well: {', '.join(missing)}")
    return answers


def decisions(answer: object, actions: Sequence[Action], *, allowed: Sequence[Decision] = ALL) -> list[Decided]:
    """What a person decided, for each action.

    Raises:
        InvalidInput: It is not an answer to ``actions``; the message says what would be.
    """
    given: object = answer
    if isinstance(given, bool):
        given = "approve" if given else "reject"
    if isinstance(given, Mapping):
        given = cast("Mapping[str, object]", given).get("decisions", [given])
    elif isinstance(given, str):
        given = [{"type": given}] * len(actions)
    if not isinstance(given, list) or len(cast("list[object]", given)) != len(actions):
        raise InvalidInput(_CAN)
    return [_decided(one, action, allowed) for one, action in zip(cast("list[object]", given), actions, strict=True)]


def _decided(given: object, action: Action, allowed: Sequence[Decision]) -> Decided:
    fields = cast("Mapping[str, Any]", given) if isinstance(given, Mapping) else {}
    kind: object = fields.get("type")
    if kind not in allowed:
        raise InvalidInput(f"{_CAN}; what is allowed for {action.name}: {', '.join(allowed)}")
    if kind != "edit":
        message: object = fields.get("message")
        return Decided(cast("Decision", kind), action.args, message if isinstance(message, str) else None)
    edited: object = fields.get("edited_action")
    members = cast("Mapping[str, Any]", edited) if isinstance(edited, Mapping) else {}
    if members.get("name", action.name) != action.name or not isinstance(members.get("args"), dict):
        raise InvalidInput(f'an edited_action is {{"name": "{action.name}", "args": {{…}}}}')
    return Decided("edit", members["args"])
