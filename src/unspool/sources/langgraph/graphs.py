"""Compiled LangGraph graphs as sources: ``StateGraph.compile()``, ``create_agent``, functional entrypoints.

Checked with langgraph 1.2.22. Resuming after a crash is in :mod:`unspool.sources.langgraph.resume`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import Any, cast

import jsonpatch
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from langgraph.types import Command
from typing_extensions import override

from unspool.closing import opened
from unspool.errors import InvalidInput
from unspool.events import (
    AnyEvent,
    Data,
    Interrupt,
    Record,
    State,
    StepEnd,
    StepStart,
    ToolCall,
    ToolEnd,
    ToolStart,
    plain,
)
from unspool.sources.base import TOOL_FAILED, Call, Item, ResumePoint, Schemas, Source
from unspool.sources.driving import Outbox, driven
from unspool.sources.langchain.config import allowed_config
from unspool.sources.langchain.messages import ModelRun
from unspool.sources.langchain.runnables import schemas_of
from unspool.sources.langgraph.resume import CHECKPOINT, checkpoint_before, find_resume_point

Graph = Pregel[Any, Any, Any, Any]

# "tools" works and is missing in the type of `stream_mode`.
_MODES = ["messages", "updates", "custom", "tasks", "tools", "values"]


class LangGraphSource(Source):
    """A compiled graph.

    Carried, for subgraphs too: text, reasoning and tool calls of every model call, each a message that carries
    its node's name; tool results; nodes as steps; custom events as ``data`` named ``custom``; interrupts; usage;
    the root graph's state, as a snapshot and then patches.

    Input is a dict for the graph, or text where its input has ``messages``. A graph with a checkpointer keeps its
    memory under :attr:`Call.memory_id`, as its ``thread_id``; its run can be taken up by another
    process, at its last checkpoint, if both share the checkpointer. A tool's own error text is not shown.
    """

    def __init__(self, graph: Graph, *, name: str | None = None) -> None:
        self._graph = graph
        self._name = name or graph.get_name()
        self._chat: bool | None = None

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        config = self._config(call)
        given = await self._given(call, config)
        modes = [*_MODES, "checkpoints"] if self._has_memory else _MODES
        more: dict[str, Any] = {"durability": "sync"} if self._has_memory else {}

        async def run(outbox: Outbox[AnyEvent]) -> None:
            translation = _Translation(call)
            parts = self._graph.astream(
                given, config, stream_mode=cast("Any", modes), subgraphs=True, version="v2", **more
            )
            async for part in parts:
                for event in translation.events(cast("Mapping[str, Any]", part)):
                    outbox.put(event)

        async with opened(driven(run)) as events:
            async for event in events:
                yield event

    @property
    def _has_memory(self) -> bool:
        return bool(self._graph.checkpointer)

    def _config(self, call: Call) -> RunnableConfig:
        config = allowed_config(self._graph, call)
        if self._has_memory:
            config["configurable"] = {**config.get("configurable", {}), "thread_id": call.memory_id}
        return config

    async def _given(self, call: Call, config: RunnableConfig) -> Any:
        """What the graph is called with. Sets the checkpoint to begin at in ``config``."""
        given: Any = self._command(call) if call.answer is not None else self._input(call.input)
        if not self._has_memory:
            return given
        if call.position is not None and call.position.get("checkpoint") and not call.position.get("again"):
            config.setdefault("configurable", {})["checkpoint_id"] = call.position["checkpoint"]
            return None
        if call.attempt > 1 or call.replaced:
            # An earlier attempt may have put the input into the thread already: begin before it.
            before = await checkpoint_before(self._graph, call)
            if before is not None:
                config.setdefault("configurable", {})["checkpoint_id"] = before
        if call.answer is not None:
            await self._check_answer(call.answer, config)
        return given

    def _command(self, call: Call) -> Command[Any]:
        if not self._has_memory:
            raise InvalidInput("this graph has no checkpointer, so that an interrupted run cannot be answered")
        return Command(resume=dict(call.answer or {}))

    async def _check_answer(self, answer: Mapping[str, Any], config: RunnableConfig) -> None:
        pending = {interrupt.id for interrupt in (await self._graph.aget_state(config)).interrupts}
        unknown = sorted(set(answer) - pending)
        if unknown:
            raise InvalidInput(f"the thread does not wait for an answer to {', '.join(unknown)} any more")

    def _input(self, value: object) -> object:
        if not isinstance(value, str):
            return value
        if self._chat is None:
            properties: object = self.schemas().input.get("properties", {})
            self._chat = isinstance(properties, dict) and "messages" in properties
        return {"messages": [{"role": "user", "content": value}]} if self._chat else value

    @override
    def schemas(self) -> Schemas:
        return schemas_of(self._graph)

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return await find_resume_point(self._graph, call, records) if self._has_memory else None


class _Translation:
    """One pass over the graph's stream."""

    def __init__(self, call: Call) -> None:
        self._call = call
        # By the identity of the metadata, which is one object per model call: chunk ids are not stable. The
        # object is kept, so that its identity is not used again.
        self._models: dict[int, tuple[ModelRun, object]] = {}
        self._seen: set[str] = set()
        self._called: set[str] = set()
        self._interrupts: set[str] = set()
        self._state: Any = None

    def events(self, part: Mapping[str, Any]) -> Iterator[AnyEvent]:
        """The events of one part of the stream."""
        kind, path, data = part["type"], cast("tuple[str, ...]", part["ns"]), part["data"]
        match kind:
            case "messages":
                yield from self._message(*data)
            case "tools":
                yield from self._tool(data)
            case "tasks":
                yield self._task(data, path)
            case "updates":
                yield from self._interrupted(data.get("__interrupt__") or ())
            case "custom":
                yield Data("custom", plain(data))
            case "values" if not path:
                yield from self._values(data)
            case "checkpoints" if not path:
                checkpoint = data["config"]["configurable"]["checkpoint_id"]
                yield Data(CHECKPOINT, {"id": checkpoint}, transient=True)
            case _:
                pass

    def _message(self, message: object, meta: Mapping[str, Any]) -> Iterator[AnyEvent]:
        if not isinstance(message, AIMessage) or meta.get("lc_internal_call"):
            return
        if not isinstance(message, AIMessageChunk):
            if message.id not in self._seen:
                model = ModelRun(message, name=_speaker(meta), fallback_id=self._call.run_id)
                yield model.start()
                yield from model.feed(message)
                yield from self._end(model)
            return
        known = self._models.get(id(meta))
        if known is None:
            model = ModelRun(message, name=_speaker(meta), fallback_id=self._call.run_id)
            self._models[id(meta)] = (model, meta)
            yield model.start()
        else:
            model = known[0]
        self._seen.add(message.id or model.message_id)
        yield from model.feed(message)
        if message.chunk_position == "last":
            del self._models[id(meta)]
            yield from self._end(model)

    def _end(self, model: ModelRun) -> Iterator[AnyEvent]:
        self._seen.add(model.message_id)
        self._called.update(model.call_ids)
        yield from model.end()

    def _tool(self, data: Mapping[str, Any]) -> Iterator[AnyEvent]:
        call_id: str = data["tool_call_id"]
        match data["event"]:
            case "tool-started" if call_id not in self._called:
                self._called.add(call_id)
                yield ToolStart(call_id, data["tool_name"])
                yield ToolCall(call_id, data["tool_name"], plain(data.get("input")))
            case "tool-output-delta":
                value = {"call_id": call_id, "delta": plain(data["delta"])}
                yield Data("tool_output", value, transient=True)
            case "tool-finished":
                output = data["output"]
                if getattr(output, "status", None) == "error":
                    yield ToolEnd(call_id, error=TOOL_FAILED)
                else:
                    yield ToolEnd(call_id, plain(getattr(output, "content", output)))
            case "tool-error":
                yield ToolEnd(call_id, error=TOOL_FAILED)
            case _:
                pass

    def _task(self, data: Mapping[str, Any], path: tuple[str, ...]) -> AnyEvent:
        parent = path[-1].rpartition(":")[2] if path else None
        step = StepStart if "triggers" in data else StepEnd
        return step(data["id"], data["name"], parent)

    def _interrupted(self, interrupts: Sequence[Any]) -> Iterator[AnyEvent]:
        for interrupt in interrupts:
            if interrupt.id not in self._interrupts:  # a subgraph's comes once for each level above it
                self._interrupts.add(interrupt.id)
                yield Interrupt(interrupt.id, plain(interrupt.value))

    def _values(self, data: Any) -> Iterator[AnyEvent]:
        state = plain(data)
        if self._state is None:
            yield State(snapshot=state)
        else:
            patch: list[dict[str, Any]] = jsonpatch.make_patch(self._state, state).patch
            if patch:
                yield State(patch=patch)
        self._state = state


def _speaker(meta: Mapping[str, Any]) -> str | None:
    name = meta.get("lc_agent_name") or meta.get("langgraph_node")
    return str(name) if name is not None else None
