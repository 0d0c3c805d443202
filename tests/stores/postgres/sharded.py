"""A plain database that the program takes for one that Citus distributes.

The claim is enough for all that the program itself does otherwise there. What a cluster does
otherwise is not shown by it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from unittest.mock import patch

import asyncpg

from optin.domain.bots import Bot
from optin.stores.postgres import PostgresStore, shards
from optin.usecases.verify import Verify
from tests.conftest import SEAL, first_token
from tests.stores.postgres.citus.sent import linted
from tests.stores.postgres.server import fresh_database
from tests.stores.works import BOT, OTHER_BOT

#: Two bots of the store's, and a third.
THIRD_BOT = "bot-3"
BOTS = (BOT, OTHER_BOT, THIRD_BOT)

# As a coordinator says it whose worker is gone.
_DOWN = """CREATE OR REPLACE FUNCTION down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
 RAISE EXCEPTION 'connection to the remote node failed' USING ERRCODE = '08006'; END $$;
 CREATE TRIGGER "down {bot_id}" BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW
 WHEN (new.bot_id = '{bot_id}') EXECUTE FUNCTION down()"""


@contextmanager
def claimed() -> Iterator[None]:
    """Meanwhile the tables are said to be distributed."""

    async def is_sharded(_: object) -> bool:
        return True

    with patch.object(shards, "is_sharded", is_sharded):
        yield


@asynccontextmanager
async def sharded_database() -> AsyncIterator[str]:
    """The URL of a migrated database, taken for a distributed one; at the end, what was sent is
    held against what Citus refuses."""
    async with fresh_database() as url, linted(url, sharded=True):
        with claimed():
            yield url


@asynccontextmanager
async def opened(url: str, *bot_ids: str) -> AsyncIterator[PostgresStore]:
    """A store on it, with these bots added."""
    store = await PostgresStore.open(url, SEAL)
    try:
        for bot_id in bot_ids:
            await store.add_bot(Bot(bot_id), first_token(bot_id))
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def worker_down(url: str, bot_id: str, table: str) -> AsyncIterator[None]:
    """Meanwhile whoever writes the bot's rows in the table is told that their node is gone."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_DOWN.format(table=table, bot_id=bot_id))
        yield
        await connection.execute(f'DROP TRIGGER "down {bot_id}" ON {table}')
    finally:
        await connection.close()


async def check_ledgers(store: PostgresStore, *bot_ids: str) -> None:
    """R2, R14: of these bots and nobody else there is a ledger, state is its fold, every chain is
    whole."""
    reports = await Verify(store).verify()
    assert {report.bot_id: report.findings for report in reports} == {
        bot_id: [] for bot_id in bot_ids
    }
