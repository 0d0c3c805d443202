"""The schema's versions: numbered SQL files, each applied once, together with its number."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.resources import files

import asyncpg

from optin.domain.errors import SchemaMismatch, StartupError
from optin.stores.postgres import partitions, shards, writers
from optin.stores.postgres.connection import CLOCK, CONNECT, connect_options
from optin.stores.postgres.errors import LOST, told

#: Whoever migrates holds this lock of the database: "optn".
_LOCK = 0x6F70746E

#: The oldest server that this was tested with, as `server_version_num` has it.
OLDEST = 150000

_MARK = "schema_version"


def migrations() -> list[tuple[int, str]]:
    """(version, SQL) of every migration, oldest first."""
    folder = files("optin.stores.postgres") / "migrations"
    scripts = sorted((f.name, f.read_text()) for f in folder.iterdir() if f.name.endswith(".sql"))
    return [(int(name.split("_")[0]), script) for name, script in scripts]


def newest_version() -> int:
    """The schema version that this program works on."""
    return migrations()[-1][0]


async def version(url: str) -> int:
    """The database's schema version, 0 if it has none. Raises `StartupError` if it cannot be
    opened or is not ours, `SchemaMismatch` if it is too new."""
    async with _connected(url) as connection:
        return await _version(connection)


async def is_empty(url: str) -> bool:
    """Whether nothing of ours is there yet."""
    return await version(url) == 0


async def migrated(url: str) -> bool:
    """Whether the database is distributed by the bot. Raises `StartupError`, and `SchemaMismatch`
    if there is anything to migrate."""
    async with _connected(url) as connection:
        old = await _version(connection) < newest_version()
        sharded = not old and await shards.is_sharded(connection)
        if old or (await shards.has_citus(connection) and not sharded):
            raise SchemaMismatch(
                "The PostgreSQL database has an old schema: run 'optin migrate' first."
            )
        return sharded


async def migrate(url: str) -> tuple[int, int]:
    """Brings the database to the newest schema. Returns (before, after). Where Citus is there, the
    tables are distributed.

    Several processes may do this at once: one after the other looks what is left to do.
    """
    async with _connected(url) as connection:
        await connection.execute(f"SELECT pg_advisory_lock({_LOCK})")
        before = await _version(connection)
        for number, script in migrations():
            if number > before:
                async with connection.transaction():
                    await connection.execute(script)
                    await connection.execute(
                        """INSERT INTO meta (key, value) VALUES ($1, $2)
                         ON CONFLICT (key) DO UPDATE SET value = excluded.value""",
                        _MARK,
                        str(number),
                    )
        if await shards.has_citus(connection):
            async with connection.transaction():
                await connection.execute(writers.CHOOSING)
                await shards.distribute(connection)
        await partitions.keep(connection, await connection.fetchval(f"SELECT {CLOCK}"))
        return before, newest_version()


async def _version(connection: asyncpg.Connection[asyncpg.Record]) -> int:
    # One statement, one instant: another process may be making the tables just now.
    tables = await connection.fetchval("SELECT to_regclass('meta') IS NOT NULL")
    if not tables:
        return 0
    try:
        found = await connection.fetchval("SELECT value FROM meta WHERE key = $1", _MARK)
    except asyncpg.UndefinedColumnError:
        found = None
    if found is None:
        raise StartupError("The PostgreSQL database has a table 'meta' of another program.")
    if int(found) > newest_version():
        raise SchemaMismatch(
            f"The PostgreSQL database was made by a newer optin (schema {found}); this one knows "
            f"schema {newest_version()}. Start the newer program."
        )
    return int(found)


@contextlib.asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to a server that can be trusted with what is acknowledged (R13)."""
    try:
        async with asyncio.timeout(2 * CONNECT):
            connection = await asyncpg.connect(url, **connect_options(url))
    except (asyncpg.PostgresError, *LOST, ValueError) as failed:
        raise StartupError(f"The PostgreSQL database cannot be opened: {told(failed)}.") from failed
    try:
        await _check(connection)
        yield connection
    except (asyncpg.PostgresError, *LOST) as failed:
        raise StartupError(f"The PostgreSQL database cannot be used: {told(failed)}.") from failed
    finally:
        await connection.close()


async def _check(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    found = await connection.fetchrow(
        """SELECT current_setting('server_version_num')::int, current_setting('server_version'),
         current_setting('server_encoding'), current_setting('fsync')"""
    )
    assert found is not None  # noqa: S101 - a SELECT without FROM gives one row
    number, name, encoding, fsync = found
    if number < OLDEST:
        raise StartupError(f"PostgreSQL {OLDEST // 10000} or newer is needed; this is {name}.")
    if encoding != "UTF8":
        raise StartupError(f"The PostgreSQL database must have the encoding UTF8, not {encoding}.")
    if fsync != "on":
        raise StartupError(
            "The PostgreSQL server runs with fsync = off: a crash would lose what was acknowledged."
        )
    await shards.check(connection)
