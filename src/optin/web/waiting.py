"""How many calls of one bot may be under way at once in this process (H6)."""

from __future__ import annotations

from dataclasses import dataclass, field

from optin.domain.bots import DEPLOYMENT
from optin.domain.errors import TooManyRequests

MOST = 2_000


@dataclass(slots=True)
class Waiting:
    """Counts the calls under way, bot by bot: one bot's rush does not shut out the others."""

    most: int = MOST
    _counts: dict[str, int] = field(default_factory=dict)

    def under_way(self, bot_id: str) -> int:
        """How many calls of the bot are under way now."""
        return self._counts.get(bot_id, 0)

    def turn(self, bot_id: str) -> _Turn:
        """One call's time under way, from `with` on: it raises `TooManyRequests` if too many are
        already."""
        return _Turn(self, bot_id)


class _Turn:
    __slots__ = ("_bot_id", "_counts", "_most")

    def __init__(self, waiting: Waiting, bot_id: str) -> None:
        self._counts = waiting._counts
        self._most = waiting.most
        self._bot_id = bot_id

    def __enter__(self) -> None:
        under_way = self._counts.get(self._bot_id, 0)
        if under_way >= self._most:
            whose = "the deployment" if self._bot_id == DEPLOYMENT else "this bot"
            raise TooManyRequests(f"Too many requests of {whose} are waiting.", retry_after=1)
        self._counts[self._bot_id] = under_way + 1

    def __exit__(self, *_: object) -> None:
        left = self._counts[self._bot_id] - 1
        if left:
            self._counts[self._bot_id] = left
        else:
            del self._counts[self._bot_id]
