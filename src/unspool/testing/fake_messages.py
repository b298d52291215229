"""Anthropic's Messages: a script as the events of ``POST /v1/messages``, checked against anthropic 2.12."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec
from typing_extensions import override

from unspool.testing.model_server import Refused, Request, Wire
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
    Search,
    Stall,
    Think,
    Tokens,
    Turn,
    tokens_of,
)

_STOP = {"max_output_tokens": "max_tokens"}
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_STATUS = {error: status for status, error in _ERRORS.items()}


class MessagesWire(Wire):
    """Text, thinking with its signature, tool use, web search with citations."""

    @override
    def check(self, request: Request) -> None:
        body = request.body
        if not request.headers.get("anthropic-version"):
            raise Refused("anthropic-version: header is required")
        if not isinstance(body.get("model"), str) or not body["model"]:
            raise Refused("model: Field required")
        if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1:
            raise Refused("max_tokens: Field required")
        thinking: Any = body.get("thinking") or {}
        if thinking.get("type") == "enabled" and not 1024 <= thinking.get("budget_tokens", 0) < body["max_tokens"]:
            raise Refused("thinking.budget_tokens: at least 1024, and less than max_tokens")
        messages: object = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise Refused("messages: at least one message is required")
        request.turn = _turn(cast("list[Any]", messages))

    @override
    def stream(self, request: Request, turn: Turn) -> Iterable[Frame]:
        return _Stream(request, tokens_of(turn)).frames(turn)

    @override
    def whole(self, request: Request, turn: Turn) -> Any:
        for piece in turn:
            if isinstance(piece, Fail):
                raise Refused(piece.message, status=_STATUS.get(piece.code, 500), code=piece.code)
        stream = _Stream(request, tokens_of(turn))
        for _ in stream.frames(turn):
            pass
        return stream.message

    @override
    def error(self, status: int, code: str | None, message: str) -> Any:
        kind = code or _ERRORS.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fake"}


def _turn(messages: Sequence[Any]) -> int:
    """Check the order of the messages; return how many turns the model had since the user last spoke."""
    if messages[0].get("role") != "user":
        raise Refused('messages: the first message must use the "user" role')
    turn, before = 0, ""
    open_calls: set[str] = set()
    for index, message in enumerate(messages):
        role: object = message.get("role")
        if role not in {"user", "assistant", "system"}:
            raise Refused(f'messages.{index}.role: must be "user", "assistant" or "system"')
        blocks = _blocks(message, index)
        answers = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if role == "user":
            _check_answers(index, open_calls, answers)
            open_calls = set()
            turn = turn if answers else 0
        elif role == "assistant":
            if open_calls:
                raise Refused(f"messages.{index}: `tool_use` ids were found without `tool_result` blocks")
            open_calls = {block["id"] for block in blocks if block["type"] == "tool_use"}
            turn += before != "assistant"
        before = str(role)
    if open_calls:
        raise Refused(f"messages.{len(messages) - 1}: `tool_use` ids without `tool_result`: {sorted(open_calls)}")
    return turn


def _check_answers(index: int, calls: set[str], answers: set[str]) -> None:
    if answers - calls:
        raise Refused(f"messages.{index}: unexpected `tool_use_id` in `tool_result` blocks: {sorted(answers - calls)}")
    if calls - answers:
        raise Refused(f"messages.{index}: `tool_use` ids without `tool_result` blocks: {sorted(calls - answers)}")


def _blocks(message: Mapping[str, Any], index: int) -> list[Any]:
    content: object = message.get("content")
    blocks: Any = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(blocks, list) or not blocks:
        raise Refused(f"messages.{index}: content must be non-empty")
    for place, block in enumerate(blocks):
        where = f"messages.{index}.content.{place}"
        if block.get("type") == "text" and not block.get("text", "").strip():
            raise Refused(f"{where}: text content blocks must contain non-whitespace text")
        if block.get("type") == "tool_use" and not isinstance(block.get("input"), dict):
            raise Refused(f"{where}.tool_use.input: Input should be a valid dictionary")
        if block.get("type") == "thinking" and not block.get("signature"):
            raise Refused(f"{where}.thinking.signature: Field required")
    return blocks


class _Stream:
    def __init__(self, request: Request, tokens: Tokens) -> None:
        self._serial = request.number + 1
        self._index = 0
        self._open: dict[str, Any] | None = None  # the open block
        self._texts: list[str] = []
        self._stop = "end_turn"
        self._tokens = tokens
        self.message: dict[str, Any] = {
            "id": f"msg_{self._serial}",
            "type": "message",
            "role": "assistant",
            "model": request.body["model"],
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": tokens.input - tokens.cached,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": tokens.cached,
                "output_tokens": 1,
                "service_tier": "standard",
            },
        }

    def frames(self, turn: Turn) -> Iterator[Frame]:
        yield _event("message_start", message=self.message)
        yield _event("ping")
        for piece in turn:
            match piece:
                case Stall() | Drop():
                    yield piece
                case Incomplete():
                    self._stop = _STOP.get(piece.reason, piece.reason)
                case Tokens():
                    pass
                case _:
                    yield from self._form_of(piece)(piece)
            if isinstance(piece, Fail):
                return
        yield from self._close()
        usage = {**self.message["usage"], "output_tokens": self._tokens.output}
        if self._tokens.reasoning:
            usage["output_tokens_details"] = {"thinking_tokens": self._tokens.reasoning}
        self.message.update(stop_reason=self._stop, usage=usage)
        delta = {"stop_reason": self._stop, "stop_sequence": None}
        yield _event("message_delta", delta=delta, usage={k: v for k, v in usage.items() if k != "service_tier"})
        yield _event("message_stop")

    def _form_of(self, piece: Piece) -> Callable[[Any], Iterable[bytes]]:
        forms: Mapping[type, Callable[[Any], Iterable[bytes]]] = {
            Say: self._say,
            Refuse: self._refuse,
            Think: self._think,
            CallTool: self._call,
            Cite: self._cite,
            Search: self._search,
            Raw: self._raw,
            Fail: self._fail,
        }
        if type(piece) not in forms:
            raise ValueError(f"Anthropic's messages have no form for {type(piece).__name__}")
        return forms[type(piece)]

    def _refuse(self, piece: Refuse) -> Iterator[bytes]:
        yield from self._say(piece)
        self._stop = "refusal"

    def _say(self, piece: Say | Refuse) -> Iterator[bytes]:
        yield from self._begin_text()
        for text in piece.texts:
            self._texts.append(text)
            yield self._delta({"type": "text_delta", "text": text})

    def _raw(self, piece: Raw) -> Iterator[bytes]:
        yield from self._close()
        for event in piece.events:
            yield _event(**event)
            self._index += event["type"] == "content_block_stop"

    def _fail(self, piece: Fail) -> Iterator[bytes]:
        yield _event("error", error={"type": piece.code, "message": piece.message})

    def _begin_text(self) -> Iterator[bytes]:
        if self._open is None or self._open["type"] != "text":
            yield from self._begin({"type": "text", "text": "", "citations": None})

    def _cite(self, piece: Cite) -> Iterator[bytes]:
        yield from self._begin_text()
        assert self._open is not None
        said = "".join(self._texts)
        citation = {
            "type": "web_search_result_location",
            "url": piece.url,
            "title": piece.title,
            "cited_text": said[piece.start : piece.end],
            "encrypted_index": "sealed",
        }
        self._open["citations"] = [*(self._open["citations"] or []), citation]
        yield self._delta({"type": "citations_delta", "citation": citation})

    def _think(self, piece: Think) -> Iterator[bytes]:
        yield from self._begin({"type": "thinking", "thinking": "", "signature": ""})
        assert self._open is not None
        for text in piece.texts:
            self._texts.append(text)
            yield self._delta({"type": "thinking_delta", "thinking": text})
        self._open["signature"] = f"sealed-{self._serial}-{self._index}"
        yield self._delta({"type": "signature_delta", "signature": self._open["signature"]})
        yield from self._close()

    def _call(self, piece: CallTool) -> Iterator[bytes]:
        call_id = piece.call_id or f"toolu_{self._serial}_{self._index + 1}"
        self._stop = "tool_use"
        yield from self._tool({"type": "tool_use", "id": call_id, "name": piece.name, "input": {}}, piece.fragments)

    def _search(self, piece: Search) -> Iterator[bytes]:
        call_id = f"srvtoolu_{self._serial}_{self._index + 1}"
        block = {"type": "server_tool_use", "id": call_id, "name": "web_search", "input": {}}
        yield from self._tool(block, [msgspec.json.encode({"query": piece.query}).decode()])
        results = [
            {"type": "web_search_result", "url": url, "title": url, "encrypted_content": "sealed", "page_age": None}
            for url in piece.urls
        ]
        yield from self._begin({"type": "web_search_tool_result", "tool_use_id": call_id, "content": results})
        yield from self._close()

    def _tool(self, block: dict[str, Any], fragments: Sequence[str]) -> Iterator[bytes]:
        yield from self._begin(block)
        for fragment in ("", *fragments):
            yield self._delta({"type": "input_json_delta", "partial_json": fragment})
        text = "".join(fragments)
        try:
            block["input"] = msgspec.json.decode(text) if text else {}
        except msgspec.DecodeError:  # a model that writes no JSON, which a stream can show and a whole answer cannot
            block["input"] = {}
        yield from self._close()

    def _begin(self, block: dict[str, Any]) -> Iterator[bytes]:
        yield from self._close()
        self._open = block
        yield _event("content_block_start", index=self._index, content_block=block)

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        return _event("content_block_delta", index=self._index, delta=delta)

    def _close(self) -> Iterator[bytes]:
        if self._open is None:
            return
        block, self._open = self._open, None
        if block["type"] in {"text", "thinking"}:
            block[block["type"]] = "".join(self._texts)
        self._texts = []
        self.message["content"].append(block)
        yield _event("content_block_stop", index=self._index)
        self._index += 1


def _event(type: str, **fields: Any) -> bytes:  # noqa: A002 - the field's name
    return b"event: %b\ndata: %b\n\n" % (type.encode(), msgspec.json.encode({"type": type, **fields}))
