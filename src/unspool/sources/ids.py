"""Ids for what a run says: unique in a thread, and the same whenever the log is read."""

from __future__ import annotations


class Ids:
    """Makes the ids of one run's messages and tool calls.

    Providers' own message ids are not used: some send none, some the same one again, some one that changes in
    the middle of a message.

    Args:
        run_id: What they are made from.
    """

    def __init__(self, run_id: str) -> None:
        self._prefix = run_id[-12:]  # enough to be unique in a thread, and it is on the wire with every token
        self._messages = 0
        self._calls: set[str] = set()

    def message(self) -> str:
        """The id of the next message."""
        self._messages += 1
        return f"{self._prefix}-{self._messages}"

    def call(self, given: str | None = None) -> str:
        """The id of the next tool call: the provider's, unless it has none or was used in this run before."""
        call_id = given or f"{self._prefix}-call-{len(self._calls) + 1}"
        while call_id in self._calls:
            call_id = f"{given or self._prefix}-{len(self._calls) + 1}"
        self._calls.add(call_id)
        return call_id
