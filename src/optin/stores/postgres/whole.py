"""A PostgreSQL database as a whole, for moving it (`ports/whole.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar, cast

import asyncpg

from optin.domain.errors import Conflict, InconsistentRecord, StartupError
from optin.ports.whole import MADE_BY, MARK, Mark, Row, Table
from optin.stores.postgres import directory
from optin.stores.postgres.connection import Session, connect_options, fetch, transaction
from optin.stores.postgres.errors import is_bad_data, store_errors, told
from optin.stores.whole import TABLES, content, page_size

#: Held for as long as a copy is under way: "optk".
_LOCK = 0x6F70746B
#: How long another one's end is waited for: one that was killed ends a moment later, in seconds.
_PATIENCE = 10.0

_SESSION = """SET statement_timeout = 0; SET lock_timeout = '10s'; SET jit = off;
SET citus.override_table_visibility = off; SET citus.max_adaptive_executor_pool_size = 1;
SELECT set_config('synchronous_commit', 'on', false)
 WHERE current_setting('synchronous_commit') = 'off'"""
_COLUMNS = """SELECT attname FROM pg_attribute
 WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
 ORDER BY attname COLLATE "C\""""
_KEY = """SELECT a.attname FROM pg_index i
 CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
 WHERE i.indrelid = to_regclass($1) AND i.indisprimary ORDER BY k.place"""
_META = "SELECT key, value FROM meta"
_PUT = """INSERT INTO meta (key, value) VALUES ($1, $2)
 ON CONFLICT (key) DO UPDATE SET value = excluded.value"""
_UNMARK = f"DELETE FROM meta WHERE key = '{MARK}'"
_OTHERS = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
 AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()"""
_WRITER = """INSERT INTO writers (slot, holder, batch, leased_until) VALUES ($1, '', 0, 0)
 ON CONFLICT (slot) DO NOTHING"""

T = TypeVar("T")


class PostgresWhole:
    """One database; it must be migrated already."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: Any = None
        self._alone = asyncio.Lock()

    async def tables(self) -> list[Table]:
        async def look(session: Session) -> list[Table]:
            return [
                Table(
                    name,
                    tuple(row[0] for row in await fetch(session, _COLUMNS, name)),
                    tuple(row[0] for row in await fetch(session, _KEY, name)),
                )
                for name in TABLES
            ]

        return await self._run(look)

    async def count(self, table: Table) -> int:
        asked = f"SELECT count(*) FROM {table.name}"
        return int(await self._run(lambda s: s.fetchval(asked)))

    async def last(self, table: Table) -> Row | None:
        backwards = ", ".join(f"{name} DESC" for name in table.key)
        asked = f"SELECT {', '.join(table.key)} FROM {table.name} ORDER BY {backwards} LIMIT 1"
        found = await self._run(lambda s: fetch(s, asked))
        return tuple(found[0]) if found else None

    async def page(self, table: Table, after: Row | None) -> list[Row]:
        key = ", ".join(table.key)
        places = ", ".join(f"${n}" for n in range(1, len(table.key) + 1))
        behind = "" if after is None else f"WHERE ({key}) > ({places})"
        asked = f"""SELECT {", ".join(table.columns)} FROM {table.name} {behind}
         ORDER BY {key} LIMIT {page_size(table)}"""
        return list(map(tuple, await self._run(lambda s: fetch(s, asked, *(after or ())))))

    async def meta(self) -> dict[str, str]:
        return content(await self._run(_meta))

    async def mark(self) -> Mark | None:
        return Mark.read((await self._run(_meta)).get(MARK))

    async def made_by(self) -> str:
        return (await self._run(_meta)).get(MADE_BY, "")

    async def freeze(self, mark: Mark) -> None:
        """Commits share the directory's lock and look for the mark, so none follows it."""

        async def freeze(session: Session) -> None:
            async with transaction(session, directory.EXCLUSIVE):
                await session.execute(_PUT, MARK, mark.to_json())
                await self._wait_for_others(session)

        await self._run(freeze)

    async def _wait_for_others(self, session: Session) -> None:
        deadline = asyncio.get_running_loop().time() + _PATIENCE / 5
        while await session.fetchval(_OTHERS):
            if asyncio.get_running_loop().time() > deadline:
                raise Conflict(
                    "The PostgreSQL database is in use: stop the service on every node, and copy "
                    "again."
                )
            await asyncio.sleep(0.1)
            await session.execute("SELECT pg_stat_clear_snapshot()")

    async def release(self) -> None:
        await self._run(_written(lambda s: s.execute(_UNMARK), directory.EXCLUSIVE))

    async def begin(self, mark: Mark) -> None:
        async def put_mark(session: Session) -> None:
            used = bool((await _meta(session)).keys() - {"schema_version"})
            for name in () if used else TABLES:
                used = used or bool(await session.fetchval(f"SELECT 1 FROM {name} LIMIT 1"))
            if used:
                raise Conflict(
                    "The PostgreSQL database is not empty: a copy needs one that was never used."
                )
            await session.execute(_PUT, MARK, mark.to_json())

        # Whoever opens the database puts its keys here: before us, and is seen, or not at all.
        await self._run(_written(put_mark, "LOCK TABLE meta IN EXCLUSIVE MODE"))

    async def take_over(self, meta: Mapping[str, str]) -> None:
        async def put(session: Session) -> None:
            for key, value in meta.items():
                await session.execute(_PUT, key, value)

        await self._run(_written(put))

    async def add(self, table: Table, rows: Sequence[Row]) -> None:
        async def insert(session: Session) -> None:
            try:
                await session.copy_records_to_table(
                    table.name, columns=list(table.columns), records=rows
                )
            except Exception as failed:
                if is_bad_data(failed):
                    raise InconsistentRecord(f"Table {table.name}: {told(failed)}.") from failed
                raise

        await self._run(_written(insert))

    async def settle(self) -> None:
        """Without statistics the first queries would be planned for empty tables."""
        await self._run(lambda s: s.execute(f"ANALYZE {', '.join(TABLES)}"))

    async def finish(self, mark: Mark, writers: Collection[int]) -> None:
        """The writers' slots are nobody's: whoever takes one goes on from its chains' heads."""

        async def take_away(session: Session) -> None:
            if Mark.read((await _meta(session)).get(MARK)) != mark:
                raise Conflict("The PostgreSQL database is not the target of this copy.")
            for slot in sorted(writers):
                await session.execute(_WRITER, slot)
            await session.execute(_PUT, MADE_BY, mark.copy_id)
            await session.execute(_UNMARK)

        await self._run(_written(take_away))

    async def close(self) -> None:
        if self._open is not None:
            await self._open.close()

    async def _run(self, work: Callable[[Session], Awaitable[T]]) -> T:
        async with self._alone:
            with store_errors():
                if self._open is None:
                    self._open = await self._connected()
                return await work(cast(Session, self._open))

    async def _connected(self) -> asyncpg.Connection[asyncpg.Record]:
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
            self._url, **connect_options(self._url)
        )
        await connection.execute(_SESSION)
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            if asyncio.get_running_loop().time() > deadline:
                await connection.close()
                raise StartupError("Another copy of this PostgreSQL database is under way.")
            await asyncio.sleep(0.1)
        return connection


def _written(
    work: Callable[[Session], Awaitable[object]], first: str = ""
) -> Callable[[Session], Awaitable[None]]:
    """The same in one transaction, in which `first` runs first."""

    async def write(session: Session) -> None:
        async with transaction(session, first, limit=None):
            await work(session)

    return write


async def _meta(session: Session) -> dict[str, str]:
    return {row[0]: row[1] for row in await fetch(session, _META)}
