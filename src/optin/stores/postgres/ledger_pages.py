"""The chain as it lies in the database, a page at a time: `ports/ledger.py` (R14)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from optin.domain import chain
from optin.domain.entries import Entry, emptied_as
from optin.domain.errors import InconsistentRecord
from optin.ports.ledger import Position, StoredCommit, StoredEntry, StoredErasure, StoredWording
from optin.stores import ledger
from optin.stores.postgres import tables
from optin.stores.postgres.connection import Row, Session, fetch
from optin.stores.texts import from_json

#: The tables of the ledger's entries: consent, and messages from contacts.
LEDGER = ("events", "contact_messages")
_BOTS = ("commits", "events", "contact_messages", "wordings", "identities")
_WRITERS = ("commits", "events", "contact_messages")
_ENTRY = tables.EVENTS.columns
_COMMITS = f"""SELECT {tables.COMMITS.columns} FROM commits
 WHERE bot_id = $1 AND writer = $2 AND seq > $3 ORDER BY seq LIMIT $4"""
_HEAD = f"""SELECT {tables.COMMITS.columns} FROM commits
 WHERE bot_id = $1 AND writer = $2 ORDER BY seq DESC LIMIT 1"""
_PAGE = """SELECT {columns}, {mark} AS as_message FROM {table} e
 WHERE bot_id = $1 AND writer = $2 AND (seq, place, event_id) > ($3, $4, $5) AND {which}"""
_UNTIL = "seq <= $7"
_STRAY = """NOT EXISTS (SELECT 1 FROM commits c
 WHERE c.bot_id = $1 AND c.writer = $2 AND c.seq = e.seq)"""
_BY_ID = f"SELECT {_ENTRY} FROM events WHERE bot_id = $1 AND event_id = $2"
_EMPTIED = f"""SELECT {_ENTRY} FROM events
 WHERE bot_id = $1 AND erased_by = $2 AND erased_by <> ''
 UNION ALL SELECT {_ENTRY} FROM contact_messages
 WHERE bot_id = $1 AND erased_by = $2 AND erased_by <> '' ORDER BY event_id"""
_WORDINGS = """SELECT hash, text,
 EXISTS (SELECT 1 FROM events e WHERE e.bot_id = $1 AND e.wording = w.hash)
 OR EXISTS (SELECT 1 FROM contact_messages e WHERE e.bot_id = $1 AND e.wording = w.hash)
 FROM wordings w WHERE bot_id = $1 AND (hash > $2 OR $3 AND hash = $2) ORDER BY hash LIMIT $4"""
#: Those older than their contact's erasure came without a text.
_WITH_WORDING = """SELECT {columns} FROM {table}
 WHERE bot_id = $1 AND wording = $2 AND left(identity, 1) <> '~'"""
_NAMED = """SELECT wording FROM events WHERE bot_id = $1 AND wording > $2
 UNION SELECT wording FROM contact_messages WHERE bot_id = $1 AND wording > $2
 EXCEPT SELECT hash FROM wordings WHERE bot_id = $1 ORDER BY 1 LIMIT $3"""


async def bots(session: Session) -> list[str]:
    """Every bot id in the ledger's tables. This looks at all bots: it is how one checks them all.

    A step through the index for each: there are few among many rows.
    """
    found: set[str] = set()
    for table in _BOTS:
        step = f"SELECT min(bot_id) FROM {table}"
        value = await session.fetchval(step)
        while value is not None:
            found.add(value)
            value = await session.fetchval(f"{step} WHERE bot_id > $1", value)
    return sorted(found)


async def writers(session: Session, bot_id: str) -> list[int]:
    """Every writer that the bot's tables name."""
    found: set[int] = set()
    for table in _WRITERS:
        step = f"SELECT min(writer) FROM {table} WHERE bot_id = $1"
        value = await session.fetchval(step, bot_id)
        while value is not None:
            found.add(value)
            value = await session.fetchval(f"{step} AND writer > $2", bot_id, value)
    return sorted(found)


