"""Links between identities, inside a commit (R11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from optin.domain.events import Claim, Kind
from optin.domain.identities import shown
from optin.domain.ids import derived_id, ulid
from optin.domain.inbound import IdentityChange
from optin.domain.linking import change_claims, is_news, pairs, rivals
from optin.domain.links import State, StateOf
from optin.ports.store import Review, Transaction
from optin.usecases.receive_inbound.signed_body import SignedBody


def take_change(tx: Transaction, body: SignedBody, item: IdentityChange) -> None:
    """A person has a new number or BSUID. Who they are now is linked as of any item."""
    for claim in change_claims(body.bot_id, item, body.source):
        if not tx.is_recorded(claim.event_id):
            tx.record(claim)


def link(
    tx: Transaction, body: SignedBody, identities: Sequence[str], at: int | None, unit: int
) -> None:
    """These are one person, said a provider at `at` (UTC µs, in units of `unit`).

    Only what is new goes into the ledger. If somebody else still claims one of them, marketing to
    all of these stops, and a person looks at it.
    """
    claims = pairs(body.bot_id, identities, at, unit, body.source)
    news = [c for c in claims if not tx.is_recorded(c.event_id) and is_news(c, _links_in(tx))]
    if not news:
        return
    others = rivals(identities, _links_in(tx))
    for claim in news:
        tx.record(claim)
    if others:
        _ask(tx, news[0], (*identities, *others))


def _links_in(tx: Transaction) -> StateOf:
    """The links of an identity as this commit sees them, in the form the domain asks for."""
    return lambda identity: State(links=tx.links(identity))


def _ask(tx: Transaction, told: Claim, who: tuple[str, ...]) -> None:
    review_id = ulid(derived_id(tx.now, tx.bot().bot_id, told.event_id.hex()))
    for one in who:
        tx.record(
            replace(
                told,
                event_id=derived_id(tx.now, tx.bot().bot_id, told.event_id.hex(), "conflict", one),
                identity=one,
                kind=Kind.MARKETING_STOP,
                at=None,
                others=(),
                context={"review": review_id},
            )
        )
    text = f"Several contacts claim one identity: {', '.join(map(shown, who))}."
    tx.put_review(Review(review_id, "conflict", who, text, tx.now))
