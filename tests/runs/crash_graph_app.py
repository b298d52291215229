"""The app of the crash test of graphs: a slow chat with a memory on disk."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
from fastapi import FastAPI
from langchain_core.messages import AIMessage
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph

from unspool import RunOptions, SQLiteLog, Unspool


async def answer(state: MessagesState) -> dict[str, Any]:
    """Say what was shown, after saying for a while that it is at work."""
    for number in range(20):
        get_stream_writer()({"working": number})
        await anyio.sleep(0.02)
    return {"messages": [AIMessage("/".join(str(message.content) for message in state["messages"]))]}


def make_app() -> FastAPI:
    """The app of one process."""
    log = os.environ["CRASH_LOG"]
    unspool = Unspool(log=SQLiteLog(log), lease=0.6, grace=0.2)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with AsyncExitStack() as stack:
            saver = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(f"{log}.memory"))
            builder = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer")
            graph = builder.compile(checkpointer=saver)
            unspool.add_routes(app, graph, path="/graph", options=RunOptions(takeovers=1000))
            await stack.enter_async_context(unspool)
            yield

    return FastAPI(lifespan=lifespan)
