"""Ask the providers for their template lists again and again, in the background (H9)."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from optin.domain.bots import Bot
from optin.domain.errors import OptinError
from optin.ports.stopping import Stopped, never
from optin.ports.store import Store

_log = logging.getLogger(__name__)

#: How often a bot's templates are asked for by all processes together, in seconds.
EVERY = 600.0
#: How often it is looked who is due, in seconds.
ROUND = 10.0
#: At the start all are asked for within this time, in seconds.
FIRST = 30.0
#: Lists asked for at the same time.
_AT_ONCE = 4


@dataclass(slots=True)
class KeepTemplates:
    """Calls `sync` for each bot that `can_sync`, every `EVERY` seconds or so.

    Any process may do it, and twice is as good as once; so each of `workers` does its share at
    times of its own, and nothing has to be agreed on.
    """

    store: Store
    can_sync: Callable[[Bot], bool]
    sync: Callable[[str], Awaitable[object]]
    workers: int = 1
    jitter: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic
    _due: dict[str, float] = field(default_factory=dict, init=False)
    _under_way: dict[str, asyncio.Task[None]] = field(default_factory=dict, init=False)
    _room: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(_AT_ONCE), init=False
    )

    async def round(self, stopped: Stopped = never) -> None:
        """Begins what is due, and waits for none of it. What waits for its turn asks `stopped`."""
        now = self.monotonic()
        known = {bot.bot_id for bot in await self.store.bots() if self.can_sync(bot)}
        self._due = {bot_id: due for bot_id, due in self._due.items() if bot_id in known}
        for bot_id in known:
            due = self._due.setdefault(bot_id, now + FIRST * self.jitter())
            if due <= now and bot_id not in self._under_way:
                self._due[bot_id] = now + EVERY * self.workers * (0.75 + self.jitter() / 2)
                self._begin(bot_id, stopped)

    async def close(self) -> None:
        """Gives up what is under way: another process, or the next start, does it again."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, bot_id: str, stopped: Stopped) -> None:
        task = asyncio.create_task(self._one(bot_id, stopped))
        self._under_way[bot_id] = task
        task.add_done_callback(lambda _: self._under_way.pop(bot_id, None))

    async def _one(self, bot_id: str, stopped: Stopped) -> None:
        async with self._room:
            if stopped():
                return
            try:
                await self.sync(bot_id)
            except OptinError as error:
                _log.warning("bot %s: the templates stay as they are: %s", bot_id, error)
            except Exception:  # noqa: BLE001 - whatever happens to one bot is no other's trouble
                _log.exception("bot %s: the templates stay as they are", bot_id)
