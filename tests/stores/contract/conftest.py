"""The stores that the contract is run on. A new store adds itself to `STORES`, nothing else."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from optin.domain.bots import Bot
from optin.ports.store import Store
from optin.stores.postgres import PostgresStore
from optin.stores.sqlite import SQLiteStore
from optin.stores.sqlite.migrate import migrate
from tests.conftest import SEAL, first_token
from tests.stores.postgres.citus.sent import linted
from tests.stores.postgres.server import emptied, fresh_database
from tests.stores.postgres.sharded import sharded_database
from tests.stores.works import BOT, OTHER_BOT

#: Opens one more connection to the test's database, as another process would.
Open = Callable[[], Awaitable[Store]]


class Clock:
    """The database's clock, where a test wants to set it. UTC µs."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000_000

    def __call__(self) -> int:
        return self.now


@asynccontextmanager
async def _sqlite(folder: Path, clock: Clock) -> AsyncIterator[Open]:
    path = folder / "contract.db"
    migrate(path)
    yield lambda: SQLiteStore.open(path, SEAL, clock=clock)


@asynccontextmanager
async def _postgres(_: Path, clock: Clock) -> AsyncIterator[Open]:
    """What the store sends is held against what Citus refuses, too; a cluster does so itself."""
    named = os.environ.get("OPTIN_TEST_DATABASE")
    if named:
        async with emptied(named) as url:
            yield lambda: PostgresStore.open(url, SEAL, clock=clock)
        return
    async with fresh_database() as url, linted(url):
        yield lambda: PostgresStore.open(url, SEAL, clock=clock)


@asynccontextmanager
async def _shards(_: Path, clock: Clock) -> AsyncIterator[Open]:
    """PostgreSQL once more, by the way that the program takes on a cluster."""
    async with sharded_database() as url:
        yield lambda: PostgresStore.open(url, SEAL, clock=clock)


STORES = {"postgres": _postgres, "shards": _shards, "sqlite": _sqlite}

#: Those that only the long campaigns run on; shares of them have tests of their own.
_LONG = {"shards"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.long] if name in _LONG else [])
        for name in sorted(STORES)
    ]
)
async def opened(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[Open]:
    stores: list[Store] = []

    async with STORES[request.param](tmp_path, clock) as open_another:

        async def open_one() -> Store:
            stores.append(await open_another())
            return stores[-1]

        yield open_one
        for store in stores:
            await store.close()


@pytest.fixture
async def store(opened: Open) -> Store:
    made = await opened()
    for bot_id in (BOT, OTHER_BOT):
        await made.add_bot(Bot(bot_id), first_token(bot_id))
    return made
