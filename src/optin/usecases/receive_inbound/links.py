"""Links between identities, inside a commit (R11)."""

from __future__ import annotations

from collections.abc import Sequence

from optin.domain.inbound import IdentityChange
from optin.domain.linking import change_claims, learned, pairs
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
    news, found = learned(body.bot_id, claims, tx.links, tx.is_recorded, tx.now)
    for claim in news:
        tx.record(claim)
    if found is not None:
        tx.put_review(Review(found.review_id, "conflict", found.identities, found.text, tx.now))
