"""One run of an agent of the OpenAI Agents SDK: started, followed, and ended. Imported once such an agent runs."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from agents import (
    Agent,
    AgentToolStreamEvent,
    ItemHelpers,
    MessageOutputItem,
    ModelBehaviorError,
    ModelRefusalError,
    RunHooks,
    RunItem,
    Runner,
    RunResultStreaming,
    RunState,
    Tool,
    Usage,
)
from agents.run_context import RunContextWrapper
from agents.tool_context import ToolContext
from typing_extensions import override

from unspool.closing import opened
from unspool.errors import SourceError
from unspool.events import Usage as UsageEvent
from unspool.events import plain
from unspool.sources.base import Call, Item, Output
from unspool.sources.conversation import asked as asked_now
from unspool.sources.conversation import conversation, said
from unspool.sources.ids import Ids
from unspool.sources.openai.responses_items import field, input_items, name_of, parsed
from unspool.sources.openai_agents.approvals import answered, asked
from unspool.sources.openai_agents.events import IS_ERROR, AgentsTranslation, key_of
from unspool.sources.openai_agents.mcp import connected

if TYPE_CHECKING:
    from agents import Session

    from unspool.sources.openai_agents.source import AgentsSource

logger = logging.getLogger("unspool")

CLOSE_SECONDS = 2.0
"""For the SDK's run to notice that it is cancelled; the source has to be closed within 5."""


class AgentRun:
    """One execution of an :class:`AgentsSource`.

    Args:
        source: What runs.
        call: What it is asked.
        put: Takes the events.
    """

    def __init__(self, source: AgentsSource, call: Call, put: Callable[[Item], None]) -> None:
        self._source = source
        self._call = call
        self._put = put
        self._translation = AgentsTranslation(Ids(call.run_id))

    async def run(self) -> None:
        """Run to the end. Must be cancelled once only: what it closes then takes several steps."""
        source, call = self._source, self._call
        agent = source.agent
        made = not isinstance(agent, Agent)
        if not isinstance(agent, Agent):
            given = agent(call)
            agent = await given if inspect.isawaitable(given) else given
        async with connected(agent, in_use=source.mcp_in_use, made=made):
            session = source.session(call) if source.session is not None else None
            context = source.context(call) if source.context is not None else None
            asked_for = await self._asked_for(agent, session, context)
            result = Runner.run_streamed(
                agent,
                cast("Any", asked_for),
                context=context,
                max_turns=source.max_turns,
                hooks=_Hooks(self._translation, self._all),
                run_config=source.run_config,
                session=session,
            )
            async with opened(followed(result, self._translation)) as events:
                async for event in events:
                    self._put(event)

    async def _asked_for(
        self, agent: Agent[Any], session: Session | None, context: object
    ) -> list[Any] | RunState[Any, Any]:
        call = self._call
        if call.answer is not None:
            state, self._translation.rejected = await answered(agent, call, context)
            self._translation.past.update(_calls(state.get_interruptions()))
            return state
        if session is None:
            return input_items(await conversation(call))
        if call.attempt > 1 or call.replaced:
            # It may hold what an earlier attempt or a replaced run said. What the log holds is what counts.
            await session.clear_session()
            await session.add_items(cast("Any", input_items(said(await call.history()))))
        return input_items(asked_now(call))

    def nested(self, event: AgentToolStreamEvent) -> None:
        """Show what an agent that is a tool does."""
        try:
            self._all(self._translation.nested(key_of(event["tool_call"]), event["event"]))
        except SourceError:
            logger.info("a model call of an agent that is a tool failed; its caller is told that the tool did")

    def _all(self, events: Iterable[Item]) -> None:
        for event in events:
            self._put(event)


