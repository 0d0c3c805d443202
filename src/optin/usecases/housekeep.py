"""Delete what was kept only to be looked at or replayed, once its time is over (SPEC 4, 5)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from optin.domain.bots import DEPLOYMENT, SETTINGS, Bot
from optin.domain.events import DAY
from optin.domain.retention import Horizons, horizons
from optin.ports.stopping import Stopped, never
from optin.ports.store import Store

_DEFAULT_DAYS = int(SETTINGS["keep_webhooks_days"].default)

#: How long callbacks that are done or dead can be replayed, µs.
CALLBACK_LIFE = 7 * DAY

#: How long the rows that an import kept for people can be looked at, µs.
IMPORT_LIFE = 30 * DAY
#: A pause after each cut of a ledger, in seconds: others want to commit.
_BETWEEN_CUTS = 0.05


@dataclass(frozen=True, slots=True)
class Housekeep:
    """Prunes each bot, removed ones included; any number of processes may do so at once."""

    store: Store

    async def __call__(self, stopped: Stopped = never) -> int:
        """How many kept webhooks and callbacks went. What may leave the ledger does, too (R16).

        With `keep_webhooks_days` 0 none that was understood is kept; the others, which somebody
        still has to look at, stay for the default time.
        """
        now, gone = await self.store.now(), 0
        for bot in (*await self.store.bots(), *await self.store.removed_bots()):
            if stopped():
                return gone
            days = int(bot.value("keep_webhooks_days")) or _DEFAULT_DAYS
            gone += await self.store.prune(bot.bot_id, now - days * DAY, now - CALLBACK_LIFE)
            gone += await self.store.prune_imports(bot.bot_id, now - IMPORT_LIFE)
            await self._retain(bot, now, stopped)
        await self.store.keep_room()
        # Of the deployment there are only answers, which are kept as long as callbacks are.
        return gone + await self.store.prune(DEPLOYMENT, now, now - CALLBACK_LIFE)

    async def _retain(self, bot: Bot, now: int, stopped: Stopped) -> None:
        """Cuts the bot's ledger as its settings say (R16), a piece at a time: there may be many."""
        until = horizons(
            now, int(bot.value("keep_events_days")), int(bot.value("keep_messages_days"))
        )
        more = until != Horizons()
        while more and not stopped():
            more = await self.store.retain(bot.bot_id, until) is not None
            await asyncio.sleep(_BETWEEN_CUTS)
