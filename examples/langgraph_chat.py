"""A LangGraph agent with memory and a tool, on FastAPI. Run it with: uvicorn examples.langgraph_chat:app.

It wants an OpenAI-compatible endpoint: OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL say which.
"""

import os

from fastapi import FastAPI
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver

from unspool import SQLiteLog, Unspool


@tool
def word_count(text: str) -> int:
    """Count the words of a text."""
    return len(text.split())


model = ChatOpenAI(model=os.environ.get("OPENAI_MODEL", "gpt-4.1-mini"))
agent = create_agent(model, [word_count], checkpointer=InMemorySaver())

app = FastAPI()
Unspool(log=SQLiteLog("runs.sqlite")).add_routes(app, agent, path="/agent")
