"""What a ``retry`` can make void, in the AI SDK's UI message stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Things that happened, in order, each with its seq."""

    def __init__(self) -> None:
        self._items: list[tuple[int, T]] = []

    def __iter__(self) -> Iterator[T]:
        return (item for _, item in self._items)

    def __bool__(self) -> bool:
        return bool(self._items)

    def add(self, item: T, seq: int) -> None:
        """It happened at ``seq``."""
        self._items.append((seq, item))

    @property
    def last(self) -> T | None:
        """The newest, if there is any."""
        return self._items[-1][1] if self._items else None

    def after(self, seq: int) -> list[T]:
        """What happened after a seq."""
        return [item for at, item in self._items if at > seq]

    def void(self, keep_seq: int) -> None:
        """Forget what came after ``keep_seq``."""
        self._items = [(seq, item) for seq, item in self._items if seq <= keep_seq]

    def settle(self) -> None:
        """All of it is part of an earlier run, which no retry voids."""
        self._items = [(0, item) for _, item in self._items]
