"""Post to the business what it is owed, until it took it or never will (SPEC 4)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from optin.domain.bots import Bot
from optin.domain.callbacks import signature_headers
from optin.domain.events import SECOND
from optin.domain.ids import NewId, ulid
from optin.domain.retries import callback_wait, is_permanent
from optin.ports.poster import Poster, PostFailed
from optin.ports.store import Callback, Store

_log = logging.getLogger(__name__)

#: Longer than a post can take; afterwards somebody else may try, µs.
LEASE = 60 * SECOND
#: A callback that was leased but has no turn now comes back after this, µs.
YIELD = 3 * SECOND


@dataclass(frozen=True, slots=True)
class CallBack:
    """Delivers callbacks at least once. `claimant` names this process."""

    store: Store
    poster: Poster
    claimant: str
    new_id: NewId

    async def lease(self, limit: int, without: Collection[str] = ()) -> list[Callback]:
        """Up to `limit` due callbacks, none for the receivers in `without`, ours for `LEASE`: give
        each to `deliver` or `put_back`."""
        _, leased = await self.store.lease_callbacks(self.claimant, LEASE, limit, without)
        return leased

    async def deliver(self, callback: Callback) -> None:
        """One try: afterwards it is forgotten, or due again later.

        Raises `StoreUnavailable`; the lease then runs out and it is posted again.
        """
        bot = await self.store.bot(callback.bot_id)
        status = None if bot is None else await self._post(bot, callback)
        if bot is None or (status is not None and _is_over(callback, status)):
            return await self.store.put_callbacks([callback], [])
        tried = replace(callback, attempts=callback.attempts + 1)
        wait = callback_wait(tried.attempts)
        if wait is None:
            _log.warning("callback %s: given up after %d tries", tried.callback_id, tried.attempts)
            return await self.store.put_callbacks([callback], [])
        return await self._again([tried], wait)

    async def put_back(self, callbacks: Sequence[Callback]) -> None:
        """Gives leased callbacks back untried; they are due again after `YIELD`."""
        await self._again(callbacks, YIELD)

    async def _again(self, callbacks: Sequence[Callback], wait: int) -> None:
        due = await self.store.now() + wait
        free = [replace(each, due=due, leased_until=0, claimant="") for each in callbacks]
        await self.store.put_callbacks([], free)

    async def _post(self, bot: Bot, callback: Callback) -> int | None:
        """The receiver's status; None if there was none."""
        headers = {"content-type": "application/json"}
        key = bot.value("callback_hmac_key")
        if key:
            nonce = ulid(self.new_id())
            encoding = bot.value("callback_signature")
            headers |= signature_headers(key, encoding, callback.body, nonce)
        try:
            return await self.poster.post(callback.url, headers, callback.body)
        except PostFailed as failed:
            _log.info("callback %s: no answer: %s", callback.callback_id, failed)
            return None


def _is_over(callback: Callback, status: int) -> bool:
    """Whether nothing more is to be done: taken, or refused for good."""
    if is_permanent(status):
        _log.warning("callback %s: dropped after status %d", callback.callback_id, status)
        return True
    return 200 <= status < 300
