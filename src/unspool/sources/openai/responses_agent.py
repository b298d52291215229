"""An agent made of the Responses API and Python functions: the loop of model calls and tool calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from typing import Any, cast

from typing_extensions import override

from unspool.closing import opened
from unspool.errors import SourceError
from unspool.events import Record
from unspool.sources.approvals import kept_by
from unspool.sources.base import Call, Item, ResumePoint, Schemas, Source, refuse_config
from unspool.sources.conversation import CHAT_SCHEMAS, conversation
from unspool.sources.openai.responses import request_params
from unspool.sources.openai.responses_items import input_items
from unspool.sources.openai.responses_turns import Turns, waiting
from unspool.sources.sdk_streams import sdk_stream
from unspool.sources.tools import Tool

Approve = Collection[str] | Callable[[str, Any], bool]


def responses_agent(
    client: Any,
    model: str,
    *,
    tools: Sequence[Callable[..., Any] | Tool | Mapping[str, Any]],
    instructions: str | None = None,
    max_turns: int = 10,
    tool_timeout: float | None = 60.0,
    name: str | None = None,
    approve: Approve = (),
    accept_system: bool = False,
    **params: Any,
) -> Source:
    """An agent: the model is called, and the tools that it asks for are run, until it asks for none.

    Args:
        client: An ``AsyncOpenAI`` or an ``OpenAI`` client, or one of Azure. Not closed.
        model: The model's name.
        tools: Functions, async or sync; :class:`Tool` where one needs options; and the provider's own tools as it
            describes them, such as ``{"type": "web_search"}``.
        instructions: The system prompt.
        max_turns: Model calls that one run may make. After that it fails.
        tool_timeout: Seconds that one tool call may take; None for no limit.
        name: What to call the source, if not by its model.
        approve: The tools that run only once a person agreed: names, or a function of name and arguments.
        accept_system: Whether a client's input may hold system messages.
        params: Passed on to ``client.responses.create``. By default the provider stores nothing (``store=False``),
            and gives its reasoning for the next model call of the run as encrypted text.

    Raises:
        TypeError: A tool cannot be one, or ``params`` hold what the source sets itself.
        ValueError: Two tools have the same name, or ``max_turns`` is less than 1.
    """
    if max_turns < 1:
        raise ValueError("max_turns must be 1 or more")
    mine: dict[str, Tool] = {}
    hosted: list[Mapping[str, Any]] = []
    for given in tools:
        if isinstance(given, Mapping):
            hosted.append(cast("Mapping[str, Any]", given))
            continue
        tool = given if isinstance(given, Tool) else Tool(given)
        if tool.name in mine:
            raise ValueError(f"two tools are named {tool.name!r}")
        mine[tool.name] = tool
    if not callable(approve) and not set(approve) <= set(mine):
        raise ValueError(f"approve names tools that are not there: {', '.join(sorted(set(approve) - set(mine)))}")
    defaults = {"store": False, "include": ["reasoning.encrypted_content"]}
    described = [*map(_described, mine.values()), *hosted]
    return ResponsesAgent(
        client,
        request={**defaults, **request_params(model, instructions, params), "tools": described},
        tools=mine,
        name=name or model,
        max_turns=max_turns,
        tool_timeout=tool_timeout,
        approve=approve,
        accept_system=accept_system,
    )


def _described(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }


class ResponsesAgent(Source):
    """See :func:`responses_agent`."""

    def __init__(
        self,
        client: Any,
        *,
        request: dict[str, Any],
        tools: Mapping[str, Tool],
        name: str,
        max_turns: int,
        tool_timeout: float | None,
        approve: Approve,
        accept_system: bool,
    ) -> None:
        self._client = client
        self._request = request
        self._tools = tools
        self._name = name
        self._max_turns = max_turns
        self._tool_timeout = tool_timeout
        self._approve = approve
        self._system = accept_system

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        refuse_config(call)
        turns = Turns(call, self._tools, self._tool_timeout)
        if call.resumes is None:
            turns.items = input_items(await conversation(call, system=self._system))
        else:
            for event in turns.decided(await kept_by(call)):
                yield event
            async with opened(turns.run()) as done:
                async for event in done:
                    yield event
        for left in reversed(range(self._max_turns)):
            async with opened(self._turn(turns, left)) as events:
                async for item in events:
                    yield item
            if turns.done:
                return

    async def _turn(self, turns: Turns, left: int) -> AsyncGenerator[Item, None]:
        """One model call, and the tools that it asked for."""
        stream = sdk_stream(self._client.responses.create, stream=True, **self._request, input=turns.items)
        async with opened(stream) as items:
            async for item in items:
                for event in turns.translation.feed(item):
                    yield event
        if not turns.goes_on():
            for event in turns.translation.end():
                yield event
            return
        if not left:
            raise SourceError("The agent took more turns than it is allowed.", code="internal")
        asked = turns.take(self._needs_approval)
        async with opened(turns.run()) as done:
            async for event in done:
                yield event
        if asked:
            turns.done = True
            for event in waiting(turns.items, asked):
                yield event

    def _needs_approval(self, name: str, args: Any) -> bool:
        if name not in self._tools:
            return False
        return bool(self._approve(name, args)) if callable(self._approve) else name in self._approve

    @override
    def schemas(self) -> Schemas:
        return CHAT_SCHEMAS

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None
