"""Stored states beside the fold of their entries, a page of identities at a time (R2).

Entries are read in the order of identities and folded as they come, so a contact with a million
messages needs no more memory than one with none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from typing import Any

from optin.domain.errors import InconsistentRecord
from optin.domain.events import Kind
from optin.domain.identities import DIGEST_MARK, is_digest
from optin.domain.links import UNKNOWN, State, fold, heard_again
from optin.ports.ledger import StoredState
from optin.stores import ledger, rows
from optin.stores.digests import Digests
from optin.stores.sqlite.ledger_pages import LEDGER
from optin.stores.texts import reader

_TABLES = ("identities", *LEDGER)
_SOME = """SELECT DISTINCT identity FROM {table} WHERE bot_id = :bot AND identity {behind} :after
 ORDER BY identity LIMIT :limit"""
_STATES = """SELECT identity, opt_in, opt_in_with_evidence, start_word, opt_out_keyword,
 opt_out_other, opt_out_from_contact, message, provider_marketing_stop, provider_marketing_resume,
 marketing_stop, marketing_resume, wordings, links, version
 FROM identities WHERE bot_id = ? AND identity BETWEEN ? AND ? ORDER BY identity"""
_ENTRIES = """SELECT * FROM events WHERE bot_id = :bot AND identity BETWEEN :first AND :last
 UNION ALL SELECT * FROM contact_messages
 WHERE bot_id = :bot AND identity BETWEEN :first AND :last ORDER BY identity"""
_HAS_DIGESTS = "SELECT EXISTS (SELECT 1 FROM identities WHERE bot_id = ? AND identity >= ?)"

Connection = sqlite3.Connection


def page(
    connection: Connection, digests: Digests, bot_id: str, after: str | None, limit: int
) -> list[StoredState]:
    """Identities by name, each with what is stored of it and what its entries give."""
    names = _names(connection, bot_id, after, limit)
    if not names:
        return []
    stored = _stored(connection, bot_id, names[0], names[-1])
    folded = _folded(connection, bot_id, names[0], names[-1])
    erasures = bool(connection.execute(_HAS_DIGESTS, (bot_id, DIGEST_MARK)).fetchone()[0])
    found: list[StoredState] = []
    for name in names:
        one = _compared(name, stored.get(name), folded.get(name))
        if erasures and not is_digest(name):
            one = _under_digest(connection, digests, bot_id, one)
        found.append(one)
    return found


def _names(connection: Connection, bot_id: str, after: str | None, limit: int) -> list[str]:
    asked = {"bot": bot_id, "after": after or "", "limit": limit}
    behind = ">=" if after is None else ">"
    found = {
        name
        for table in _TABLES
        for (name,) in connection.execute(_SOME.format(table=table, behind=behind), asked)
    }
    return sorted(found)[:limit]


def _stored(
    connection: Connection, bot_id: str, first: str, last: str
) -> dict[str, State | InconsistentRecord]:
    found = connection.execute(_STATES, (bot_id, first, last)).fetchall()
    return {row[0]: _read(row[1:]) for row in found}


def _read(row: Any) -> State | InconsistentRecord:
    try:
        return rows.state(row)
    except InconsistentRecord as broken:
        return broken


def _folded(
    connection: Connection, bot_id: str, first: str, last: str
) -> dict[str, State | InconsistentRecord]:
    folded: dict[str, State | InconsistentRecord] = {}
    for row in _entries(connection, bot_id, first, last):
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


def _entries(connection: Connection, bot_id: str, first: str, last: str) -> Iterator[Any]:
    return connection.execute(_ENTRIES, {"bot": bot_id, "first": first, "last": last})


def _compared(
    name: str,
    stored: State | InconsistentRecord | None,
    folded: State | InconsistentRecord | None,
) -> StoredState:
    if isinstance(stored, InconsistentRecord) or isinstance(folded, InconsistentRecord):
        return StoredState(name, name, None, None, readable=False)
    return StoredState(name, name, stored, folded)


def _under_digest(
    connection: Connection, digests: Digests, bot_id: str, one: StoredState
) -> StoredState:
    """What came after an erasure was recorded under the identity again, and its state is under the
    digest, with what was there before (R15)."""
    name = digests.of(bot_id, one.identity)
    stored = _stored(connection, bot_id, name, name)
    if not stored or not one.readable:
        return one
    if one.stored is not None:  # two states for one identity: the store itself refuses to read it
        return StoredState(one.identity, name, None, None, readable=False)
    try:
        told = reduce(_with, _entries(connection, bot_id, name, name), one.folded or UNKNOWN)
        folded = heard_again(told, one.identity)
    except InconsistentRecord:
        return StoredState(one.identity, name, None, None, readable=False)
    return replace(_compared(name, stored[name], folded), identity=one.identity)
