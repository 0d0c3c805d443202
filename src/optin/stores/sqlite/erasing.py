"""Forgetting a contact on SQLite (R15). `TABLES` says for each table what is done with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass

from optin.domain.events import Kind
from optin.domain.identities import is_digest
from optin.ports.records import Erasing
from optin.stores import erasure
from optin.stores.batch import Batch, Rows
from optin.stores.ledger import Row
from optin.stores.sqlite import batches
from optin.stores.sqlite.directory import BUMP
from optin.stores.texts import from_json

#: What becomes of a contact's data, by table. A test holds it against the schema.
TABLES = erasure.TABLES

_OTHERS = """SELECT kind, others FROM events INDEXED BY events_by_identity
 WHERE bot_id = ? AND identity = ? AND others <> ''"""
_ENTRIES = """SELECT * FROM {0} INDEXED BY {0}_by_identity
 WHERE bot_id = ? AND identity = ? AND emptied = x''"""
#: Of somebody who was erased before, entries of older events may name others who were not.
_NAMING_OTHERS = f"{_ENTRIES} AND kind <> 'erased' AND others <> ''"
_EMPTY = """UPDATE {} SET identity = ?, evidence = ?, context = ?, others = ?, salt = ?,
 emptied = ?, erased_by = ? WHERE bot_id = ? AND event_id = ?"""
_LEDGER = ("events", "contact_messages")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What the deciding commit did. `scope`: the contact's identities as they were."""

    at: int
    scope: frozenset[str]
    entries: int
    records: int


def forget(
    connection: sqlite3.Connection, batch: Batch, bot_id: str, identity: str, erasing: Erasing
) -> Forgotten:
    """All that decides, within the transaction that is under way."""

    def names(who: str) -> str:
        return batch.rows.digest(bot_id, who)

    scope = scope_of(connection, batch.rows, bot_id, identity)
    gone = erasure.emptied(_entries(connection, bot_id, scope, names), names, erasing)
    for rows in gone.values():
        _empty(connection, rows)
    _rename(connection, batch, bot_id, scope)
    work = erasure.Erase(bot_id, erasure.claims(scope, names, gone, erasing))
    at = batch.attempt(work)
    if isinstance(at, Exception):
        raise at
    batches.save(connection, batch.writes)
    connection.execute(BUMP)  # that nobody was erased is not remembered any more
    records = sum(_delete(connection, bot_id, who) for who in scope)
    return Forgotten(at, scope, sum(map(len, gone.values())), records)


def scope_of(
    connection: sqlite3.Connection, rows: Rows, bot_id: str, identity: str
) -> frozenset[str]:
    """W, and whoever else the contact's linking entries name, step by step; adds their states."""
    scope, waiting = frozenset[str](), frozenset({identity})
    while waiting:
        scope |= batches.load_states(connection, rows, bot_id, waiting)
        waiting = frozenset(_named(connection, bot_id, scope)) - scope
    return scope


def _named(connection: sqlite3.Connection, bot_id: str, who: Iterable[str]) -> Iterable[str]:
    for one in who:
        for kind, others in connection.execute(_OTHERS, (bot_id, one)):
            if kind != Kind.ERASED.value:
                yield from from_json(others)


def _entries(
    connection: sqlite3.Connection, bot_id: str, scope: Collection[str], names: erasure.Names
) -> Iterable[Row]:
    for who in sorted(scope):
        if not is_digest(who):
            for table in _LEDGER:
                yield from connection.execute(_ENTRIES.format(table), (bot_id, who)).fetchall()
    for name in sorted({names(who) for who in scope}):
        found = connection.execute(_NAMING_OTHERS.format("events"), (bot_id, name)).fetchall()
        yield from (row for row in found if not all(map(is_digest, from_json(row[16]))))


def _empty(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    for row in rows:
        table = "contact_messages" if row[3] == Kind.MESSAGE.value else "events"
        changed = (row[2], *row[14:17], *row[20:23], *row[:2])
        connection.execute(_EMPTY.format(table), changed)


def _rename(
    connection: sqlite3.Connection, batch: Batch, bot_id: str, scope: Collection[str]
) -> None:
    """Puts the states under digests, links included."""
    rows = batch.rows

    def names(who: str) -> str:
        return rows.digest(bot_id, who)

    for who in scope:
        name = names(who)
        if name == who:
            continue
        if (bot_id, who) not in rows.names:
            rows.states[bot_id, name] = rows.states.pop((bot_id, who))
            rows.names[bot_id, who] = name
            connection.execute(
                "DELETE FROM identities WHERE bot_id = ? AND identity = ?", (bot_id, who)
            )
    for name in {names(who) for who in scope}:
        state = erasure.renamed(rows.states[bot_id, name], names)
        rows.states[bot_id, name] = batch.writes.states[bot_id, name] = state


def _delete(connection: sqlite3.Connection, bot_id: str, who: str) -> int:
    return sum(
        connection.execute(
            # The second condition is that of an index, which is not used without it.
            f"DELETE FROM {table} WHERE bot_id = ? AND identity = ? AND identity <> ''",  # noqa: S608
            (bot_id, who),
        ).rowcount
        for table in ("messages", "blacklist", "import_rows")
    )


def compact(writer: sqlite3.Connection) -> None:
    """Page splits leave copies in free space that even `secure_delete` does not reach."""
    writer.execute("VACUUM")
    truncate_log(writer)


def truncate_log(writer: sqlite3.Connection) -> None:
    """The write-ahead log must not keep what was erased; if somebody reads just now, the next
    checkpoint sees to it."""
    with suppress(sqlite3.OperationalError):
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
