"""Where a graph's run can be taken up again: at the last checkpoint that both the log and the checkpointer know.

A source writes the id of each of its root checkpoints into the log, as transient ``data``. With durability
``sync`` a checkpoint is stored before the step behind it begins. So whatever stands in the log behind the last
such id belongs to steps that are done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel

from unspool.events import Data, Record, Retry
from unspool.sources.base import Call, ResumePoint

Graph = Pregel[Any, Any, Any, Any]

CHECKPOINT = "checkpoint"
"""The name of the ``data`` events that carry checkpoint ids."""


async def find_resume_point(graph: Graph, call: Call, records: Sequence[Record]) -> ResumePoint | None:
    """Return where to go on. None: nothing of the run is in the log, so that it simply begins."""
    if not records:
        return None
    for checkpoint, seq in reversed(_checkpoints(records)):
        state = await graph.aget_state(_at(call, checkpoint))
        # A checkpoint that is gone reads as an empty state.
        if state.created_at is not None:
            return ResumePoint(keep_seq=seq, position={"checkpoint": checkpoint})
    return ResumePoint(keep_seq=1, position={"checkpoint": None, "again": True})


def _checkpoints(records: Sequence[Record]) -> list[tuple[str, int]]:
    """The checkpoints that the log holds, with their seqs, without those that a retry made void."""
    found: list[tuple[str, int]] = []
    for record in records:
        if record.type == "data":
            event = record.event
            if isinstance(event, Data) and event.name == CHECKPOINT and event.transient:
                found.append((event.value["id"], record.seq))
        elif record.type == "retry":
            event = record.event
            if isinstance(event, Retry):
                found = [(checkpoint, seq) for checkpoint, seq in found if seq <= event.keep_seq]
    return found


async def checkpoint_before(graph: Graph, call: Call) -> str | None:
    """Return where the call has to begin, if that is not where the thread is now.

    That is the thread's newest checkpoint that neither an earlier attempt of this run left there, nor a run that
    was replaced. If they left the thread's only checkpoints, those are deleted. So it does not matter at which
    moment an earlier attempt died, or whether the run that took the place of another got as far as a checkpoint.
    """
    void = {call.run_id, *call.replaced}
    skipped = False
    async for state in graph.aget_state_history(_at(call, None)):
        if (state.metadata or {}).get("unspool_run_id") not in void:
            return str(state.config.get("configurable", {})["checkpoint_id"]) if skipped else None
        skipped = True
    checkpointer = graph.checkpointer
    if skipped and checkpointer is not None and not isinstance(checkpointer, bool):
        await checkpointer.adelete_thread(call.memory_id)
    return None


def _at(call: Call, checkpoint: str | None) -> RunnableConfig:
    configurable = {"thread_id": call.memory_id}
    return {"configurable": configurable if checkpoint is None else {**configurable, "checkpoint_id": checkpoint}}
