"""The chain as it lies in the file, a page at a time: `ports/ledger.py` (R14)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from optin.domain import chain
from optin.domain.entries import Entry, emptied_as
from optin.ports.ledger import Position, StoredCommit, StoredEntry, StoredErasure, StoredWording
from optin.stores import ledger

#: The tables of the ledger's entries: consent, and messages from contacts.
LEDGER = ("events", "contact_messages")
_BOTS = ("commits", "events", "contact_messages", "wordings", "identities")
_WRITERS = ("commits", "events", "contact_messages")
_COMMITS = """SELECT * FROM commits WHERE bot_id = ? AND writer = ? AND seq > ?
 ORDER BY seq LIMIT ?"""
_HEAD = "SELECT * FROM commits WHERE bot_id = ? AND writer = ? ORDER BY seq DESC LIMIT 1"
_PAGE = """SELECT *, {mark} AS as_message FROM {table}
 WHERE bot_id = :bot AND writer = :writer AND (seq, place, event_id) > (:seq, :place, :event)
 AND {which}"""
_UNTIL = "seq <= :until"
_STRAY = """NOT EXISTS (SELECT 1 FROM commits c
 WHERE c.bot_id = :bot AND c.writer = :writer AND c.seq = {table}.seq)"""
_BY_ID = "SELECT * FROM events WHERE bot_id = ? AND event_id = ?"
# SQLite would rather go through all of a bot's rows than use these indexes unasked.
_EMPTIED = """SELECT * FROM events INDEXED BY events_by_erasure
 WHERE bot_id = :bot AND erased_by = :id AND erased_by <> x''
 UNION ALL SELECT * FROM contact_messages INDEXED BY contact_messages_by_erasure
 WHERE bot_id = :bot AND erased_by = :id AND erased_by <> x'' ORDER BY event_id"""
_WORDINGS = """SELECT hash, text,
 EXISTS (SELECT 1 FROM events e INDEXED BY events_by_wording
 WHERE e.bot_id = w.bot_id AND e.wording = w.hash)
 OR EXISTS (SELECT 1 FROM contact_messages e INDEXED BY contact_messages_by_wording
 WHERE e.bot_id = w.bot_id AND e.wording = w.hash)
 FROM wordings w WHERE bot_id = :bot AND hash {behind} :after ORDER BY hash LIMIT :limit"""
#: Entries from before there was a table of wordings still have the text in their evidence; those
#: older than their contact's erasure came without.
_WORDLESS = """SELECT * FROM {table} INDEXED BY {table}_by_wording
 WHERE bot_id = ? AND wording = ? AND substr(identity, 1, 1) <> '~'
 AND CASE WHEN json_valid(evidence) THEN json_extract(evidence, '$.wording') IS NULL
 ELSE 1 END LIMIT 1"""
_NAMED = """SELECT wording FROM events INDEXED BY events_by_wording
 WHERE bot_id = :bot AND wording > :after
 UNION SELECT wording FROM contact_messages INDEXED BY contact_messages_by_wording
 WHERE bot_id = :bot AND wording > :after
 EXCEPT SELECT hash FROM wordings WHERE bot_id = :bot
 ORDER BY wording LIMIT :limit"""


def bots(connection: sqlite3.Connection) -> list[str]:
    """Every bot id in the ledger's tables."""
    found = {bot for table in _BOTS for bot in _each(connection, table, "bot_id", "TRUE")}
    return sorted(found)


def writers(connection: sqlite3.Connection, bot_id: str) -> list[int]:
    """Every writer that the bot's tables name."""
    where = "bot_id = ?"
    found = {w for table in _WRITERS for w in _each(connection, table, "writer", where, bot_id)}
    return sorted(found)


def _each(
    connection: sqlite3.Connection, table: str, column: str, where: str, *of: str
) -> Iterator[Any]:
    """The values of a column, a step through its index for each: there are few among many rows."""
    step = f"SELECT min({column}) FROM {table} WHERE {where}"  # noqa: S608 - ours
    value = connection.execute(step, of).fetchone()[0]
    while value is not None:
        yield value
        value = connection.execute(f"{step} AND {column} > ?", (*of, value)).fetchone()[0]


def head(connection: sqlite3.Connection, bot_id: str, writer: int) -> StoredCommit | None:
    """The newest commit."""
    found = connection.execute(_HEAD, (bot_id, writer)).fetchone()
    return StoredCommit(*ledger.read_commit(found)) if found else None


def commits(
    connection: sqlite3.Connection, bot_id: str, writer: int, after: int, limit: int
) -> list[StoredCommit]:
    """Commits by number."""
    found = connection.execute(_COMMITS, (bot_id, writer, after, limit)).fetchall()
    return [StoredCommit(*ledger.read_commit(row)) for row in found]


def entries(
    connection: sqlite3.Connection, bot_id: str, writer: int, after: Position, **which: int
) -> list[StoredEntry]:
    """Entries by position: `until` a commit, or without it the strays; `limit` of them."""
    asked = {
        "bot": bot_id,
        "writer": writer,
        "seq": after.seq,
        "place": after.place,
        "event": after.event_id,
        **which,
    }
    sql = _UNTIL_SQL if "until" in which else _STRAY_SQL
    return [stored(row) for row in connection.execute(sql, asked).fetchall()]


def _both(which: str) -> str:
    """Both tables in one order, without sorting: each has an index in it."""
    parts = (
        _PAGE.format(mark=mark, table=table, which=which.format(table=table))
        for mark, table in enumerate(LEDGER)
    )
    return " UNION ALL ".join(parts) + " ORDER BY seq, place, event_id LIMIT :limit"


_UNTIL_SQL, _STRAY_SQL = _both(_UNTIL), _both(_STRAY)


def stored(row: Sequence[Any]) -> StoredEntry:
    """An entry with the mark of its table behind it."""
    return StoredEntry(Entry._make(row[:-1]), bool(row[-1]))


def erasure(connection: sqlite3.Connection, bot_id: str, event_id: bytes) -> StoredErasure:
    """An erasure, and what names it."""
    found = connection.execute(_BY_ID, (bot_id, event_id)).fetchone()
    count = 0

    def named() -> Any:
        nonlocal count
        for row in connection.execute(_EMPTIED, {"bot": bot_id, "id": event_id}):
            count += 1
            yield emptied_as(row)

    digest = chain.emptied_digest(named()).hex()
    return StoredErasure(Entry._make(found) if found else None, count, digest)


def wordings(
    connection: sqlite3.Connection, bot_id: str, after: str | None, limit: int
) -> list[StoredWording]:
    """Wordings by hash."""
    asked = {"bot": bot_id, "after": after or "", "limit": limit}
    sql = _WORDINGS.format(behind=">=" if after is None else ">")
    found = connection.execute(sql, asked).fetchall()
    return [StoredWording(known, text, bool(used)) for known, text, used in found]


def wordless(connection: sqlite3.Connection, bot_id: str, after: str, limit: int) -> list[Entry]:
    """Of each wording without its text, one entry."""
    missing: list[Entry] = []
    asked = {"bot": bot_id, "after": after, "limit": limit}
    while len(missing) < limit:
        named = [found for (found,) in connection.execute(_NAMED, asked).fetchall()]
        for wording in named:
            missing += _wordless(connection, bot_id, wording)
        if len(named) < limit:
            break
        asked["after"] = named[-1]
    return missing


def _wordless(connection: sqlite3.Connection, bot_id: str, wording: str) -> list[Entry]:
    for table in LEDGER:
        found = connection.execute(_WORDLESS.format(table=table), (bot_id, wording)).fetchone()
        if found:
            return [Entry._make(found)]
    return []
