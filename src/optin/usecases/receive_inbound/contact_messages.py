"""What a contact wrote, inside a commit: consent, reviews, callbacks (R9, R10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from optin.domain.callbacks import notification_body
from optin.domain.confirming import confirmation, is_first_stop
from optin.domain.events import Event
from optin.domain.identities import reach
from optin.domain.ids import derived_id, ulid
from optin.domain.inbound import InboundMessage
from optin.domain.inbound_claims import (
    Said,
    language_heard,
    message_claims,
    message_event_ids,
    message_review_id,
    provisional_claims,
    told_id,
    understood,
)
from optin.domain.keywords import Intent
from optin.ports.store import Callback, CallbackKind, Review, Transaction
from optin.usecases.receive_inbound.signed_body import SignedBody


def take_message(tx: Transaction, body: SignedBody, place: int, item: InboundMessage) -> None:
    """Records what the message says, once, and tells the business of it."""
    known = {
        identity
        for identity in item.identities
        if any(map(tx.is_recorded, message_event_ids(body.bot_id, item, identity)))
    }
    said = understood(tx.bot(), item)
    claims = message_claims(body.bot_id, item, said, body.source)
    is_first = said.meaning is Intent.STOP and _is_first_stop(tx, item.identities[0])
    events = [tx.record(claim) for claim in claims if claim.identity not in known]
    if is_first and events and not known:
        _confirm(tx, item, said, events)
    if said.meaning is Intent.REVIEW and not item.group:
        _ask(tx, body, item, said)
    url = tx.bot().value("callback_url")
    if url and not known and not item.group and not _is_unwanted(tx, item):
        parts = (body.bot_id, body.digest, str(tx.now), str(place))
        callback_id = ulid(derived_id(tx.now, *parts)) if claims else told_id(body.bot_id, item)
        told = notification_body(item, body.bot_id, tx.now)
        owed = Callback(body.bot_id, callback_id, url, told, tx.now, tx.now)
        tx.put_callback(replace(owed, kind=CallbackKind.NOTIFICATION))


def _is_first_stop(tx: Transaction, identity: str) -> bool:
    return is_first_stop(tx.reading(identity), tx.now, tx.bot().policy)


def _confirm(tx: Transaction, item: InboundMessage, said: Said, events: Sequence[Event]) -> None:
    """The one confirmation of an opt-out by keyword that R7 allows, in the same commit. A message
    that comes again, now with a further identity, has had its own."""
    language = language_heard(tx.bot(), item, said)
    promised = confirmation(tx.bot(), item.identities[0], events, language, tx.now)
    if promised is not None:
        tx.put_message(promised)


def _ask(tx: Transaction, body: SignedBody, item: InboundMessage, said: Said) -> None:
    """It may be a stop: a person looks at it, and until then marketing may stop (R10).

    Each item has a stop of its own, also beside another's: they are decided one by one.
    """
    review_id = message_review_id(body.bot_id, item)
    if tx.review(review_id) is not None:
        return
    if tx.bot().value("review_stop") == "yes":
        for claim in provisional_claims(body.bot_id, item, said, review_id, body.source):
            if not tx.is_recorded(claim.event_id):
                tx.record(claim)
    context = {"message_id": item.upstream_id, "name": item.profile_name}
    told = {name: value for name, value in context.items() if value}
    tx.put_review(Review(review_id, "message", item.identities, said.text, tx.now, told))


def _is_unwanted(tx: Transaction, item: InboundMessage) -> bool:
    """Whether the sender is on the blacklist, however the number is spelled there."""
    spellings = {s for identity in item.identities for s in reach(identity).allowing}
    return any(map(tx.is_blacklisted, spellings))
