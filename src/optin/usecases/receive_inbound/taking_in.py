"""Some items of a body, taken in with one commit (SPEC 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optin.domain.events import Claim
from optin.domain.identities import reach
from optin.domain.inbound import (
    IdentityChange,
    InboundMessage,
    Item,
    NotUnderstood,
    Preference,
    ProviderConsent,
    StatusUpdate,
    TemplateUpdate,
)
from optin.domain.inbound_claims import (
    consent_claims,
    message_event_ids,
    message_review_id,
    preference_claims,
    stop_claims,
)
from optin.domain.linking import change_claims, pairs, told_together
from optin.domain.templates import after_update, key_of, texts_after
from optin.ports.store import Reads, Template, Transaction
from optin.usecases.receive_inbound.contact_messages import take_message
from optin.usecases.receive_inbound.directory import number_of
from optin.usecases.receive_inbound.links import link, take_change
from optin.usecases.receive_inbound.reports import early_ids, reports_in, take_report
from optin.usecases.receive_inbound.signed_body import Arrival, SignedBody


@dataclass(frozen=True, slots=True)
class TakeIn:
    """Some items of a body, by their place in it. `number`: the setting that holds the number they
    must be about. `recipients`: whom the messages of reports went to, by the reports' places.
    `arrival`: with the last part of a body from outside. `awaited`: a report may be about a message
    that is not known yet.
    """

    body: SignedBody
    items: Mapping[int, Item]
    number: str
    recipients: Mapping[int, str] = field(default_factory=dict)
    arrival: Arrival | None = None
    awaited: bool = False

    @property
    def bot_id(self) -> str:
        """Whose body it is."""
        return self.body.bot_id

    @property
    def reads(self) -> Reads:
        """All that any item may look at, whatever the bot's settings make of it."""
        claims = [c for n, item in self.items.items() for c in self._plain_claims(n, item)]
        messages = [i for i in self.items.values() if isinstance(i, InboundMessage)]
        senders = {identity for item in messages for identity in item.identities}
        early = self.items if self.awaited else {}
        # A relayed message is settled under the lock of its recipient's state, which these are.
        reported = {identity for item in reports_in(early) for identity in item.identities}
        return Reads(
            identities=frozenset(claim.identity for claim in claims) | senders | reported,
            event_ids=frozenset(claim.event_id for claim in claims).union(
                *(message_event_ids(self.bot_id, m, i) for m in messages for i in m.identities)
            ),
            messages=frozenset(item.correlation for item in reports_in(self.items)).union(
                early_ids(self.bot_id, early)
            ),
            upstream_ids=frozenset(item.upstream_id for item in reports_in(self.items)),
            templates=frozenset(filter(None, map(key_of, self.items.values()))),
            blacklist=frozenset(s for sender in senders for s in reach(sender).allowing),
            reviews=frozenset(message_review_id(self.bot_id, m) for m in messages if m.texts),
        )

    def run(self, tx: Transaction) -> int:
        """Takes in each item by itself; how many were not understood."""
        number = number_of(tx.bot(), self.number)
        strange = sum(self._one(tx, number, place, item) for place, item in self.items.items())
        if self.arrival is not None:
            self.arrival.end(tx, self.body)
        return strange

    def _one(self, tx: Transaction, number: str, place: int, item: Item) -> int:
        match item:
            case NotUnderstood():
                return self.body.keep(tx, item.raw, item.reason)
            case TemplateUpdate():
                return self._template(tx, item)
            case _ if number and item.phone_number_id != number:
                return self.body.keep(tx, self.body.content, "about another business number")
            case _:
                return self._about_a_contact(tx, place, item)

    def _about_a_contact(
        self,
        tx: Transaction,
        place: int,
        item: InboundMessage | IdentityChange | StatusUpdate | Preference | ProviderConsent,
    ) -> int:
        if isinstance(item, IdentityChange):
            take_change(tx, self.body, item)
        together = told_together(item, self.recipients.get(place, ""))
        link(tx, self.body, together, item.at, item.unit)
        if isinstance(item, InboundMessage):
            take_message(tx, self.body, place, item)
        elif not isinstance(item, IdentityChange):
            return self._told(tx, place, item)
        return 0

    def _plain_claims(self, place: int, item: Item) -> list[Claim]:
        """The claims that need no setting of the bot to be understood, links included."""
        if isinstance(item, NotUnderstood | TemplateUpdate):
            return []
        together = told_together(item, self.recipients.get(place, ""))
        claims = pairs(self.bot_id, together, item.at, item.unit, self.body.source)
        if isinstance(item, IdentityChange):
            return claims + change_claims(self.bot_id, item, self.body.source)
        if isinstance(item, InboundMessage):
            return claims
        return claims + self._told_claims(place, item)

    def _told_claims(
        self, place: int, item: StatusUpdate | Preference | ProviderConsent
    ) -> list[Claim]:
        match item:
            case Preference():
                return preference_claims(self.bot_id, item, self.body.digest, self.body.source)
            case ProviderConsent():
                return consent_claims(self.bot_id, item, self.body.digest, self.body.source)
            case StatusUpdate():
                sent_to = filter(None, [self.recipients.get(place)])
                return stop_claims(self.bot_id, item, sent_to, self.body.source)

    def _told(
        self, tx: Transaction, place: int, item: Preference | ProviderConsent | StatusUpdate
    ) -> int:
        claims = self._told_claims(place, item)
        for claim in claims:
            if not tx.is_recorded(claim.event_id):
                tx.record(claim)
        strange = 0
        if isinstance(item, StatusUpdate):
            if item.marketing_stopped and not claims:
                strange = self.body.keep(tx, self.body.content, "a marketing stop of nobody known")
            stops = item.marketing_stopped and not claims
            early = self.awaited
            told = take_report(tx, self.body, item, early=early, stops=stops)
            strange = max(strange, told)
        elif isinstance(item, Preference) and not claims:
            strange = self.body.keep(tx, self.body.content, f"a preference of {item.value!r:.50}")
        return strange

    def _template(self, tx: Transaction, item: TemplateUpdate) -> int:
        key = key_of(item)
        if key is None or item.account != tx.bot().value("meta.waba_id"):
            reason = "a template of another account, or an odd one"
            return self.body.keep(tx, self.body.content, reason)
        known = tx.template(*key)
        before = None if known is None else (known.category, known.status, known.updated)
        category, status = after_update(before, item)
        had, written = ((), 0) if known is None else (known.components, known.updated)
        texts = texts_after(had, written, item)
        if before is None or (category, status, texts) != (*before[:2], had):
            tx.put_template(Template(*key, category, status, tx.now, texts))
        return 0
