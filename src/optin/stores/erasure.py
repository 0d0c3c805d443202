"""What all stores share of forgetting a contact (R15).

A contact's state and links stay, under a keyed digest of each identity; entries lose what tells of
a person; one chained entry an identity names the entries that it emptied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from optin.domain.events import Claim, Kind, Origin
from optin.domain.identities import Reach, is_digest, reach
from optin.domain.ids import derived_id
from optin.domain.links import State, erased_spellings
from optin.ports.records import Erasing, Reads
from optin.ports.store import Transaction
from optin.stores import ledger
from optin.stores.ledger import Row

Names = Callable[[str], str]

#: What becomes of a contact's data, by table. Tests hold it against the schemas.
TABLES: Mapping[str, str] = {
    "identities": "kept under digests",
    "answers": "emptied",
    "events": "personal fields emptied",
    "contact_messages": "personal fields emptied",
    "messages": "deleted",
    "blacklist": "deleted",
    "reviews": "deleted",
    "callbacks": "deleted",
    "webhooks": "deleted",
    "import_rows": "deleted",
    "import_bodies": "deleted when the import is over",
    "imports": "holds nobody's data",
    "bots": "holds nobody's data",
    "commits": "holds nobody's data",
    "meta": "holds nobody's data",
    "templates": "holds nobody's data",
    "tokens": "holds nobody's data",
    "wordings": "holds nobody's data",
}

#: Where a number or word can begin: the letters and digits of an escape, in JSON or a URL, are none
#: of it, unless what is escaped is a digit.
_BEGIN = "|".join(
    (
        r"(?<![0-9A-Za-z])",
        r"(?<=\\[bfnrt])",
        r"(?<=\\u[0-9A-Fa-f]{4})(?<!\\u003[0-9])",
        r"(?<=%[0-9A-Fa-f]{2})(?<!%3[0-9])",
    )
)


def renamed(state: State, names: Names) -> State:
    """The state with digests in place of the identities that its links name."""
    links = state.links
    peers: dict[str, int] = {}
    for who, at in links.peers.items():
        peers[names(who)] = max(at, peers.get(names(who), at))
    return replace(
        state,
        links=links._replace(peers=peers, former=frozenset(map(names, links.former)), plain=""),
    )


def emptied(rows: Iterable[Row], names: Names, erasing: Erasing) -> dict[str, list[Row]]:
    """The emptied rows, by the digest of their identity."""
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        name = names(row[2])
        by_name.setdefault(name, []).append(ledger.emptied_row(row, names, _id(erasing, name)))
    return by_name


def claims(
    scope: Iterable[str], names: Names, gone: Mapping[str, list[Row]], erasing: Erasing
) -> tuple[Claim, ...]:
    """The entries of an erasure: one for each identity of the contact, in the order of names."""
    spelled = {names(who): _spelled(who, names) for who in sorted(scope, key=is_digest)[::-1]}
    return tuple(
        Claim(
            event_id=_id(erasing, name),
            identity=name,
            kind=Kind.ERASED,
            origin=Origin.LIVE,
            source=erasing.source,
            actor=erasing.actor,
            evidence={
                "emptied": len(gone.get(name, ())),
                "digest": ledger.emptied_digest(gone.get(name, [])),
            },
            context=erasing.context,
            others=spelled[name],
        )
        for name in sorted(spelled)
    )


def _id(erasing: Erasing, name: str) -> bytes:
    at = int.from_bytes(erasing.erasure_id[:6], "big") * 1000
    return derived_id(at, erasing.erasure_id.hex(), name)


def _spelled(identity: str, names: Names) -> tuple[str, ...]:
    """The digests of its spellings; a digest's own were told when it became one."""
    if is_digest(identity):
        return ()
    found = reach(identity)
    if len(found.blocking) == 1:
        return ()
    mapped = Reach(frozenset(map(names, found.blocking)), frozenset(map(names, found.allowing)))
    return erased_spellings(mapped)


def named_in(identities: Collection[str]) -> re.Pattern[bytes]:
    """Finds any of the identities in a body, but not within a longer number or word."""
    told = "|".join(re.escape(who) for who in sorted(identities, key=len, reverse=True))
    return re.compile(rf"(?:{_BEGIN})(?:00)?(?:{told})(?![0-9A-Za-z])".encode())


@dataclass(frozen=True, slots=True)
class Erase:
    """The work that records the entries of an erasure. `event_ids`: so that done twice is once."""

    bot_id: str
    claims: tuple[Claim, ...]

    @property
    def reads(self) -> Reads:
        return Reads(
            identities=frozenset(claim.identity for claim in self.claims),
            event_ids=frozenset(claim.event_id for claim in self.claims),
        )

    def run(self, tx: Transaction) -> int:
        """The erasure's instant, UTC µs: the latest of its entries."""
        return max(tx.record(claim).effective or tx.now for claim in self.claims)
