"""Connections to the server: how they are made, and transactions that are never half seen.

A running COMMIT is never cancelled, neither by us nor by a time limit of the server: cancelling
one that waits for a synchronous standby makes it report success without the standby.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast
from urllib.parse import parse_qs, urlsplit

import asyncpg

from optin.stores.postgres.errors import ROLLED_BACK, CommitUnknown, is_lost

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Session: TypeAlias = PoolConnectionProxy[asyncpg.Record]
else:
    Session = object

T = TypeVar("T")

Row: TypeAlias = Sequence[Any]

#: The database's clock, UTC µs.
CLOCK = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

#: How long a connection may take to be made, and everything before a COMMIT, in seconds.
CONNECT, WORK = 4.0, 20.0
#: How long a COMMIT is waited for before its connection is given up, in seconds.
COMMIT = 20.0
#: How long one that can be repeated is tried again, in seconds.
AGAIN_FOR = 4.0

_SESSION = """SET statement_timeout = '15s'; SET lock_timeout = '5s';
SET idle_in_transaction_session_timeout = '30s'; SET jit = off;
SET client_min_messages = warning; SET citus.override_table_visibility = off;
SET citus.max_adaptive_executor_pool_size = 1;
SELECT set_config('synchronous_commit', 'on', false)
 WHERE current_setting('synchronous_commit') = 'off'"""  # R13: on disk before it is acknowledged

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_UNHURRIED = "SET LOCAL statement_timeout = 0; "
_COMMIT = "SET LOCAL statement_timeout = 0; COMMIT"


class Sessions:
    """Connections of one process for one purpose, `size` at most, made when they are needed.

    `url` may name several hosts: the one that takes writes is looked for. `wait`: how long for a
    connection to come free, in seconds, None for as long as it takes.
    """

    def __init__(self, url: str, size: int, wait: float | None = 2 * CONNECT) -> None:
        self._url = url
        self._wait = wait
        self._size = size
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._closed = False

    async def run(
        self,
        work: Callable[[Session], Awaitable[T]],
        *,
        again: bool = False,
        limit: float | None = None,
    ) -> T:
        """What `work` makes of a connection. `again`: it may be repeated after a lost connection,
        since it reads only or does the same thing twice; what was rolled back always is. `limit`:
        seconds that it may take, for what commits nothing.

        Once begun it goes on to its end, also when the caller is cancelled.
        """
        running = asyncio.ensure_future(self._insist(work, again, limit))
        running.add_done_callback(_look_at)  # also when nobody waits for it any more
        return await asyncio.shield(running)

    async def read(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Single queries. A server that is silent, and a line that is gone without a word, are
        given up: no time limit of the server's ends that wait (R12)."""
        return await self.run(work, again=True, limit=WORK)

    async def _insist(
        self, work: Callable[[Session], Awaitable[T]], again: bool, limit: float | None
    ) -> T:
        deadline = asyncio.get_running_loop().time() + AGAIN_FOR
        pause = 0.02
        while True:
            try:
                async with self.session() as session, asyncio.timeout(limit):
                    return await work(session)
            except Exception as failed:
                repeatable = isinstance(failed, ROLLED_BACK) or (again and is_lost(failed))
                if not repeatable or asyncio.get_running_loop().time() + pause > deadline:
                    raise
            await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - only spreads tries
            pause = min(2 * pause, 0.5)

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A connection; one that anything went wrong on is not used again."""
        pool = await self._open_pool()
        async with asyncio.timeout(self._wait):
            session = await pool.acquire()
        try:
            yield session
        except BaseException:
            cut(session)
            raise
        finally:
            # Whatever goes wrong here must not take the place of what the caller needs to know.
            with contextlib.suppress(Exception):
                await pool.release(session)

    async def close(self) -> None:
        """Ends after what is under way."""
        self._closed = True
        if self._pool is not None:
            try:
                async with asyncio.timeout(WORK):
                    await self._pool.close()
            except TimeoutError:
                self._pool.terminate()

    async def _open_pool(self) -> asyncpg.Pool[asyncpg.Record]:
        if self._closed:
            raise asyncpg.InterfaceError("the store is closed")
        if self._pool is None:
            made = asyncpg.create_pool(
                self._url,
                min_size=0,
                max_size=self._size,
                max_inactive_connection_lifetime=300,
                init=_prepare,
                reset=_nothing,
                **connect_options(self._url),
            )
            self._pool = made
        return await self._pool  # does nothing once it is open


def connect_options(url: str) -> dict[str, Any]:
    """What is added to the address: a server that takes writes, unless the address says else."""
    asked = parse_qs(urlsplit(url).query)
    options: dict[str, Any] = {"timeout": CONNECT}
    if "application_name" not in asked:
        options["server_settings"] = {"application_name": "optin"}
    if "target_session_attrs" not in asked:
        options["target_session_attrs"] = "read-write"
    return options


def _look_at(done: asyncio.Future[Any]) -> None:
    if not done.cancelled():
        done.exception()


async def _prepare(session: Any) -> None:
    await session.execute(_SESSION)


async def _nothing(_: object) -> None:
    """No session state is left behind, so asyncpg's own reset, 90 µs each, is not needed."""


async def fetch(session: Session, sql: str, *values: Any) -> list[Row]:
    """The rows that a query gives."""
    return cast(list[Row], await session.fetch(sql, *values))


@contextlib.asynccontextmanager
async def transaction(
    session: Session, first: str = "", *, limit: float | None = WORK
) -> AsyncIterator[None]:
    """One writing transaction; `first` runs in it at once. Raises `CommitUnknown`.

    `limit`: seconds until its end begins, None for as long as it takes.
    """
    async with asyncio.timeout(WORK):
        await session.execute(f"{_BEGIN}; {_UNHURRIED if limit is None else ''}{first}")
    try:
        async with asyncio.timeout(limit):
            yield
    except BaseException:
        await roll_back(session)
        raise
    await commit(session)


@contextlib.asynccontextmanager
async def snapshot(session: Session, *, limit: float | None = WORK) -> AsyncIterator[None]:
    """One reading transaction: every query in it sees the same instant. `limit`: seconds, None
    for as long as it takes."""
    async with asyncio.timeout(limit):
        await session.execute(f"{_SNAPSHOT}; {_UNHURRIED if limit is None else ''}")
        try:
            yield
        finally:
            await roll_back(session)


async def roll_back(session: Session) -> None:
    """Takes the transaction back; the server does so by itself if that cannot be told to it."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CONNECT):
            await session.execute("ROLLBACK")
            return
    cut(session)


def cut(session: Session) -> None:
    """Closes the line at once. It does not ask the server to cancel anything."""
    with contextlib.suppress(Exception):  # it may be closed already
        session.terminate()


async def commit(session: Session) -> None:
    """Ends the transaction. Raises `CommitUnknown` if it failed, since nothing that is written here
    is checked as late as that, or if the server warned: then the commit may not be on the
    synchronous standby, or not on its shard."""
    warned: list[Any] = []

    def warn(_: object, message: object) -> None:
        warned.append(message)

    session.add_log_listener(warn)
    ending = asyncio.ensure_future(session.execute(_COMMIT))
    await asyncio.wait({ending}, timeout=COMMIT)
    if not ending.done():
        cut(session)
    try:
        done = await ending
    except Exception as failed:
        # A server with shards behind it may have committed there before it failed itself.
        raise CommitUnknown(str(failed)) from failed
    with contextlib.suppress(Exception):
        session.remove_log_listener(warn)
    if done != "COMMIT" or warned:
        raise CommitUnknown(done, *map(str, warned))
