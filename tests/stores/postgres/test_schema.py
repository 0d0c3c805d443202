"""The schema on PostgreSQL: what it promises, how it is made, and whom it refuses."""

from __future__ import annotations

import asyncio

import pytest

from optin.domain.errors import MasterKeyMismatch, SchemaMismatch, StartupError
from optin.stores.postgres import PostgresStore, erasing, tables
from optin.stores.postgres.migrate import is_empty, migrate, newest_version
from optin.stores.seal import Seal
from tests.conftest import SEAL
from tests.stores.postgres.server import PostgresServer, fetched, fresh_database, server

#: Tables of the database as a whole: small, and everywhere the same.
SHARED = {"meta", "bots", "tokens", "writers"}


async def test_text_compares_byte_by_byte() -> None:
    """Identities compare byte-wise whatever locale the server has: each column says so itself."""
    async with fresh_database() as url:
        found = await fetched(
            url,
            """SELECT c.relname, a.attname, l.collname FROM pg_attribute a
             JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
              AND NOT c.relispartition
             JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
             LEFT JOIN pg_collation l ON l.oid = a.attcollation
             WHERE a.attnum > 0 AND a.atttypid = 'text'::regtype""",
        )
    assert len(found) > 50
    assert [tuple(row) for row in found if row["collname"] != "C"] == []


async def test_the_columns_are_those_of_the_statements() -> None:
    """tables.py and the migrations say the same, in the same order."""
    async with fresh_database() as url:
        found = await fetched(
            url,
            """SELECT c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a
             JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
              AND NOT c.relispartition
             JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
             WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum""",
        )
    columns: dict[str, list[tuple[str, str]]] = {}
    for table, name, kind in found:
        columns.setdefault(table, []).append((name, kind))
    told = {each.name: [("bot_id", "text"), *each.types.items()] for each in tables.DISTRIBUTED}
    assert {name: columns[name] for name in told} == told
    assert columns.keys() - told.keys() == SHARED
    assert set(erasing.TABLES) == set(columns)


async def test_every_key_begins_with_the_bot() -> None:
    """What lets the database be sharded: no unique index without the bot id, no trigger, no
    foreign key."""
    async with fresh_database() as url:
        keys = await fetched(
            url,
            """SELECT t.relname, a.attname FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
             JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = 'public'
             JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
             WHERE i.indisunique""",
        )
        foreign = await fetched(url, "SELECT conname FROM pg_constraint WHERE contype = 'f'")
        triggers = await fetched(url, "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
    assert {row["relname"] for row in keys} > {each.name for each in tables.TABLES}
    assert [
        row for row in keys if row["attname"] != "bot_id" and row["relname"] not in SHARED
    ] == []
    assert foreign == triggers == []


async def test_migrating_twice_changes_nothing() -> None:
    """A new database goes from 0 to the newest version, an up-to-date one stays; six at once
    agree."""
    async with server().fresh("template0") as url:
        assert await is_empty(url)
        done = await asyncio.gather(*(migrate(url) for _ in range(6)))
        assert {after for _, after in done} == {newest_version()}
        assert sorted(before for before, _ in done) == [0, *[newest_version()] * 5]
        assert not await is_empty(url)


async def test_an_unmigrated_or_newer_database_is_refused() -> None:
    """Opening does not migrate by itself; a newer one is left alone."""
    async with server().fresh("template0") as url:
        with pytest.raises(SchemaMismatch, match="optin migrate"):
            await PostgresStore.open(url, SEAL)
        await migrate(url)
        await fetched(url, "UPDATE meta SET value = '999' WHERE key = 'schema_version'")
        for attempt in (PostgresStore.open(url, SEAL), migrate(url)):
            with pytest.raises(SchemaMismatch, match="schema 999"):
                await attempt


async def test_another_programs_tables_are_left_alone() -> None:
    """A table of the same name that is not ours stops the start."""
    async with server().fresh("template0") as url:
        await fetched(url, "CREATE TABLE meta (theirs int)")
        with pytest.raises(StartupError, match="another program"):
            await migrate(url)


async def test_another_master_key_does_not_open() -> None:
    """SPEC 8: told at the start, before anything is read."""
    async with fresh_database() as url:
        await (await PostgresStore.open(url, SEAL)).close()
        with pytest.raises(MasterKeyMismatch):
            await PostgresStore.open(url, Seal(b"k" * 32))


async def test_a_server_that_does_not_fsync_is_refused() -> None:
    """R13: what it acknowledges would be lost."""
    careless = PostgresServer("fsync=off")
    try:
        with pytest.raises(StartupError, match="fsync = off"):
            await migrate(careless.url())
    finally:
        careless.close()


async def test_asynchronous_commits_are_switched_back() -> None:
    """R13: whatever the database's default is, a commit is on disk before it is acknowledged."""
    async with fresh_database() as url:
        name = (await fetched(url, "SELECT current_database()"))[0][0]
        await fetched(url, f"ALTER DATABASE {name} SET synchronous_commit = off")
        store = await PostgresStore.open(url, SEAL)
        try:
            assert await store._fetch("SHOW synchronous_commit") == [("on",)]
        finally:
            await store.close()
