"""Kits and aids for those who test with Unspool, or extend it. ``unspool.testing.langchain`` needs LangChain."""

from unspool.testing.codec import check_codec
from unspool.testing.event_log import EVENT_LOG_CHECKS, check_event_log
from unspool.testing.providers import FakeAnthropic, FakeOpenAI
from unspool.testing.scripted import ScriptedSource
from unspool.testing.source import check_source

__all__ = [
    "EVENT_LOG_CHECKS",
    "FakeAnthropic",
    "FakeOpenAI",
    "ScriptedSource",
    "check_codec",
    "check_event_log",
    "check_source",
]
