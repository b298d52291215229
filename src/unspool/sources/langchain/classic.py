"""LangChain's classic ``AgentExecutor`` as a source: agents that call tools, and those that write actions as text.

Checked with langchain-classic 1.0.8.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from langchain_classic.agents import AgentExecutor
from langchain_core.agents import AgentAction
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, get_buffer_string
from typing_extensions import override

from unspool.closing import opened
from unspool.errors import InvalidInput
from unspool.events import Record, plain
from unspool.sources.base import TOOL_FAILED, Call, Item, Keep, Output, Past, ResumePoint, Schemas, Source
from unspool.sources.conversation import NOT_COMPLETED
from unspool.sources.driving import Outbox, driven
from unspool.sources.langchain.callbacks import Callbacks
from unspool.sources.langchain.config import allowed_config
from unspool.sources.langchain.messages import as_langchain, messages_of
from unspool.sources.langchain.runnables import schemas_of

HISTORY = "chat_history"


class AgentExecutorSource(Source):
    """An ``AgentExecutor``.

    Carried: every call of the agent's model as a message, with its tool calls as they stream; for an agent that
    writes its actions as text, each action as a tool call when it begins; tools' results; usage. The final output is
    the text of the last message; a part of it (the text behind "Final Answer:") is in the ``end`` as well, and what
    no model streamed (the executor's own words, a tool's result) is a message of its own.

    Input is text, ``{"messages": […]}``, or the executor's own keys. Where its prompt has ``chat_history``, that is
    filled with what was asked and answered in the thread; a memory of the executor's own overrules it.
    """

    def __init__(self, executor: AgentExecutor, *, name: str | None = None) -> None:
        self._executor = executor
        self._name = name or executor.get_name()
        self._known: Mapping[str, Any] | None = None

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        config = allowed_config(self._executor, call)
        given = self._given(call.input)
        if HISTORY not in given and HISTORY in self._fields:
            given[HISTORY] = self._history(await call.history())

        async def run(outbox: Outbox[Item]) -> None:
            callbacks = _AgentCallbacks(outbox, call.run_id)
            result: Mapping[str, Any] = {}
            steps = self._executor.astream(given, {**config, "callbacks": [callbacks]})
            async with opened(steps) as parts:
                async for part in parts:
                    result = part
            callbacks.close(NOT_COMPLETED)
            for item in _finished(result, callbacks, str(given.get(self._text_field, ""))):
                outbox.put(item)

        async with opened(driven(run)) as events:
            async for event in events:
                yield event

    @property
    def _fields(self) -> Mapping[str, Any]:
        """What the agent's prompt wants, by name: JSON Schemas."""
        if self._known is None:
            inner: Any = getattr(self._executor.agent, "runnable", None)
            if inner is None:
                self._known = dict.fromkeys(self._executor.input_keys, cast("Any", {}))
            else:
                found = dict(schemas_of(inner).input.get("properties", {}))
                self._known = {key: field for key, field in found.items() if key != "intermediate_steps"}
        return self._known

    @property
    def _text_field(self) -> str:
        """The one that the question goes into."""
        others = [key for key in self._fields if key != HISTORY]
        return others[0] if len(others) == 1 else "input"

    def _given(self, value: object) -> dict[str, Any]:
        """What the executor is called with; without the thread's history.

        Raises:
            InvalidInput: It is none of the forms that can be understood.
        """
        if isinstance(value, str):
            return {self._text_field: value}
        if not isinstance(value, Mapping):
            raise InvalidInput('the input must be text, {"messages": […]}, or an object with what the agent takes')
        fields = dict(cast("Mapping[str, Any]", value))
        if "messages" not in fields or "messages" in self._fields:
            return fields
        *before, last = messages_of(fields.pop("messages"))
        if not isinstance(last, HumanMessage):
            raise InvalidInput("the last message of the input must be the user's")
        fields[self._text_field] = last.text
        if before and HISTORY in self._fields:
            fields[HISTORY] = self._as_wanted(before)
        return fields

    def _history(self, pasts: Sequence[Past]) -> Any:
        return self._as_wanted([message for past in pasts for message in _exchange(past)])

    def _as_wanted(self, messages: list[BaseMessage]) -> Any:
        """Messages, or their text where the prompt puts it into a string."""
        return get_buffer_string(messages) if self._fields[HISTORY].get("type") == "string" else messages

    @override
    def schemas(self) -> Schemas:
        known = schemas_of(self._executor)
        return Schemas(
            input={"type": "object", "properties": dict(self._fields)}, output=known.output, config=known.config
        )

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None


