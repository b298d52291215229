"""AG-UI: ``POST /ag-ui`` takes a RunAgentInput and follows the run that it starts.

The log is the memory. From the messages that a client sends back it is seen which runs of the thread that client still
shows: what follows them is new, and the runs after them are replaced. ``tools``, ``context`` and ``forwardedProps``
are not read, and ``state`` goes back to the client alone, where a retry takes the run's own back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from unspool.access import Principal
from unspool.errors import InvalidInput, RunConflict, RunNotFound
from unspool.eventlog import Run
from unspool.http.ag_ui_messages import MESSAGE_SCHEMA, check_messages, native_input
from unspool.http.bodies import Id, ResumeBody
from unspool.http.operations import Answer, Operation, ProtocolRoute
from unspool.http.resuming import resumption
from unspool.http.serving import Serving
from unspool.http.views import transcript_of
from unspool.runs import RunRequest
from unspool.wire.ag_ui import AgUiSse
from unspool.wire.ag_ui_fields import run_of
from unspool.wire.ag_ui_interrupts import ResumeEntry, native_answers

PAGE = 50


class RunAgentInput(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an AG-UI client sends. Members that are not here are left unread.

    Attributes:
        messages: The whole conversation, as the client shows it.
        resume: Answers to what the thread waits for.
        state: Comes back where a retry voids the run's own.
    """

    thread_id: Id
    run_id: Id
    messages: list[Annotated[dict[str, Any], msgspec.Meta(extra_json_schema=MESSAGE_SCHEMA)]]
    resume: list[ResumeEntry] | None = None
    state: Any = None


class Place(msgspec.Struct, frozen=True):
    """Where in its thread a client is.

    Attributes:
        new: Its messages behind the last run that it shows.
        shown: That run.
        dropped: The runs after that one, oldest first.
    """

    new: Sequence[Mapping[str, Any]]
    shown: Run | None
    dropped: Sequence[Run]


class AgUiRoutes:
    """The handler of one mount."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._log = serving.log

    async def run(self, request: Request, principal: Principal) -> Response:
        """POST /ag-ui: answer what is new in a thread. The same input again finds its run, and follows it anew."""
        body = await self._serving.body(request, RunAgentInput)
        check_messages(body.messages)
        place = await self._place(body, principal)
        wanted = await self._wanted(body, place)
        run = await self._serving.start(request, principal, wanted, run_id=body.run_id)
        codec = AgUiSse(
            body.thread_id,
            run.id,
            messages=body.messages,
            resumes=wanted.resumes is not None,
            state=body.state,
        )
        return self._serving.follow(run, codec)

    async def _wanted(self, body: RunAgentInput, place: Place) -> RunRequest:
        if body.resume:
            interrupted = _interrupted(place)
            new = place.new[sum(_asked(run) for run in _until(interrupted, place.dropped)) :]
            if not new:
                interrupts = (await transcript_of(self._log, interrupted)).interrupts
                answers = native_answers(interrupts, body.resume)
                return await resumption(self._log, interrupted, ResumeBody(answers=answers))
            if any(entry.status != "cancelled" for entry in body.resume):
                raise InvalidInput("answer what the thread waits for, or send a message: not both")
        asked = native_input(place.new)
        replaced = await self._first_to_replace(place)
        return RunRequest(input=asked, thread_id=body.thread_id, replaces=None if replaced is None else replaced.id)

    async def _place(self, body: RunAgentInput, principal: Principal) -> Place:
        known = {run_of(str(message.get("id"))) for message in body.messages}
        dropped: list[Run] = []
        shown: Run | None = None
        before = await self._before(body, principal)
        while shown is None:
            page = await self._log.list(
                principal.id, source=self._serving.mount.name, thread_id=body.thread_id, before=before, limit=PAGE
            )
            counting = [run for run in page if run.replaced_by in {None, body.run_id}]
            shown = next((run for run in counting if run.id in known and run.replaced_by is None), None)
            dropped += counting if shown is None else counting[: counting.index(shown)]
            if len(page) < PAGE:
                break
            before = page[-1].id
        return Place(_new(body, shown), shown, dropped[::-1])

    async def _before(self, body: RunAgentInput, principal: Principal) -> str | None:
        """The run that was made of this request when it came before: the thread is to be seen as it was then."""
        try:
            run = await self._serving.owned(body.run_id, principal)
        except RunNotFound:
            return None
        return run.id if run.thread_id == body.thread_id else None

    async def _first_to_replace(self, place: Place) -> Run | None:
        for index, run in enumerate(place.dropped):
            if run.replaced_by is None and await self._says_nothing(run):
                continue  # an answer that left nothing to be shown cannot be told from one that was dropped
            for live in place.dropped[index:]:
                await self._serving.stopped(live)
            return run
        return None

    async def _says_nothing(self, run: Run) -> bool:
        if RunRequest.decoded(run.request).resumes is None:
            return False
        transcript = await transcript_of(self._log, run)
        return not any(message.parts for message in transcript.messages)


def _new(body: RunAgentInput, shown: Run | None) -> Sequence[Mapping[str, Any]]:
    """The messages behind those of ``shown``, without those of the run itself, where the request comes again."""
    runs = [run_of(str(message.get("id"))) for message in body.messages]
    first = 0 if shown is None else len(runs) - runs[::-1].index(shown.id)
    return [message for message, run in zip(body.messages[first:], runs[first:], strict=True) if run != body.run_id]


def _interrupted(place: Place) -> Run:
    """The run that ``resume`` answers: the newest of the thread that waits."""
    runs = [*([] if place.shown is None else [place.shown]), *place.dropped]
    for run in reversed(runs):
        if run.status == "interrupted":
            return run
    raise RunConflict("the thread does not wait for an answer")


def _until(run: Run, dropped: Sequence[Run]) -> Sequence[Run]:
    """The runs of ``dropped`` up to ``run``. None, if that is shown."""
    return dropped[: dropped.index(run) + 1] if run in dropped else ()


def _asked(run: Run) -> int:
    """How many messages a run was asked."""
    request = RunRequest.decoded(run.request)
    if request.resumes is not None:
        return 0
    asked: Any = request.input
    fields = cast("Mapping[str, Any]", asked if isinstance(asked, Mapping) else {})
    messages = fields.get("messages")
    return len(cast("list[Any]", messages)) if isinstance(messages, list) else 1


_RUN = Operation(
    summary="Answer what is new in a thread, in AG-UI",
    body=RunAgentInput,
    answers={
        200: Answer(
            "AG-UI events, from RUN_STARTED to RUN_FINISHED or RUN_ERROR, one in the `data` of each frame. A response "
            "that closes before that was cut: post the same input again to follow the run anew.",
            ["text/event-stream"],
        )
    },
)


def routes(serving: Serving) -> Sequence[ProtocolRoute]:
    """The routes of AG-UI."""
    return [ProtocolRoute("POST", "/ag-ui", AgUiRoutes(serving).run, _RUN)]
