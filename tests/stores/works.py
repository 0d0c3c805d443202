"""Small works for driving a store directly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from optin.domain.events import Claim, Kind, Origin
from optin.domain.ids import derived_id
from optin.ports.store import Reads, Transaction

BOT = "bot-1"
OTHER_BOT = "bot-2"
WHO = "46732001122"

_made = iter(range(1, 10**9))


def claim(kind: Kind, identity: str = WHO, *, origin: Origin = Origin.LIVE, **more: Any) -> Claim:
    """A claim with an id of its own."""
    number = next(_made)
    return Claim(
        event_id=more.pop("event_id", derived_id(number * 1000, str(number))),
        identity=identity,
        kind=kind,
        origin=origin,
        source="test",
        **more,
    )


@dataclass(frozen=True)
class Record:
    """Records claims; skips those whose id is in the ledger already, as webhooks do."""

    claims: tuple[Claim, ...]
    bot_id: str = BOT

    @property
    def reads(self) -> Reads:
        return Reads(
            identities=frozenset(c.identity for c in self.claims),
            event_ids=frozenset(c.event_id for c in self.claims),
        )

    def run(self, tx: Transaction) -> list[Any]:
        return [tx.record(c) for c in self.claims if not tx.is_recorded(c.event_id)]


@dataclass(frozen=True)
class Do:
    """Any work: what it reads, and a function of the transaction."""

    what: Callable[[Transaction], Any]
    reads: Reads = field(default_factory=Reads)
    bot_id: str = BOT

    def run(self, tx: Transaction) -> Any:
        return self.what(tx)


def record(*claims: Claim, bot_id: str = BOT) -> Record:
    """A work that records these claims."""
    return Record(claims, bot_id)
