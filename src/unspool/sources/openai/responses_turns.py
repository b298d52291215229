"""Between two model calls of an agent: the tools that run, the calls that a person decides about, what is said next."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from typing import Any

import anyio
import msgspec

from unspool.closing import opened
from unspool.errors import SourceError
from unspool.events import AnyEvent, Interrupt, ToolCall, ToolEnd, ToolStart
from unspool.sources.approvals import REJECTED, Action, answer_to, asking, decisions
from unspool.sources.base import Call, Item, Keep
from unspool.sources.driving import Outbox, driven
from unspool.sources.ids import Ids
from unspool.sources.openai.responses_events import FunctionCall, ResponsesTranslation
from unspool.sources.openai.responses_items import arguments_of, dumped, field, name_of
from unspool.sources.tools import Outcome, Tool

UNKNOWN_TOOL = "There is no such tool."


class Waiting(msgspec.Struct, frozen=True):
    """A call that a person has to agree to. ``given`` is the id that the provider knows it by."""

    call_id: str
    given: str
    name: str
    arguments: str


class Turns:
    """One run: what the model has been told, and the calls that are to be run."""

    def __init__(self, call: Call, tools: Mapping[str, Tool], timeout: float | None) -> None:
        self.items: list[dict[str, Any]] = []
        self.done = False
        self._ids = Ids(call.run_id)
        self.translation = ResponsesTranslation(self._ids)
        self._call = call
        self._tools = tools
        self._timeout = timeout
        self._ready: list[Waiting] = []
        self._outputs: dict[str, str] = {}

    def goes_on(self) -> bool:
        """Whether the model waits for tools. An answer that was cut short is the last one."""
        translation = self.translation
        if translation.approvals:
            raise SourceError("The model asked for an approval that this agent cannot pass on.", code="internal")
        calls = translation.calls.values()
        self.done = translation.finish_reason != "tool_calls" or not all(map(_is_function, calls))
        return not self.done

    def take(self, needs_approval: Callable[[str, Any], bool]) -> list[Waiting]:
        """Take over what the model wants. Return the calls that a person has to agree to first."""
        translation = self.translation
        self.items = [*self.items, *(dumped(item) for item in translation.output if _is_wanted(item))]
        asked: list[Waiting] = []
        for call_id, made in translation.calls.items():
            item = made.item
            one = Waiting(call_id, field(item, "call_id"), name_of(item), field(item, "arguments") or "")
            (asked if needs_approval(one.name, arguments_of(item)) else self._ready).append(one)
        translation.calls.clear()
        return asked

    def decided(self, kept: Mapping[str, Any]) -> Iterator[AnyEvent]:
        """Go on with a run that waited for a person: the calls are shown again, and those that are wanted run."""
        asked = [msgspec.convert(one, Waiting) for one in kept["waiting"]]
        interrupt_id = kept["interrupt_id"]
        answer = answer_to(self._call, [interrupt_id])[interrupt_id]
        self.items = list(kept["items"])
        actions = [_action(one) for one in asked]
        for one, action, said in zip(asked, actions, decisions(answer, actions), strict=True):
            self._ids.call(one.call_id)  # it is used
            yield ToolStart(one.call_id, one.name)
            yield ToolCall(one.call_id, one.name, said.args if said.type == "edit" else action.args)
            if said.type == "reject":
                why = REJECTED if said.message is None else f"{REJECTED} {said.message}"
                yield ToolEnd(one.call_id, error=why)
                self._outputs[one.given] = why
            elif said.type == "edit":
                text = msgspec.json.encode(said.args).decode()
                self.items = [_edited(item, one.given, text) for item in self.items]
                self._ready.append(msgspec.structs.replace(one, arguments=text))
            else:
                self._ready.append(one)

    async def run(self) -> AsyncGenerator[AnyEvent, None]:
        """Run what is ready, all at once; each end as it comes."""
        ready, self._ready = self._ready, []

        async def work(outbox: Outbox[AnyEvent]) -> None:
            async with anyio.create_task_group() as tasks:
                for one in ready:
                    tasks.start_soon(self._run_one, one, outbox)

        async with opened(driven(work)) as events:
            async for event in events:
                yield event
        # In the order in which they were made, so that the same conversation is always the same to a prompt cache.
        for item in self.items[:]:
            if item.get("type") == "function_call" and item["call_id"] in self._outputs:
                told = self._outputs.pop(item["call_id"])
                self.items.append({"type": "function_call_output", "call_id": item["call_id"], "output": told})

    async def _run_one(self, one: Waiting, outbox: Outbox[AnyEvent]) -> None:
        tool = self._tools.get(one.name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            outcome = Outcome(error=UNKNOWN_TOOL, told=f"{UNKNOWN_TOOL} There are: {known}.")
        else:
            outcome = await tool.run(one.arguments, self._call, timeout=self._timeout)
        self._outputs[one.given] = outcome.told
        outbox.put(ToolEnd(one.call_id, outcome.result, outcome.error))


def waiting(items: list[dict[str, Any]], asked: Sequence[Waiting]) -> Iterator[Item]:
    """What a run ends with that waits for a person: all that the next one needs, and the question."""
    interrupt_id = f"approve-{asked[0].call_id}"
    yield Keep({"items": items, "waiting": msgspec.to_builtins(asked), "interrupt_id": interrupt_id})
    yield Interrupt(interrupt_id, asking([_action(one) for one in asked]))


def _action(one: Waiting) -> Action:
    return Action(one.name, arguments_of({"type": "function_call", "arguments": one.arguments}))


def _edited(item: dict[str, Any], given: str, arguments: str) -> dict[str, Any]:
    """The model is shown the arguments that were really used."""
    if item.get("type") == "function_call" and item.get("call_id") == given:
        return {**item, "arguments": arguments}
    return item


def _is_function(made: FunctionCall) -> bool:
    return str(field(made.item, "type")) == "function_call"


def _is_wanted(item: Any) -> bool:
    """Reasoning that is neither stored nor encrypted cannot be sent back."""
    return str(field(item, "type")) != "reasoning" or bool(field(item, "encrypted_content"))
