"""Jobs that take in lists, on PostgreSQL: see `ports/imports.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from optin.domain.errors import InconsistentRecord
from optin.domain.events import Event
from optin.ports.imports import ImportJob, ImportRow, ImportState
from optin.stores import import_rows, ledger
from optin.stores.postgres import tables
from optin.stores.postgres.adding import add
from optin.stores.postgres.connection import Row, Session, fetch
from optin.stores.postgres.operators import PostgresDirectory
from optin.stores.postgres.queues import times

_JOB = f"SELECT {tables.IMPORTS.columns} FROM imports WHERE bot_id = $1 AND import_id = $2"
_JOBS = f"""SELECT {tables.IMPORTS.columns} FROM imports
 WHERE bot_id = $1 AND import_id > $2 ORDER BY import_id LIMIT $3"""
_BODY = "SELECT body FROM import_bodies WHERE bot_id = $1 AND import_id = $2 AND piece = $3"
_ROWS = f"""SELECT {tables.IMPORT_ROWS.columns} FROM import_rows
 WHERE bot_id = $1 AND import_id = $2 AND number > $3
 AND (cardinality($5::text[]) = 0 OR outcome = ANY($5)) ORDER BY number LIMIT $4"""
_EVENTS = f"""SELECT {tables.entries("e")}, w.text FROM events e
 LEFT JOIN wordings w ON w.bot_id = $1 AND w.hash = e.wording
 WHERE e.bot_id = $1 AND e.event_id > $2 AND e.event_id <= $3 ORDER BY e.event_id LIMIT $4"""
# One at a time for each bot, so that its own rows are taken in their order. This finds work, and so
# looks at all bots; whoever takes a job holds LEASING, so that no two take jobs of one bot.
_NEXT = f"""SELECT {tables.IMPORTS.columns} FROM imports AS i
 WHERE state IN ('waiting', 'running') AND leased_until <= $1
 AND bot_id IN (SELECT bot_id FROM bots WHERE removed IS NULL) AND bot_id <> ALL($2::text[])
 AND NOT EXISTS (SELECT 1 FROM imports AS o WHERE o.bot_id = i.bot_id
  AND o.state = 'running' AND o.leased_until > $1)
 ORDER BY created LIMIT 1"""
_LEASING = "SELECT pg_advisory_xact_lock(1869640809)"  # "opti"
_TAKE = _JOB + " AND state = $3 AND leased_until = $4 FOR UPDATE"
_SPOIL = "UPDATE imports SET state = 'failed' WHERE bot_id = $1 AND import_id = $2"
_OVER = """SELECT import_id FROM imports WHERE bot_id = $1 AND created < $2
 AND state = ANY($3::text[])"""
_DROP_BODY = """DELETE FROM import_bodies WHERE bot_id = $1 AND import_id = $2 AND piece IN
 (SELECT piece FROM import_bodies WHERE bot_id = $1 AND import_id = $2 LIMIT $3)"""
_DROP_ROWS = "DELETE FROM import_rows WHERE bot_id = $1 AND import_id = $2"
_DROP_JOB = "DELETE FROM imports WHERE bot_id = $1 AND import_id = $2 AND state = 'receiving'"

_ENDED = (ImportState.DONE, ImportState.FAILED)
_AT_ONCE = 16


class PostgresImports(PostgresDirectory):
    """Keeps jobs, their bodies and their rows."""

    async def put_import(self, job: ImportJob) -> None:
        row = import_rows.job_row(job)
        await self._write(lambda s: add(s, tables.IMPORTS.put, [row]), again=True)

    async def put_import_body(
        self, bot_id: str, import_id: str, pieces: Mapping[int, bytes]
    ) -> None:
        if pieces:
            kept = [(bot_id, import_id, number, body) for number, body in pieces.items()]
            await self._write(lambda s: add(s, tables.IMPORT_BODIES.put, kept), again=True)

    async def import_body(self, bot_id: str, import_id: str, piece: int) -> bytes | None:
        found = await self._fetch(_BODY, bot_id, import_id, piece)
        return found[0][0] if found else None

    async def drop_import_body(self, bot_id: str, import_id: str, most: int) -> int:
        return times(await self._write(lambda s: s.execute(_DROP_BODY, bot_id, import_id, most)))

    async def imported(self, bot_id: str, import_id: str) -> ImportJob | None:
        found = await self._fetch(_JOB, bot_id, import_id)
        return import_rows.job(found[0]) if found else None

    async def imports(self, bot_id: str, after: str, limit: int) -> list[ImportJob]:
        return list(map(import_rows.job, await self._fetch(_JOBS, bot_id, after, limit)))

    async def import_rows(
        self, bot_id: str, import_id: str, after: int, limit: int, outcomes: Collection[str] = ()
    ) -> list[ImportRow]:
        found = await self._fetch(_ROWS, bot_id, import_id, after, limit, list(outcomes))
        return list(map(import_rows.kept, found))

    async def import_events(
        self, bot_id: str, begin: bytes, end: bytes, limit: int
    ) -> Sequence[Event]:
        return list(map(ledger.event, await self._fetch(_EVENTS, bot_id, begin, end, limit)))

    async def lease_import(
        self, claimant: str, lease_for: int, without_bots: Collection[str] = ()
    ) -> ImportJob | None:
        now, left_out = await self.now(), list(without_bots)
        if not await self._fetch(_NEXT, now, left_out):
            return None

        async def take(session: Session) -> ImportJob | None:
            for row in await fetch(session, _NEXT, now, left_out):
                return await _take(session, row, claimant, now + lease_for)
            return None

        return await self._write(take, _LEASING)

    async def prune_imports(self, bot_id: str, before: int) -> int:
        gone = 0
        for import_id in await self._over(bot_id, before, _ENDED):
            await self._drop_whole_body(bot_id, import_id)
            gone += times(await self._drop(_DROP_ROWS, bot_id, import_id))
        for import_id in await self._over(bot_id, before, (ImportState.RECEIVING,)):
            await self._drop_whole_body(bot_id, import_id)
            await self._drop(_DROP_JOB, bot_id, import_id)
        return gone

    async def _over(self, bot_id: str, before: int, states: Collection[ImportState]) -> list[str]:
        names = [state.value for state in states]
        return [row[0] for row in await self._fetch(_OVER, bot_id, before, names)]

    async def _drop_whole_body(self, bot_id: str, import_id: str) -> None:
        while await self.drop_import_body(bot_id, import_id, _AT_ONCE):
            pass

    async def _drop(self, sql: str, bot_id: str, import_id: str) -> str:
        return await self._write(lambda s: s.execute(sql, bot_id, import_id))


async def _take(session: Session, found: Row, claimant: str, until: int) -> ImportJob | None:
    """The job, leased, if it is still as it was found: its own commits do not hold LEASING."""
    if not await fetch(session, _TAKE, found[0], found[1], found[2], found[5]):
        return None
    try:
        waiting = import_rows.job(found)
    except InconsistentRecord:  # it must not be in the way of the others
        await session.execute(_SPOIL, found[0], found[1])
        return None
    job = replace(waiting, state=ImportState.RUNNING, claimant=claimant, leased_until=until)
    await add(session, tables.IMPORTS.put, [import_rows.job_row(job)])
    return job
