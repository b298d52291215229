"""Chat Completions: a script as the chunks of ``POST /v1/chat/completions``, checked against openai 3.52."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec
from typing_extensions import override

from unspool.testing.model_server import Refused, Request, Wire
from unspool.testing.openai_rules import check_model, check_name, check_tools, openai_error
from unspool.testing.script import (
    CallTool,
    Cite,
    Drop,
    Fail,
    Frame,
    Incomplete,
    Piece,
    Raw,
    Refuse,
    Say,
    Stall,
    Think,
    Tokens,
    Turn,
    tokens_of,
)

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
FINISH = {"max_output_tokens": "length"}


class ChatWire(Wire):
    """Text, ``reasoning_content`` (as llama.cpp, DeepSeek and others send it), refusals, tool calls, URL citations."""

    @override
    def check(self, request: Request) -> None:
        check_model(request.body)
        messages: object = request.body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise Refused("Missing required parameter: 'messages'.", code="missing_required_parameter")
        check_tools([tool.get("function", {}) for tool in request.body.get("tools") or [] if "function" in tool])
        request.turn = _turn(cast("list[Any]", messages))

    @override
    def stream(self, request: Request, turn: Turn) -> Iterable[Frame]:
        return _Stream(request).frames(turn)

    @override
    def whole(self, request: Request, turn: Turn) -> Any:
        stream = _Stream(request)
        for piece in turn:
            if isinstance(piece, Fail):
                raise Refused(piece.message, status=500, code=piece.code)
        for _ in stream.frames(turn):
            pass
        choice = {"index": 0, "message": stream.message(), "finish_reason": stream.finish, "logprobs": None}
        return {**stream.base, "object": "chat.completion", "choices": [choice], "usage": _usage(tokens_of(turn))}

    @override
    def error(self, status: int, code: str | None, message: str) -> Any:
        return openai_error(status, code, message)


def _turn(messages: Sequence[Any]) -> int:
    """Check the order of the messages; return how many turns the model had since the user last spoke."""
    open_calls: set[str] = set()
    turn, before = 0, ""
    for index, message in enumerate(messages):
        role: object = message.get("role") if isinstance(message, dict) else None
        if role not in ROLES:
            raise Refused(f"Invalid value: {role!r}. Supported values are: {sorted(ROLES)}.", code="invalid_value")
        if role == "tool":
            call_id: object = message.get("tool_call_id")
            if call_id not in open_calls:
                raise Refused(f"messages[{index}]: a 'tool' message must follow the 'tool_calls' that it answers.")
            open_calls.discard(cast("str", call_id))
        elif open_calls:
            raise Refused(f"messages[{index}]: these tool calls have no tool message: {sorted(open_calls)}.")
        if role == "assistant":
            open_calls = _calls(message, index)
            turn += before != "assistant"
        elif role == "user":
            turn = 0
        before = cast("str", role)
    if open_calls:
        raise Refused(f"these tool calls have no tool message: {sorted(open_calls)}.")
    return turn


def _calls(message: Mapping[str, Any], index: int) -> set[str]:
    calls: list[Any] = message.get("tool_calls") or []
    if not calls and message.get("content") is None and not message.get("refusal"):
        raise Refused(f"messages[{index}]: an assistant message needs 'content' or 'tool_calls'.")
    for call in calls:
        check_name(call["function"]["name"])
        if not isinstance(call["function"].get("arguments"), str):
            raise Refused(f"messages[{index}]: the 'arguments' of a function must be a string.", code="invalid_type")
    return {call["id"] for call in calls}


class _Stream:
    def __init__(self, request: Request) -> None:
        self._number = request.number
        options: Any = request.body.get("stream_options") or {}
        self._with_usage = bool(options.get("include_usage"))
        self.base = {
            "id": f"chatcmpl-{request.number}",
            "created": 1_700_000_000,
            "model": request.body["model"],
            "system_fingerprint": "fp_fake",
            "service_tier": "default",
        }
        self.finish: str | None = "stop"
        self._begun = False
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._thinking: list[str] = []
        self._annotations: list[Any] = []
        self._calls: list[dict[str, Any]] = []

    def message(self) -> dict[str, Any]:
        """What was said, whole."""
        found: dict[str, Any] = {"role": "assistant", "content": "".join(self._text) or None, "refusal": None}
        if self._refusal:
            found["refusal"] = "".join(self._refusal)
        if self._thinking:
            found["reasoning_content"] = "".join(self._thinking)
        if self._calls:
            found["tool_calls"] = self._calls
        return {**found, "annotations": self._annotations}

    def frames(self, turn: Turn) -> Iterable[Frame]:
        for piece in turn:
            if isinstance(piece, Stall | Drop):
                yield piece
                continue
            yield from self._piece(piece)
            if isinstance(piece, Fail):
                return
        yield self._chunk({}, finish=self.finish)
        if self._with_usage:
            yield _frame({**self._head(), "choices": [], "usage": _usage(tokens_of(turn))})
        yield b"data: [DONE]\n\n"

    def _piece(self, piece: Piece) -> Iterable[bytes]:
        match piece:
            case Say():
                yield from self._deltas("content", piece.texts, self._text)
            case Refuse():
                yield from self._deltas("refusal", piece.texts, self._refusal)
            case Think():
                yield from self._deltas("reasoning_content", piece.texts, self._thinking)
            case CallTool():
                yield from self._call(piece)
            case Cite():
                where = {"start_index": piece.start, "end_index": piece.end, "url": piece.url, "title": piece.title}
                self._annotations.append({"type": "url_citation", "url_citation": where})
                yield self._chunk({"annotations": self._annotations[-1:]})
            case Fail():
                yield _frame(openai_error(500, piece.code, piece.message))
            case Incomplete():
                self.finish = FINISH.get(piece.reason, piece.reason)
            case Raw():
                yield from (_frame(event) for event in piece.events)
            case Tokens():
                pass
            case _:
                raise ValueError(f"chat completions have no form for {type(piece).__name__}")

    def _deltas(self, field: str, texts: Sequence[str], held: list[str]) -> Iterable[bytes]:
        if not self._begun:
            yield self._chunk({"content": "" if field != "refusal" else None, "refusal": None})
        for text in texts:
            held.append(text)
            yield self._chunk({field: text})

    def _call(self, piece: CallTool) -> Iterable[bytes]:
        index = len(self._calls)
        call_id = piece.call_id or f"call_{self._number + 1}_{index + 1}"
        function = {"name": piece.name, "arguments": "".join(piece.fragments)}
        self._calls.append({"id": call_id, "type": "function", "function": function})
        self.finish = "tool_calls"
        begin = {"index": index, "id": call_id, "type": "function", "function": {"name": piece.name, "arguments": ""}}
        yield self._chunk({"tool_calls": [begin]} if self._begun else {"content": None, "tool_calls": [begin]})
        for fragment in piece.fragments:
            yield self._chunk({"tool_calls": [{"index": index, "function": {"arguments": fragment}}]})

    def _head(self) -> dict[str, Any]:
        return {**self.base, "object": "chat.completion.chunk"}

    def _chunk(self, delta: Mapping[str, Any], *, finish: str | None = None) -> bytes:
        said = dict(delta) if self._begun else {"role": "assistant", **delta}
        self._begun = True
        choice = {"index": 0, "delta": said, "logprobs": None, "finish_reason": finish}
        usage = {"usage": None} if self._with_usage else {}
        return _frame({**self._head(), "choices": [choice], **usage})


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning, "audio_tokens": 0},
    }


def _frame(value: object) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(value)
