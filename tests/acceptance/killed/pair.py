"""Two nodes of one database. One of them is killed in the midst of its work; which one has taken
the work is chance, so it is found out: by its connection to a simulated provider or receiver, or by
its name in the database's list of who waits for a lock.

Leases are as long as they are: the tests move a lease's end in the database, as time would have
done, and only once they have seen that until then the other node leaves the work alone.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from optin.ports.store import Store
from optin.settings import Settings
from optin.stores.postgres.connection import CLOCK
from optin.wiring.making import manage_bots
from optin.wiring.opening import opened_store
from tests.acceptance.nodes import KEY, node
from tests.acceptance.processes import has_connection
from tests.acceptance.program import Program
from tests.acceptance.waiting import until

HOUR = 3_600_000_000
#: The name of the connections with which tests lock.
HOLD = "hold"

_CLAIMED = "split_part(claimant, '/', 1) = $1 AND leased_until > 0"


def process_of(row: Mapping[str, Any]) -> str:
    """Which process has claimed the work of this row."""
    process: str = row["claimant"].split("/")[0]
    return process


class Pair:
    """The nodes, by their names in the database. `store`: an operator's, as a command opens it;
    `database`: a superuser's connection."""

    def __init__(
        self, folder: Path, url: str, store: Store, database: asyncpg.Connection[Any]
    ) -> None:
        self.nodes = {
            name: node(folder / name, f"{url}&application_name={name}", "--allow-private-callbacks")
            for name in ("one", "other")
        }
        self._url = url
        self.store = store
        self._database = database
        self._down = set(self.nodes)
        self._bots = itertools.count(1)

    async def start(self) -> None:
        """Starts whoever is down."""
        down, self._down = self._down, set()
        await asyncio.gather(*(asyncio.to_thread(self.nodes[name].start) for name in down))

    async def kill(self, name: str) -> Program:
        """`kill -9` for this one; the other, which lives."""
        await asyncio.to_thread(self.nodes[name].kill)
        self._down.add(name)
        return next(program for each, program in self.nodes.items() if each != name)

    async def forgotten(self) -> None:
        """Returns when the database has nothing left of those who are down: what they had begun
        and not committed is taken back, and no commit of theirs is still to come."""
        asked = """SELECT 1 FROM pg_stat_activity
         WHERE application_name = ANY($1) AND datname = current_database()"""

        async def nothing_left() -> bool:
            return not await self.rows(asked, list(self._down))

        await until(nothing_left)

    async def stop(self) -> None:
        """Kills whoever runs."""
        for name in self.nodes.keys() - self._down:
            await self.kill(name)

    @property
    def a_node(self) -> Program:
        """A node that runs."""
        return self.nodes[min(self.nodes.keys() - self._down)]

    def holder(self, port: int) -> str:
        """The node whose connection begins at this port; "" if it is gone."""
        running = self.nodes.keys() - self._down
        return next((each for each in running if has_connection(self.nodes[each].pid, port)), "")

    async def add_bot(self, settings: Mapping[str, str]) -> tuple[str, str]:
        """A new bot's id and token, known to both nodes within a second."""
        bot_id = f"bot-{next(self._bots)}"
        _, fresh = await manage_bots(self.store).add(bot_id, settings)
        return bot_id, fresh.text

    # What the database says, and what time would have done

    async def rows(self, sql: str, *values: object) -> Sequence[asyncpg.Record]:
        """What a statement gives."""
        found: Sequence[asyncpg.Record] = await self._database.fetch(sql, *values)
        return found

    async def is_leased(self, table: str, process: str) -> bool:
        """Whether a lease of this process's stands for anything. `process`: as it claims its work,
        whatever it adds behind a slash."""
        asked = f"SELECT count(*) FROM {table} WHERE {_CLAIMED} AND leased_until > {CLOCK}"
        return bool((await self.rows(asked, process))[0][0])

    async def move_leases(self, table: str, process: str, by: int) -> None:
        """All leases of this process's end so many µs after now."""
        moved = f"UPDATE {table} SET leased_until = {CLOCK} + $2 WHERE {_CLAIMED}"
        await self._database.execute(moved, process, by)

    async def let_leases_run_out(self, table: str, process: str) -> None:
        """As if the time had passed after which a dead process's work is another's."""
        await self.move_leases(table, process, -1)

    async def holds_wait(self) -> None:
        """Returns when one who wants to lock something for a test waits for its turn."""
        asked = """SELECT 1 FROM pg_stat_activity
         WHERE application_name = $1 AND datname = current_database()
         AND wait_event_type = 'Lock'"""
        await until(lambda: self.rows(asked, HOLD), every=0.005)

    @asynccontextmanager
    async def held(self, sql: str, *values: object) -> AsyncIterator[Hold]:
        """Locks what the statement does until the end: whoever needs it stands still in its
        transaction. Takes its turn behind whoever holds a lock."""
        connection = await asyncpg.connect(self._url, server_settings={"application_name": HOLD})
        try:
            await connection.execute("BEGIN")
            await connection.fetch(sql, *values)
            yield Hold(self, connection.get_server_pid())
        finally:
            await connection.close()


@asynccontextmanager
async def pair_on(folder: Path, url: str) -> AsyncIterator[Pair]:
    """Two nodes on an empty database, not started yet; killed at the end."""
    async with opened_store(Settings(database=url, master_key=KEY), create=True) as store:
        database = await asyncpg.connect(url)
        pair = Pair(folder, url, store, database)
        try:
            yield pair
        finally:
            await pair.stop()
            await database.close()


class Hold:
    """What a test has locked."""

    def __init__(self, pair: Pair, pid: int) -> None:
        self._pair = pair
        self._pid = pid

    async def waiter(self) -> str:
        """The name of who waits for it, once somebody does: a node, or `HOLD`."""

        async def waiting() -> str:
            rows = await self._pair.rows(
                "SELECT application_name AS name FROM pg_stat_activity"
                " WHERE $1 = ANY(pg_blocking_pids(pid))",
                self._pid,
            )
            return rows[0]["name"] if rows else ""

        name: str = await until(waiting, every=0.005)
        return name
