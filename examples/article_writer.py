"""An article in three steps: brainstorm, outline, article. A LangGraph pipeline whose every node is seen at work.

Run it with `python -m examples.article_writer`, and give it a topic.

Real: all of it, with either model. The embedded one writes fluently, repeats itself and makes facts up; its answers are
cut at a limit, since it would not end by itself.
"""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph

from examples.guided_chat import chat_model
from examples.models import Model, run


class Draft(MessagesState):
    """What the steps hand on. The first message is the topic; each step adds its own."""

    ideas: str
    outline: str


def build(model: Model) -> Any:
    """The graph."""
    notes = chat_model(model, max_tokens=60 if model.embedded else 500)
    prose = chat_model(model, max_tokens=200 if model.embedded else 2000)

    async def brainstorm(state: Draft) -> dict[str, Any]:
        ideas = await notes.ainvoke(f"List three ideas for an article about {_topic(state)}.")
        return _written(ideas, ideas=str(ideas.text))

    async def outline(state: Draft) -> dict[str, Any]:
        headings = await notes.ainvoke(f"Write the headings of an article about:\n{state['ideas']}")
        return _written(headings, outline=str(headings.text))

    async def article(state: Draft) -> dict[str, Any]:
        prompt = f"Write a short article about {_topic(state)}. Its headings are:\n{state['outline']}"
        return _written(await prose.ainvoke(prompt))

    graph = StateGraph(Draft)
    graph.add_node("brainstorm", brainstorm)
    graph.add_node("outline", outline)
    graph.add_node("article", article)
    graph.add_edge(START, "brainstorm")
    graph.add_edge("brainstorm", "outline")
    graph.add_edge("outline", "article")
    graph.add_edge("article", END)
    return graph.compile(name="writer")


def _topic(draft: Draft) -> str:
    return str(draft["messages"][0].text)


def _written(message: AIMessage, **fields: str) -> dict[str, Any]:
    return {"messages": [message], **fields}


if __name__ == "__main__":
    run("An article writer", build)
