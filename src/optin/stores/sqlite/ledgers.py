"""`ports/ledger.py` on the file: each page is one snapshot, on the thread for long readings."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeVar

from optin.domain.entries import Entry
from optin.domain.outbox import OutboxMessage
from optin.ports.ledger import (
    Before,
    History,
    Position,
    StoredCommit,
    StoredEntry,
    StoredErasure,
    StoredState,
    StoredWording,
    Told,
)
from optin.stores import rows
from optin.stores.batch import Rows
from optin.stores.digests import Digests
from optin.stores.sqlite import batches, ledger_pages, state_pages
from optin.stores.sqlite.connection import snapshot
from optin.stores.sqlite.operators import SQLiteDirectory

T = TypeVar("T")

#: The sorting is of one person's entries.
_HISTORY = """SELECT e.*, coalesce(w.text, '') FROM (
 SELECT * FROM events INDEXED BY events_by_identity WHERE bot_id = :bot
 AND identity IN (SELECT value FROM json_each(:who)) AND (recorded, event_id) < (:at, :id)
 UNION ALL SELECT * FROM contact_messages INDEXED BY contact_messages_by_identity
 WHERE bot_id = :bot
 AND identity IN (SELECT value FROM json_each(:who)) AND (recorded, event_id) < (:at, :id)
 ORDER BY recorded DESC, event_id DESC LIMIT :limit
) e LEFT JOIN wordings w ON w.bot_id = e.bot_id AND w.hash = e.wording
 ORDER BY e.recorded DESC, e.event_id DESC"""
_MESSAGES = """SELECT * FROM messages INDEXED BY messages_by_identity WHERE bot_id = ?
 AND identity IN (SELECT value FROM json_each(?)) AND message_id > ?
 ORDER BY message_id LIMIT ?"""
_NOBODYS_LIMIT = 2**31


class SQLiteLedger(SQLiteDirectory):
    """The ledger as it lies in the file."""

    _digests: Digests

    async def _look(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def inside(connection: sqlite3.Connection) -> T:
            with snapshot(connection):
                return work(connection)

        return await self._long_reader.run(inside)

    async def ledger_bots(self) -> list[str]:
        return await self._look(ledger_pages.bots)

    async def chain_writers(self, bot_id: str) -> list[int]:
        return await self._look(lambda c: ledger_pages.writers(c, bot_id))

    async def chain_head(self, bot_id: str, writer: int) -> StoredCommit | None:
        return await self._look(lambda c: ledger_pages.head(c, bot_id, writer))

    async def chain_commits(
        self, bot_id: str, writer: int, after: int, limit: int
    ) -> list[StoredCommit]:
        return await self._look(lambda c: ledger_pages.commits(c, bot_id, writer, after, limit))

    async def chain_entries(
        self, bot_id: str, writer: int, after: Position, until: int, limit: int
    ) -> list[StoredEntry]:
        return await self._look(
            lambda c: ledger_pages.entries(c, bot_id, writer, after, until=until, limit=limit)
        )

    async def stray_entries(
        self, bot_id: str, writer: int, after: Position, limit: int
    ) -> list[StoredEntry]:
        return await self._look(
            lambda c: ledger_pages.entries(c, bot_id, writer, after, limit=limit)
        )

    async def erasure(self, bot_id: str, event_id: bytes) -> StoredErasure:
        return await self._look(lambda c: ledger_pages.erasure(c, bot_id, event_id))

    async def wordings(self, bot_id: str, after: str | None, limit: int) -> list[StoredWording]:
        return await self._look(lambda c: ledger_pages.wordings(c, bot_id, after, limit))

    async def wordless(self, bot_id: str, after: str, limit: int) -> list[Entry]:
        return await self._look(lambda c: ledger_pages.wordless(c, bot_id, after, limit))

    async def stored_states(self, bot_id: str, after: str | None, limit: int) -> list[StoredState]:
        return await self._look(lambda c: state_pages.page(c, self._digests, bot_id, after, limit))

    async def history(self, bot_id: str, identity: str, before: Before, limit: int) -> History:
        def look(connection: sqlite3.Connection) -> History:
            everybody = batches.states_of(connection, Rows(self._digests.of), bot_id, [identity])
            who = sorted({*everybody, *(self._digests.of(bot_id, one) for one in everybody)})
            asked = {
                "bot": bot_id,
                "who": json.dumps(who),
                "at": before.recorded,
                "id": before.event_id,
                "limit": limit,
            }
            found = connection.execute(_HISTORY, asked).fetchall()
            told = [Told(Entry._make(row[:-1]), row[-1]) for row in found]
            return History(self._clock(), who, told)

        return await self._look(look)

    async def messages_to(
        self, bot_id: str, identities: Sequence[str], after: str, limit: int
    ) -> list[OutboxMessage]:
        who = json.dumps(list(identities))
        asked = (bot_id, who, after, limit)
        found = await self._look(lambda c: c.execute(_MESSAGES, asked).fetchall())
        return list(map(rows.message, found))

    async def leaves(self, bot_id: str, writer: int, seq: int) -> list[StoredEntry]:
        before = Position(seq)._replace(place=-(2**62))
        return await self._look(
            lambda c: ledger_pages.entries(
                c, bot_id, writer, before, until=seq, limit=_NOBODYS_LIMIT
            )
        )
