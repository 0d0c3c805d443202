"""Post to the business what it is owed, until it took it or never will (SPEC 4)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from optin.domain.bots import Bot
from optin.domain.callbacks import signature_headers
from optin.domain.events import SECOND
from optin.domain.ids import NewId, ulid
from optin.domain.retries import callback_wait, is_permanent
from optin.ports.poster import Poster, PostFailed
from optin.ports.store import Callback, CallbackKind, CallbackStage, Store

_log = logging.getLogger(__name__)

#: Longer than a post can take; afterwards somebody else may try, µs.
LEASE = 60 * SECOND
#: A callback that was leased but has no turn now comes back after this, µs.
YIELD = 3 * SECOND

_LONGEST_OUTCOME = 200
_JSON: Mapping[str, str] = {"content-type": "application/json"}


class _Ended:
    """Joins what ends while a commit is under way into the next one: a receiver that refuses
    thousands at once must not fill the store's time with as many commits."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callback, CallbackStage, asyncio.Future[None]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def put(self, store: Store, callback: Callback, stage: CallbackStage) -> None:
        """Returns when it is on disk. Raises `StoreUnavailable`."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((callback, stage, answer))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit(store))
        await answer

    async def _commit(self, store: Store) -> None:
        while self._waiting:
            some, self._waiting = self._waiting, []
            failed = await _put(store, [(callback, stage) for callback, stage, _ in some])
            for *_, answer in some:
                if answer.cancelled():
                    continue
                answer.set_exception(failed) if failed else answer.set_result(None)


async def _put(store: Store, ended: Sequence[tuple[Callback, CallbackStage]]) -> Exception | None:
    """Writes them down in one commit; what went wrong."""
    of = {stage: [each for each, to in ended if to is stage] for stage in CallbackStage}
    try:
        await store.put_callbacks(
            of[CallbackStage.DONE], of[CallbackStage.WAITING], of[CallbackStage.DEAD]
        )
    except Exception as failed:  # noqa: BLE001 - it is the answer to all who wait for it
        return failed
    return None


@dataclass(frozen=True, slots=True)
class CallBack:
    """Delivers callbacks at least once. `claimant` names this process."""

    store: Store
    poster: Poster
    claimant: str
    new_id: NewId
    _ended: _Ended = field(default_factory=_Ended, repr=False)

    async def lease(
        self, limit: int, without: Collection[str] = (), without_bots: Collection[str] = ()
    ) -> list[Callback]:
        """Up to `limit` due callbacks, none for the receivers in `without` or of the bots in
        `without_bots`, ours for `LEASE`: give each to `deliver` or `put_back`."""
        asked = (self.claimant, LEASE, limit, without, without_bots)
        _, leased = await self.store.lease_callbacks(*asked)
        return leased

    async def deliver(self, callback: Callback) -> None:
        """One try: afterwards it is done, dead, or due again later; its outcome is kept.

        Raises `StoreUnavailable`; the lease then runs out and it is posted again.
        """
        bot = await self.store.bot(callback.bot_id)
        if bot is None:
            ended = replace(_free(callback), outcome="the bot was removed")
            return await self._ended.put(self.store, ended, CallbackStage.DEAD)
        status, outcome = await self._post(bot, callback)
        attempts = callback.attempts + 1
        tried = replace(_free(callback), attempts=attempts, outcome=outcome[:_LONGEST_OUTCOME])
        if status is not None and 200 <= status < 300:
            return await self._ended.put(self.store, tried, CallbackStage.DONE)
        wait = callback_wait(attempts)
        if wait is None or (status is not None and is_permanent(status)):
            _log.warning("callback %s: given up after %s", tried.callback_id, tried.outcome)
            return await self._ended.put(self.store, tried, CallbackStage.DEAD)
        due = await self.store.now() + wait
        return await self._ended.put(self.store, replace(tried, due=due), CallbackStage.WAITING)

    async def put_back(self, callbacks: Sequence[Callback]) -> None:
        """Gives leased callbacks back untried; they are due again after `YIELD`."""
        due = await self.store.now() + YIELD
        await self.store.put_callbacks([], [replace(_free(each), due=due) for each in callbacks])

    async def _post(self, bot: Bot, callback: Callback) -> tuple[int | None, str]:
        """The receiver's status, None if there was none, and what to say of it."""
        headers = self._headers(bot, callback)
        try:
            status = await self.poster.post(callback.url, headers, callback.body)
        except PostFailed as failed:
            _log.info("callback %s: no answer: %s", callback.callback_id, failed)
            return None, f"no answer: {failed}"
        return status, f"HTTP {status}"

    def _headers(self, bot: Bot, callback: Callback) -> Mapping[str, str]:
        """A relay carries its provider's signature, everything else ours, new for every try."""
        key = bot.value("callback_hmac_key")
        if callback.kind is CallbackKind.RELAY or not key:
            return {**_JSON, **callback.headers}
        nonce, encoding = ulid(self.new_id()), bot.value("callback_signature")
        return {**_JSON, **signature_headers(key, encoding, callback.body, nonce)}


def _free(callback: Callback) -> Callback:
    """Nobody's any more."""
    return replace(callback, leased_until=0, claimant="")
