"""A call of OpenAI's Responses API as a source. The calls of the official SDK, async or sync; openai 3.52."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Literal

from typing_extensions import override

from unspool.closing import opened
from unspool.events import Interrupt, Record
from unspool.sources.approvals import Action, answer_to, asking, decisions, kept_by
from unspool.sources.base import NOT_RUN, Call, Item, Keep, Past, ResumePoint, Schemas, Source, refuse_config
from unspool.sources.conversation import CHAT_SCHEMAS, asked, said
from unspool.sources.ids import Ids
from unspool.sources.openai.responses_events import ResponsesTranslation
from unspool.sources.openai.responses_items import dumped, field, input_items, parsed
from unspool.sources.sdk_streams import sdk_stream

Memory = Literal["thread", "server"]

_OURS = ("input", "stream", "previous_response_id", "conversation", "background")


def responses(
    client: Any,
    *,
    model: str,
    instructions: str | None = None,
    name: str | None = None,
    accept_system: bool = False,
    memory: Memory = "thread",
    **params: Any,
) -> Source:
    """A model behind the Responses API, as a source: one model call for each run.

    Args:
        client: An ``AsyncOpenAI`` or an ``OpenAI`` client, or one of Azure. A sync one is used in a thread of its own
            for each run. Not closed.
        model: The model's name.
        instructions: The system prompt.
        name: What to call the source, if not by its model.
        accept_system: Whether a client's input may hold system messages.
        memory: Who remembers a thread: we do (``thread``), and send it whole; or the provider (``server``), which
            stores every response and is told the id of the last one.
        params: Passed on to ``client.responses.create``: ``tools``, ``reasoning``, ``max_output_tokens`` and so on.

    Raises:
        TypeError: ``params`` hold what the source sets itself.
    """
    return ResponsesSource(
        client,
        request=request_params(model, instructions, params),
        name=name or model,
        accept_system=accept_system,
        memory=memory,
    )


def request_params(model: str, instructions: str | None, params: dict[str, Any]) -> dict[str, Any]:
    """What goes into every request.

    Raises:
        TypeError: ``params`` hold what the source sets itself.
    """
    wrong = [name for name in _OURS if name in params]
    if wrong:
        raise TypeError(f"the source sets {', '.join(wrong)} itself")
    given = {} if instructions is None else {"instructions": instructions}
    return {"model": model, **given, **params}


class ResponsesSource(Source):
    """See :func:`responses`."""

    def __init__(self, client: Any, *, request: dict[str, Any], name: str, accept_system: bool, memory: Memory) -> None:
        self._client = client
        self._request = request
        self._name = name
        self._system = accept_system
        self._on_server = memory == "server"
        if self._on_server:
            self._request = {"store": True, **request}

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        refuse_config(call)
        request = await self._asked(call)
        translation = ResponsesTranslation(Ids(call.run_id))
        stream = sdk_stream(self._client.responses.create, stream=True, **self._request, **request)
        async with opened(stream) as items:
            async for item in items:
                for event in translation.feed(item):
                    yield event
        for event in translation.end():
            yield event
        kept: dict[str, Any] = {}
        if self._on_server:
            kept["response_id"] = translation.response_id
            kept["calls"] = [item.call_id for item in translation.output if field(item, "type") == "function_call"]
        if translation.approvals:
            kept["approvals"] = [dumped(item) for item in translation.approvals]
            if not self._on_server:
                kept["input"] = [*request["input"], *(dumped(item) for item in translation.output)]
        if kept:
            yield Keep(kept)
        for item in translation.approvals:
            yield Interrupt(item.id, asking([_action(item)], allowed=("approve", "reject")))

    async def _asked(self, call: Call) -> dict[str, Any]:
        """The input of one request, and what it continues."""
        if call.resumes is not None:
            return _answered(call, await kept_by(call))
        pasts = await call.history()
        previous: dict[str, Any] = {}
        outputs: list[dict[str, Any]] = []
        if self._on_server:
            stored = [(i, _response_id(past)) for i, past in enumerate(pasts) if _response_id(past)]
            if stored:
                # What came behind it, and failed or was stopped, the provider does not know.
                previous = {"previous_response_id": stored[-1][1]}
                last = stored[-1][0]
                # It refuses to go on behind a call without an output.
                outputs = [
                    {"type": "function_call_output", "call_id": call_id, "output": NOT_RUN}
                    for call_id in pasts[last].kept["calls"]
                ]
                pasts = pasts[last + 1 :]
        messages = [*said(pasts), *asked(call, system=self._system)]
        return {"input": [*outputs, *input_items(messages)], **previous}

    @override
    def schemas(self) -> Schemas:
        return CHAT_SCHEMAS

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None


def _response_id(past: Past) -> str | None:
    found: object = field(past.kept, "response_id")
    return found if isinstance(found, str) and past.status == "completed" else None


def _action(item: Any) -> Action:
    return Action(field(item, "name"), parsed(field(item, "arguments")), f"MCP server {field(item, 'server_label')}")


def _answered(call: Call, kept: Mapping[str, Any]) -> dict[str, Any]:
    """The input of a request that goes on behind the approvals of the run before."""
    waiting = {item["id"]: item for item in kept.get("approvals", ())}
    given: list[dict[str, Any]] = []
    for interrupt_id, answer in answer_to(call, list(waiting)).items():
        decided = decisions(answer, [_action(waiting[interrupt_id])], allowed=("approve", "reject"))[0]
        response: dict[str, Any] = {
            "type": "mcp_approval_response",
            "approval_request_id": interrupt_id,
            "approve": decided.type == "approve",
        }
        given.append(response if decided.message is None else {**response, "reason": decided.message})
    if "input" in kept:
        return {"input": [*kept["input"], *given]}
    return {"input": given, "previous_response_id": kept["response_id"]}
