"""The column of LangServe: its own client, on our drop-in for its server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import FastAPI
from langchain_classic.agents import AgentExecutor
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage

from langserve import RemoteRunnable
from tests.matrix.reading import Column, Reading
from tests.matrix.scenarios import Assembled, ToolUse
from unspool.client import AsyncClient
from unspool.closing import opened
from unspool.langserve import add_routes


def mount(app: FastAPI, source: Any) -> None:
    """Serve it as LangServe would, which has to be told the input of an AgentExecutor."""
    input_type: Any = dict[str, Any] if isinstance(source, AgentExecutor) else "auto"
    add_routes(app, source, path="/agent/langserve", input_type=input_type)


def _input(source: Any) -> Any:
    if isinstance(source, BaseChatModel):
        return "go"
    return {"input": "go"} if isinstance(source, AgentExecutor) else {"messages": [HumanMessage("go")]}


async def read_langserve(reading: Reading) -> Assembled:
    """With ``RemoteRunnable``. It has no log: the same is asked natively, for a transcript to compare with."""
    async with AsyncClient(reading.url) as client, client.stream("go", thread_id=reading.thread_id) as stream:
        async for _ in stream:
            pass
    found = Assembled(status="completed")
    remote: RemoteRunnable[Any, Any] = RemoteRunnable(f"{reading.url}/langserve", timeout=30)
    config: Any = {"configurable": {"thread_id": "langserve"}}
    try:
        async with opened(remote.astream_events(_input(reading.source), config, version="v2")) as events:
            async for event in events:
                _take(found, event)
    except Exception:  # noqa: BLE001 - the client raises one of several for what the server says of a failure
        found.status = "failed"
    finally:
        remote.sync_client.close()
        await remote.async_client.aclose()
    return found


def _take(found: Assembled, event: Any) -> None:
    if event["event"] == "on_chat_model_stream":
        for block in event["data"]["chunk"].content_blocks:
            found.text += block.get("text", "") if block["type"] == "text" else ""
            found.reasoning += block.get("reasoning", "") if block["type"] == "reasoning" else ""
    elif event["event"] == "on_chat_model_end":
        message: AIMessage = event["data"]["output"]
        found.tools.extend(ToolUse("", call["name"], call["args"]) for call in message.tool_calls)
    elif event["event"] == "on_tool_end":
        output = event["data"]["output"]
        found.tools[-1] = replace(found.tools[-1], result=str(getattr(output, "content", output)))


def _shown(found: Assembled) -> Assembled:
    """Results are the text that the model gets."""
    tools = [
        ToolUse("", tool.name, tool.args, None if tool.result is None else str(tool.result)) for tool in found.tools
    ]
    return replace(found, tools=tools)


COLUMNS = [
    Column(
        "langserve",
        "[LangServe](protocols/langserve.md)",
        read_langserve,
        starts=True,
        carries=frozenset({"text", "reasoning", "tools", "status"}),
        lacks=dict.fromkeys(("cancel", "timeout", "cut"), "a run belongs to its connection, and ends with it")
        | {
            "interrupt": "its clients cannot answer",
            "tool_error": "its events do not say what became of a tool that failed",
        },
        shows=_shown,
        mount=mount,
        refuses=lambda row: "" if row.runnable else "it serves LangChain's runnables alone",
        but={("agent_executor", "tool"): "LangServe's client cannot decode the events of an agent's actions"},
        long_row="chat_model",
    )
]
