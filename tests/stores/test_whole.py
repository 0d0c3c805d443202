"""What is copied of a database is all of it, on both stores alike."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import asyncpg
import pytest

from optin.domain.errors import NotFound, StoreUnavailable
from optin.domain.events import Kind
from optin.ports.whole import Mark, Whole
from optin.stores.postgres import PostgresStore
from optin.stores.postgres.whole import PostgresWhole
from optin.stores.sqlite.migrate import migrate
from optin.stores.sqlite.whole import SQLiteWhole
from optin.stores.whole import APART, TABLES
from tests.conftest import SEAL
from tests.stores.postgres.server import fresh_database
from tests.stores.works import claim, record

#: Tables of ours, wherever they are split: a part is copied with the table that it is a part of.
_POSTGRES = """SELECT c.relname FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
 AND NOT c.relispartition"""
_SQLITE = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"


async def _tables(whole: Whole) -> list[object]:
    try:
        return [*await whole.tables()]
    finally:
        await whole.close()


async def test_no_table_is_forgotten(tmp_path: Path) -> None:
    """Every table of both schemas is copied or named as one that is not, and both sides have the
    same columns and keys, so that a table or column of a later schema cannot be left behind."""
    path = tmp_path / "a.db"
    migrate(path)
    with sqlite3.connect(path) as file:
        held = {name for (name,) in file.execute(_SQLITE)}
    file.close()
    assert held == {*TABLES, *APART} - {"writers", "marks"}
    async with fresh_database() as url:
        connection = await asyncpg.connect(url)
        held = {name for (name,) in await connection.fetch(_POSTGRES)}
        await connection.close()
        assert held == {*TABLES, *APART}
        assert await _tables(PostgresWhole(url)) == await _tables(SQLiteWhole(path))


async def test_nothing_is_committed_to_a_frozen_database() -> None:
    """R6, R13: a service that nobody saw, on a PostgreSQL database that is being copied, gets no
    commit through once the mark is there: an opt-out that it acknowledged would stay behind."""
    async with fresh_database() as url:
        store = await PostgresStore.open(f"{url}&application_name=unseen", SEAL)
        whole = PostgresWhole(url)
        await whole.freeze(Mark("x", "source", "there"))
        with pytest.raises(StoreUnavailable, match="optin copy"):
            await store.commit(record(claim(Kind.OPT_OUT)))
        await whole.release()
        with pytest.raises(NotFound):  # it came as far as that
            await store.commit(record(claim(Kind.OPT_OUT)))
        await whole.close()
        await store.close()


async def test_two_copies_do_not_mix() -> None:
    """A second copy waits for the first one's end, and says so if that does not come."""
    async with fresh_database() as url:
        first, second = PostgresWhole(url), PostgresWhole(url)
        await first.mark()
        waiting = asyncio.ensure_future(second.mark())
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await first.close()
        assert await waiting is None
        await second.close()
