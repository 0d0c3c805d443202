"""Pass a Cloud API client's own message on to the provider, if it may go (SPEC 7, H8).

Connect, judge and claim in one commit, send, hand the answer back. What became of it is written
down behind the answer: a crash in between leaves a claim, which a report or the sweep settles.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from optin.domain.bots import Bot
from optin.domain.decision import gate
from optin.domain.errors import NotFound, StoreUnavailable
from optin.domain.events import SECOND, Claim, Kind, Origin
from optin.domain.graph_posts import TEMPLATE, GraphMessage
from optin.domain.handing_over import accepted, failed, is_held, judged, uncertain
from optin.domain.ids import NewId, derived_id, ulid
from optin.domain.messages import Category, life
from optin.domain.outbox import JUDGEMENT_LIFE, OutboxMessage
from optin.ports.graph import Graph, GraphAnswer
from optin.ports.store import Reads, Store, Transaction, Work
from optin.ports.upstream import Accepted, Failed, Outcome, Retry, Unknown

_log = logging.getLogger(__name__)

#: The `type` of a relayed message's stored body; what it said is not kept.
STORED_TYPE = "graph"
#: Judgements in a row that may be too old when they are committed.
JUDGEMENTS = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
#: How long an ending process waits for outcomes to be written down, in seconds.
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of a message. `record` is settled if it was refused, and then nothing was sent.

    Without an `answer`, `outcome` tells whether it may have been sent.
    """

    record: OutboxMessage
    answer: GraphAnswer | None = None
    outcome: Outcome | None = None


class _Withheld(Exception):
    """Refused: nothing may leave."""


@dataclass(frozen=True, slots=True)
class Relay:
    """Relays through the `Graph` of the bot's setting `upstream`. `claimant` names this process."""

    store: Store
    graphs: Mapping[str, Graph]
    claimant: str
    new_id: NewId
    monotonic: Callable[[], float] = time.monotonic
    _settling: set[asyncio.Task[None]] = field(default_factory=set, init=False, repr=False)

    async def send(self, bot: Bot, path: str, given: GraphMessage, marketing: bool) -> Handled:
        """One message, judged with all that it names (R11). `marketing`: whatever its template.

        Raises `StoreUnavailable` and `NotFound` (of the bot); then nothing was sent.
        """
        graph = self.graphs[bot.value("upstream")]
        claim = _Claim(bot.bot_id, self._record(bot, given), given, marketing, _route(bot))
        record = claim.record
        held = released = False

        async def release() -> None:
            nonlocal record, held, released
            if held:
                raise RuntimeError("an upstream asked twice for one release")
            held = True
            record = await self._claim(claim)
            released = True

        try:
            relayed = await graph.send(bot, path, given, record, release)
        except _Withheld as withheld:
            return Handled(withheld.args[0])
        except (StoreUnavailable, NotFound):
            if released:
                raise RuntimeError("raised by nothing that was asked") from None
            raise
        except Exception:
            if not released:
                raise
            _log.exception("message %s: the relaying broke", record.message_id)
            handled = Handled(record, None, Unknown("the relaying broke"))
        else:
            handled = Handled(record, relayed.answer, relayed.outcome)
        if released and handled.outcome is not None:
            self._settle_behind(record, handled.outcome)
        return handled

    async def close(self) -> None:
        """Waits a while until every outcome is written down."""
        if self._settling:
            _, late = await asyncio.wait(self._settling, timeout=_PATIENCE)
            for task in late:
                task.cancel()

    def _record(self, bot: Bot, given: GraphMessage) -> OutboxMessage:
        """The message's record, before its judgement says the rest."""
        stored = {"type": STORED_TYPE, "content": given.type}
        if given.template is not None:
            stored |= dict(zip(("template_name", "language"), given.template, strict=True))
        return OutboxMessage(
            bot_id=bot.bot_id,
            message_id=ulid(self.new_id()),
            identity=given.identities[0],
            body=stored,
            category=Category.SERVICE,
            created=0,
            expires=0,
            due=0,
            claimant=f"{self.claimant}/graph",
        )

    async def _claim(self, claim: _Claim) -> OutboxMessage:
        """Returns once a judgement is committed that is not older than `JUDGEMENT_LIFE` (H8)."""
        for _ in range(JUDGEMENTS):
            begun = self.monotonic()
            record = await self.store.commit(claim)
            if not record.passed:
                raise _Withheld(record)
            if (self.monotonic() - begun) * SECOND <= JUDGEMENT_LIFE:
                return record
        self._settle_behind(record, Failed("no judgement was committed in time"))
        raise StoreUnavailable("The store answers too slowly to judge in time.")

    def _settle_behind(self, record: OutboxMessage, outcome: Outcome) -> None:
        task = asyncio.create_task(self._insist(_Settle(record.bot_id, record, outcome)))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

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


