"""Answers to interrupted runs: the run that carries one, whatever protocol it came in."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

import msgspec

from unspool.errors import InvalidInput, RunConflict
from unspool.eventlog import EventLog, Run
from unspool.http.bodies import ResumeBody
from unspool.http.views import transcript_of
from unspool.runs import RunRequest

RUNS = 200
"""How many runs of a thread are looked at, from its newest on."""


async def resumption(log: EventLog, interrupted: Run, body: ResumeBody) -> RunRequest:
    """Return what to start, so that ``interrupted`` goes on.

    Raises:
        RunConflict: It does not wait for an answer.
        InvalidInput: The answer is not one to its interrupts.
    """
    if interrupted.status != "interrupted":
        raise RunConflict(f"the run does not wait for an answer: it is {interrupted.status}")
    if interrupted.replaced_by is not None:
        raise RunConflict("the run does not wait for an answer any more: another one took its place")
    transcript = await transcript_of(log, interrupted)
    return RunRequest(
        thread_id=interrupted.thread_id or interrupted.id,
        config=body.config,
        resumes=interrupted.id,
        answer=_answers(body, [interrupt.interrupt_id for interrupt in transcript.interrupts]),
    )


async def answer_key(log: EventLog, wanted: RunRequest, *, owner: str, source: str) -> str:
    """The idempotency key of an answer that came without one, so that what is answered twice goes on once.

    Where a run carries an answer already, it is that run's. Else it is a new one, which no header can hold.
    Answers that failed, were cancelled or replaced do not count.
    """
    runs = await log.list(owner, source=source, thread_id=wanted.thread_id, limit=RUNS)
    answers = [
        run
        for run in takewhile(lambda run: run.id != wanted.resumes, runs)
        if RunRequest.decoded(run.request).resumes == wanted.resumes
    ]
    for run in answers:
        if run.status not in {"failed", "cancelled"} and run.replaced_by is None and run.idempotency_key is not None:
            return run.idempotency_key
    return f"{wanted.resumes}\n{len(answers)}"


def _answers(body: ResumeBody, pending: list[str]) -> dict[str, Any]:
    if body.answers is not None and body.answer is msgspec.UNSET:
        unknown = sorted(body.answers.keys() - set(pending))
        if unknown or not body.answers:
            raise InvalidInput(f"answer these interrupts, by id: {', '.join(pending)}")
        return body.answers
    if body.answer is msgspec.UNSET or body.answers is not None:
        raise InvalidInput("give either `answer` or `answers`")
    if len(pending) != 1:
        raise InvalidInput(f"there is more than one interrupt; give `answers` by id: {', '.join(pending)}")
    return {pending[0]: body.answer}