class _AgentCallbacks(Callbacks):
    """Finds out which call of the model a tool's run belongs to: the executor does not tell the tool."""

    def __init__(self, outbox: Outbox[Item], run_id: str) -> None:
        super().__init__(outbox, run_id)
        self._actions: list[tuple[UUID, AgentAction]] = []
        self._no_such_tool: set[UUID] = set()

    @override
    def on_agent_action(self, action: AgentAction, *, run_id: UUID, **kwargs: Any) -> None:
        self._actions.append((run_id, action))

    @override
    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        name = str((serialized or {}).get("name"))
        parent: UUID | None = kwargs.get("parent_run_id")
        if name == "_Exception":  # not a tool: how the executor tells the model that it was not understood
            return
        wanted = str((inputs or {}).get("requested_tool_name")) if name == "invalid_tool" else name
        action = self._action(parent, wanted, None if wanted != name else input_str)
        if action is None:
            super().on_tool_start(serialized, input_str, run_id=run_id, inputs=inputs, **kwargs)
            return
        if wanted != name:
            self._no_such_tool.add(run_id)
        asked = self._called.pop(str(getattr(action, "tool_call_id", None)), None)
        if asked is None:
            self._start_tool(run_id, wanted, plain(action.tool_input), message_id=self.message_id)
        else:
            self._tools[run_id] = asked

    def _action(self, parent: UUID | None, name: str, input_str: str | None) -> AgentAction | None:
        """The action that a tool was started for. Several may run at once, of one tool too."""
        for index, (run_id, action) in enumerate(self._actions):
            same = input_str is None or str(action.tool_input) == input_str
            if run_id == parent and action.tool == name and same:
                del self._actions[index]
                return action
        return None

    @override
    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        if run_id in self._no_such_tool:
            self._end_tool(run_id, None, TOOL_FAILED)
        else:
            super().on_tool_end(output, run_id=run_id, **kwargs)


def _finished(result: Mapping[str, Any], callbacks: Callbacks, asked: str) -> Sequence[Item]:
    """What follows the last event, once the executor has returned ``result``."""
    values = {key: value for key, value in result.items() if key not in {"intermediate_steps", "messages"}}
    if len(values) != 1:
        return [Output(plain(values))]
    value = _text(next(iter(values.values())))
    if not isinstance(value, str):
        return [Output(plain(value))]
    if value not in callbacks.said:
        callbacks.say(value)
    kept = Keep({"asked": asked, "answered": value})
    return [kept] if value == callbacks.said or not value else [kept, Output(value)]


def _text(value: object) -> object:
    """The text of content blocks, which some providers' final answers are; anything else as it is."""
    if isinstance(value, list) and all(isinstance(block, dict) for block in cast("list[object]", value)):
        return AIMessage(cast("Any", value)).text
    return value


def _exchange(past: Past) -> list[BaseMessage]:
    """What was asked and answered in an earlier run, without the agent's work in between."""
    kept: object = past.kept
    if isinstance(kept, dict):
        fields = cast("dict[str, str]", kept)
        return [HumanMessage(fields["asked"]), AIMessage(fields["answered"])]
    asked = [message for message in past.messages if message.role == "user"]
    answers = [message.text for message in past.messages if message.role == "assistant" and message.text]
    return [*as_langchain(asked), AIMessage(answers[-1])] if asked and answers else []
