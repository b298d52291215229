"""An MCP server with two tools, in a process of its own: `python -m examples.mcp_tools` prints where it listens.

Nothing here knows of Unspool, or of the agent that uses it. `examples.mcp_agent` starts it by itself.
"""

from __future__ import annotations

import socket
from typing import Literal

import uvicorn
from mcp.server.mcpserver import MCPServer

Planet = Literal["Mercury", "Venus", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"]

GRAVITY = {
    "Mercury": 3.7,
    "Venus": 8.87,
    "Mars": 3.72,
    "Jupiter": 24.79,
    "Saturn": 10.44,
    "Uranus": 8.87,
    "Neptune": 11.15,
}
"""On the surface, or where the pressure is one bar, in m/s²."""

YEAR = {"Mercury": 88, "Venus": 225, "Mars": 687, "Jupiter": 4331, "Saturn": 10747, "Uranus": 30589, "Neptune": 59800}
"""In days of the Earth."""

server = MCPServer("planets", log_level="WARNING")


@server.tool()
def weight_on(planet: Planet, kilograms: float) -> str:
    """Say what a scale would show on another planet for what weighs so much on Earth."""
    return f"On {planet} a scale would show {kilograms * GRAVITY[planet] / 9.81:.1f} kg."


@server.tool()
def year_of(planet: Planet) -> str:
    """Say how long a planet takes around the Sun."""
    return f"A year on {planet} takes {YEAR[planet]:,} days."


def main() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
        uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="warning")).run([listener])


if __name__ == "__main__":
    main()
