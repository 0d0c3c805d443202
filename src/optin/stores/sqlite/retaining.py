"""Cutting the ledger on SQLite, a bounded piece at a time (R16)."""

from __future__ import annotations

import os
import sqlite3

from optin.domain import chain
from optin.domain.consent import Clocks
from optin.domain.events import Kind
from optin.domain.ids import time_ordered_id
from optin.domain.retention import Horizons
from optin.stores import ledger, retention
from optin.stores.batch import Rows
from optin.stores.ledger import Head, Row
from optin.stores.sqlite import batches, entries
from optin.stores.sqlite.connection import insert

#: Entries that one cut may take up; one commit is always taken whole.
_AT_ONCE = 1_000
_OLDEST = """SELECT seq, hash, events + messages FROM commits
 WHERE bot_id = ? AND writer = ? AND recorded < ? ORDER BY seq LIMIT 500"""
_ENTRIES = """SELECT * FROM events WHERE bot_id = ?1 AND writer = ?2 AND seq <= ?3
 UNION ALL SELECT * FROM contact_messages WHERE bot_id = ?1 AND writer = ?2 AND seq <= ?3
 ORDER BY seq, place"""
_MOVE = "UPDATE {} SET seq = ?, place = ? WHERE bot_id = ? AND event_id = ?"
_DROP = "DELETE FROM {} WHERE bot_id = ? AND event_id = ?"
_UNUSED = """DELETE FROM wordings WHERE bot_id = ?1 AND hash = ?2
 AND NOT EXISTS (SELECT 1 FROM events WHERE bot_id = ?1 AND wording = ?2)
 AND NOT EXISTS (SELECT 1 FROM contact_messages WHERE bot_id = ?1 AND wording = ?2)"""


def cut(
    connection: sqlite3.Connection, found: Rows, bot_id: str, until: Horizons, now: int
) -> int | None:
    """Cuts the oldest commits, within the transaction that is under way: how many entries went;
    None if there was nothing to cut."""
    through = _through(connection, bot_id, until)
    if through is None:
        return None
    asked = (bot_id, entries.WRITER, through.seq)
    rows = connection.execute(_ENTRIES, asked).fetchall()

    def clocks(identity: str) -> Clocks:
        batches.load_states(connection, found, bot_id, [identity])
        return found.states[bot_id, found.names.get((bot_id, identity), identity)].clocks

    head = entries.head(connection, bot_id)
    event_id = time_ordered_id(now, os.urandom(10))
    asking = retention.Cutting(
        bot_id, entries.WRITER, through, head, now, event_id, os.urandom(chain.SALT)
    )
    made = retention.cut(asking, rows, clocks, until)
    _save(connection, bot_id, made, head)
    return len(made.dropped)


def _through(connection: sqlite3.Connection, bot_id: str, until: Horizons) -> Head | None:
    """The last commit to go."""
    last, taken = None, 0
    asked = (bot_id, entries.WRITER, until.newest)
    for seq, hashed, size in connection.execute(_OLDEST, asked).fetchall():
        if last is not None and taken + size > _AT_ONCE:
            break
        last, taken = Head(seq, hashed), taken + size
    return last


def _save(connection: sqlite3.Connection, bot_id: str, made: retention.Cut, head: Head) -> None:
    connection.execute(
        "DELETE FROM commits WHERE bot_id = ? AND writer = ? AND seq <= ?",
        (bot_id, entries.WRITER, made.through.seq),
    )
    for row in made.carried:
        connection.execute(_MOVE.format(_table(row)), (*row[18:20], bot_id, row[1]))
    for row in made.dropped:
        connection.execute(_DROP.format(_table(row)), (bot_id, row[1]))
    for wording in {row[13] for row in made.dropped if row[13] is not None}:
        connection.execute(_UNUSED, (bot_id, wording))
    insert(connection, "INSERT INTO events", [made.checkpoint[0]])
    commit = ledger.commit(made.checkpoint, head)
    insert(connection, "INSERT INTO commits", [ledger.commit_row(commit)])


def _table(row: Row) -> str:
    return "contact_messages" if row[3] == Kind.MESSAGE.value else "events"
