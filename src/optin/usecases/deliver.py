"""Hand waiting messages over to the upstream, each at most once (H8).

Lease, connect, judge and claim in one commit, send, settle. Only a committed claim releases the
first byte, and each lease has a claimant of its own: two workers cannot hand over one message, and
one whose outcome is unknown stays claimed and is never handed over again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from optin.domain.answer_claims import accepted_claims, stopped_claims
from optin.domain.bots import Bot
from optin.domain.callbacks import report_id, status_body
from optin.domain.confirming import is_still_true
from optin.domain.decision import Gate, gate
from optin.domain.errors import NotFound, StoreUnavailable
from optin.domain.events import SECOND, Claim
from optin.domain.handing_over import (
    accepted,
    failed,
    is_held,
    judged,
    outlived,
    retried,
    uncertain,
    yielded,
)
from optin.domain.ids import NewId, ulid
from optin.domain.linking import is_news
from optin.domain.links import State
from optin.domain.messages import Category, category_of, from_json, stricter
from optin.domain.outbox import JUDGEMENT_LIFE, UNKNOWN_LIFE, OutboxMessage
from optin.ports.store import Callback, Reads, Store, Transaction, Work
from optin.ports.upstream import Accepted, Failed, Outcome, Retry, Unknown, Upstream, Wait

_log = logging.getLogger(__name__)

#: Longer than connecting, judging and sending can take; afterwards somebody else may try, µs.
LEASE = 120 * SECOND
#: A message that was leased but has no turn now comes back after this, µs.
YIELD = 3 * SECOND
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

    async def lease(self, limit: int, without: Collection[str] = ()) -> list[OutboxMessage]:
        """Up to `limit` due messages, none of the bots in `without`, ours for `LEASE`: give each
        to `deliver` or `put_back`."""
        claimant = f"{self.claimant}/{ulid(self.new_id())}"
        _, leased = await self.store.lease_messages(claimant, LEASE, limit, without)
        return leased

    async def deliver(self, message: OutboxMessage) -> None:
        """One try with one leased message, settled when this returns.

        Cancelling it is safe: a claimed message stays claimed. Raises `StoreUnavailable` only
        before anything was tried; the lease then runs out.
        """
        bot = await self.store.bot(message.bot_id)
        if bot is None:
            return  # removed: nothing of it is sent from then on
        upstream = self.upstreams.get(bot.value("upstream"))
        outcome: Outcome | None = Retry(f"no upstream {bot.value('upstream')}")
        if upstream is not None:
            outcome = await self._hand_over(upstream, bot, message)
        if outcome is not None:
            await self._insist(_Settle(message.bot_id, message, outcome, self.jitter()))

    async def put_back(self, messages: Sequence[OutboxMessage]) -> None:
        """Gives leased messages back untried; they are due again after `YIELD`."""

        def untried(message: OutboxMessage, now: int) -> OutboxMessage:
            return yielded(message, now + YIELD) if message in messages else message

        await self._all([_Change(m.bot_id, m.message_id, untried) for m in messages])

    async def sweep(self) -> int:
        """Fails what is claimed for 24 h or waits beyond its life; how many it looked at (H8)."""
        before = await self.store.now() - UNKNOWN_LIFE
        stale = await self.store.stale_messages(before, _SWEPT_AT_ONCE)
        await self._all([_Change(m.bot_id, m.message_id, outlived) for m in stale])
        return len(stale)

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
            if not await self.store.commit(_Claim(message.bot_id, message, bot.route)):
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


@dataclass(frozen=True, slots=True)
class _Claim:
    """Judges with the state, settings and category of now, and claims; False: nothing may leave.

    A claim for another `route` than the bot has now does not count.
    """

    bot_id: str
    leased: OutboxMessage
    route: Mapping[str, str]

    @property
    def reads(self) -> Reads:
        template = self.leased.template
        return Reads(
            identities=frozenset({self.leased.identity}),
            messages=frozenset({self.leased.message_id}),
            templates=frozenset() if template is None else frozenset({template}),
        )

    def run(self, tx: Transaction) -> bool:
        message = tx.message(self.leased.message_id)
        if message is None or not is_held(message, self.leased.claimant):
            return False
        bot = tx.bot()
        if bot.route != self.route:
            tx.put_message(yielded(message, tx.now + YIELD))
            return False
        if tx.now >= message.expires:
            _put(tx, message, outlived(yielded(message, message.due), tx.now))
            return False
        category = stricter(message.category, self._category(tx, message))
        clocks = tx.reading(message.identity)
        verdict = gate(clocks, category, tx.now, bot.policy, bot.enforce)
        if message.confirms:
            verdict = Gate(is_still_true(message, clocks, tx.now, bot.policy), verdict.decision)
        _put(tx, message, judged(message, category, verdict, tx.now))
        return verdict.passes

    def _category(self, tx: Transaction, message: OutboxMessage) -> Category:
        record = None if message.template is None else tx.template(*message.template)
        return category_of(from_json(message.body), None if record is None else record.category)


@dataclass(frozen=True, slots=True)
class _Settle:
    """Writes down what became of a hand-over. Done twice it is the same as done once."""

    bot_id: str
    leased: OutboxMessage
    outcome: Outcome
    jitter: float

    @property
    def reads(self) -> Reads:
        return Reads(
            identities=frozenset(claim.identity for claim in self._claims),
            messages=frozenset({self.leased.message_id}),
            event_ids=frozenset(claim.event_id for claim in self._claims),
        )

    @property
    def _claims(self) -> Sequence[Claim]:
        match self.outcome:
            case Accepted(_, wa_id) if wa_id:
                return accepted_claims(self.leased, wa_id)
            case Failed(_, marketing_stop=True):
                return stopped_claims(self.leased)
        return ()

    def run(self, tx: Transaction) -> None:
        message = tx.message(self.leased.message_id)
        if message is None:
            return
        self._learn(tx)
        if is_held(message, self.leased.claimant):
            _put(tx, message, self._settled(message, tx.now))
        elif isinstance(self.outcome, Accepted):
            # A report was quicker, or the sweep: only the provider's id can still be news.
            _put(tx, message, accepted(message, self.outcome.upstream_id))

    def _settled(self, message: OutboxMessage, now: int) -> OutboxMessage:
        match self.outcome:
            case Accepted(upstream_id):
                return accepted(message, upstream_id)
            case Failed(details):
                return failed(message, details)
            case Unknown(details):
                return uncertain(message, details, now)
            case Retry(details, after):
                return retried(message, details, now, after, self.jitter)
            case Wait(after):
                return yielded(message, message.due if after is None else now + after)

    def _learn(self, tx: Transaction) -> None:
        """What the answer tells of the contact: a stop (R8), or another identity (R11)."""
        for claim in self._claims:
            if is_news(claim, lambda one: State(links=tx.links(one))) and not tx.is_recorded(
                claim.event_id
            ):
                tx.record(replace(claim, source=f"upstream:{tx.bot().value('upstream')}"))


@dataclass(frozen=True, slots=True)
class _Change:
    """Changes one message by a pure function of it and the database's time."""

    bot_id: str
    message_id: str
    change: Callable[[OutboxMessage, int], OutboxMessage]

    @property
    def reads(self) -> Reads:
        return Reads(messages=frozenset({self.message_id}))

    def run(self, tx: Transaction) -> None:
        message = tx.message(self.message_id)
        if message is not None:
            _put(tx, message, self.change(message, tx.now))


def _put(tx: Transaction, before: OutboxMessage, after: OutboxMessage) -> None:
    """Stores what changed; a new state is called back (H8)."""
    if after != before:
        tx.put_message(after)
    if after.state is before.state:
        return
    url = after.callback_url or tx.bot().value("callback_url")
    if url:
        body = status_body(after, tx.now)
        told = Callback(after.bot_id, report_id(after, tx.now), url, body, tx.now, tx.now)
        tx.put_callback(told)
