"""The last step before the first byte: judged once more and claimed, in one commit (H8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from optin.domain.confirming import is_still_true
from optin.domain.decision import Gate, gate
from optin.domain.events import SECOND
from optin.domain.handing_over import is_held, judged, outlived, yielded
from optin.domain.messages import Category, category_of, from_json, stricter
from optin.domain.outbox import OutboxMessage
from optin.ports.store import Reads, Transaction
from optin.usecases.deliver.settling import put

#: A message whose bot has changed its route meanwhile comes back after this, µs.
YIELD = 3 * SECOND


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges with the state, settings and category of now, and claims; False: nothing may leave.

    A claim for another `route` than the bot has now does not count.
    """

    bot_id: str
    leased: OutboxMessage
    route: Mapping[str, str]

    @property
    def reads(self) -> Reads:
        """The message, what decides about its contact, and the record of its template."""
        template = self.leased.template
        return Reads(
            identities=frozenset({self.leased.identity}),
            messages=frozenset({self.leased.message_id}),
            templates=frozenset() if template is None else frozenset({template}),
        )

    def run(self, tx: Transaction) -> bool:
        """Whether it may leave now; what was decided is written down either way."""
        message = tx.message(self.leased.message_id)
        if message is None or not is_held(message, self.leased.claimant):
            return False
        bot = tx.bot()
        if bot.route != self.route:
            tx.put_message(yielded(message, tx.now + YIELD))
            return False
        if tx.now >= message.expires:
            put(tx, message, outlived(yielded(message, message.due), tx.now))
            return False
        category = stricter(message.category, self._category(tx, message))
        clocks = tx.reading(message.identity)
        verdict = gate(clocks, category, tx.now, bot.policy, bot.enforce)
        if message.confirms:
            verdict = Gate(is_still_true(message, clocks, tx.now, bot.policy), verdict.decision)
        put(tx, message, judged(message, category, verdict, tx.now))
        return verdict.passes

    def _category(self, tx: Transaction, message: OutboxMessage) -> Category:
        record = None if message.template is None else tx.template(*message.template)
        return category_of(from_json(message.body), None if record is None else record.category)
