"""A chat of the AI SDK as a thread: which of its runs is which message, and what the client has dropped."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from unspool.access import Principal
from unspool.errors import InvalidInput, RunNotFound
from unspool.eventlog import Run
from unspool.http.ai_sdk_messages import ChatBody, answers_in, input_of
from unspool.http.resuming import RUNS, resumption
from unspool.http.serving import Serving
from unspool.http.views import transcript_of
from unspool.runs import RunRequest, read_all
from unspool.wire.ai_sdk import Earlier


class Turn(NamedTuple):
    """One assistant message: a run, and those that went on with it once it was answered. The first has its id."""

    runs: list[Run]

    @property
    def id(self) -> str:
        """Of the message."""
        return _request(self.runs[0]).resumes or self.runs[0].id


class Chat:
    """A thread of one owner, as far as it was not replaced.

    Attributes:
        turns: Its answers, oldest first.
        newest: The run that was started last. None: there is none yet.
    """

    def __init__(
        self, serving: Serving, principal: Principal, thread_id: str, turns: Sequence[Turn], newest: Run | None
    ) -> None:
        self._serving = serving
        self._principal = principal
        self._thread_id = thread_id
        self.turns = turns
        self.newest = newest

    @classmethod
    async def load(cls, serving: Serving, principal: Principal, thread_id: str, *, key: str | None = None) -> Chat:
        """Read what the log knows of it. A thread without runs is a new one.

        Args:
            serving: The mount.
            principal: Whose chat it is.
            thread_id: The chat's id.
            key: The idempotency key of the request. Where it came before, the chat is seen as it was then.
        """
        found = await serving.log.list(principal.id, source=serving.mount.name, thread_id=thread_id, limit=RUNS)
        since = _since(found, key)
        counting = {None, *(run.id for run in since)}
        turns: list[Turn] = []
        of: dict[str, Turn] = {}
        kept = [run for run in found[len(since) :] if run.replaced_by in counting]
        for run in reversed(kept):
            turn = of.get(_request(run).resumes or "")
            if turn is None:
                turn = Turn([])
                turns.append(turn)
            turn.runs.append(run)
            of[run.id] = turn
        return cls(serving, principal, thread_id, turns, kept[0] if kept else None)

    async def run(self, run_id: str) -> Run:
        """One of its runs.

        Raises:
            RunNotFound: It is not there, or not the caller's, or of another thread.
        """
        run = await self._serving.owned(run_id, self._principal)
        if run.thread_id != self._thread_id:
            raise RunNotFound(run_id)
        return run

    async def request(self, body: ChatBody) -> RunRequest:
        """What the client wants: an answer to what is new in its messages, or an interrupted run to go on."""
        if body.last.role == "assistant":
            return await self._answer(body)
        if body.message is not None:
            return RunRequest(input=input_of([body.message]), thread_id=self._thread_id, config=body.config)
        known = {message.id for message in body.messages if message.role == "assistant"}
        kept = self._kept(known)
        dropped = self.turns[len(kept) :]
        ids = {turn.id for turn in kept}
        said = [at for at, message in enumerate(body.messages) if message.role == "assistant" and message.id in ids]
        asked = input_of(body.messages[said[-1] + 1 if said else 0 :])
        for turn in dropped:
            await self._serving.stopped(turn.runs[-1])
        return RunRequest(
            input=asked,
            thread_id=self._thread_id,
            config=body.config,
            replaces=dropped[0].runs[0].id if dropped else None,
        )

    def _kept(self, known: Collection[str]) -> Sequence[Turn]:
        for at, turn in enumerate(self.turns):
            if turn.id not in known:
                return self.turns[:at]
        return self.turns

    async def _answer(self, body: ChatBody) -> RunRequest:
        turn = next((turn for turn in self.turns if turn.id == body.last.id), None)
        if turn is None:
            raise InvalidInput("the last message must be the user's, or one that waits for an answer in this chat")
        interrupted = _interrupted(turn)
        asked = (await transcript_of(self._serving.log, interrupted)).interrupts
        return await resumption(self._serving.log, interrupted, answers_in(body, asked))

    async def earlier(self, run: Run) -> tuple[str, list[Earlier]]:
        """The id of the message that a run is a part of, and the runs that the message begins with."""
        turn = next((turn for turn in self.turns if run.id in {one.id for one in turn.runs}), Turn([run]))
        past = turn.runs[: [one.id for one in turn.runs].index(run.id)]
        answers = [_request(one).answer or {} for one in [*past, run][1:]]
        records = [await read_all(self._serving.log, one.id) if one.first_seq == 1 else [] for one in past]
        return turn.id, [Earlier(said, answer) for said, answer in zip(records, answers, strict=True)]


def _since(runs: Sequence[Run], key: str | None) -> Sequence[Run]:
    """The newest of ``runs``, down to the one that was started with ``key``. None, if there is no such run."""
    for at, run in enumerate(runs, 1):
        if key is not None and run.idempotency_key == key:
            return runs[:at]
    return ()


def _interrupted(turn: Turn) -> Run:
    """The run that waits for an answer. Where that is under way, or has been given: the one that it was given to."""
    last = turn.runs[-1]
    if last.status in {"failed", "cancelled", "interrupted"}:
        return last
    answered = _request(last).resumes
    return next((run for run in turn.runs if run.id == answered), last)


def _request(run: Run) -> RunRequest:
    return RunRequest.decoded(run.request)
