"""How outputs become JSON: orjson, and what LangChain's own objects are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, cast

import orjson
from langchain_core.agents import AgentAction, AgentActionMessageLog, AgentFinish
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    ChatMessageChunk,
    FunctionMessage,
    FunctionMessageChunk,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation, LLMResult
from langchain_core.prompt_values import ChatPromptValueConcrete, StringPromptValue
from pydantic import BaseModel, ValidationError
from typing_extensions import override

_LINE_ENDS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))
"""What ``str.splitlines`` takes for line ends and JSON lets stand, in UTF-8: the Python client cuts its lines there."""

_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY

_BY_ITSELF = _OPTIONS | orjson.OPT_PASSTHROUGH_DATACLASS
"""For an object's own fields, without pydantic, which takes five times as long: a model's chunks are plain JSON data.
What pydantic may write in another way than orjson (a dataclass, a named tuple, a model), this refuses.
"""

_KINDS: dict[str, type[BaseModel]] = {
    "ai": AIMessage,
    "human": HumanMessage,
    "chat": ChatMessage,
    "system": SystemMessage,
    "function": FunctionMessage,
    "tool": ToolMessage,
    "AIMessageChunk": AIMessageChunk,
    "HumanMessageChunk": HumanMessageChunk,
    "ChatMessageChunk": ChatMessageChunk,
    "SystemMessageChunk": SystemMessageChunk,
    "FunctionMessageChunk": FunctionMessageChunk,
    "ToolMessageChunk": ToolMessageChunk,
    "Document": Document,
    "StringPromptValue": StringPromptValue,
    "ChatPromptValueConcrete": ChatPromptValueConcrete,
    "AgentAction": AgentAction,
    "AgentFinish": AgentFinish,
    "AgentActionMessageLog": AgentActionMessageLog,
    "ChatGeneration": ChatGeneration,
    "Generation": Generation,
    "ChatGenerationChunk": ChatGenerationChunk,
    "LLMResult": LLMResult,
}


class Serializer(ABC):
    """Turns what a runnable gives into JSON. Subclass it to send types of your own."""

    @abstractmethod
    def dumps(self, obj: Any) -> bytes:
        """Return ``obj`` as JSON in UTF-8."""

    @abstractmethod
    def loadd(self, obj: Any) -> Any:
        """Return what plain JSON data stand for."""

    def dumpd(self, obj: Any) -> Any:
        """Return ``obj`` as plain JSON data."""
        return orjson.loads(self.dumps(obj))

    def loads(self, s: bytes | str) -> Any:
        """Return what JSON text stands for."""
        return self.loadd(orjson.loads(s))


class WellKnownLCSerializer(Serializer):
    """Knows messages, documents, prompt values, agent actions and generations; and all that pydantic models hold."""

    @override
    def dumps(self, obj: Any) -> bytes:
        if type(obj) is AIMessageChunk and not obj.__pydantic_extra__:
            with suppress(TypeError):
                return orjson.dumps(obj.__dict__, option=_BY_ITSELF)
        return orjson.dumps(obj, default=_plain, option=_OPTIONS)

    @override
    def loadd(self, obj: Any) -> Any:
        if isinstance(obj, list):
            return [self.loadd(item) for item in cast("list[Any]", obj)]
        if not isinstance(obj, dict):
            return obj
        fields = cast("dict[str, Any]", obj)
        kind = _KINDS.get(str(fields.get("type")))
        if kind is not None:
            try:
                return kind.model_validate(fields)
            except ValidationError:
                pass  # the user's own, that has a `type` of the same name
        return {key: self.loadd(value) for key, value in fields.items()}


def _plain(obj: Any) -> Any:
    if isinstance(obj, BaseModel):
        return obj.model_dump()
    if isinstance(obj, set | frozenset):
        return list(cast("set[Any]", obj))
    raise TypeError(f"Type is not JSON serializable: {type(obj).__name__}")


def one_line(data: bytes) -> bytes:
    """Return JSON in which no client finds a line end: the same value, escaped."""
    if not data.isascii() and (b"\xe2\x80" in data or b"\xc2\x85" in data):
        for raw, escaped in _LINE_ENDS:
            data = data.replace(raw, escaped)
    return data
