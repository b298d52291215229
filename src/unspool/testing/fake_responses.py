"""Responses: a script as the events of ``POST /v1/responses``, checked against openai 3.52."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from typing_extensions import override

from unspool.testing.fake_responses_input import check_input
from unspool.testing.model_server import Refused, Request, Wire
from unspool.testing.openai_rules import check_model, check_tools, openai_error
from unspool.testing.script import (
    CallTool,
    Cite,
    Drop,
    Fail,
    Frame,
    Incomplete,
    Picture,
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

_CREATED_AT = 1_700_000_000


class ResponsesWire(Wire):
    """Messages, reasoning, function calls, web searches, pictures; ``previous_response_id``. ``store`` is ignored."""

    def __init__(self) -> None:
        self._conversations: dict[str, Sequence[Any]] = {}

    @override
    def check(self, request: Request) -> None:
        body = request.body
        check_model(body)
        check_tools([tool for tool in body.get("tools") or [] if tool.get("type") == "function"])
        previous: object = body.get("previous_response_id")
        if previous is not None and previous not in self._conversations:
            raise Refused(f"Previous response with id '{previous}' not found.", code="previous_response_not_found")
        before = self._conversations[str(previous)] if previous is not None else ()
        request.turn = check_input(self._asked(body, before))

    def _asked(self, body: Mapping[str, Any], before: Sequence[Any]) -> list[Any]:
        asked: object = body.get("input")
        if isinstance(asked, str):
            asked = [{"role": "user", "content": asked}]
        if not isinstance(asked, list) or (not asked and not before):
            raise Refused(
                'One of "input" or "previous_response_id" must be provided.', code="missing_required_parameter"
            )
        return [*before, *asked]

    @override
    def stream(self, request: Request, turn: Turn) -> Iterator[Frame]:
        stream = _Stream(request)
        yield from stream.frames(turn)
        self._remember(request, stream)

    @override
    def whole(self, request: Request, turn: Turn) -> Any:
        for piece in turn:
            if isinstance(piece, Fail) and piece.how != "failed":
                raise Refused(piece.message, status=500, code=piece.code)
        stream = _Stream(request)
        for _ in stream.frames(turn):
            pass
        self._remember(request, stream)
        return stream.response

    def _remember(self, request: Request, stream: _Stream) -> None:
        before = self._conversations.get(str(request.body.get("previous_response_id")), ())
        self._conversations[stream.id] = [*self._asked(request.body, before), *stream.output]

    @override
    def error(self, status: int, code: str | None, message: str) -> Any:
        return openai_error(status, code, message)


class _Stream:
    def __init__(self, request: Request) -> None:
        self._request = request
        self._serial = request.number + 1
        self.id = f"resp_{self._serial}"
        self.output: list[dict[str, Any]] = []
        self.response: dict[str, Any] = {}
        self._sequence = 0
        self._item: dict[str, Any] | None = None  # the open message
        self._part: dict[str, Any] | None = None  # its open part
        self._texts: list[str] = []
        self._cut: str | None = None
        self._pieces: Mapping[type, Callable[[Any], Iterable[bytes]]] = {
            Say: self._say,
            Refuse: self._refuse,
            Think: self._think,
            CallTool: self._call,
            Cite: self._cite,
            Search: self._search,
            Picture: self._picture,
            Raw: self._raw,
            Fail: self._fail,
        }

    def frames(self, turn: Turn) -> Iterator[Frame]:
        yield self._with_response("response.created", "in_progress")
        yield self._with_response("response.in_progress", "in_progress")
        for piece in turn:
            match piece:
                case Stall() | Drop():
                    yield piece
                case Incomplete():
                    self._cut = piece.reason
                case Tokens():
                    pass
                case _:
                    yield from self._pieces[type(piece)](piece)
            if isinstance(piece, Fail):
                return
        yield from self._close_message()
        status = "incomplete" if self._cut else "completed"
        yield self._with_response(f"response.{status}", status, usage=_usage(tokens_of(turn)))

    def _say(self, piece: Say) -> Iterator[bytes]:
        yield from self._open_part("output_text")
        where = self._where()
        for text in piece.texts:
            self._texts.append(text)
            yield self._event("response.output_text.delta", **where, delta=text, logprobs=[])

    def _refuse(self, piece: Refuse) -> Iterator[bytes]:
        yield from self._open_part("refusal")
        where = self._where()
        for text in piece.texts:
            self._texts.append(text)
            yield self._event("response.refusal.delta", **where, delta=text)

    def _cite(self, piece: Cite) -> Iterator[bytes]:
        yield from self._open_part("output_text")
        assert self._part is not None
        annotation = {
            "type": "url_citation",
            "url": piece.url,
            "title": piece.title,
            "start_index": piece.start,
            "end_index": piece.end,
        }
        index = len(self._part["annotations"])
        self._part["annotations"].append(annotation)
        name = "response.output_text.annotation.added"
        yield self._event(name, **self._where(), annotation_index=index, annotation=annotation)

    def _think(self, piece: Think) -> Iterator[bytes]:
        yield from self._close_message()
        item: dict[str, Any] = {"id": self._id("rs"), "type": "reasoning", "summary": []}
        wanted = "reasoning.encrypted_content" in (self._request.body.get("include") or [])
        yield self._added({**item, "encrypted_content": ""} if wanted else item)
        where = {"item_id": item["id"], "output_index": len(self.output)}
        text = "".join(piece.texts)
        if piece.raw:
            item["content"] = [{"type": "reasoning_text", "text": text}]
            where["content_index"] = 0
            for delta in piece.texts:
                yield self._event("response.reasoning_text.delta", **where, delta=delta)
            yield self._event("response.reasoning_text.done", **where, text=text)
        else:
            item["summary"] = [{"type": "summary_text", "text": text}]
            yield from self._summary({**where, "summary_index": 0}, piece.texts)
        yield self._done({**item, "encrypted_content": f"sealed-{item['id']}"} if wanted else item)

    def _summary(self, where: Mapping[str, Any], texts: Sequence[str]) -> Iterator[bytes]:
        name = "response.reasoning_summary"
        yield self._event(f"{name}_part.added", **where, part={"type": "summary_text", "text": ""})
        for delta in texts:
            yield self._event(f"{name}_text.delta", **where, delta=delta)
        yield self._event(f"{name}_text.done", **where, text="".join(texts))
        yield self._event(f"{name}_part.done", **where, part={"type": "summary_text", "text": "".join(texts)})

    def _call(self, piece: CallTool) -> Iterator[bytes]:
        yield from self._close_message()
        item = {
            "id": self._id("fc"),
            "type": "function_call",
            "status": "in_progress",
            "arguments": "",
            "call_id": piece.call_id or f"call_{self._serial}_{len(self.output) + 1}",
            "name": piece.name,
        }
        yield self._added(item)
        where = {"item_id": item["id"], "output_index": len(self.output)}
        for fragment in piece.fragments:
            yield self._event("response.function_call_arguments.delta", **where, delta=fragment)
        arguments = "".join(piece.fragments)
        yield self._event("response.function_call_arguments.done", **where, arguments=arguments)
        yield self._done({**item, "arguments": arguments, "status": "completed"})

    def _search(self, piece: Search) -> Iterator[bytes]:
        yield from self._close_message()
        action: dict[str, Any] = {"type": "search", "query": piece.query}
        item = {"id": self._id("ws"), "type": "web_search_call", "status": "in_progress", "action": action}
        yield from self._hosted(item, ("in_progress", "searching", "completed"))
        sources = [{"type": "url", "url": url} for url in piece.urls]
        yield self._done({**item, "status": "completed", "action": {**action, "sources": sources}})

    def _picture(self, piece: Picture) -> Iterator[bytes]:
        yield from self._close_message()
        item = {"id": self._id("ig"), "type": "image_generation_call", "status": "in_progress", "result": None}
        yield from self._hosted(item, ("in_progress", "generating", "completed"))
        yield self._done({**item, "status": "completed", "result": piece.base64, "output_format": "png"})

    def _hosted(self, item: Mapping[str, Any], stages: Sequence[str]) -> Iterator[bytes]:
        yield self._added(item)
        for stage in stages:
            name = f"response.{item['type']}.{stage}"
            yield self._event(name, item_id=item["id"], output_index=len(self.output))

    def _raw(self, piece: Raw) -> Iterator[bytes]:
        yield from self._close_message()
        for event in piece.events:
            yield self._event(**event)
            if event["type"] == "response.output_item.done":
                self.output.append(event["item"])

    def _fail(self, piece: Fail) -> Iterator[bytes]:
        if piece.how == "event":
            yield self._event("error", code=piece.code, message=piece.message, param=None)
        elif piece.how == "failed":
            error = {"code": piece.code, "message": piece.message}
            yield self._with_response("response.failed", "failed", error=error)
        else:
            yield b"data: %b\n\n" % msgspec.json.encode(openai_error(500, piece.code, piece.message))

    def _open_part(self, kind: str) -> Iterator[bytes]:
        if self._item is None:
            self._item = {
                "id": self._id("msg"),
                "type": "message",
                "status": "in_progress",
                "content": [],
                "role": "assistant",
            }
            yield self._added(self._item)
        if self._part is not None and self._part["type"] == kind:
            return
        yield from self._close_part()
        text = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
        self._part = text if kind == "output_text" else {"type": "refusal", "refusal": ""}
        yield self._event("response.content_part.added", **self._where(), part=self._part)

    def _close_part(self) -> Iterator[bytes]:
        if self._part is None or self._item is None:
            return
        where, part = self._where(), self._part
        text = "".join(self._texts)
        if part["type"] == "output_text":
            part["text"] = text
            yield self._event("response.output_text.done", **where, text=text, logprobs=[])
        else:
            part["refusal"] = text
            yield self._event("response.refusal.done", **where, refusal=text)
        yield self._event("response.content_part.done", **where, part=part)
        self._item["content"].append(part)
        self._part, self._texts = None, []

    def _close_message(self) -> Iterator[bytes]:
        yield from self._close_part()
        if self._item is not None:
            item, self._item = self._item, None
            yield self._done({**item, "status": "incomplete" if self._cut else "completed"})

    def _where(self) -> dict[str, Any]:
        assert self._item is not None
        return {
            "item_id": self._item["id"],
            "output_index": len(self.output),
            "content_index": len(self._item["content"]),
        }

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{self._serial}_{len(self.output) + 1}"

    def _added(self, item: Mapping[str, Any]) -> bytes:
        return self._event("response.output_item.added", output_index=len(self.output), item=item)

    def _done(self, item: dict[str, Any]) -> bytes:
        frame = self._event("response.output_item.done", output_index=len(self.output), item=item)
        self.output.append(item)
        return frame

    def _with_response(self, type: str, status: str, **more: Any) -> bytes:  # noqa: A002 - the field's name
        body = self._request.body
        self.response = {
            "id": self.id,
            "object": "response",
            "created_at": _CREATED_AT,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": self._cut} if status == "incomplete" else None,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "metadata": body.get("metadata") or {},
            "model": body["model"],
            "output": self.output,
            "parallel_tool_calls": body.get("parallel_tool_calls", True),
            "previous_response_id": body.get("previous_response_id"),
            "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
            "store": body.get("store", True),
            "temperature": body.get("temperature", 1.0),
            "text": body.get("text") or {"format": {"type": "text"}},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": body.get("tools") or [],
            "top_p": body.get("top_p", 1.0),
            "truncation": "disabled",
            "usage": None,
            "user": None,
            **more,
        }
        return self._event(type, response=self.response)

    def _event(self, type: str, **fields: Any) -> bytes:  # noqa: A002 - the field's name
        event = {"type": type, **fields, "sequence_number": self._sequence}
        self._sequence += 1
        return b"event: %b\ndata: %b\n\n" % (type.encode(), msgspec.json.encode(event))


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached, "cache_write_tokens": 0},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }
