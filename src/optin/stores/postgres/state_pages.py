"""Stored states beside the fold of their entries, a page of identities at a time (R2).

Entries are read in the order of identities and folded as they come, so a contact with a million
messages needs no more memory than one with none. All of it within one snapshot.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from optin.domain.errors import InconsistentRecord
from optin.domain.events import Kind
from optin.domain.identities import DIGEST_MARK, is_digest
from optin.domain.links import UNKNOWN, State, fold, heard_again
from optin.ports.ledger import StoredState
from optin.stores import ledger, rows
from optin.stores.digests import Digests
from optin.stores.postgres import tables
from optin.stores.postgres.connection import Session, fetch
from optin.stores.postgres.ledger_pages import LEDGER, rows_of
from optin.stores.texts import reader

_TABLES = ("identities", *LEDGER)
_SOME = """SELECT DISTINCT identity FROM {table}
 WHERE bot_id = $1 AND (identity > $2 OR $3 AND identity = $2) ORDER BY identity LIMIT $4"""
_STATES = f"""SELECT {tables.IDENTITIES.columns} FROM identities
 WHERE bot_id = $1 AND identity BETWEEN $2 AND $3 ORDER BY identity"""
_ENTRIES = f"""SELECT {tables.EVENTS.columns} FROM events
 WHERE bot_id = $1 AND identity BETWEEN $2 AND $3
 UNION ALL SELECT {tables.EVENTS.columns} FROM contact_messages
 WHERE bot_id = $1 AND identity BETWEEN $2 AND $3 ORDER BY identity"""
_HAS_DIGESTS = "SELECT EXISTS (SELECT 1 FROM identities WHERE bot_id = $1 AND identity >= $2)"


async def page(
    session: Session, digests: Digests, bot_id: str, after: str | None, limit: int
) -> list[StoredState]:
    """Identities by name, each with what is stored of it and what its entries give."""
    names = await _names(session, bot_id, after, limit)
    if not names:
        return []
    stored = await _stored(session, bot_id, names[0], names[-1])
    folded = await _folded(session, bot_id, names[0], names[-1])
    erasures = bool(await session.fetchval(_HAS_DIGESTS, bot_id, DIGEST_MARK))
    found: list[StoredState] = []
    for name in names:
        one = _compared(name, stored.get(name), folded.get(name))
        if erasures and not is_digest(name):
            one = await _under_digest(session, digests, bot_id, one)
        found.append(one)
    return found


async def _names(session: Session, bot_id: str, after: str | None, limit: int) -> list[str]:
    found = set[str]()
    for table in _TABLES:
        asked = (bot_id, after or "", after is None, limit)
        found |= {row[0] for row in await fetch(session, _SOME.format(table=table), *asked)}
    return sorted(found)[:limit]


async def _stored(
    session: Session, bot_id: str, first: str, last: str
) -> dict[str, State | InconsistentRecord]:
    found = await fetch(session, _STATES, bot_id, first, last)
    return {row[1]: _read(row[2:]) for row in found}


def _read(row: Any) -> State | InconsistentRecord:
    try:
        return rows.state(row)
    except InconsistentRecord as broken:
        return broken


async def _folded(
    session: Session, bot_id: str, first: str, last: str
) -> dict[str, State | InconsistentRecord]:
    folded: dict[str, State | InconsistentRecord] = {}
    async for row in rows_of(session, _ENTRIES, bot_id, first, last):
        if row[3] == Kind.CHECKPOINT.value:
            continue  # it is about nobody
        state = folded.get(row[2], UNKNOWN)
        if isinstance(state, State):
            try:
                folded[row[2]] = _with(state, row)
            except InconsistentRecord as broken:
                folded[row[2]] = broken
    return folded


@reader
def _with(state: State, row: Any) -> State:
    return fold(state, ledger.event(row))


def _compared(
    name: str,
    stored: State | InconsistentRecord | None,
    folded: State | InconsistentRecord | None,
) -> StoredState:
    if isinstance(stored, InconsistentRecord) or isinstance(folded, InconsistentRecord):
        return StoredState(name, name, None, None, readable=False)
    return StoredState(name, name, stored, folded)


async def _under_digest(
    session: Session, digests: Digests, bot_id: str, one: StoredState
) -> StoredState:
    """What came after an erasure was recorded under the identity again, and its state is under the
    digest, with what was there before (R15)."""
    name = digests.of(bot_id, one.identity)
    stored = await _stored(session, bot_id, name, name)
    if not stored or not one.readable:
        return one
    if one.stored is not None:  # two states for one identity: the store itself refuses to read it
        return StoredState(one.identity, name, None, None, readable=False)
    folded = one.folded or UNKNOWN
    try:
        async for row in rows_of(session, _ENTRIES, bot_id, name, name):
            folded = _with(folded, row)
    except InconsistentRecord:
        return StoredState(one.identity, name, None, None, readable=False)
    folded = heard_again(folded, one.identity)
    return replace(_compared(name, stored[name], folded), identity=one.identity)
