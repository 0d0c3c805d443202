"""The ledger's entries on SQLite: appended with their chain, and read in its order (R14).

Whoever holds the file's write lock is the one writer there is, whichever process it is.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence

from optin.domain import chain
from optin.domain.consent import NEVER
from optin.domain.events import Event, Kind
from optin.stores import ledger
from optin.stores.ledger import Head, Row
from optin.stores.sqlite.connection import insert

#: The only writer of a file: its write lock lets in one at a time.
WRITER = 0

_HEAD = "SELECT seq, hash FROM commits WHERE bot_id = ? AND writer = ? ORDER BY seq DESC LIMIT 1"
# Named, since for an IN the planner takes the key instead and reads the bot's whole ledger.
_OF_IDENTITY = """SELECT e.*, w.text FROM (
 SELECT * FROM events INDEXED BY events_by_identity
 WHERE bot_id = ?1 AND identity IN (?2, ?3)
 UNION ALL SELECT * FROM contact_messages INDEXED BY contact_messages_by_identity
 WHERE bot_id = ?1 AND identity IN (?2, ?3)
) e LEFT JOIN wordings w ON w.bot_id = e.bot_id AND w.hash = e.wording
 ORDER BY effective, recorded, event_id"""
_BEFORE_CHAINS = "SELECT * FROM {} WHERE bot_id = ? AND seq = 0 ORDER BY recorded, event_id"
_PLACE = """UPDATE {} SET writer = ?, seq = ?, place = ?, salt = ?
 WHERE bot_id = ? AND event_id = ?"""
_CUT = "SELECT max(effective) FROM events WHERE bot_id = ? AND identity = '' AND kind = ?"
#: Entries of one commit that are put into a chain afterwards.
_AT_ONCE = 1_000


def append(connection: sqlite3.Connection, events: Sequence[tuple[str, Event]]) -> None:
    """Adds a batch's events to the ledger, one commit for each bot that has any."""
    if not events:
        return
    made = ledger.chained(events, WRITER, lambda bot_id: head(connection, bot_id))
    connection.executemany(
        "INSERT OR IGNORE INTO wordings VALUES (?, ?, ?)",
        [(*key, text) for key, text in made.wordings.items()],
    )
    insert(connection, "INSERT INTO events", made.events)
    insert(connection, "INSERT INTO contact_messages", made.messages)
    insert(connection, "INSERT INTO commits", list(map(ledger.commit_row, made.commits)))


def head(connection: sqlite3.Connection, bot_id: str) -> Head:
    """Where the bot's chain stands."""
    found = connection.execute(_HEAD, (bot_id, WRITER)).fetchone()
    return Head(*found) if found else Head()


def of_identity(
    connection: sqlite3.Connection, bot_id: str, identity: str, name: str
) -> list[Event]:
    """All events of an identity, those under its digest `name` included: oldest effective time
    first, those without effect before all others."""
    found = connection.execute(_OF_IDENTITY, (bot_id, identity, name)).fetchall()
    return list(map(ledger.event, found))


def chain_what_is_there(connection: sqlite3.Connection) -> None:
    """Puts the entries that were made before there was a chain into one, in their order of time."""
    bots = connection.execute(
        "SELECT bot_id FROM events UNION SELECT bot_id FROM contact_messages"
    ).fetchall()
    for (bot_id,) in bots:
        found = [
            row
            for table in ("events", "contact_messages")
            for row in connection.execute(_BEFORE_CHAINS.format(table), (bot_id,)).fetchall()
        ]
        found.sort(key=lambda row: (row[8], row[1]))
        for begin in range(0, len(found), _AT_ONCE):
            _chain_afterwards(connection, bot_id, found[begin : begin + _AT_ONCE])


def _chain_afterwards(connection: sqlite3.Connection, bot_id: str, found: Sequence[Row]) -> None:
    before = head(connection, bot_id)
    chained = [
        ledger.placed(row, before, WRITER, place, os.urandom(chain.SALT))
        for place, row in enumerate(found)
    ]
    made = ledger.commit(chained, before)
    insert(connection, "INSERT INTO commits", [ledger.commit_row(made)])
    for row in chained:
        table = "contact_messages" if row[3] == Kind.MESSAGE.value else "events"
        connection.execute(_PLACE.format(table), (*row[17:21], bot_id, row[1]))


def known_from(connection: sqlite3.Connection, bot_id: str) -> int:
    """Until when the bot's ledger was cut (R16), UTC µs; `NEVER` if it never was."""
    found = connection.execute(_CUT, (bot_id, Kind.CHECKPOINT.value)).fetchone()
    return NEVER if found[0] is None else int(found[0])
