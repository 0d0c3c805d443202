"""Counts of a bot's contacts and what happened day by day (SPEC 6)."""

from __future__ import annotations

from dataclasses import dataclass

from optin.domain.errors import NotFound
from optin.domain.events import DAY
from optin.ports.stats import Stats
from optin.ports.store import Store


@dataclass(frozen=True, slots=True)
class Count:
    """Counts, anew each time."""

    store: Store

    async def stats(self, bot_id: str, days: int) -> Stats:
        """The counts, with the last `days` days, today included. Raises `NotFound`."""
        bot = await self.store.bot(bot_id)
        if bot is None:
            raise NotFound("There is no such bot.")
        since = await self.store.now() - (days - 1) * DAY
        return await self.store.stats(bot_id, since, bot.policy)
