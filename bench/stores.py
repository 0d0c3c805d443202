"""Durable opt-ins and reads a second, on SQLite and PostgreSQL in turn: `python -m bench.stores`.

Both stores run in one process with what waits for them, and both fsync each commit. PostgreSQL is
the server that the tests start, on the same machine.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from optin.domain.bots import Bot
from optin.domain.events import Kind
from optin.ports.store import Store
from optin.stores.postgres import PostgresStore
from optin.stores.sqlite import SQLiteStore
from optin.stores.sqlite.migrate import migrate
from tests.conftest import SEAL, first_token
from tests.stores.postgres.server import fresh_database
from tests.stores.works import claim, record

ROUNDS, SECONDS, WAITING, PEOPLE = 3, 4.0, 64, 200_000
BOTS = [f"bot-{n}" for n in range(64)]


async def rate(call: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """(calls a second, p99 in ms) with `WAITING` callers."""
    times: list[float] = []
    end = time.monotonic() + SECONDS

    async def keep_calling() -> None:
        while (begun := time.monotonic()) < end:
            await call()
            times.append(time.monotonic() - begun)

    await asyncio.gather(*(keep_calling() for _ in range(WAITING)))
    return len(times) / SECONDS, statistics.quantiles(times, n=100)[98] * 1000


def person() -> str:
    """Anybody, some of them again and again."""
    return f"4670{random.randrange(PEOPLE):07d}"


async def measured(store: Store) -> dict[str, tuple[float, float]]:
    """Each load in turn."""
    turn = itertools.cycle(BOTS)
    return {
        "opt-ins, one bot": await rate(lambda: store.commit(record(claim(Kind.OPT_IN, person())))),
        "opt-ins, 64 bots": await rate(
            lambda: store.commit(record(claim(Kind.OPT_IN, person()), bot_id=next(turn)))
        ),
        "reads, one bot": await rate(lambda: store.read("bot-1", [person()])),
        "reads, 64 bots": await rate(lambda: store.read(next(turn), [person()])),
    }


async def main() -> None:
    """Prints the medians of the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        migrate(path)
        async with fresh_database() as url:
            stores: dict[str, Store] = {
                "SQLite": await SQLiteStore.open(path, SEAL),
                "PostgreSQL": await PostgresStore.open(url, SEAL),
            }
            for store in stores.values():
                for bot_id in BOTS:
                    await store.add_bot(Bot(bot_id), first_token(bot_id))
            found = [{n: await measured(s) for n, s in stores.items()} for _ in range(ROUNDS)]
            for what in found[0]["SQLite"]:
                for name in stores:
                    rates, tails = zip(*(each[name][what] for each in found), strict=True)
                    shown = f"{statistics.median(rates):8.0f}/s  p99 {statistics.median(tails):.0f}"
                    print(f"{what:18} {name:11} {shown} ms")
            for store in stores.values():
                await store.close()


if __name__ == "__main__":
    uvloop.run(main())
