"""`ports/ledger.py` on the server: each page is one snapshot."""

from __future__ import annotations

from collections.abc import Sequence

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
from optin.stores.digests import Digests
from optin.stores.postgres import ledger_pages, state_pages, tables
from optin.stores.postgres.connection import Session, fetch
from optin.stores.postgres.operators import PostgresDirectory
from optin.stores.postgres.reading import StateReader

_SOME = """SELECT {columns} FROM {table} WHERE bot_id = $1 AND identity = ANY($2)
 AND (recorded, event_id) < ($3, $4)"""
#: The sorting is of one person's entries.
_HISTORY = f"""SELECT {tables.entries("e")}, coalesce(w.text, '') FROM (
 {_SOME.format(columns=tables.EVENTS.columns, table="events")}
 UNION ALL {_SOME.format(columns=tables.EVENTS.columns, table="contact_messages")}
 ORDER BY recorded DESC, event_id DESC LIMIT $5
) e LEFT JOIN wordings w ON w.bot_id = $1 AND w.hash = e.wording
 ORDER BY e.recorded DESC, e.event_id DESC"""
_MESSAGES = f"""SELECT {tables.MESSAGES.columns} FROM messages
 WHERE bot_id = $1 AND identity = ANY($2) AND message_id > $3 ORDER BY message_id LIMIT $4"""
_NOBODYS_LIMIT = 2**31


class PostgresLedger(PostgresDirectory):
    """The ledger as it lies in the database."""

    _digests: Digests
    _reader: StateReader

    async def ledger_bots(self) -> list[str]:
        return await self._snapshot(ledger_pages.bots)

    async def chain_writers(self, bot_id: str) -> list[int]:
        return await self._snapshot(lambda s: ledger_pages.writers(s, bot_id))

    async def chain_head(self, bot_id: str, writer: int) -> StoredCommit | None:
        return await self._read(lambda s: ledger_pages.head(s, bot_id, writer))

    async def chain_commits(
        self, bot_id: str, writer: int, after: int, limit: int
    ) -> list[StoredCommit]:
        return await self._read(lambda s: ledger_pages.commits(s, bot_id, writer, after, limit))

    async def chain_entries(
        self, bot_id: str, writer: int, after: Position, until: int, limit: int
    ) -> list[StoredEntry]:
        return await self._read(
            lambda s: ledger_pages.entries(s, bot_id, writer, after, limit, until=until)
        )

    async def stray_entries(
        self, bot_id: str, writer: int, after: Position, limit: int
    ) -> list[StoredEntry]:
        return await self._read(lambda s: ledger_pages.entries(s, bot_id, writer, after, limit))

    async def erasure(self, bot_id: str, event_id: bytes) -> StoredErasure:
        return await self._snapshot(lambda s: ledger_pages.erasure(s, bot_id, event_id), limit=None)

    async def wordings(self, bot_id: str, after: str | None, limit: int) -> list[StoredWording]:
        return await self._read(lambda s: ledger_pages.wordings(s, bot_id, after, limit))

    async def wordless(self, bot_id: str, after: str, limit: int) -> list[Entry]:
        return await self._snapshot(
            lambda s: ledger_pages.wordless(s, bot_id, after, limit), limit=None
        )

    async def stored_states(self, bot_id: str, after: str | None, limit: int) -> list[StoredState]:
        return await self._snapshot(
            lambda s: state_pages.page(s, self._digests, bot_id, after, limit), limit=None
        )

    async def history(self, bot_id: str, identity: str, before: Before, limit: int) -> History:
        async def look(session: Session) -> History:
            everybody = (await self._reader.states(session, bot_id, [identity])).states
            who = sorted({*everybody, *(self._digests.of(bot_id, one) for one in everybody)})
            asked = (bot_id, who, before.recorded, before.event_id, limit)
            found = await fetch(session, _HISTORY, *asked)
            told = [Told(Entry._make(row[:-1]), row[-1]) for row in found]
            return History(await self._now(session), who, told)

        return await self._snapshot(look)

    async def messages_to(
        self, bot_id: str, identities: Sequence[str], after: str, limit: int
    ) -> list[OutboxMessage]:
        found = await self._fetch(_MESSAGES, bot_id, list(identities), after, limit)
        return list(map(rows.message, found))

    async def leaves(self, bot_id: str, writer: int, seq: int) -> list[StoredEntry]:
        before = Position(seq)._replace(place=-(2**62))
        return await self._read(
            lambda s: ledger_pages.entries(s, bot_id, writer, before, _NOBODYS_LIMIT, until=seq)
        )
