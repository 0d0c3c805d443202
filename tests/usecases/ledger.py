"""What the tests of recording and asking share: a store with a clock that the test sets."""

from __future__ import annotations

import itertools
from typing import Any

from optin.domain.bots import Bot
from optin.domain.events import DAY, SECOND, Event
from optin.domain.ids import NewId, derived_id
from optin.domain.rfc3339 import shown_time
from optin.stores.sqlite import SQLiteStore
from optin.usecases.record_consent import Caller, ItemResult, RecordConsent
from tests.conftest import OpenStore, first_token

BOT, OTHER_BOT = "bot-1", "bot-2"
WHO, FRIEND = "46732001122", "46732001133"
CALLER = Caller("token-1", "native_api", {"ip": "192.0.2.1"})

#: The store's clock at the beginning, UTC µs.
NOW = 1_800_000_000_000_000
HOUR, MINUTE = DAY // 24, 60 * SECOND


def new_ids() -> NewId:
    """Ids that can be told apart, none twice."""
    count = itertools.count(1)
    return lambda: derived_id(NOW, str(next(count)))


class Ledger:
    """A store, its clock (`now`, UTC µs) and the use case that writes it."""

    store: SQLiteStore
    use_case: RecordConsent
    now = NOW

    @classmethod
    async def opened(cls, open_store: OpenStore) -> Ledger:
        """On the test's own file, with two bots."""
        ledger = cls()
        ledger.store = await open_store(clock=lambda: ledger.now)
        ledger.use_case = RecordConsent(ledger.store, new_ids())
        for bot_id in (BOT, OTHER_BOT):
            await ledger.store.add_bot(Bot(bot_id), first_token(bot_id))
        return ledger

    async def record(self, *items: Any) -> list[ItemResult]:
        """Records consents in one call."""
        return await self.use_case.record(BOT, items, CALLER)

    async def events(self, identity: str = WHO, bot_id: str = BOT) -> list[Event]:
        """The ledger's entries about one identity, oldest effective time first."""
        return list((await self.store.histories(bot_id, [identity])).events[identity])


def item(action: str, at: int | None = None, identity: Any = WHO, **more: Any) -> dict[str, Any]:
    """One consent as decoded JSON; `at` in UTC µs, None for a live one."""
    dated = {} if at is None else {"occurred_at": shown_time(at)}
    return {"identity": identity, "action": action, **dated, **more}
