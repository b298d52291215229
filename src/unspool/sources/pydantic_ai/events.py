"""The event stream of a Pydantic AI run as our events. Checked against pydantic-ai 2.68."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from unspool.events import (
    AnyEvent,
    Citation,
    Data,
    Interrupt,
    MessageEnd,
    MessageStart,
    Reasoning,
    Token,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolStart,
)
from unspool.sources.approvals import Action, asking
from unspool.sources.base import Item, Output
from unspool.sources.conversation import NOT_COMPLETED
from unspool.sources.ids import Ids
from unspool.sources.pydantic_ai.parts import (
    ERRORS,
    arguments,
    as_json,
    file_events,
    finish_reason,
    result_of,
    usage_of,
)

if TYPE_CHECKING:
    from pydantic_ai import DeferredToolRequests


class PydanticTranslation:
    """What ``agent.run_stream_events()`` yields, as events. One per run.

    One message per model response. Tools are those of the program, those that the provider runs, and output tools,
    whose arguments are the structured output as it is written. The output is in the ``end`` unless it is the
    text of the last message.

    Args:
        ids: The ids of the run.
        messages: Returns the messages of the run so far. With it, usage and finish reasons come with each
            response; without it, they come with the result.
    """

    def __init__(self, ids: Ids, *, messages: Callable[[], Sequence[Any]] | None = None) -> None:
        self._ids = ids
        self._messages = messages
        self._responses = 0
        self._message: str | None = None
        self._parts: dict[int, Any] = {}  # by index: a call's id, or where in the message a text begins
        self._length = 0
        self._thought = False
        self._complete = False
        self._calls: dict[str, str] = {}
        self._open: dict[str, None] = {}
        self.pending: dict[str, dict[str, str]] = {}

    def feed(self, item: Any) -> Iterator[Item]:
        """The events of one item. Those of realtime sessions, and those about the run itself, have none."""
        match getattr(item, "event_kind", None):
            case "part_delta":
                yield from self._delta(item.index, item.delta)
            case "part_start":
                yield from self._begin(item)
            case "part_end":
                yield from self._done(item.index, item.part)
                self._complete = item.next_part_kind is None
            case "function_tool_call" | "output_tool_call":
                yield from self._called(item.part)
            case "function_tool_result" | "output_tool_result":
                yield from self._answered(item.part)
            case "custom" if type(item).ui:
                yield Data(item.name, as_json(item.to_payload()))
            case "agent_run_result":
                self._messages = item.result.new_messages
                yield from self._finish()
                yield from self._result(item.result)
            case _:
                pass

    def end(self) -> Iterator[Item]:
        """Close what is open."""
        yield from self._finish()
        for call_id in self._open:
            if call_id not in self.pending:
                yield ToolEnd(call_id, error=NOT_COMPLETED)
        self._open = {}

    def refused(self, text: str) -> Iterator[Item]:
        """The model's refusal: the SDK does not stream it."""
        yield from self._speak()
        yield Token(self._message or "", text)
        yield from self._finish()

    # -- a model's response -----------------------------------------------------------------------------

    def _speak(self) -> Iterator[AnyEvent]:
        if self._message is None:
            self._message = self._ids.message()
            self._parts, self._length = {}, 0
            self._thought = self._complete = False
            yield MessageStart(self._message)

    def _begin(self, item: Any) -> Iterator[Item]:
        index, part = item.index, item.part
        if self._complete:  # the response before was not accepted; nobody will answer its calls
            yield from self.end()
        yield from self._speak()
        message = self._message or ""
        match part.part_kind:
            case "text":
                self._parts[index] = self._length
                if part.content:
                    self._length += len(part.content)
                    yield Token(message, part.content)
                yield from self._cited(index, part.citations or ())
            case "thinking":
                if item.previous_part_kind == "thinking" and self._thought:
                    yield Reasoning(message, "\n\n")  # the next of the summaries of one thought
                yield from self._think(part.content)
            case "tool-call" | "builtin-tool-call":
                yield from self._begin_call(index, part)
            case "builtin-tool-return":
                yield from self._answered(part)
            case "file":
                yield from file_events([part.content], message)
            case _:
                pass

    def _think(self, text: str | None) -> Iterator[AnyEvent]:
        if text:
            self._thought = True
            yield Reasoning(self._message or "", text)

    def _begin_call(self, index: int, part: Any) -> Iterator[Item]:
        if index in self._parts and self._parts[index] == self._calls.get(part.tool_call_id):
            return  # the SDK may replace a part by another one of the same call
        self._parts[index] = call_id = self._new_call(part)
        yield ToolStart(call_id, part.tool_name, self._message)
        if isinstance(part.args, str) and part.args:
            yield ToolArgs(call_id, part.args)

    def _new_call(self, part: Any) -> str:
        call_id = self._calls[part.tool_call_id] = self._ids.call(part.tool_call_id)
        self._open[call_id] = None
        return call_id

    def _delta(self, index: int, delta: Any) -> Iterator[Item]:
        match delta.part_delta_kind:
            case "text":
                if delta.content_delta:
                    self._length += len(delta.content_delta)
                    yield Token(self._message or "", delta.content_delta)
                if delta.citations_delta:
                    yield from self._cited(index, delta.citations_delta)
            case "thinking":
                yield from self._think(delta.content_delta)
            case "tool_call":
                if isinstance(delta.args_delta, str) and delta.args_delta:
                    yield ToolArgs(self._parts[index], delta.args_delta)
            case _:
                pass

    def _cited(self, index: int, citations: Sequence[Any]) -> Iterator[AnyEvent]:
        begin = self._parts[index]
        for citation in citations:
            anchor = citation.anchor
            for source in citation.sources:
                yield Citation(
                    self._message or "",
                    url=getattr(source, "url", None),
                    title=source.title,
                    text="\n".join(source.excerpts) or None,
                    start=None if anchor is None else begin + anchor.start,
                    end=None if anchor is None else begin + anchor.end,
                )

    def _done(self, index: int, part: Any) -> Iterator[Item]:
        if part.part_kind not in {"tool-call", "builtin-tool-call"}:
            return
        call_id = self._parts[index]
        if isinstance(part.args, dict):  # providers that send no JSON text send the arguments at once
            yield ToolArgs(call_id, msgspec.json.encode(as_json(part.args)).decode())
        if call_id in self._open:
            yield ToolCall(call_id, part.tool_name, arguments(part))

    def _finish(self) -> Iterator[AnyEvent]:
        """End the message, with what is known of its response by now."""
        reason: str | None = None
        for response in self._fresh():
            reason = finish_reason(response)
            yield usage_of(response)
        if self._message is not None:
            message, self._message, self._complete = self._message, None, False
            yield MessageEnd(message, reason)

    def _fresh(self) -> Sequence[Any]:
        """The responses that came since this was asked last."""
        if self._messages is None:
            return ()
        responses = [message for message in self._messages() if message.kind == "response"]
        fresh = responses[self._responses :]
        self._responses = max(self._responses, len(responses))
        return fresh

    # -- tools ------------------------------------------------------------------------------------------

    def _called(self, part: Any) -> Iterator[Item]:
        if self._calls.get(part.tool_call_id) in self._open:
            yield from self._finish()
        else:  # a call of the interrupted run that this one continues
            yield from self._speak()
            call_id = self._new_call(part)
            yield ToolStart(call_id, part.tool_name, self._message)
            yield ToolCall(call_id, part.tool_name, arguments(part))

    def _answered(self, part: Any) -> Iterator[Item]:
        call_id = self._calls.get(part.tool_call_id)
        if call_id is None or call_id not in self._open:
            return
        del self._open[call_id]
        if part.part_kind != "builtin-tool-return":
            yield from self._finish()
        error = ERRORS.get(part.outcome)
        yield ToolEnd(call_id, None if error else result_of(part), error)
        yield from file_events(part.files)

    # -- the result -------------------------------------------------------------------------------------

    def _result(self, result: Any) -> Iterator[Item]:
        from pydantic_ai import BinaryContent, DeferredToolRequests

        output: object = result.output
        if isinstance(output, DeferredToolRequests):
            yield from self._waits(output)
        yield from self.end()
        said = "".join(part.content for part in result.response.parts if part.part_kind == "text")
        # A picture is a file event of the last message.
        if output != said and not isinstance(output, DeferredToolRequests | BinaryContent):
            yield Output(as_json(output))

    def _waits(self, requests: DeferredToolRequests) -> Iterator[Item]:
        order = list(self._calls)
        for part in sorted((*requests.approvals, *requests.calls), key=lambda part: order.index(part.tool_call_id)):
            kind = requests.kind(part.tool_call_id)
            call_id = self._calls[part.tool_call_id]
            self.pending[call_id] = {"tool_call_id": part.tool_call_id, "tool_name": part.tool_name, "kind": kind}
            args = arguments(part)
            if kind == "approval":
                about: object = requests.metadata.get(part.tool_call_id, {}).get("description")
                action = Action(part.tool_name, args, about if isinstance(about, str) else None)
                yield Interrupt(call_id, asking([action]))
            else:
                what = "question" if kind == "question" else "external_tool"
                yield Interrupt(call_id, {"type": what, "name": part.tool_name, "args": args})
