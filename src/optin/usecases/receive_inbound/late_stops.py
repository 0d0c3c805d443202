"""Marketing stops that reach us late, after a person's decision took effect (R2, R10).

A review item that turned out as nothing ends the stop that it had set itself. A stop which the
contact had written before, and which comes only now, must not be ended by that: the contact never
took it back. It is recorded once more, as of now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from optin.domain.bots import Bot
from optin.domain.events import SECOND, Claim, Kind
from optin.domain.ids import derived_id
from optin.domain.inbound import InboundMessage, Item
from optin.domain.inbound_claims import (
    message_claims,
    message_review_id,
    provisional_claims,
    understood,
)
from optin.domain.keywords import Intent
from optin.domain.provisional import is_held_back
from optin.ports.store import Reads, Store, Transaction
from optin.usecases.receive_inbound.signed_body import SignedBody

#: Nobody can have decided about a message that is no older, µs.
_AT_ONCE = 2 * SECOND


async def hold(store: Store, body: SignedBody, items: Iterable[Item], received: int | None) -> None:
    """Sees to it that the late stops among `items`, which were just recorded, have their effect.

    `received`: UTC µs, None if they may be of any age. Doing it again changes nothing. Raises
    `StoreUnavailable`.
    """
    late = [i for i in items if isinstance(i, InboundMessage) and _is_late(i, received)]
    bot = await store.bot(body.bot_id) if late else None
    if bot is None:
        return
    for item in late:
        claims = _stops(bot, body, item)
        if not claims:
            continue
        events = (await store.histories(body.bot_id, item.identities)).events
        if is_held_back(events, item.identities, {claim.event_id for claim in claims}):
            review_id = message_review_id(body.bot_id, item)
            await store.commit(_Hold(body.bot_id, review_id, tuple(map(_as_of_now, claims))))


def _is_late(item: InboundMessage, received: int | None) -> bool:
    return bool(item.texts) and (
        received is None or item.at is None or received - item.at > _AT_ONCE
    )


def _stops(bot: Bot, body: SignedBody, item: InboundMessage) -> list[Claim]:
    """The marketing stops that the message stands for, provisional ones included."""
    said = understood(bot, item)
    if said.meaning is Intent.REVIEW:
        review_id = message_review_id(body.bot_id, item)
        return provisional_claims(body.bot_id, item, said, review_id, body.source)
    claims = message_claims(body.bot_id, item, said, body.source)
    return [claim for claim in claims if claim.kind is Kind.MARKETING_STOP]


def _as_of_now(claim: Claim) -> Claim:
    at = int.from_bytes(claim.event_id[:6], "big") * 1000
    return replace(claim, event_id=derived_id(at, claim.event_id.hex(), "late"), at=None)


@dataclass(frozen=True, slots=True)
class _Hold:
    """Records the stops once, those of a review item only while it is open."""

    bot_id: str
    review_id: str
    claims: tuple[Claim, ...]

    @property
    def reads(self) -> Reads:
        return Reads(
            identities=frozenset(claim.identity for claim in self.claims),
            event_ids=frozenset(claim.event_id for claim in self.claims),
            reviews=frozenset({self.review_id}),
        )

    def run(self, tx: Transaction) -> None:
        item = tx.review(self.review_id)
        if item is not None and item.decision:
            return
        for claim in self.claims:
            if not tx.is_recorded(claim.event_id):
                tx.record(claim)
