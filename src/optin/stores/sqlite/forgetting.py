"""What leaves the SQLite store: forgotten contacts (R15), entries past their time (R16)."""

from __future__ import annotations

import sqlite3

from optin.domain.bots import Bot
from optin.domain.errors import NotFound
from optin.domain.retention import Horizons
from optin.ports.records import Erased, Erasing
from optin.stores.batch import Batch, Rows
from optin.stores.digests import Digests
from optin.stores.sqlite import clearing, directory, erasing, retaining
from optin.stores.sqlite.connection import snapshot, transaction
from optin.stores.sqlite.operators import SQLiteDirectory


class SQLiteErasure(SQLiteDirectory):
    """Forgets contacts and cuts ledgers."""

    _digests: Digests

    async def forget(self, bot_id: str, identity: str, asked: Erasing) -> Erased:
        """Bodies are cleared before, too: a repetition could no longer tell whom they name."""
        if not await self._fetch("SELECT 1 FROM bots WHERE bot_id = ?", bot_id):
            raise NotFound("There never was such a bot.")
        scope = await self._aside.run(lambda c: self._scope(c, bot_id, identity))
        cleared = await self._clear(bot_id, scope, self._clock())
        done = await self._writer.run(lambda c: self._forget(c, bot_id, identity, asked))
        cleared += await self._clear(bot_id, done.scope, done.at)
        await self._writer.run(erasing.truncate_log)
        return Erased(done.at, len(done.scope), done.entries, done.records + cleared)

    async def retain(self, bot_id: str, until: Horizons) -> int | None:
        return await self._writer.run(lambda c: self._cut(c, bot_id, until))

    def _cut(self, connection: sqlite3.Connection, bot_id: str, until: Horizons) -> int | None:
        with transaction(connection):
            return retaining.cut(connection, Rows(self._digests.of), bot_id, until, self._clock())

    async def keep_room(self) -> None:
        """Nothing: SQLite uses the room of deleted rows again."""

    async def compact(self) -> None:
        await self._writer.run(erasing.compact)

    def _scope(self, connection: sqlite3.Connection, bot_id: str, identity: str) -> frozenset[str]:
        with snapshot(connection):
            return erasing.scope_of(connection, Rows(self._digests.of), bot_id, identity)

    async def _clear(self, bot_id: str, scope: frozenset[str], until: int) -> int:
        found = await self._aside.run(lambda c: clearing.naming(c, bot_id, scope, until))
        return await self._writer.run(lambda c: clearing.clear(c, bot_id, found)) if found else 0

    def _forget(
        self, connection: sqlite3.Connection, bot_id: str, identity: str, asked: Erasing
    ) -> erasing.Forgotten:
        with transaction(connection):
            # Of a bot that was removed the ledger stays, and its contacts can still be forgotten.
            bot = directory.bot(connection, self._seal, bot_id) or Bot(bot_id)
            batch = Batch(self._clock(), Rows(self._digests.of, bots={bot_id: bot}))
            return erasing.forget(connection, batch, bot_id, identity, asked)
