"""Which states may be told to the tap: those whose records are all committed.

A STATE message covers the records before it, of every stream. Streams are written a batch at a time and
not in the order of the input, so each state waits until the batches that hold its records are in.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Waiting:
    """A state, and how many records of each stream came before it."""

    value: dict[str, Any]
    received: dict[str, int]


class States:
    """Counts the records that came in and those that are committed, a stream each."""

    def __init__(self) -> None:
        self._received: dict[str, int] = {}
        self._committed: dict[str, int] = {}
        self._waiting: deque[Waiting] = deque()

    def received(self, stream: str) -> None:
        """One more record of the stream has come in."""
        self._received[stream] = self._received.get(stream, 0) + 1

    def committed(self, stream: str, count: int) -> None:
        """The next ``count`` records of the stream, in the order in which they came, are committed."""
        self._committed[stream] = self._committed.get(stream, 0) + count

    def add(self, value: dict[str, Any]) -> None:
        """A STATE message has come in."""
        self._waiting.append(Waiting(value, dict(self._received)))

    def covered(self) -> dict[str, Any] | None:
        """The newest state that only committed records stand before, and that was not given yet."""
        newest = None
        while self._waiting and all(
            self._committed.get(stream, 0) >= count
            for stream, count in self._waiting[0].received.items()
        ):
            newest = self._waiting.popleft().value
        return newest
