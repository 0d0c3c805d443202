"""Counts of a bot's contacts and what happened day by day (SPEC 6)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from optin.domain.errors import NotFound
from optin.domain.events import DAY
from optin.ports.stats import Stats
from optin.ports.store import Store

#: How old counts may be that were made for somebody else, in seconds.
FRESH = 5.0

_Key = tuple[str, int]


class Counted:
    """The counts of one process that are under way or fresh, by bot and number of days: they read
    all of a bot's contacts, and so are not made for each who asks."""

    def __init__(self, fresh: float = FRESH) -> None:
        self._fresh = fresh
        self._made: dict[_Key, asyncio.Task[Stats]] = {}

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._made)

    async def of(self, key: _Key, count: Coroutine[Any, Any, Stats]) -> Stats:
        """What is known under the key, or else what `count` gives. A failure is not kept."""
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = asyncio.create_task(count)
            made.add_done_callback(lambda done: self._done(key, done))
        else:
            count.close()
        return await asyncio.shield(made)

    def _done(self, key: _Key, made: asyncio.Task[Stats]) -> None:
        if made.cancelled() or made.exception() is not None:
            del self._made[key]
        else:
            asyncio.get_running_loop().call_later(self._fresh, self._made.pop, key)


@dataclass(frozen=True, slots=True)
class Count:
    """Counts, or tells what was counted a moment ago."""

    store: Store
    counted: Counted = field(default_factory=Counted)

    async def stats(self, bot_id: str, days: int) -> Stats:
        """The counts, with the last `days` days, today included. Raises `NotFound`."""
        if await self.store.bot(bot_id) is None:
            raise NotFound("There is no such bot.")
        return await self.counted.of((bot_id, days), self._count(bot_id, days))

    async def _count(self, bot_id: str, days: int) -> Stats:
        bot = await self.store.bot(bot_id)
        if bot is None:
            raise NotFound("There is no such bot.")
        since = await self.store.now() - (days - 1) * DAY
        return await self.store.stats(bot_id, since, bot.policy)