class _Hooks(RunHooks[Any]):
    """Tells when each tool ends. The stream tells it only once all tools of the turn have ended."""

    def __init__(self, translation: AgentsTranslation, show: Callable[[Iterable[Item]], None]) -> None:
        self._translation = translation
        self._show = show

    @override
    async def on_tool_start(self, context: RunContextWrapper[Any], agent: Any, tool: Tool) -> None:
        if isinstance(context, ToolContext):
            self._show(self._translation.started(context.tool_call_id))

    @override
    async def on_tool_end(self, context: RunContextWrapper[Any], agent: Any, tool: Tool, result: object) -> None:
        if isinstance(context, ToolContext):
            failed = bool(field(getattr(context, "_custom_data", None), IS_ERROR))
            self._show(self._translation.ended(context.tool_call_id, result, failed=failed))


async def followed(result: RunResultStreaming, translation: AgentsTranslation) -> AsyncGenerator[Item, None]:
    """The events of a run that was started, to its end. Closing this cancels the run, and waits for its end."""
    before = _used(result.context_wrapper.usage)
    translation.past.update(_calls(result.new_items))
    async with opened(_items(result)) as items:
        async for item in items:
            for event in translation.feed(item):
                yield event
    for event in translation.end(waits=bool(result.interruptions)):
        yield event
    rest = _rest(result.context_wrapper.usage, before, translation.used)
    if rest is not None:
        yield rest
    for event in asked(result):
        yield event
    if result.final_output is not None and result.final_output != _last_text(result):
        yield Output(plain(result.final_output))


async def _items(result: RunResultStreaming) -> AsyncGenerator[Any, None]:
    cut = False
    try:
        async with opened(result.stream_events(), close_within=CLOSE_SECONDS) as items:
            try:
                async for item in items:
                    cut = item.type == "raw_response_event" and item.data.type == "response.incomplete"
                    yield item
            finally:
                _cancel(result)  # first: to close its stream, the SDK waits for the end of the run
    except ModelRefusalError:
        pass  # its text was streamed
    except ModelBehaviorError:
        if not cut:  # what was said until it was cut off is the answer, as it is without the SDK
            raise
    finally:
        await _ended(result)


def _cancel(result: RunResultStreaming) -> None:
    if result.run_loop_task is not None and not result.run_loop_task.done():
        result.cancel()


async def _ended(result: RunResultStreaming) -> None:
    """Wait for what was cancelled: the end of the model's connection, and of the tools."""
    task = result.run_loop_task
    if task is None:
        return
    if not task.done():
        await asyncio.wait([task], timeout=CLOSE_SECONDS)
    if not task.done():
        logger.warning("a run of the Agents SDK did not end within %.1f s", CLOSE_SECONDS)
    elif not task.cancelled():
        task.exception()  # raised by the stream, or overtaken by what closes us: not "never retrieved"


def _calls(items: Iterable[RunItem]) -> dict[str, tuple[str, Any]]:
    """The calls among what an interrupted run did, or waits for."""
    found: dict[str, tuple[str, Any]] = {}
    for item in items:
        if item.type in {"tool_call_item", "handoff_call_item", "tool_approval_item"}:
            raw = item.raw_item
            found[key_of(raw)] = (name_of(raw), parsed(field(raw, "arguments")))
    return found


def _last_text(result: RunResultStreaming) -> str | None:
    messages = [item for item in result.new_items if isinstance(item, MessageOutputItem)]
    return ItemHelpers.text_message_output(messages[-1]) if messages else None


def _used(usage: Usage) -> UsageEvent:
    return UsageEvent(
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        usage.output_tokens_details.reasoning_tokens,
        usage.input_tokens_details.cached_tokens,
    )


def _rest(usage: Usage, before: UsageEvent, told: UsageEvent) -> UsageEvent | None:
    """What the run took beyond what its stream told: by agents that are tools, and that nobody streamed."""
    now = _used(usage)
    if now.total_tokens - before.total_tokens <= told.total_tokens:
        return None
    return UsageEvent(
        now.input_tokens - before.input_tokens - told.input_tokens,
        now.output_tokens - before.output_tokens - told.output_tokens,
        now.total_tokens - before.total_tokens - told.total_tokens,
        now.reasoning_tokens - before.reasoning_tokens - told.reasoning_tokens,
        now.cached_tokens - before.cached_tokens - told.cached_tokens,
    )
