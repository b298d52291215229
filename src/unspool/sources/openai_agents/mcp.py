"""The MCP servers of agents: connected for one run, and closed with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from unspool.errors import SourceError
from unspool.sources.openai_agents.events import IS_ERROR

if TYPE_CHECKING:
    from agents import Agent
    from agents.mcp import MCPServer, MCPToolCustomDataContext

logger = logging.getLogger("unspool")

CLOSE_SECONDS = 3.0
"""For each server; the source has to be closed within 5."""

_ADVICE = (
    "is not connected. Give `agents_sdk` a function that makes the agent and its servers: each run then opens and "
    "closes connections of its own. Or connect the server in the lifespan of your app."
)


@asynccontextmanager
async def connected(agent: Agent[Any], *, in_use: set[int], made: bool) -> AsyncGenerator[None, None]:
    """Connect the servers that ``agent``, and those that it can reach, need, and close them.

    Opened and closed in one task, and so must be used: MCP's connections are cancel scopes.

    Args:
        agent: The agent that the run begins with.
        in_use: The servers that runs have connected, by ``id``. Two runs must not open or close the same one.
        made: It was made for this run, with its servers. Those that are connected already belong to somebody else.

    Raises:
        SourceError: A server cannot be reached.
        RuntimeError: A server belongs to several runs, and nobody has connected it.
    """
    opened: list[MCPServer] = []
    try:
        for server in servers_of(agent):
            if getattr(server, "session", None) is not None and id(server) not in in_use:
                continue
            if (not made and hasattr(server, "session")) or id(server) in in_use:
                raise RuntimeError(f"the MCP server {server.name!r} {_ADVICE}")
            if made:
                in_use.add(id(server))
                opened.append(server)
                await _connect(server)
        yield
    finally:
        for server in reversed(opened):
            await _close(server)
            in_use.discard(id(server))


async def _connect(server: MCPServer) -> None:
    if getattr(server, "custom_data_extractor", IS_ERROR) is None:
        server.custom_data_extractor = _note_error
    try:
        await cast("Any", server).connect()
    except Exception as exc:  # any transport's own; all mean the same to the client
        logger.warning("the MCP server %r could not be reached", server.name, exc_info=exc)
        raise SourceError("A tool server could not be reached.", retryable=True) from exc


def _note_error(called: MCPToolCustomDataContext) -> dict[str, Any]:
    """The SDK gives the model the text of a failure, and drops the flag that it is one."""
    return {IS_ERROR: True} if called.is_error else {}


async def _close(server: MCPServer) -> None:
    # Not a cancel scope: it would cancel each step of the clean-up anew.
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await cast("Any", server).cleanup()
    except Exception as exc:  # must not replace what ended the run
        logger.warning("the MCP server %r was not closed in good order", server.name, exc_info=exc)


def servers_of(agent: Agent[Any]) -> list[MCPServer]:
    """The servers of an agent, of those that it hands over to, and of those that are its tools; each once."""
    found: dict[int, MCPServer] = {}
    seen: dict[int, Any] = {}
    following: list[Any] = [agent]
    while following:
        current = following.pop()
        if id(current) not in seen:
            seen[id(current)] = current
            found.update((id(server), server) for server in current.mcp_servers)
            following.extend(_next(current))
    return list(found.values())


def _next(agent: Any) -> Iterator[Any]:
    for target in (*agent.handoffs, *agent.tools):
        # An agent itself; a hand-off, which refers to its agent weakly; or a tool, which may be an agent.
        reference = getattr(target, "_agent_ref", None)
        reached = reference() if callable(reference) else getattr(target, "_agent_instance", target)
        if hasattr(reached, "mcp_servers"):
            yield reached
