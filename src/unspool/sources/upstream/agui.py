"""An agent that speaks AG-UI, as a source: one POST per run, events back.

Checked with AG-UI 1.0 (ag-ui-protocol 1.0.0) as pydantic-ai 2.68 speaks it. Nothing of them is imported.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from typing_extensions import override

from unspool.closing import opened
from unspool.events import Message, Record, ToolPart
from unspool.sources.approvals import answer_to, kept_by
from unspool.sources.base import Call, Item, ResumePoint, Schemas, Source, refuse_config
from unspool.sources.conversation import CHAT_SCHEMAS, asked, said
from unspool.sources.ids import Ids
from unspool.sources.upstream.agui_events import AguiTranslation
from unspool.sources.upstream.agui_messages import agui_messages, resume_entries
from unspool.sources.upstream.http import Link, json_of


class AguiUpstream(Source):
    """Runs an AG-UI agent. It is sent the whole thread with each run, as AG-UI wants it.

    Args:
        link: What runs are posted to.
        name: What it is called.
        accept_system: Whether a client may send system messages.
        forwarded_props: Sent with each run, as ``forwardedProps``.
    """

    def __init__(
        self,
        link: Link,
        *,
        name: str,
        accept_system: bool = False,
        forwarded_props: Mapping[str, Any] | None = None,
    ) -> None:
        self._link = link
        self._name = name
        self._accept_system = accept_system
        self._props = dict(forwarded_props or {})

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def stream(self, call: Call) -> AsyncGenerator[Item, None]:
        refuse_config(call)
        pasts = await call.history()
        messages = said(pasts)
        body: dict[str, Any] = {}
        waiting: frozenset[str] = frozenset()
        if call.resumes is None:
            messages = [*messages, *asked(call, system=self._accept_system)]
        else:
            past = next((past for past in pasts if past.run_id == call.resumes), None)
            asked_for = [] if past is None else past.interrupts
            body["resume"] = resume_entries(asked_for, answer_to(call, [each.interrupt_id for each in asked_for]))
            waiting = frozenset((await kept_by(call)).get("waiting", {}).values())
        body = {
            "threadId": call.memory_id,
            "runId": call.run_id,
            "protocolVersion": "1.0",
            "state": {},
            "messages": agui_messages(messages, waiting=waiting),
            "tools": [],
            "context": [],
            "forwardedProps": self._props,
            **body,
        }
        translation = AguiTranslation(Ids(call.run_id), _waiting_calls(messages, waiting))
        async with (
            self._link.client() as http,
            opened(self._link.frames(http, call, "POST", "", body=body)) as frames,
        ):
            async for frame in frames:
                for item in translation.feed(json_of(frame)):
                    yield item
                if translation.finished:
                    break
        for item in translation.end():
            yield item

    @override
    def schemas(self) -> Schemas:
        return CHAT_SCHEMAS

    @override
    async def resume_point(self, call: Call, records: Sequence[Record]) -> ResumePoint | None:
        return None


def _waiting_calls(messages: Sequence[Message], waiting: frozenset[str]) -> dict[str, ToolPart]:
    """The tool calls that an earlier run left to this one, by id."""
    parts = [part for message in messages for part in message.parts if isinstance(part, ToolPart)]
    return {part.call_id: part for part in parts if part.call_id in waiting}
