"""The columns of the protocols whose clients start their runs: the AI SDK, and AG-UI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.matrix.native import losing
from tests.matrix.reading import ALL, Column, Reading
from tests.matrix.scenarios import Assembled, ToolUse
from unspool.client import AsyncClient
from unspool.testing.script import Say

GROUP = "The AI SDK and AG-UI"
SAID = ALL - {"asked"}
"""The questions have another form there; that they can be answered is what is tested of them."""


def _said(read: Mapping[str, Any]) -> Assembled:
    """What a chat of the AI SDK has in its last message."""
    found = Assembled(status=read.get("metadata", {}).get("status", ""), error=read.get("error"))
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


def _ai_sdk(version: int) -> Column:
    """With the chat of ``@ai-sdk/react`` and the SDK's own transport."""

    async def read(reading: Reading, **more: Any) -> Assembled:
        node = reading.javascript.newer if version == 7 else reading.javascript.usual
        return _said(
            await node.ask(
                "aiSdk",
                api=f"{reading.url}/ai-sdk?v={version}",
                id=reading.thread_id,
                cut=reading.scenario.name == "cut",
                lost=reading.lost,
                **more,
            )
        )

    async def answer(reading: Reading) -> Assembled:
        return await read(reading, answer="yes")

    return Column(
        f"ai_sdk_{version}",
        f"[AI SDK {version}](protocols/ai-sdk.md)",
        GROUP,
        read,
        starts=True,
        carries=SAID,
        notes={"cancel": "by another request: its `stop()` hangs up", "cut": "by `resumeStream()`"},
        answer=answer,
    )


async def read_with_our_transport(reading: Reading) -> Assembled:
    """With the chat of ``@ai-sdk/react``, and ``unspoolTransport``: it stops what it is to stop, and comes back."""
    if reading.scenario.name == "cancel":
        return await _stopped(reading)
    async with losing(reading) as url:
        return await _with_our_transport(reading, url)


async def _with_our_transport(reading: Reading, url: str, **more: Any) -> Assembled:
    node = reading.javascript.newer
    return _said(await node.ask("aiSdkWithUnspool", api=f"{url}/ai-sdk?v=7", id=reading.thread_id, **more))


async def _stopped(reading: Reading) -> Assembled:
    """Whoever stops it knows that, and is not told; the run ends soon after."""
    before = "".join(text for piece in reading.scenario.turns[0] if isinstance(piece, Say) for text in piece.texts)
    found = await _with_our_transport(reading, reading.url, stopAt=before)
    async with AsyncClient(reading.url) as client:
        [run] = (await client.runs(thread_id=reading.thread_id))["runs"]
        async with client.follow(run["id"]) as stream:
            async for _ in stream:
                pass
    return replace(found, status="cancelled")


async def answer_with_our_transport(reading: Reading) -> Assembled:
    """Approve the tool call, or answer the question."""
    return await _with_our_transport(reading, reading.url, answer="yes")


async def _ag_ui(reading: Reading, **more: Any) -> Assembled:
    read = await reading.javascript.usual.ask(
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
    _ai_sdk(6),
    _ai_sdk(7),
    Column(
        "ai_sdk_unspool",
        "[`@unspool/client/ai-sdk`](protocols/ai-sdk.md)",
        GROUP,
        read_with_our_transport,
        starts=True,
        stops=True,
        carries=SAID,
        notes={"cancel": "by its `stop()`", "cut": "by itself, in the same message"},
        answer=answer_with_our_transport,
    ),
    Column(
        "ag_ui",
        "[AG-UI](protocols/ag-ui.md)",
        GROUP,
        read_ag_ui,
        starts=True,
        carries=SAID,
        answer=answer_ag_ui,
        shows=results_as_text,
    ),
]
