"""Jobs that take in lists, on SQLite: see `ports/imports.py`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from optin.domain.errors import InconsistentRecord
from optin.domain.events import Event
from optin.ports.imports import ImportJob, ImportRow, ImportState
from optin.stores import import_rows, ledger
from optin.stores.batch import Writes
from optin.stores.sqlite.connection import insert, transaction
from optin.stores.sqlite.operators import SQLiteDirectory

JOB = "SELECT * FROM imports WHERE bot_id = ? AND import_id = ?"
_PUT = "REPLACE INTO imports"
# One at a time for each bot, so that its own rows are taken in their order.
_NEXT = """SELECT * FROM imports AS i INDEXED BY imports_under_way
 WHERE state IN ('waiting', 'running') AND leased_until <= ?1
 AND bot_id IN (SELECT bot_id FROM bots WHERE removed IS NULL)
 AND bot_id NOT IN (SELECT value FROM json_each(?2))
 AND NOT EXISTS (SELECT 1 FROM imports AS o WHERE o.bot_id = i.bot_id
  AND o.state = 'running' AND o.leased_until > ?1)
 ORDER BY created LIMIT 1"""
_OVER = "SELECT import_id FROM imports WHERE bot_id = ? AND created < ? AND state IN ({})"
_ENDED = "'done', 'failed'"


class SQLiteImports(SQLiteDirectory):
    """Keeps jobs, their bodies and their rows."""

    async def put_import(self, job: ImportJob) -> None:
        def put(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                insert(connection, _PUT, [import_rows.job_row(job)])

        await self._writer.run(put)

    async def put_import_body(
        self, bot_id: str, import_id: str, pieces: Mapping[int, bytes]
    ) -> None:
        def put(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                kept = [(bot_id, import_id, number, body) for number, body in pieces.items()]
                insert(connection, "REPLACE INTO import_bodies", kept)

        await self._writer.run(put)

    async def import_body(self, bot_id: str, import_id: str, piece: int) -> bytes | None:
        found = await self._fetch(
            "SELECT body FROM import_bodies WHERE bot_id = ? AND import_id = ? AND piece = ?",
            bot_id,
            import_id,
            piece,
        )
        return found[0][0] if found else None

    async def drop_import_body(self, bot_id: str, import_id: str, most: int) -> int:
        return await self._writer.run(lambda c: _drop_body(c, bot_id, import_id, most))

    async def imported(self, bot_id: str, import_id: str) -> ImportJob | None:
        found = await self._fetch(JOB, bot_id, import_id)
        return import_rows.job(found[0]) if found else None

    async def imports(self, bot_id: str, after: str, limit: int) -> list[ImportJob]:
        found = await self._fetch(
            "SELECT * FROM imports WHERE bot_id = ? AND import_id > ? ORDER BY import_id LIMIT ?",
            bot_id,
            after,
            limit,
        )
        return list(map(import_rows.job, found))

    async def import_rows(
        self, bot_id: str, import_id: str, after: int, limit: int, outcomes: Collection[str] = ()
    ) -> list[ImportRow]:
        found = await self._fetch(
            """SELECT * FROM import_rows WHERE bot_id = ?1 AND import_id = ?2 AND number > ?3
             AND (?5 = '[]' OR outcome IN (SELECT value FROM json_each(?5)))
             ORDER BY number LIMIT ?4""",
            bot_id,
            import_id,
            after,
            limit,
            json.dumps(list(outcomes)),
        )
        return list(map(import_rows.kept, found))

    async def import_events(
        self, bot_id: str, begin: bytes, end: bytes, limit: int
    ) -> Sequence[Event]:
        found = await self._fetch(
            """SELECT e.*, w.text FROM events e
             LEFT JOIN wordings w ON w.bot_id = e.bot_id AND w.hash = e.wording
             WHERE e.bot_id = ? AND e.event_id > ? AND e.event_id <= ?
             ORDER BY e.event_id LIMIT ?""",
            bot_id,
            begin,
            end,
            limit,
        )
        return list(map(ledger.event, found))

    async def lease_import(
        self, claimant: str, lease_for: int, without_bots: Collection[str] = ()
    ) -> ImportJob | None:
        now, left_out = self._clock(), json.dumps(list(without_bots))
        return await self._writer.run(lambda c: _lease(c, claimant, now, lease_for, left_out))

    async def prune_imports(self, bot_id: str, before: int) -> int:
        gone = 0
        for import_id in await self._over(bot_id, before, _ENDED):
            while await self.drop_import_body(bot_id, import_id, 16):
                pass
            gone += await self._writer.run(partial(_drop_rows, bot_id=bot_id, import_id=import_id))
        for import_id in await self._over(bot_id, before, "'receiving'"):
            while await self.drop_import_body(bot_id, import_id, 16):
                pass
            await self._writer.run(partial(_drop_job, bot_id=bot_id, import_id=import_id))
        return gone

    async def _over(self, bot_id: str, before: int, states: str) -> list[str]:
        return [row[0] for row in await self._fetch(_OVER.format(states), bot_id, before)]


def save(connection: sqlite3.Connection, writes: Writes) -> None:
    """The part of a batch that jobs write: their progress, and the rows they keep."""
    insert(connection, _PUT, list(map(import_rows.job_row, writes.imports.values())))
    kept = [import_rows.kept_row(bot_id, row) for bot_id, row in writes.import_rows]
    insert(connection, "REPLACE INTO import_rows", kept)


def _lease(
    connection: sqlite3.Connection, claimant: str, now: int, lease_for: int, left_out: str
) -> ImportJob | None:
    """Looks before it writes: where nothing waits there is nothing to commit."""
    if not connection.execute(_NEXT, (now, left_out)).fetchone():
        return None
    with transaction(connection):
        found = connection.execute(_NEXT, (now, left_out)).fetchone()
        if found is None:
            return None
        try:
            waiting = import_rows.job(found)
        except InconsistentRecord:  # it must not be in the way of the others
            sql = "UPDATE imports SET state = 'failed' WHERE bot_id = ? AND import_id = ?"
            connection.execute(sql, (found[0], found[1]))
            return None
        job = replace(
            waiting, state=ImportState.RUNNING, claimant=claimant, leased_until=now + lease_for
        )
        insert(connection, _PUT, [import_rows.job_row(job)])
        return job


def _drop_body(connection: sqlite3.Connection, bot_id: str, import_id: str, most: int) -> int:
    with transaction(connection):
        gone = connection.execute(
            """DELETE FROM import_bodies WHERE bot_id = ?1 AND import_id = ?2 AND piece IN
             (SELECT piece FROM import_bodies WHERE bot_id = ?1 AND import_id = ?2 LIMIT ?3)""",
            (bot_id, import_id, most),
        )
        return gone.rowcount


def _drop_rows(connection: sqlite3.Connection, bot_id: str, import_id: str) -> int:
    with transaction(connection):
        sql = "DELETE FROM import_rows WHERE bot_id = ? AND import_id = ?"
        return connection.execute(sql, (bot_id, import_id)).rowcount


def _drop_job(connection: sqlite3.Connection, bot_id: str, import_id: str) -> None:
    with transaction(connection):
        sql = "DELETE FROM imports WHERE bot_id = ? AND import_id = ? AND state = 'receiving'"
        connection.execute(sql, (bot_id, import_id))
