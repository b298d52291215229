"""Agents of the OpenAI Agents SDK as sources. Checked with openai-agents 0.24 and mcp 2.3.

This module imports the SDK only once an agent runs.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from unspool.closing import opened
from unspool.events import Record
from unspool.sources.base import Call, Item, ResumePoint, Schemas, Source, refuse_config
from unspool.sources.driving import Outbox, driven
from unspool.sources.functions import schema_of
from unspool.sources.ids import Ids
from unspool.sources.openai_agents.events import AgentsTranslation

if TYPE_CHECKING:
    from agents import Agent, AgentToolStreamEvent, RunConfig, RunResultStreaming, Session

    Made = Agent[Any] | Awaitable[Agent[Any]]

_running: ContextVar[Callable[[AgentToolStreamEvent], None] | None] = ContextVar("unspool_agents_run", default=None)


def agents_sdk(
    agent: Agent[Any] | Callable[[Call], Made],
    *,
    session: Callable[[Call], Session] | None = None,
    context: Callable[[Call], object] | None = None,
    run_config: RunConfig | None = None,
    max_turns: int = 10,
    name: str | None = None,
) -> AgentsSource:
    """Make a source of an agent.

    Args:
        agent: The agent that each run begins with, or a function, async or not, that makes it for one run. Servers of
            MCP that such a function made are connected by the run and closed with it; those of an agent that all runs
            share must be connected already, by whoever made it.
        session: Returns the SDK's session for a call. The SDK then remembers the thread, and is asked only what is
            new. Without it, the thread comes from the event log.
        context: Returns the object that tools get as ``context``, and that is never stored.
        run_config: As for ``Runner.run_streamed``.
        max_turns: Model calls of one run.
        name: What to call the source, if not as the agent.
    """
    return AgentsSource(agent, session=session, context=context, run_config=run_config, max_turns=max_turns, name=name)


class AgentsSource(Source):
    """One agent, and those that it hands over to. See :func:`agents_sdk`."""

    def __init__(
        self,
        agent: Agent[Any] | Callable[[Call], Made],
        *,
        session: Callable[[Call], Session] | None = None,
        context: Callable[[Call], object] | None = None,
        run_config: RunConfig | None = None,
        max_turns: int = 10,
        name: str | None = None,
    ) -> None:
        self.agent = agent
        self.session = session
        self.context = context
        self.run_config = run_config
        self.max_turns = max_turns
        own = getattr(agent, "name", None) or getattr(agent, "__name__", None)
        self._name = name or (own if isinstance(own, str) else type(agent).__name__)
        self.mcp_in_use: set[int] = set()

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        from unspool.sources.openai_agents.run import AgentRun

        refuse_config(call)

        async def work(outbox: Outbox[Item]) -> None:
            run = AgentRun(self, call, outbox.put)
            _running.set(run.nested)
            await run.run()

        async with opened(driven(work)) as events:
            async for event in events:
                yield event

    @override
    def schemas(self) -> Schemas:
        output = getattr(self.agent, "output_type", None)
        return Schemas(output={} if output is str else schema_of(getattr(output, "output_type", output)))

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None


def show_nested(event: AgentToolStreamEvent) -> None:
    """Show what an agent that is another's tool says and does: ``agent.as_tool(…, on_stream=show_nested)``.

    Its messages and tools come in a step of its own, inside that of the agent that called it. Without it, the SDK
    does not stream such an agent, and only its result is shown. Where no source of :func:`agents_sdk` runs, it does
    nothing.
    """
    show = _running.get()
    if show is not None:
        show(event)


async def returned_run(result: RunResultStreaming, call: Call) -> AsyncGenerator[Item, None]:
    """The events of a run that a plain function started and returned.

    Closing this cancels the run, and waits for its end.
    """
    from unspool.sources.openai_agents.run import followed

    async with opened(followed(result, AgentsTranslation(Ids(call.run_id)))) as events:
        async for event in events:
            yield cast("Item", event)
