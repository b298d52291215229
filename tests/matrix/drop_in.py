"""The columns of LangServe: its own clients, in Python and JavaScript, on our drop-in for its server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fastapi import FastAPI
from langchain_classic.agents import AgentExecutor
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage

from langserve import RemoteRunnable
from tests.matrix.reading import Column, Read, Reading
from tests.matrix.scenarios import Assembled, ToolUse
from unspool.closing import opened
from unspool.langserve import add_routes

SECONDS = 100.0
"""How long its clients wait: as long as a test does."""


def mount(app: FastAPI, source: Any) -> None:
    """Serve it as LangServe would, which has to be told the input of an AgentExecutor."""
    input_type: Any = dict[str, Any] if isinstance(source, AgentExecutor) else "auto"
    add_routes(app, source, path="/agent/langserve", input_type=input_type)


def _input(source: Any, message: Callable[[str], Any]) -> Any:
    if isinstance(source, BaseChatModel):
        return "go"
    return {"input": "go"} if isinstance(source, AgentExecutor) else {"messages": [message("go")]}


async def read_in_python(reading: Reading) -> Assembled:
    """With ``langserve.RemoteRunnable``. There is no log behind it: the run that others follow says the same."""
    found = Assembled(status="completed")
    remote: RemoteRunnable[Any, Any] = RemoteRunnable(f"{reading.url}/langserve", timeout=SECONDS)
    config: Any = {"configurable": {"thread_id": "langserve in Python"}}
    try:
        async with opened(remote.astream_events(_input(reading.source, HumanMessage), config, version="v2")) as events:
            async for event in events:
                _take(found, event)
    except Exception:  # noqa: BLE001 - the client raises one of several for what the server says of a failure
        found.status = "failed"
    finally:
        remote.sync_client.close()
        await remote.async_client.aclose()
    return found


async def read_in_javascript(reading: Reading) -> Assembled:
    """With the ``RemoteRunnable`` of ``@langchain/core``."""
    read = await reading.javascript.usual.ask(
        "langserve",
        url=f"{reading.url}/langserve",
        input=_input(reading.source, str),
        timeout=SECONDS * 1000,
        threadId="langserve in JavaScript",
    )
    tools = [ToolUse("", tool["name"], tool["args"], tool.get("result")) for tool in read["tools"]]
    return Assembled(text=read["text"], reasoning=read["reasoning"], status=read["status"], tools=tools)


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


ENDS = "a run ends with its connection, unless a header asks for more; its clients have no word for coming back"
LACKS = dict.fromkeys(("cancel", "timeout", "cut"), ENDS) | {
    "interrupt": "its clients cannot answer",
    "tool_error": "its events do not say what became of a tool that failed",
}


def _column(name: str, title: str, read: Read, **more: Any) -> Column:
    return Column(
        name,
        f"[{title}](protocols/langserve.md)",
        "LangServe",
        read,
        carries=frozenset({"text", "reasoning", "tools", "status"}),
        shows=_shown,
        mount=mount,
        refuses=lambda row: "" if row.runnable else "it serves LangChain's runnables alone",
        long_row="chat_model",
        **more,
    )


COLUMNS = [
    _column(
        "langserve",
        "LangServe (Python)",
        read_in_python,
        lacks=LACKS,
        but={("agent_executor", "tool"): "it cannot decode the events of an agent's actions"},
    ),
    _column(
        "langserve_js",
        "LangServe (JavaScript)",
        read_in_javascript,
        lacks={**LACKS, "upstream_error": "its client drops what comes in one piece with an error"},
    ),
]