async def head(session: Session, bot_id: str, writer: int) -> StoredCommit | None:
    """The newest commit."""
    found = await fetch(session, _HEAD, bot_id, writer)
    return _commit(found[0]) if found else None


async def commits(
    session: Session, bot_id: str, writer: int, after: int, limit: int
) -> list[StoredCommit]:
    """Commits by number."""
    return [_commit(row) for row in await fetch(session, _COMMITS, bot_id, writer, after, limit)]


def _commit(row: Row) -> StoredCommit:
    return StoredCommit(*ledger.read_commit(row))


async def entries(
    session: Session,
    bot_id: str,
    writer: int,
    after: Position,
    limit: int,
    *,
    until: int | None = None,
) -> list[StoredEntry]:
    """Entries by position: `until` a commit, or without it the strays; `limit` of them."""
    asked: list[Any] = [bot_id, writer, after.seq, after.place, after.event_id, limit]
    sql = _STRAY_SQL
    if until is not None:
        sql, asked = _UNTIL_SQL, [*asked, until]
    return [stored(row) for row in await fetch(session, sql, *asked)]


def _both(which: str) -> str:
    """Both tables in one order, without sorting: each has an index in it."""
    parts = (
        _PAGE.format(columns=_ENTRY, mark=mark, table=table, which=which)
        for mark, table in enumerate(LEDGER)
    )
    return " UNION ALL ".join(parts) + " ORDER BY seq, place, event_id LIMIT $6"


_UNTIL_SQL, _STRAY_SQL = _both(_UNTIL), _both(_STRAY)


def stored(row: Row) -> StoredEntry:
    """An entry with the mark of its table behind it."""
    return StoredEntry(Entry._make(row[:-1]), bool(row[-1]))


async def erasure(session: Session, bot_id: str, event_id: bytes) -> StoredErasure:
    """An erasure, and what names it; within a snapshot."""
    found = await fetch(session, _BY_ID, bot_id, event_id)
    named = [emptied_as(row) async for row in rows_of(session, _EMPTIED, bot_id, event_id)]
    digest = chain.emptied_digest(named).hex()
    return StoredErasure(Entry._make(found[0]) if found else None, len(named), digest)


async def wordings(
    session: Session, bot_id: str, after: str | None, limit: int
) -> list[StoredWording]:
    """Wordings by hash."""
    found = await fetch(session, _WORDINGS, bot_id, after or "", after is None, limit)
    return [StoredWording(row[0], row[1], bool(row[2])) for row in found]


async def wordless(session: Session, bot_id: str, after: str, limit: int) -> list[Entry]:
    """Of each wording without its text, one entry; within a snapshot."""
    missing: list[Entry] = []
    while len(missing) < limit:
        named = [row[0] for row in await fetch(session, _NAMED, bot_id, after, limit)]
        for wording in named:
            missing += await _wordless(session, bot_id, wording)
        if len(named) < limit:
            break
        after = named[-1]
    return missing


async def _wordless(session: Session, bot_id: str, wording: str) -> list[Entry]:
    for table in LEDGER:
        sql = _WITH_WORDING.format(columns=_ENTRY, table=table)
        async for row in rows_of(session, sql, bot_id, wording):
            if not _has_text(row[14]):
                return [Entry._make(row)]
    return []


def _has_text(evidence: str) -> bool:
    """Whether the text of the wording is still within the evidence."""
    try:
        told = from_json(evidence)
    except InconsistentRecord:
        return False
    return isinstance(told, dict) and told.get("wording") is not None


async def rows_of(session: Session, sql: str, *values: Any) -> AsyncIterator[Row]:
    """Rows as they come, so that many need no more memory than a few; within a transaction."""
    async for row in session.cursor(sql, *values, prefetch=500):
        yield tuple(row)
