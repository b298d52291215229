"""The columns of the protocols whose clients start their runs: the AI SDK, and AG-UI."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.matrix.reading import ALL, Column, Reading
from tests.matrix.scenarios import Assembled, ToolUse

SAID = ALL - {"asked"}
"""The questions have another form there; that they can be answered is what is tested of them."""


async def _ai_sdk(reading: Reading, **more: Any) -> Assembled:
    read = await reading.javascript.ask(
        "aiSdk",
        api=f"{reading.url}/ai-sdk",
        id=reading.thread_id,
        cut=reading.scenario.name == "cut",
        lost=reading.lost,
        **more,
    )
    found = Assembled(status=read["metadata"]["status"], error=read.get("error"))
    for part in read["parts"]:
        if part["type"] == "text":
            found.text += part["text"]
        elif part["type"] == "reasoning":
            found.reasoning += part["text"]
        elif part["type"] == "dynamic-tool":
            failed = part["state"] == "output-error"
            result = part.get("errorText") if failed else part.get("output")
            found.tools.append(ToolUse(part["toolCallId"], part["toolName"], part.get("input"), result, failed))
    return found


async def read_ai_sdk(reading: Reading) -> Assembled:
    """With the chat of ``@ai-sdk/react`` and the SDK's own transport."""
    return await _ai_sdk(reading)


async def answer_ai_sdk(reading: Reading) -> Assembled:
    """Approve the tool call, or answer the question."""
    return await _ai_sdk(reading, answer="yes")


async def _ag_ui(reading: Reading, **more: Any) -> Assembled:
    read = await reading.javascript.ask(
        "agUi",
        url=f"{reading.url}/ag-ui",
        threadId=reading.thread_id,
        cut=reading.scenario.name == "cut",
        lost=reading.lost,
        **more,
    )
    found = Assembled(status=read["status"], error=read.get("error"))
    uses: dict[str, ToolUse] = {}
    for message in read["messages"]:
        if message["role"] == "reasoning":
            found.reasoning += message["content"]
        elif message["role"] == "tool":
            call_id, failed = message["toolCallId"], "error" in message.get("metadata", {})
            uses[call_id] = replace(uses[call_id], result=message["content"], failed=failed)
        elif message["role"] == "assistant":
            found.text += message.get("content") or ""
            for call in message.get("toolCalls", ()):
                function = call["function"]
                uses[call["id"]] = ToolUse(call["id"], function["name"], json.loads(function["arguments"]))
    found.tools = list(uses.values())
    return found


async def read_ag_ui(reading: Reading) -> Assembled:
    """With the ``HttpAgent`` of ``@ag-ui/client``, which verifies each event."""
    return await _ag_ui(reading)


async def answer_ag_ui(reading: Reading) -> Assembled:
    """Resolve what it waits for."""
    return await _ag_ui(reading, answer="yes")


def results_as_text(found: Assembled) -> Assembled:
    """AG-UI's tool messages hold text; and a run that was cancelled ends there as one that failed does."""
    tools = [
        tool if tool.result is None or isinstance(tool.result, str) else replace(tool, result=json.dumps(tool.result))
        for tool in found.tools
    ]
    return replace(found, tools=tools)


COLUMNS = [
    Column("ai_sdk", "[AI SDK](protocols/ai-sdk.md)", read_ai_sdk, starts=True, carries=SAID, answer=answer_ai_sdk),
    Column(
        "ag_ui",
        "[AG-UI](protocols/ag-ui.md)",
        read_ag_ui,
        starts=True,
        carries=SAID,
        answer=answer_ag_ui,
        shows=results_as_text,
    ),
]
