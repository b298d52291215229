"""An agent of the OpenAI Agents SDK whose tools come from an MCP server.

Run it with `python -m examples.mcp_agent`, and ask what 70 kg weigh on Mars, or how long a year on Neptune takes. It
starts the server, `mcp_tools.py`, as a process of its own; each run opens its own connection to it, and closes it.

With `--model`, the agent is real, and so are its tool calls. The embedded model cannot choose tools. So there
`embedded_agent` stands in for the SDK: code chooses the tool by a word of the question, and the model fills in the
arguments (see `guided.py`), under the JSON Schema that the MCP server gives. The server runs the tool for real.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from agents import Agent, OpenAIChatCompletionsModel
from agents.mcp import MCPServerStreamableHttp

from examples.guided import MAX_ARGUMENT_TOKENS, Hint, choose
from examples.models import Model, run
from unspool import Call, agents_sdk
from unspool.events import ToolArgs, ToolCall, ToolEnd, ToolStart


def build(url: str, model: Model) -> Any:
    """The agent, with the tools of the MCP server at ``url``."""
    if model.embedded:
        return embedded_agent(url, model)

    def make(call: Call) -> Agent[Any]:
        return Agent(
            name="Astronomer",
            instructions="Answer in one sentence. Use the tools for weights and years on planets.",
            model=OpenAIChatCompletionsModel(model=model.name, openai_client=model.client),
            mcp_servers=[MCPServerStreamableHttp({"url": url}, name=f"planets for {call.run_id}")],
        )

    return agents_sdk(make, name="astronomer")


def embedded_agent(url: str, model: Model) -> Any:
    """One tool call; or words, if no tool fits."""

    async def agent(text: str, call: Call) -> AsyncGenerator[Any, None]:
        hint = choose(HINTS, text)
        prompt: list[Any] = [{"role": "user", "content": text}] if hint is None else hint.prompt(text)
        async with MCPServerStreamableHttp({"url": url}) as server:
            if hint is None:
                async for piece in _written(model, prompt, max_tokens=200):
                    yield piece
                return
            tool = next(tool for tool in await server.list_tools() if tool.name == hint.tool)
            call_id = f"{call.run_id}-{tool.name}"
            yield ToolStart(call_id, tool.name)
            written: list[str] = []
            form = hint.form(tool.input_schema)
            async for piece in _written(model, prompt, max_tokens=MAX_ARGUMENT_TOKENS, **form):
                written.append(piece)
                yield ToolArgs(call_id, piece)
            arguments = json.loads("".join(written))
            yield ToolCall(call_id, tool.name, arguments)
            answer = await server.call_tool(tool.name, arguments)
            said = "".join(block.text for block in answer.content if block.type == "text")
            yield ToolEnd(call_id, error="The tool failed.") if answer.is_error else ToolEnd(call_id, said)
            yield said

    return agent


async def _written(model: Model, prompt: list[Any], **options: Any) -> AsyncGenerator[str, None]:
    stream = await model.client.chat.completions.create(model=model.name, messages=prompt, stream=True, **options)
    async with stream:
        async for chunk in stream:
            for choice in chunk.choices:
                if choice.delta.content:
                    yield choice.delta.content


HINTS = [
    Hint(
        tool="weight_on",
        when=r"\b(weighs?|weight|heavy|kg|kilos?)\b",
        shots=[
            ("How much are 5 kg on Venus?", {"planet": "Venus", "kilograms": 5}),
            ("What would I weigh on Saturn? I have 82.5 kilos.", {"planet": "Saturn", "kilograms": 82.5}),
            ("Weight of 300 kg on Mercury?", {"planet": "Mercury", "kilograms": 300}),
            ("What do 12 kilograms weigh on Uranus?", {"planet": "Uranus", "kilograms": 12}),
        ],
    ),
    Hint(
        tool="year_of",
        when=r"\byear\b",
        shots=[
            ("How long is a year on Venus?", {"planet": "Venus"}),
            ("How many days has a year on Saturn?", {"planet": "Saturn"}),
            ("The year of Mercury, please", {"planet": "Mercury"}),
            ("how long does uranus take for a year", {"planet": "Uranus"}),
        ],
    ),
]


@contextmanager
def tool_server() -> Iterator[str]:
    """Start the MCP server, and say where it is."""
    command = [sys.executable, "-m", "examples.mcp_tools"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


if __name__ == "__main__":
    with tool_server() as where:
        run("An agent with tools from an MCP server", partial(build, where))
