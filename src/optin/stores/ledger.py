"""Entries of the ledger as rows, and the chain that their commits make (R14): all stores alike.

The order of columns is that of the migrations. A wording is taken out of the evidence that brings
it and kept once, under its hash.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from optin.domain import chain
from optin.domain.chain import Commit
from optin.domain.consent_items import wording_hash
from optin.domain.entries import ERASED_EVIDENCE, emptied_as, leaf, personal_fields
from optin.domain.events import Claim, Event, Kind, Origin
from optin.stores.texts import from_json, reader, to_json

Row = Sequence[Any]

#: The member of the evidence that is kept apart.
_WORDING = "wording"
#: Columns of an entry; behind them may come the text of its wording.
COLUMNS = 23


@dataclass(frozen=True, slots=True)
class Head:
    """The last commit of a chain: its number, 0 if there is none, and its hash."""

    seq: int = 0
    hash: bytes = chain.GENESIS


@dataclass(slots=True)
class Chained:
    """What a batch adds to the ledger. `wordings`: (bot, hash) -> text."""

    commits: list[Commit] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)
    wordings: dict[tuple[str, str], str] = field(default_factory=dict)


def chained(
    events: Sequence[tuple[str, Event]],
    writer: int,
    heads: Callable[[str], Head],
    entropy: Callable[[int], bytes] = os.urandom,
) -> Chained:
    """The events of one batch, a commit for each bot that has any. `heads`: where each stands."""
    by_bot: dict[str, list[Event]] = {}
    for bot_id, event in events:
        by_bot.setdefault(bot_id, []).append(event)
    salts = entropy(chain.SALT * len(events))
    made, taken = Chained(), 0
    for bot_id, its_events in by_bot.items():
        head = heads(bot_id)
        rows = []
        for place, event in enumerate(its_events):
            salt = salts[taken : taken + chain.SALT]
            rows.append(entry_row(bot_id, event, (writer, head.seq + 1, place), salt))
            taken += chain.SALT
            if (shown := _wording(event.claim)) is not None:
                made.wordings[bot_id, str(event.claim.wording)] = shown
        made.commits.append(commit(rows, head))
        for row in rows:
            (made.messages if row[3] == Kind.MESSAGE.value else made.events).append(row)
    return made


def commit(rows: Sequence[Row], head: Head) -> Commit:
    """The link that these rows of one bot and commit make. They are in the order of places."""
    bot_id, writer, seq, recorded = rows[0][0], rows[0][17], rows[0][18], rows[0][8]
    events = [leaf(row) for row in rows if row[3] != Kind.MESSAGE.value]
    messages = [leaf(row) for row in rows if row[3] == Kind.MESSAGE.value]
    return Commit(
        bot_id,
        writer,
        seq,
        recorded,
        head.hash,
        len(events),
        chain.leaves_digest(events),
        len(messages),
        chain.leaves_digest(messages),
    )


def emptied_row(row: Row, names: Callable[[str], str], erased_by: bytes) -> Row:
    """The row without what tells of a person: digests in place of identities (R15)."""
    known = ERASED_EVIDENCE if row[14] else ""
    others = to_json(tuple(names(other) for other in from_json(row[16])))
    digests = chain.personal(row[20], personal_fields(row))
    kept = (*row[:2], names(row[2]), *row[3:14], known, "", others, *row[17:20])
    return (*kept, b"", digests, erased_by)


def emptied_digest(rows: Sequence[Row]) -> str:
    """Hex: what an erasure's entry names these emptied rows by. Their order does not matter."""
    return chain.emptied_digest(sorted(map(emptied_as, rows))).hex()


def commit_row(made: Commit) -> Row:
    """A row of `commits`."""
    return (
        made.bot_id,
        made.writer,
        made.seq,
        made.recorded,
        made.previous,
        made.events,
        made.events_digest,
        made.messages,
        made.messages_digest,
        made.hash,
    )


def read_commit(row: Row) -> tuple[Commit, bytes]:
    """The commit of a whole row, and the hash that is stored with it."""
    return Commit(*row[:9]), row[9]


def entry_row(bot_id: str, event: Event, position: tuple[int, int, int], salt: bytes) -> Row:
    """A row of `events` or `contact_messages`."""
    claim = event.claim
    return (
        bot_id,
        claim.event_id,
        claim.identity,
        claim.kind.value,
        claim.origin.value,
        claim.at,
        claim.unit,
        event.effective,
        event.recorded,
        claim.source,
        claim.actor,
        int(claim.from_contact),
        None if claim.categories is None else ",".join(sorted(claim.categories)),
        claim.wording,
        to_json(_evidence(claim)),
        to_json(claim.context),
        to_json(claim.others),
        *position,
        salt,
        b"",
        b"",
    )


def _wording(claim: Claim) -> str | None:
    """The text that the claim's `wording` is the hash of."""
    text = claim.evidence.get(_WORDING)
    told = isinstance(text, str) and claim.wording is not None
    return text if told and wording_hash(claim.evidence) == claim.wording else None


def _evidence(claim: Claim) -> Mapping[str, Any]:
    if _wording(claim) is None:
        return claim.evidence
    return {name: value for name, value in claim.evidence.items() if name != _WORDING}


@reader
def event(row: Row) -> Event:
    """The event of a whole row; with a column more, that is the text of its wording."""
    evidence = from_json(row[14])
    if len(row) > COLUMNS and row[COLUMNS] is not None and not row[21]:
        evidence = {_WORDING: row[COLUMNS], **evidence}
    return Event(
        Claim(
            event_id=row[1],
            identity=row[2],
            kind=Kind(row[3]),
            origin=Origin(row[4]),
            at=row[5],
            unit=row[6],
            source=row[9],
            actor=row[10],
            from_contact=bool(row[11]),
            categories=None if row[12] is None else frozenset(filter(None, row[12].split(","))),
            wording=row[13],
            evidence=evidence,
            context=from_json(row[15]),
            others=tuple(from_json(row[16])),
        ),
        recorded=row[8],
        effective=row[7],
    )


def placed(row: Row, head: Head, writer: int, place: int, salt: bytes) -> Row:
    """A row that was made before there was a chain, at its place in the commit after `head`."""
    return (*row[:17], writer, head.seq + 1, place, salt, b"", b"")


def after_erasure(event: Event, names: Callable[[str], str]) -> Event:
    """An event older than its contact's erasure, as digests only (R15). `names`: the digest of an
    erased identity; one that was not erased keeps its name, or what it says would be lost."""
    claim = event.claim
    known = {"erased": True} if event.with_evidence else {}
    return replace(
        event,
        claim=replace(
            claim,
            identity=names(claim.identity),
            evidence=known,
            context={},
            others=tuple(map(names, claim.others)),
        ),
    )
