"""How much waits in the queues, for those who look after the service. Not for decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HeldUp:
    """Waiting messages of a bot whose last try ended alike. `oldest`, `next_try`: UTC µs.

    `details`: how that try ended; "" for those that were not tried yet.
    """

    details: str
    messages: int
    oldest: int
    next_try: int


class Backlog(Protocol):
    """Reads beside the store. Both raise `StoreUnavailable`."""

    async def lengths(self) -> Mapping[str, int]:
        """How much is in each queue, all bots together: `messages` that wait, `unsettled` ones
        whose outcome is not known yet, `callbacks` that are owed, kept webhooks `not_understood`
        and to be replayed."""

    async def held_up(self, bot_id: str) -> Sequence[HeldUp]:
        """What waits of one bot, the most first."""

    async def close(self) -> None:
        """Closes what is open."""
