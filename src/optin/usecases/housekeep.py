"""Delete what was kept only to be looked at or replayed, once its time is over (SPEC 4, 5)."""

from __future__ import annotations

from dataclasses import dataclass

from optin.domain.bots import SETTINGS
from optin.domain.events import DAY
from optin.ports.store import Store

_DEFAULT_DAYS = int(SETTINGS["keep_webhooks_days"].default)

#: How long callbacks that are done or dead can be replayed, µs.
CALLBACK_LIFE = 7 * DAY


@dataclass(frozen=True, slots=True)
class Housekeep:
    """Prunes each bot; any number of processes may do so at once."""

    store: Store

    async def __call__(self) -> int:
        """How many kept webhooks and callbacks went. Nothing of the ledger does (R16).

        With `keep_webhooks_days` 0 none that was understood is kept; the others, which somebody
        still has to look at, stay for the default time.
        """
        now, gone = await self.store.now(), 0
        for bot in await self.store.bots():
            days = int(bot.value("keep_webhooks_days")) or _DEFAULT_DAYS
            gone += await self.store.prune(bot.bot_id, now - days * DAY, now - CALLBACK_LIFE)
        return gone
