"""How many calls of one bot may be under way at once in this process (H6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from optin.domain.bots import DEPLOYMENT
from optin.domain.errors import TooManyRequests

MOST = 2_000


@dataclass(slots=True)
class Waiting:
    """Counts the calls under way, bot by bot: one bot's rush does not shut out the others."""

    most: int = MOST
    _counts: Counter[str] = field(default_factory=Counter)

    def under_way(self, bot_id: str) -> int:
        """How many calls of the bot are under way now."""
        return self._counts[bot_id]

    @contextmanager
    def turn(self, bot_id: str) -> Iterator[None]:
        """One call's time under way. Raises `TooManyRequests` if too many are already."""
        if self._counts[bot_id] >= self.most:
            whose = "the deployment" if bot_id == DEPLOYMENT else "this bot"
            raise TooManyRequests(f"Too many requests of {whose} are waiting.", retry_after=1)
        self._counts[bot_id] += 1
        try:
            yield
        finally:
            self._counts[bot_id] -= 1
            if not self._counts[bot_id]:
                del self._counts[bot_id]
