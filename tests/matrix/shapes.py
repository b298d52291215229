"""The columns of the token shapes, read by an ``EventSource`` as the guides have it."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.matrix.native import losing
from tests.matrix.reading import Column, Reading
from tests.matrix.scenarios import Assembled, ToolUse

TEXT_ONLY = "it has no form for anything but text"
NO_THOUGHTS = "it has no form for reasoning"
NO_QUESTIONS = "it has no form for a question, nor for an answer"


def _reader(shape: str) -> Column:
    says_more = shape in {"typed", "named"}

    async def read(reading: Reading) -> Assembled:
        async with losing(reading) as url:
            read = await reading.javascript.usual.ask("shape", url=f"{url}/runs/{reading.run_id}/stream", shape=shape)
        tools = [ToolUse("", one["tool"], one["input"], one["result"]) for one in read["tools"]]
        return Assembled(text=read["text"], error=read.get("error"), status=read.get("status") or "", tools=tools)

    return Column(
        f"shape_{shape}",
        f"[`?shape={shape}`](protocols/shapes.md)",
        "The token shapes of common guides",
        read,
        carries=frozenset({"text", "error", "status", "tools"} if says_more else {"text", "error"}),
        lacks={
            "reasoning": NO_THOUGHTS if says_more else TEXT_ONLY,
            **({} if says_more else {"tool": TEXT_ONLY, "tool_error": TEXT_ONLY}),
            "interrupt": NO_QUESTIONS,
        },
        shows=_told if says_more else _plain,
    )


def _told(found: Assembled) -> Assembled:
    """Tools have neither ids nor a mark that they failed, and their results are text."""
    return replace(found, tools=[_use(tool) for tool in found.tools])


def _use(tool: ToolUse) -> ToolUse:
    text = tool.result if isinstance(tool.result, str) else json.dumps(tool.result, separators=(",", ":"))
    return ToolUse("", tool.name, tool.args, text)


def _plain(found: Assembled) -> Assembled:
    return found


COLUMNS = [_reader(shape) for shape in ("token", "delta", "text", "typed", "named")]
