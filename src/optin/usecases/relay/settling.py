"""What became of a relayed message, and what was reported of it before that was known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from optin.domain.answer_claims import accepted_claims
from optin.domain.callbacks import report_id, status_body
from optin.domain.events import Claim, Kind, Origin
from optin.domain.handing_over import accepted, caught_up, failed, is_held, uncertain
from optin.domain.ids import derived_id
from optin.domain.linking import learned
from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback, Reads, Review, Transaction
from optin.ports.upstream import Accepted, Failed, Outcome, Retry, Unknown


@dataclass(frozen=True, slots=True)
class Settle:
    """Writes down what became of it. Done twice it is the same as done once.

    The outcome itself is not called back: the client has its answer. It is never tried again from
    here: who got an error may send again, and is judged again. Reports that came before the
    provider's id was known count from now on. `identities`: all whom it named; a stop is theirs
    all, for the provider does not say which of them it went by (R8).
    """

    bot_id: str
    record: OutboxMessage
    outcome: Outcome
    identities: tuple[str, ...] = ()

    @property
    def reads(self) -> Reads:
        """Its record, and what else may be known under the provider's id."""
        return Reads(
            identities=frozenset(claim.identity for claim in self._linking).union(self._stops),
            messages=frozenset({self.record.message_id}),
            upstream_ids=frozenset({self._upstream_id} - {""}),
            event_ids=frozenset(claim.event_id for claim in self._linking).union(
                self._stops.values()
            ),
        )

    @property
    def _upstream_id(self) -> str:
        return self.outcome.upstream_id if isinstance(self.outcome, Accepted) else ""

    @property
    def _stops(self) -> Mapping[str, bytes]:
        """Everybody whom the message named, and the id that a stop of theirs has."""
        parts = (self.record.claimant, self.record.message_id, Kind.PROVIDER_MARKETING_STOP)
        named = dict.fromkeys((self.record.identity, *self.identities))
        return {
            one: derived_id(
                self.record.created,
                self.bot_id,
                *parts,
                *([] if one == self.record.identity else [one]),
            )
            for one in named
        }

    @property
    def _linking(self) -> Sequence[Claim]:
        """Who the provider takes the recipient for (R11)."""
        wa_id = self.outcome.wa_id if isinstance(self.outcome, Accepted) else ""
        return accepted_claims(self.record, wa_id) if wa_id else ()

    def run(self, tx: Transaction) -> None:
        """Changes nothing the second time. What is told of the contact counts even if an erasure
        took the record meanwhile: a stop is the contact's word (R8)."""
        early = self._early(tx)
        self._learn(tx)
        if self._stopped or (early and early.body.get("stops")):
            self._record_stop(tx)
        message = tx.message(self.record.message_id)
        if message is None:
            return
        after = message
        if isinstance(self.outcome, Accepted):
            after = self._catch_up(tx, accepted(message, self.outcome.upstream_id), early)
        elif is_held(message, self.record.claimant):
            after = self._not_accepted(message, tx.now)
        if after != message:
            tx.put_message(after)

    @property
    def _stopped(self) -> bool:
        return isinstance(self.outcome, Failed) and self.outcome.marketing_stop

    def _early(self, tx: Transaction) -> OutboxMessage | None:
        """What was reported under the provider's id before anybody knew whose it is."""
        early = tx.message_by_upstream_id(self._upstream_id) if self._upstream_id else None
        return early if early and early.is_early_report else None

    def _catch_up(
        self, tx: Transaction, message: OutboxMessage, early: OutboxMessage | None
    ) -> OutboxMessage:
        """What reports said of it before it was known by that id; the newest state is told (H8)."""
        if early is None:
            return message
        after, spent = caught_up(message, early)
        tx.put_message(spent)
        url = tx.bot().value("callback_url")
        if after.state is not message.state and url:
            told = status_body(after, tx.now)
            owed_id = report_id(after, tx.now)
            tx.put_callback(Callback(self.bot_id, owed_id, url, told, tx.now, tx.now))
        return after

    def _learn(self, tx: Transaction) -> None:
        source = f"upstream:{tx.bot().value('upstream')}"
        claims = [replace(claim, source=source) for claim in self._linking]
        news, found = learned(self.bot_id, claims, tx.links, tx.is_recorded, tx.now)
        for claim in news:
            tx.record(claim)
        if found is not None:
            tx.put_review(Review(found.review_id, "conflict", found.identities, found.text, tx.now))

    def _not_accepted(self, message: OutboxMessage, now: int) -> OutboxMessage:
        match self.outcome:
            case Unknown(details):
                return uncertain(message, details, now)
            case Failed(details) | Retry(details):
                return failed(message, details)
        return message

    def _record_stop(self, tx: Transaction) -> None:
        for identity, event_id in self._stops.items():
            if tx.is_recorded(event_id):
                continue
            claim = Claim(
                event_id=event_id,
                identity=identity,
                kind=Kind.PROVIDER_MARKETING_STOP,
                origin=Origin.SIGNED,
                source=f"upstream:{tx.bot().value('upstream')}",
                actor="upstream",
                from_contact=True,
                context={"message_id": self.record.message_id},
            )
            tx.record(claim)
