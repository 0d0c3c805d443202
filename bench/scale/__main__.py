"""What a decision and a contact cost at several sizes, in one run: `python -m bench.scale`.

One PostgreSQL server, a database for each of `SIZES` (environment, contacts, comma-separated).
`ROUNDS` rounds take the sizes in turn, so that what else the machine does hits all alike.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable

import asyncpg
import uvloop

from bench.scale.filling import BOT, fill, person
from bench.scale.sizes import per_contact, server_cpu
from optin.domain.bots import Bot
from optin.domain.events import Kind
from optin.stores.postgres import PostgresStore
from optin.stores.postgres.migrate import migrate
from optin.usecases.check import Check
from tests.conftest import SEAL, first_token
from tests.stores.postgres.server import PostgresServer
from tests.stores.works import claim, record

SIZES = [int(n) for n in os.environ.get("SIZES", "100000,1000000,10000000").split(",")]
ROUNDS = int(os.environ.get("ROUNDS", "20"))
#: Of each in a round.
SINGLE, LISTS, OPT_INS, PER_LIST = 100, 2, 30, 1000
HOT = 1000
_SERVER = ("shared_buffers=2GB", "max_wal_size=16GB", "checkpoint_timeout=1h")
_new = itertools.count(48_000_000_000)


class Subject:
    """One size: its store, and what was measured of it, in µs by what."""

    def __init__(self, url: str, contacts: int) -> None:
        self.url, self.contacts = url, contacts
        self.found: dict[str, list[float]] = {}

    async def open(self) -> None:
        """Opens the store, with one bot."""
        self.store = await PostgresStore.open(self.url, SEAL)
        await self.store.add_bot(Bot(BOT), first_token(BOT))
        self.check = Check(self.store)

    async def round(self) -> None:
        """Each load once."""
        server, process = await server_cpu(self.url), time.process_time()
        await self._timed("one, anybody", SINGLE, lambda: self._decide(1, self.contacts))
        self._note("  CPU of the process", (time.process_time() - process) * 1e6 / SINGLE)
        self._note("  CPU of the server", (await server_cpu(self.url) - server) * 1e6 / SINGLE)
        await self._timed("one, of 1,000 hot", SINGLE, lambda: self._decide(1, HOT))
        await self._timed("1,000 at once", LISTS, lambda: self._decide(PER_LIST, self.contacts))
        await self._timed("opt-in, durable", OPT_INS, self._opt_in)

    async def _decide(self, many: int, among: int) -> None:
        asked = [person(random.randrange(among), self.contacts) for _ in range(many)]
        rows = await self.check.now(BOT, asked)
        assert len(rows) == many
        assert all(row.reason in (None, "opted_out") for row in rows)

    async def _opt_in(self) -> None:
        await self.store.commit(record(claim(Kind.OPT_IN, str(next(_new))), bot_id=BOT))

    async def _timed(self, what: str, times: int, call: Callable[[], Awaitable[None]]) -> None:
        for _ in range(times):
            begun = time.perf_counter()
            await call()
            self._note(what, (time.perf_counter() - begun) * 1e6)

    def _note(self, what: str, value: float) -> None:
        self.found.setdefault(what, []).append(value)


def prepared(server: PostgresServer) -> list[Subject]:
    """A filled database for each size."""
    subjects = []
    for contacts in SIZES:
        name = f"of_{contacts}"
        asyncio.run(server.execute(f"CREATE DATABASE {name}"))
        asyncio.run(migrate(server.url(name)))
        begun = time.monotonic()
        fill(server.url(name), contacts)
        print(f"{contacts:,} contacts put in within {time.monotonic() - begun:.0f} s", flush=True)
        subjects.append(Subject(server.url(name), contacts))
    return subjects


async def measure(subjects: list[Subject]) -> None:
    """All rounds; the order of the sizes changes from one to the next."""
    for subject in subjects:
        await subject.open()
        await subject.round()
        subject.found.clear()  # the first one opened connections
    for _ in range(ROUNDS):
        for subject in random.sample(subjects, len(subjects)):
            await subject.round()
    for subject in subjects:
        await subject.store.close()


def tell(subjects: list[Subject]) -> None:
    """Medians in µs, and the ratios to the smallest size."""
    print("medians in µs at " + ", ".join(f"{each.contacts:,}" for each in subjects))
    for what in subjects[0].found:
        typical = statistics.mean if what.startswith("  CPU") else statistics.median
        medians = [typical(each.found[what]) for each in subjects]
        # A few ticks of the CPU's clock may be none at all.
        ratios = ", ".join(f"{m / medians[0]:.2f}" if medians[0] else "-" for m in medians[1:])
        shown = "".join(f"{m:11.0f}" for m in medians)
        print(f"{what:22}{shown}   ratios {ratios}")


async def tell_bytes(subjects: list[Subject]) -> None:
    """Bytes a contact, or a row for what not everybody has."""
    for each in subjects:
        connection = await asyncpg.connect(each.url)
        print(f"bytes at {each.contacts:,}:", await per_contact(connection, each.contacts))
        await connection.close()


def main() -> None:
    """Fills, measures, tells."""
    server = PostgresServer(*_SERVER)
    try:
        subjects = prepared(server)
        print("load", os.getloadavg(), flush=True)
        asyncio.run(tell_bytes(subjects))
        uvloop.run(measure(subjects))
        tell(subjects)
        print("load", os.getloadavg())
    finally:
        server.close()


if __name__ == "__main__":
    main()
