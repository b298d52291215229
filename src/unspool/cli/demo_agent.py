"""The demo's agent: a LangGraph chat with memory per thread and one tool. What a user would write.

A 135M model cannot choose tools. So code chooses the tool here, by a pattern; what it answers is real.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, SystemMessage, trim_messages
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode

SYSTEM = "You are a helpful assistant. Answer briefly."
HISTORY_TOKENS = 1200
MAX_TOKENS = 320

_OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_SUM = re.compile(r"(?:what is|calculate|compute|how much is)\s+([-\d\s+*/().]+)", re.IGNORECASE)


@tool
def calculate(expression: str) -> str:
    """Work out a sum of numbers with + - * / and parentheses."""
    try:
        return f"{expression} = {_value(ast.parse(expression, mode='eval').body):g}"
    except (SyntaxError, ValueError, ZeroDivisionError):
        return f"{expression} cannot be worked out"


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return float(_OPERATORS[type(node.op)](_value(node.left), _value(node.right)))
    raise ValueError("not a sum of numbers")


def build_agent(
    *, base_url: str | None, model: str, api_key: str, checkpointer: BaseCheckpointSaver[Any]
) -> CompiledStateGraph[MessagesState, None, MessagesState, MessagesState]:
    """Make the agent.

    Args:
        base_url: An OpenAI-compatible endpoint. None: OpenAI's own.
        model: Its name there.
        api_key: Anything but empty, for endpoints that want none.
        checkpointer: Its memory, by thread.
    """
    # What SecretStr would wrap is wrapped by ChatOpenAI itself.
    llm = ChatOpenAI(
        base_url=base_url,
        model=model,
        api_key=api_key,  # type: ignore[arg-type]
        max_completion_tokens=MAX_TOKENS,
        stream_usage=True,
        max_retries=0,  # Unspool tries again, and says so
    )
    shorten = trim_messages(
        max_tokens=HISTORY_TOKENS,
        token_counter=count_tokens_approximately,
        strategy="last",
        start_on="human",
        include_system=True,
    )

    def route(state: MessagesState) -> str:
        return "choose" if _SUM.search(_text(state["messages"][-1])) else "answer"

    def choose(state: MessagesState) -> dict[str, list[AnyMessage]]:
        asked = state["messages"][-1]
        found = _SUM.search(_text(asked))
        expression = found.group(1).strip() if found else ""
        call = {"name": "calculate", "args": {"expression": expression}, "id": f"call-{asked.id}", "type": "tool_call"}
        return {"messages": [AIMessage("", tool_calls=[call])]}

    def report(state: MessagesState) -> dict[str, list[AnyMessage]]:
        return {"messages": [AIMessage(_text(state["messages"][-1]))]}

    async def answer(state: MessagesState) -> dict[str, list[AnyMessage]]:
        messages = await shorten.ainvoke([SystemMessage(SYSTEM), *_conversation(state["messages"])])
        return {"messages": [await llm.ainvoke(messages)]}

    graph = StateGraph(MessagesState)
    graph.add_node("choose", choose)
    graph.add_node("tools", ToolNode([calculate]))
    graph.add_node("report", report)
    graph.add_node("answer", answer)
    graph.add_conditional_edges(START, route, ["choose", "answer"])
    graph.add_edge("choose", "tools")
    graph.add_edge("tools", "report")
    graph.add_edge("report", END)
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=checkpointer, name="demo")


def _conversation(messages: list[AnyMessage]) -> list[AnyMessage]:
    """What the small model is shown: words, and no tool calls."""
    return [m for m in messages if m.type in {"human", "ai"} and _text(m)]


def _text(message: AnyMessage) -> str:
    return str(message.text)
