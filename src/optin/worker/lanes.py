"""What a loop has leased for one key: how much is under way, and what is held behind it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

#: How long a key that got nothing done is remembered for that, in seconds.
REMEMBERED = 60.0


class Lane(Generic[T]):
    """One key's leased work."""

    def __init__(self) -> None:
        self.held: deque[T] = deque()
        self.busy = 0
        self._busy_since = 0.0
        self._slow = float("-inf")
        self._finished: deque[float] = deque()

    def take(self, item: T) -> None:
        """Holds one more."""
        if not self.busy and not self.held:
            self._busy_since = time.monotonic()
        self.held.append(item)

    def next(self, may_start: Callable[[T], bool]) -> T | None:
        """Takes out the first that may start, if there is one; it is under way from now on."""
        for place, item in enumerate(self.held):
            if may_start(item):
                del self.held[place]
                self.busy += 1
                return item
        return None

    def done(self) -> None:
        """One of those under way is done."""
        self.busy -= 1
        self._finished.append(time.monotonic())

    def excess(self, patience: float) -> list[T]:
        """Takes out what will not have its turn within a second, going by the last one.

        In its first `patience` seconds nobody is called slow; but who was slow lately is so at
        once, or each time that all of its posts have timed out it would have the room again.
        """
        now = time.monotonic()
        before = now - 1.0
        while self._finished and self._finished[0] < before:
            self._finished.popleft()
        busy_for = min(now - self._busy_since, 1.0)
        if self.was_slow():
            busy_for = 1.0
        elif busy_for < patience:
            return []
        if self.held and not self._finished and self._busy_since < before:
            self._slow = now
        in_a_second = int(len(self._finished) / busy_for)
        return [self.held.pop() for _ in range(len(self.held) - in_a_second)]

    def was_slow(self) -> bool:
        """Whether it lately got nothing done in a whole second while more was waiting."""
        return time.monotonic() - self._slow < REMEMBERED

    def give_up(self) -> list[T]:
        """Takes out everything that is held."""
        held = list(self.held)
        self.held.clear()
        return held
