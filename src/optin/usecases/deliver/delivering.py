"""Lease, connect, judge and claim in one commit, send, settle (H8).

Only a committed claim releases the first byte, and each lease has a claimant of its own: two
workers cannot hand over one message, and one whose outcome is unknown stays claimed and is never
handed over again.

A bot's messages ask for their turn as they are due (`places`), so in one process a message passes
none but those that are on their way together with it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from optin.domain.bots import Bot
from optin.domain.errors import NotFound, StoreUnavailable
from optin.domain.events import SECOND
from optin.domain.handing_over import outlived, yielded
from optin.domain.ids import NewId, ulid
from optin.domain.outbox import JUDGEMENT_LIFE, UNKNOWN_LIFE, OutboxMessage
from optin.ports.store import Store, Work
from optin.ports.upstream import Outcome, Retry, Unknown, Upstream, Wait
from optin.usecases.deliver.judging import Judge
from optin.usecases.deliver.places import Places
from optin.usecases.deliver.settling import Change, Settle

_log = logging.getLogger(__name__)

#: Longer than connecting, judging and sending can take; afterwards somebody else may try, µs.
LEASE = 120 * SECOND
#: Judgements in a row that may be too old when they are committed, before it waits for its turn.
JUDGEMENTS = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_SWEPT_AT_ONCE = 500


class _Withheld(Exception):
    """Nothing may leave: refused, expired, or not ours any more. There is nothing to settle."""


class _TooOld(Exception):
    """No judgement was committed in time: nothing may leave now, later perhaps."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """Delivers what is due. `claimant` names this process; `monotonic` is in seconds."""

    store: Store
    upstreams: Mapping[str, Upstream]
    claimant: str
    new_id: NewId
    jitter: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic
    #: Through it messages come in the order in which they began, however long a look-up takes.
    _door: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)
    _places: Places = field(default_factory=Places, init=False, repr=False)

    async def lease(self, limit: int, without: Collection[str] = ()) -> list[OutboxMessage]:
        """Up to `limit` due messages, none of the bots in `without`, ours for `LEASE`: give each
        to `deliver` or `put_back`."""
        claimant = f"{self.claimant}/{ulid(self.new_id())}"
        apart = {*without, *self._places.returning}
        _, leased = await self.store.lease_messages(claimant, LEASE, limit, apart)
        self._places.leased(leased)
        return leased

    async def deliver(self, message: OutboxMessage) -> None:
        """One try with one leased message, settled when this returns.

        Cancelling it is safe: a claimed message stays claimed. Raises `StoreUnavailable` only
        before anything was tried; the lease then runs out.
        """
        try:
            async with self._door:
                bot = await self.store.bot(message.bot_id)
            if bot is None:
                return  # removed: nothing of it is sent from then on
            outcome = await self._outcome(bot, message)
            if outcome is not None:
                await self._insist(Settle(message.bot_id, message, outcome, self.jitter()))
        finally:
            self._places.is_done(message)

    async def put_back(self, messages: Sequence[OutboxMessage]) -> None:
        """Gives leased messages back untried; they keep their place."""

        as_leased = {(m.bot_id, m.message_id): m for m in messages}

        def untried(message: OutboxMessage, _: int) -> OutboxMessage:
            same = as_leased[message.bot_id, message.message_id] == message
            return yielded(message, message.due) if same else message

        await self._all([Change(m.bot_id, m.message_id, untried) for m in messages])
        for message in messages:
            self._places.is_done(message)

    async def sweep(self) -> int:
        """Fails what is claimed for 24 h or waits beyond its life; how many it looked at (H8)."""
        before = await self.store.now() - UNKNOWN_LIFE
        stale = await self.store.stale_messages(before, _SWEPT_AT_ONCE)
        await self._all([Change(m.bot_id, m.message_id, outlived) for m in stale])
        return len(stale)

    async def _outcome(self, bot: Bot, message: OutboxMessage) -> Outcome | None:
        """What there is to settle. Up to the upstream's first wait nothing else happens."""
        if not self._places.may_begin(message):
            return Wait(None)
        upstream = self.upstreams.get(bot.value("upstream"))
        if upstream is None:
            return Retry(f"no upstream {bot.value('upstream')}")
        outcome = await self._hand_over(upstream, bot, message)
        if isinstance(outcome, Wait) and outcome.after is None:
            self._places.has_no_turn(message)
        return outcome

    async def _hand_over(
        self, upstream: Upstream, bot: Bot, message: OutboxMessage
    ) -> Outcome | None:
        """The outcome to settle; None if the message was withheld and so is settled already."""
        asked = released = False

        async def release() -> None:
            nonlocal asked, released
            if asked:
                raise RuntimeError("an upstream asked twice for one release")
            asked = True
            await self._claim(bot, message)
            released = True

        try:
            return await upstream.hand_over(bot, message, release)
        except _Withheld:
            return None
        except Exception as broken:  # noqa: BLE001 - whatever broke, the message has an outcome
            if released:
                _log.exception("message %s: the hand-over broke", message.message_id)
                return Unknown("the hand-over broke")
            _log.warning("message %s: not released: %r", message.message_id, broken)
            return Retry("the hand-over was not released")

    async def _claim(self, bot: Bot, message: OutboxMessage) -> None:
        """Returns once a judgement is committed that is not older than `JUDGEMENT_LIFE`."""
        for _ in range(JUDGEMENTS):
            begun = self.monotonic()
            if not await self.store.commit(Judge(message.bot_id, message, bot.route)):
                raise _Withheld
            if (self.monotonic() - begun) * SECOND <= JUDGEMENT_LIFE:
                return
        raise _TooOld("the store answers too slowly to judge in time")

    async def _insist(self, settle: Work[None]) -> None:
        """Settling must not be lost to a store that is down for a while."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self.store.commit(settle)
            except NotFound:
                return None  # the bot was removed meanwhile
            except StoreUnavailable as down:
                _log.warning("an outcome waits for the store: %s", down)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _all(self, works: Sequence[Work[None]]) -> None:
        """Commits each on its own, so that one that cannot be done holds up no other."""
        done = await asyncio.gather(*map(self.store.commit, works), return_exceptions=True)
        for error in done:
            if isinstance(error, BaseException):
                _log.warning("a message was left as it is: %s", error)
