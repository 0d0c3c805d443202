"""An entry of the ledger as it is stored, and how it enters the chain (R14).

An `Event` says what an entry means; an `Entry` is the row itself, byte for byte, which is what the
chain's hashes are over and what a proof must show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from optin.domain import chain
from optin.domain.events import Kind
from optin.domain.identities import is_digest

#: Evidence that is left of an entry which had any, once its contact was erased (R15).
ERASED_EVIDENCE = '{"erased":true}'

_PLAIN = slice(3, 14)
#: identity, evidence, context, others: what may tell of a person.
_PERSONAL = (2, 14, 15, 16)


class Entry(NamedTuple):
    """A row of the ledger, in the order of its columns. Times in UTC µs.

    `evidence`, `context`, `others`: JSON, "" for nothing. `seq`, `place`: which commit of `writer`,
    and where in it, from 0. `salt`: of the personal fields; gone after an erasure. `emptied`: what
    is left of these then, the four digests; `erased_by`: the erasure's entry.
    """

    bot_id: str
    event_id: bytes
    identity: str
    kind: str
    origin: str
    at: int | None
    unit: int
    effective: int | None
    recorded: int
    source: str
    actor: str
    from_contact: int
    categories: str | None
    wording: str | None
    evidence: str
    context: str
    others: str
    writer: int
    seq: int
    place: int
    salt: bytes
    emptied: bytes
    erased_by: bytes

    @property
    def is_message(self) -> bool:
        """Whether it is a contact's message: those have a digest of their own in a commit."""
        return self.kind == Kind.MESSAGE.value


def personal_fields(row: Sequence[Any]) -> tuple[str, ...]:
    """Those fields of an entry that may tell of a person."""
    return tuple(row[column] for column in _PERSONAL)


def leaf(row: Sequence[Any]) -> bytes:
    """The hash of an entry as it is stored. Of an erased one the kept digests count (R15)."""
    digests = row[21] or chain.personal(row[20], personal_fields(row))
    return chain.leaf(row[19], (row[1], *row[_PLAIN]), digests)


def emptied_as(row: Sequence[Any]) -> tuple[Any, ...]:
    """The fields by which an erasure's entry names an entry that it emptied."""
    return row[1], row[2], row[14], row[16], row[21]


def is_well_formed(entry: Entry) -> bool:
    """Whether the fields that no hash covers are as they must be: an entry has its salt, or it was
    emptied and shows nothing but digests."""
    if not entry.emptied:
        return len(entry.salt) == chain.SALT and not entry.erased_by
    return (
        len(entry.emptied) == len(_PERSONAL) * chain.SIZE
        and bool(entry.erased_by)
        and not entry.salt
        and not entry.context
        and is_digest(entry.identity)
        and entry.evidence in ("", ERASED_EVIDENCE)
    )
