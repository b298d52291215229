"""Pydantic AI agents as sources. Checked against pydantic-ai 2.68."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import anyio
from typing_extensions import override

from unspool.errors import InvalidInput, provider_error
from unspool.events import Record
from unspool.sources.base import Call, Item, Output, ResumePoint, Schemas, Source, refuse_config
from unspool.sources.driving import CLOSE_SECONDS
from unspool.sources.ids import Ids
from unspool.sources.pydantic_ai.events import PydanticTranslation
from unspool.sources.pydantic_ai.messages import answers_of, asked_of, history_of, kept, prompt_of

if TYPE_CHECKING:
    from pydantic_ai.agent import AbstractAgent, AgentRunEvents
    from pydantic_ai.exceptions import ContentFilterError

logger = logging.getLogger("unspool")

Deps = Callable[[Call], Any]

_OURS = frozenset(
    {"message_history", "deferred_tool_results", "conversation", "conversation_id", "run_id", "user_prompt"}
)


def pydantic_agent(
    agent: AbstractAgent[Any, Any], *, deps: Deps | None = None, name: str | None = None, **run_params: Any
) -> Source:
    """A Pydantic AI agent that answers.

    The input is text or ``{"messages": […]}``, also with files. The thread's earlier messages are given to the
    agent as Pydantic AI made them. A tool that needs approval, or whose result comes from outside, interrupts the run.

    Args:
        agent: The agent.
        deps: Makes the dependencies of one run. It may be a coroutine function.
        name: What to call it, if not by the agent's name.
        run_params: For ``agent.run_stream_events``: ``model_settings``, ``usage_limits``, ``toolsets`` and others.

    Raises:
        TypeError: One of ``run_params`` is what this source decides.
    """
    return PydanticAISource(agent, deps=deps, name=name, **run_params)


class PydanticAISource(Source):
    """See :func:`pydantic_agent`."""

    def __init__(
        self, agent: AbstractAgent[Any, Any], *, deps: Deps | None = None, name: str | None = None, **run_params: Any
    ) -> None:
        taken = sorted(_OURS.intersection(run_params))
        if taken:
            raise TypeError(f"{taken[0]!r} cannot be set here: this source decides it for each run")
        self._agent = agent
        self._name = name or agent.name or "agent"
        self._deps = deps
        self._params = run_params

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        from pydantic_ai.exceptions import ContentFilterError

        refuse_config(call)
        params = await self._run_params(call)
        async with _closed_soon(self._agent.run_stream_events(**params)) as events:
            translation = PydanticTranslation(Ids(call.run_id), messages=events.new_messages)
            output: Output | None = None
            try:
                async for item in events:
                    for event in translation.feed(item):
                        if isinstance(event, Output):
                            output = event
                        else:
                            yield event
            except ContentFilterError as exc:
                for event in _refusal(translation, events, exc):
                    yield event
                return  # nothing is kept: the agent's own messages do not hold what was said
        keep = kept(events.new_messages(), translation.pending)
        if keep is not None:
            yield keep
        if output is not None:
            yield output

    async def _run_params(self, call: Call) -> dict[str, Any]:
        """What one run is started with.

        Raises:
            InvalidInput: The input, or the answer, cannot be used.
        """
        from pydantic_ai import DeferredToolRequests
        from pydantic_ai.capabilities import ReinjectSystemPrompt
        from pydantic_ai.messages import repair_messages

        params: dict[str, Any] = dict(self._params)
        # The first run of a thread has the system prompt; it may be one that kept nothing.
        params["capabilities"] = [*(params.get("capabilities") or ()), ReinjectSystemPrompt()]
        pasts = await call.history()
        if call.resumes is not None:
            if not pasts or pasts[-1].run_id != call.resumes:
                raise InvalidInput("the run that is continued is not the last one of its thread")
            params["message_history"] = history_of(pasts)
            params["deferred_tool_results"] = answers_of(pasts[-1], call)
        else:
            asked = asked_of(call)
            prompt = prompt_of(asked[-1])
            earlier = asked if prompt is None else asked[:-1]
            # Calls that nobody answered are closed: the agent refuses a new question while there are any.
            params["message_history"] = repair_messages([*history_of(pasts), *earlier])
            params["user_prompt"] = prompt
        if self._deps is not None:
            deps = self._deps(call)
            params["deps"] = await cast("Awaitable[Any]", deps) if inspect.isawaitable(deps) else deps
        if not _has_validators(self._agent):
            wanted: Any = params.get("output_type") or self._agent.output_type
            params["output_type"] = [*(wanted if isinstance(wanted, list | tuple) else [wanted]), DeferredToolRequests]
        return params

    @override
    def schemas(self) -> Schemas:
        from pydantic import PydanticSchemaGenerationError, PydanticUserError

        try:
            return Schemas(output=cast("dict[str, Any]", self._agent.output_json_schema()))
        except (PydanticSchemaGenerationError, PydanticUserError):  # a type that has no JSON Schema
            return Schemas()

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None


def _has_validators(agent: Any) -> bool:
    """Whether a run takes no output type of its own, so that it cannot be told that tools may wait for somebody.

    The agent says itself what to do, once a tool does: to have ``DeferredToolRequests`` among its output types.
    """
    while hasattr(agent, "wrapped"):
        agent = agent.wrapped
    return bool(getattr(agent, "_output_validators", ()))


@asynccontextmanager
async def _closed_soon(
    run: AbstractAsyncContextManager[AgentRunEvents[Any]],
) -> AsyncGenerator[AgentRunEvents[Any], None]:
    """Iterate a run, and stop it before leaving; wait for its tools to clean up, but not for ever.

    The SDK's own closing has no limit, and lets nothing interrupt it: so it is waited for from outside.
    """
    events = await run.__aenter__()  # it has nothing to leave but `events`
    try:
        yield events
    finally:
        closing = asyncio.create_task(events.aclose())
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            await asyncio.wait([closing])
        if not closing.done():
            logger.warning("a run of a Pydantic AI agent did not stop within %g s", CLOSE_SECONDS)


def _refusal(translation: PydanticTranslation, events: AgentRunEvents[Any], exc: ContentFilterError) -> Iterator[Item]:
    """What the model said instead of an answer.

    Raises:
        SourceError: It said nothing: the provider's filter took the answer away.
    """
    response: Any = events.all_messages()[-1]
    details: object = getattr(response, "provider_details", None)
    refusal: object = cast("Mapping[str, Any]", details).get("refusal") if isinstance(details, Mapping) else None
    if not isinstance(refusal, str) or not refusal:
        raise provider_error("content_filter") from exc
    yield from translation.refused(refusal)
