"""Agents for the tests of the AI SDK: one asks before it uses its tool, one corrects itself, one answers in JSON."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from typing_extensions import override

from tests.support.browser_agents import Answers, Gates, question_of
from unspool import Call, Source
from unspool.events import (
    AnyEvent,
    Interrupt,
    MessageEnd,
    MessageStart,
    Record,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
)
from unspool.sources import Item, ResumePoint, Rewind, Schemas
from unspool.sources.functions import FunctionSource

RECIPE = ('{"name": "soup"', ', "minutes": 2', "0}")


def make_ai_sdk_agents(gates: Gates) -> dict[str, Source]:
    """By the path that they are served at."""

    async def recipe(call: Call) -> Answers:
        for text in RECIPE:
            await gates.wait(f"recipe {call.input['of']}")
            yield text

    return {"delete": Delete(), "correct": Correct(), "recipe": FunctionSource(recipe)}


class Correct(Source):
    """Takes back half of what it said."""

    @property
    @override
    def name(self) -> str:
        return "correct"

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        message = f"{call.run_id[-12:]}-1"
        yield MessageStart(message)
        yield Token(message, "Well. ")
        yield Token(message, "It is 4.")
        yield Rewind(keep=2, reason="provider")
        yield Token(message, "It is 5.")
        yield MessageEnd(message, "stop")

    @override
    def schemas(self) -> Schemas:
        return Schemas()

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None


class Delete(Source):
    """Deletes each of the files that the question names, once a person has agreed."""

    @property
    @override
    def name(self) -> str:
        return "delete"

    @override
    async def stream(self, call: Call) -> AsyncGenerator[AnyEvent, None]:
        message = f"{call.run_id[-12:]}-1"
        yield MessageStart(message)
        if call.resumes is not None:
            async for event in _deleted(call):
                yield event
            yield Token(message, "Done.")
            yield MessageEnd(message, "stop")
            return
        yield Token(message, "I will delete them.")
        paths = question_of(call.input).split()
        for path in paths:
            yield ToolStart(f"delete-{path}", "delete", message)
            yield ToolArgs(f"delete-{path}", f'{{"path": "{path}"}}')
            yield ToolCall(f"delete-{path}", "delete", {"path": path})
        yield MessageEnd(message, "tool_calls")
        actions = [{"name": "delete", "args": {"path": path}} for path in paths]
        reviews = [{"action_name": "delete", "allowed_decisions": ["approve", "reject"]}]
        yield Interrupt("sure", {"action_requests": actions, "review_configs": reviews})

    @override
    def schemas(self) -> Schemas:
        return Schemas()

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None


async def _deleted(call: Call) -> AsyncGenerator[AnyEvent, None]:
    past = (await call.history())[-1]
    for path, decision in zip(past.messages[0].text.split(), (call.answer or {})["sure"]["decisions"], strict=True):
        if decision["type"] == "approve":
            yield ToolEnd(f"delete-{path}", f"deleted {path}")
        else:
            yield ToolEnd(f"delete-{path}", error=decision.get("message", "No."))
