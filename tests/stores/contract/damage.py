"""A stored record made unreadable, in whatever way the store needs for that."""

from __future__ import annotations

import asyncpg

from optin.ports.store import Store
from optin.stores.postgres import PostgresStore
from optin.stores.sqlite import SQLiteStore


async def damage(store: Store, statement: str) -> None:
    """Runs an SQL statement behind the store's back."""
    if isinstance(store, SQLiteStore):
        await store._writer.run(lambda connection: connection.execute(statement))
        return
    assert isinstance(store, PostgresStore)
    connection = await asyncpg.connect(store._url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
