"""The last step before the first byte: a relayed message is judged and claimed (H8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from optin.domain.decision import Gate, gate
from optin.domain.errors import StoreUnavailable
from optin.domain.graph_posts import TEMPLATE, GraphMessage
from optin.domain.messages import Category, life
from optin.domain.outbox import OutboxMessage, Stage, judged_as
from optin.ports.store import Reads, Transaction


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges with the state, settings and category of now, and claims or refuses, on record."""

    bot_id: str
    record: OutboxMessage
    given: GraphMessage
    marketing: bool
    route: Mapping[str, str]

    @property
    def reads(self) -> Reads:
        """Whom it is to, and its template."""
        template = self.given.template
        return Reads(
            identities=frozenset(self.given.identities),
            templates=frozenset() if template is None else frozenset({template}),
        )

    def run(self, tx: Transaction) -> OutboxMessage:
        """Its record: claimed, or settled as refused."""
        bot = tx.bot()
        if bot.route != self.route:
            raise StoreUnavailable("The bot's settings were just changed. Nothing was sent.")
        category = self._category(tx)
        verdicts = {
            identity: gate(tx.reading(identity), category, tx.now, bot.policy, bot.enforce)
            for identity in self.given.identities
        }
        refused = [one for one, verdict in verdicts.items() if not verdict.passes]
        identity = next(iter(refused or verdicts))
        record = self._judged(identity, category, verdicts[identity], tx.now)
        tx.put_message(record)
        return record

    def _judged(self, identity: str, category: Category, verdict: Gate, now: int) -> OutboxMessage:
        """As `handing_over.judged` makes it of a waiting one, made at once: every client waits."""
        judged = judged_as(verdict)
        if verdict.passes:
            judged |= {"stage": Stage.CLAIMED, "claimed": now, "attempts": 1}
        return OutboxMessage(
            bot_id=self.bot_id,
            message_id=self.record.message_id,
            identity=identity,
            body=self.record.body,
            category=category,
            created=now,
            expires=now + life(category),
            due=now,
            claimant=self.record.claimant,
            **judged,
        )

    def _category(self, tx: Transaction) -> Category:
        """As R7 has it; a template that nobody has a record of is marketing."""
        if self.marketing:
            return Category.MARKETING
        if self.given.type != TEMPLATE:
            return Category.SERVICE
        record = None if self.given.template is None else tx.template(*self.given.template)
        category = None if record is None else record.category
        return Category.MARKETING if category in (None, Category.SERVICE) else category
