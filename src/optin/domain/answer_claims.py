"""What a provider's answer to a send tells of the contact (R8, R11): its claims for the ledger.

Their `source` is the upstream's name, which the commit adds. Ids are made of the hand-over's own,
so settling it twice is the same as once.
"""

from __future__ import annotations

from dataclasses import replace

from optin.domain.events import MICROSECOND, Claim, Kind, Origin
from optin.domain.identities import reach
from optin.domain.ids import derived_id
from optin.domain.linking import pairs
from optin.domain.outbox import OutboxMessage


def stopped_claims(message: OutboxMessage) -> list[Claim]:
    """The contact stopped marketing at the provider (131050)."""
    kind = Kind.PROVIDER_MARKETING_STOP
    parts = (message.bot_id, message.claimant, message.message_id, kind)
    return [
        Claim(
            event_id=derived_id(message.created, *parts),
            identity=message.identity,
            kind=kind,
            origin=Origin.SIGNED,
            source="upstream",
            actor="upstream",
            from_contact=True,
            context={"message_id": message.message_id},
        )
    ]


def accepted_claims(message: OutboxMessage, wa_id: str) -> list[Claim]:
    """The provider knows the recipient as `wa_id`: as of the message's making, lest a change of
    number that came meanwhile be undone. A spelling of the recipient's identity is no news."""
    taken_for = wa_id.strip().removeprefix("+")
    if not taken_for or taken_for in reach(message.identity).allowing:
        return []
    linked = pairs(
        message.bot_id,
        (message.identity, taken_for),
        message.created,
        MICROSECOND,
        "upstream",
    )
    context = {"message_id": message.message_id}
    return [replace(claim, actor="upstream", context=context) for claim in linked]
