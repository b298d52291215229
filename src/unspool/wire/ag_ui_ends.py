"""What AG-UI tells at the end of a run: what it took, what it waits for, what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unspool.events import End, Error, Interrupt, Usage
from unspool.wire.ag_ui_fields import frame
from unspool.wire.ag_ui_interrupts import agui_interrupts
from unspool.wire.ag_ui_tools import OpenCall


class Ending:
    """What is kept until the end of a run, since AG-UI has no earlier place for it."""

    def __init__(self, thread_id: str, run_id: str) -> None:
        self._thread_id = thread_id
        self._run_id = run_id
        self._kept: list[tuple[int, Usage | Interrupt]] = []
        self._error: Error | None = None

    def keep(self, event: Usage | Interrupt, seq: int) -> bytes:
        """Tokens were used, or a person is asked."""
        self._kept.append((seq, event))
        return b""

    def fail(self, event: Error, _seq: int) -> bytes:
        """Something went wrong."""
        self._error = event
        return b""

    def cut(self, keep_seq: int) -> None:
        """Forget what came after ``keep_seq``."""
        self._kept = [(seq, event) for seq, event in self._kept if seq <= keep_seq]

    def end(self, event: End, calls: Sequence[OpenCall]) -> bytes:
        """The run ends. ``calls``: those that have no result."""
        interrupts = [kept for _, kept in self._kept if isinstance(kept, Interrupt)]
        usage = _by_model([kept for _, kept in self._kept if isinstance(kept, Usage)])
        more: dict[str, Any] = {"usage": usage} if usage else {}
        if event.status == "failed" or (event.status == "interrupted" and not interrupts):
            error = self._error or Error("internal", "The run failed.")
            return frame("RUN_ERROR", message=error.message, code=error.code, **more)
        if event.output is not None:
            more["result"] = event.output
        outcome: dict[str, Any] = {"type": "success"}
        if event.status == "cancelled":
            outcome = {"type": "cancelled"}
        elif event.status == "interrupted":
            outcome = {"type": "interrupt", "interrupts": agui_interrupts(interrupts, calls)}
        return frame("RUN_FINISHED", threadId=self._thread_id, runId=self._run_id, outcome=outcome, **more)


def _by_model(usages: Sequence[Usage]) -> list[dict[str, Any]]:
    """What the calls of each model took, one entry per model, without what is not known."""
    found: dict[str | None, dict[str, Any]] = {}
    for usage in usages:
        entry = found.setdefault(usage.model, {} if usage.model is None else {"model": usage.model})
        for name, count in (
            ("inputTokens", usage.input_tokens),
            ("outputTokens", usage.output_tokens),
            ("totalTokens", usage.total_tokens or usage.input_tokens + usage.output_tokens),
            ("reasoningTokens", usage.reasoning_tokens),
            ("cachedInputTokens", usage.cached_tokens),
        ):
            if count:
                entry[name] = entry.get(name, 0) + count
    return list(found.values())
