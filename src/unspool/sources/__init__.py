"""Foreign streams in, events out."""

from unspool.sources.adapt import adapt
from unspool.sources.anthropic.messages import anthropic_messages
from unspool.sources.any_llm import any_llm
from unspool.sources.base import Call, Item, Keep, Output, Past, ResumePoint, Rewind, Schemas, Source
from unspool.sources.openai.chat import chat_completions
from unspool.sources.openai.responses import responses
from unspool.sources.openai.responses_agent import responses_agent
from unspool.sources.openai_agents.source import agents_sdk, show_nested
from unspool.sources.pydantic_ai.source import pydantic_agent
from unspool.sources.tools import Tool
from unspool.sources.upstream.source import upstream

__all__ = [
    "Call",
    "Item",
    "Keep",
    "Output",
    "Past",
    "ResumePoint",
    "Rewind",
    "Schemas",
    "Source",
    "Tool",
    "adapt",
    "agents_sdk",
    "anthropic_messages",
    "any_llm",
    "chat_completions",
    "pydantic_agent",
    "responses",
    "responses_agent",
    "show_nested",
    "upstream",
]
