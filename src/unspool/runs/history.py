"""What was said in a thread before a run, for sources that have no memory of their own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from unspool.errors import CursorExpired, RunNotFound
from unspool.eventlog import EventLog, Run
from unspool.events import Transcript
from unspool.runs.reading import read_all
from unspool.sources import Past

MAX_RUNS = 200
"""Runs of a thread that a source is told of; the newest ones."""

CACHED_RUNS = 256


class History:
    """Reads what is past, and remembers the last ones, since a run that has ended does not change.

    Args:
        log: Where the runs are.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._known: OrderedDict[str, Past] = OrderedDict()

    async def before(self, run: Run) -> Sequence[Past]:
        """The runs of the thread before ``run``, oldest first: see :meth:`unspool.Call.history`."""
        if run.thread_id is None:
            return []
        found = await self._of_thread(run, run.thread_id)
        pasts = [await self._past(earlier) for earlier in reversed(found)]
        return [past for past in pasts if past is not None]

    async def _of_thread(self, run: Run, thread_id: str) -> list[Run]:
        """Newest first."""
        found: list[Run] = []
        before: str | None = run.id
        while before is not None and len(found) < MAX_RUNS:
            page = await self._log.list(run.owner, source=run.source, thread_id=thread_id, before=before)
            found.extend(earlier for earlier in page if earlier.ended and earlier.replaced_by is None)
            before = page[-1].id if page else None
        found.extend(await self._founder(run, thread_id))
        return found[:MAX_RUNS]

    async def _founder(self, run: Run, thread_id: str) -> list[Run]:
        """The run without a thread that was answered: what goes on with it has its id for a thread."""
        try:
            founder = await self._log.get(thread_id)
        except RunNotFound:
            return []
        known = (founder.owner, founder.source, founder.thread_id) == (run.owner, run.source, None)
        return [founder] if known and founder.ended and founder.replaced_by is None else []

    async def _past(self, run: Run) -> Past | None:
        known = self._known.get(run.id)
        if known is not None:
            self._known.move_to_end(run.id)
            return known
        transcript = Transcript()
        try:
            for record in await read_all(self._log, run.id):
                transcript.fold(record)
            kept = await self._log.kept(run.id)
        except (CursorExpired, RunNotFound):
            return None
        past = self._known[run.id] = Past(
            run_id=run.id,
            status=run.status,
            messages=transcript.messages,
            interrupts=transcript.interrupts,
            kept=None if kept is None else msgspec.json.decode(kept),
        )
        if len(self._known) > CACHED_RUNS:
            self._known.popitem(last=False)
        return past
