"""What became of a hand-over, written down, and each new state told (H8, SPEC 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from optin.domain.answer_claims import accepted_claims, stopped_claims
from optin.domain.callbacks import report_id, status_body
from optin.domain.events import Claim
from optin.domain.handing_over import accepted, failed, is_held, retried, uncertain, yielded
from optin.domain.linking import learned
from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback, Reads, Review, Transaction
from optin.ports.upstream import Accepted, Failed, Outcome, Retry, Unknown, Wait


@dataclass(frozen=True, slots=True)
class Settle:
    """Writes down what became of a hand-over. Done twice it is the same as done once."""

    bot_id: str
    leased: OutboxMessage
    outcome: Outcome
    jitter: float

    @property
    def reads(self) -> Reads:
        """The message, and the contact if the answer says something of them."""
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
        """Settles it, unless somebody else did. What the answer tells of the contact counts even
        if an erasure took the message meanwhile: a stop is the contact's word (R8)."""
        self._learn(tx)
        message = tx.message(self.leased.message_id)
        if message is None:
            return
        if is_held(message, self.leased.claimant):
            put(tx, message, self._settled(message, tx.now))
        elif isinstance(self.outcome, Accepted):
            # A report was quicker, or the sweep: only the provider's id can still be news.
            put(tx, message, accepted(message, self.outcome.upstream_id))

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
        source = f"upstream:{tx.bot().value('upstream')}"
        claims = [replace(claim, source=source) for claim in self._claims]
        news, found = learned(self.bot_id, claims, tx.links, tx.is_recorded, tx.now)
        for claim in news:
            tx.record(claim)
        if found is not None:
            tx.put_review(Review(found.review_id, "conflict", found.identities, found.text, tx.now))


@dataclass(frozen=True, slots=True)
class Change:
    """Changes one message by a pure function of it and the database's time."""

    bot_id: str
    message_id: str
    change: Callable[[OutboxMessage, int], OutboxMessage]

    @property
    def reads(self) -> Reads:
        """The message."""
        return Reads(messages=frozenset({self.message_id}))

    def run(self, tx: Transaction) -> None:
        """Changes it, if it is still there."""
        message = tx.message(self.message_id)
        if message is not None:
            put(tx, message, self.change(message, tx.now))


def put(tx: Transaction, before: OutboxMessage, after: OutboxMessage) -> None:
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