def _route(bot: Bot) -> Mapping[str, str]:
    """The settings that say where a message goes: a claim for another way does not count."""
    prefix = bot.value("upstream") + "."
    return {k: v for k, v in bot.settings.items() if k == "upstream" or k.startswith(prefix)}


@dataclass(frozen=True, slots=True)
class _Claim:
    """Judges with the state, settings and category of now, and claims or refuses, on record."""

    bot_id: str
    record: OutboxMessage
    given: GraphMessage
    marketing: bool
    route: Mapping[str, str]

    @property
    def reads(self) -> Reads:
        template = self.given.template
        return Reads(
            identities=frozenset(self.given.identities),
            templates=frozenset() if template is None else frozenset({template}),
        )

    def run(self, tx: Transaction) -> OutboxMessage:
        bot = tx.bot()
        if _route(bot) != self.route:
            raise StoreUnavailable("The bot's settings were just changed. Nothing was sent.")
        category = self._category(tx)
        verdicts = {
            identity: gate(tx.reading(identity), category, tx.now, bot.policy, bot.enforce)
            for identity in self.given.identities
        }
        refused = [one for one, verdict in verdicts.items() if not verdict.passes]
        identity = next(iter(refused or verdicts))
        fresh = replace(
            self.record,
            identity=identity,
            created=tx.now,
            expires=tx.now + life(category),
            due=tx.now,
        )
        record = judged(fresh, category, verdicts[identity], tx.now)
        tx.put_message(record)
        return record

    def _category(self, tx: Transaction) -> Category:
        """As R7 has it; a template that nobody has a record of is marketing."""
        if self.marketing:
            return Category.MARKETING
        if self.given.type != TEMPLATE:
            return Category.SERVICE
        record = None if self.given.template is None else tx.template(*self.given.template)
        category = None if record is None else record.category
        return Category.MARKETING if category in (None, Category.SERVICE) else category


@dataclass(frozen=True, slots=True)
class _Settle:
    """Writes down what became of it. Done twice it is the same as done once.

    Nothing is called back: the client has its answer. It is never tried again from here: who got
    an error may send again, and is judged again.
    """

    bot_id: str
    record: OutboxMessage
    outcome: Outcome

    @property
    def reads(self) -> Reads:
        return Reads(
            identities=frozenset({self.record.identity}),
            messages=frozenset({self.record.message_id}),
            event_ids=frozenset({self._stop_id}),
        )

    @property
    def _stop_id(self) -> bytes:
        parts = (self.record.claimant, self.record.message_id, Kind.PROVIDER_MARKETING_STOP)
        return derived_id(self.record.created, self.bot_id, *parts)

    def run(self, tx: Transaction) -> None:
        message = tx.message(self.record.message_id)
        if message is None:
            return
        if isinstance(self.outcome, Failed) and self.outcome.marketing_stop:
            self._record_stop(tx)
        after = message
        if isinstance(self.outcome, Accepted):
            after = accepted(message, self.outcome.upstream_id)
        elif is_held(message, self.record.claimant):
            after = self._not_accepted(message, tx.now)
        if after != message:
            tx.put_message(after)

    def _not_accepted(self, message: OutboxMessage, now: int) -> OutboxMessage:
        match self.outcome:
            case Unknown(details):
                return uncertain(message, details, now)
            case Failed(details) | Retry(details):
                return failed(message, details)
        return message

    def _record_stop(self, tx: Transaction) -> None:
        if tx.is_recorded(self._stop_id):
            return
        claim = Claim(
            event_id=self._stop_id,
            identity=self.record.identity,
            kind=Kind.PROVIDER_MARKETING_STOP,
            origin=Origin.SIGNED,
            source=f"upstream:{tx.bot().value('upstream')}",
            actor="upstream",
            from_contact=True,
            context={"message_id": self.record.message_id},
        )
        tx.record(claim)
