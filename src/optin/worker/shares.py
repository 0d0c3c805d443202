"""How much each bot has under way: one whose receivers all hang must not be in anybody's way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

from optin.worker.lanes import REMEMBERED

T = TypeVar("T")

#: What takes longer shows its bot as slow, and so does nothing quicker for as long, in seconds.
SLOW = 1.0


class Shares(Generic[T]):
    """Each bot may have `most` under way at once; bots that are slow, `slow` all together.

    `bot` says whose an item is. A slow bot stays so until it gets something done quickly, or is
    forgotten.
    """

    def __init__(
        self,
        bot: Callable[[T], str],
        most: int,
        slow: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bot = bot
        self._most = most
        self._slow = slow
        self._monotonic = monotonic
        self._busy: Counter[str] = Counter()
        self._quick: dict[str, float] = {}

    def has_room(self, item: T) -> bool:
        """Whether one more of its bot may begin."""
        bot = self._bot(item)
        if self._busy[bot] >= self._most:
            return False
        now = self._monotonic()
        return not self._is_slow(bot, now) or not self._is_crowded(now)

    def begin(self, item: T) -> None:
        """It is under way."""
        bot = self._bot(item)
        self._busy[bot] += 1
        self._quick.setdefault(bot, self._monotonic())

    def end(self, item: T, took: float) -> None:
        """It is done, after so many seconds."""
        bot, now = self._bot(item), self._monotonic()
        self._busy[bot] -= 1
        if took < SLOW:
            self._quick[bot] = now
        if not self._busy[bot]:
            del self._busy[bot]
            if not self._is_slow(bot, now):
                del self._quick[bot]

    def full(self) -> list[str]:
        """The bots of which nothing more may begin."""
        now = self._monotonic()
        before = now - REMEMBERED
        self._quick = {b: at for b, at in self._quick.items() if b in self._busy or at > before}
        full = {bot for bot, busy in self._busy.items() if busy >= self._most}
        if self._is_crowded(now):
            full.update(bot for bot in self._quick if self._is_slow(bot, now))
        return list(full)

    def _is_slow(self, bot: str, now: float) -> bool:
        return now - self._quick.get(bot, now) > SLOW

    def _is_crowded(self, now: float) -> bool:
        """Whether the slow ones have all that they may have together."""
        slow = sum(busy for bot, busy in self._busy.items() if self._is_slow(bot, now))
        return slow >= self._slow
