"""Look for sudden rises in opt-outs, once a minute, and ask a person about them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from optin.domain.errors import OptinError
from optin.domain.rises import HOUR, SPAN, rise_id, rises, worth_comparing
from optin.ports.stopping import Stopped, never
from optin.ports.store import Reads, Review, Store, Transaction

_log = logging.getLogger(__name__)


def _unheard(_: str, __: str) -> None:
    """Nobody hears the alarm."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Watches all bots; any number of processes may do so at once. `alarm` is called with bot id
    and source when a rise is found, once each in the whole deployment."""

    store: Store
    alarm: Callable[[str, str], None] = _unheard

    async def __call__(self, stopped: Stopped = never) -> int:
        """How many new rises there are. A bot that can not be looked at is in no other's way."""
        found = 0
        for bot in await self.store.bots():
            if stopped():
                break
            try:
                found += await self._one(bot.bot_id)
            except OptinError as error:
                _log.warning("bot %s: not looked at for rises: %s", bot.bot_id, error)
        return found

    async def _one(self, bot_id: str) -> int:
        now = await self.store.now()
        hour = await self.store.opt_outs_since(bot_id, now - HOUR)
        if not worth_comparing(hour):
            return 0
        found = rises(hour, await self.store.opt_outs_since(bot_id, now - SPAN))
        news = [s for s, n in found.items() if await self.store.commit(_Rise(bot_id, s, n, now))]
        for source in news:
            _log.warning("bot %s: %d opt-outs by %s in an hour", bot_id, found[source], source)
            self.alarm(bot_id, source)
        return len(news)


@dataclass(frozen=True, slots=True)
class _Rise:
    """Asks about it; False if it was asked about before."""

    bot_id: str
    source: str
    count: int
    now: int

    @property
    def _review_id(self) -> str:
        return rise_id(self.bot_id, self.source, self.now)

    @property
    def reads(self) -> Reads:
        return Reads(reviews=frozenset({self._review_id}))

    def run(self, tx: Transaction) -> bool:
        if tx.review(self._review_id) is not None:
            return False
        text = f"{self.count} opt-outs by {self.source} within an hour, far more than usual."
        context = {"source": self.source, "count": str(self.count)}
        tx.put_review(Review(self._review_id, "rise", (), text, tx.now, context))
        return True
