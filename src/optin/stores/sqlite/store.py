"""The SQLite store: `ports/store.py` on one file."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

from optin.domain import links
from optin.domain.consent import Clocks
from optin.domain.errors import InconsistentRecord, SchemaMismatch
from optin.domain.identities import DIGEST_MARK
from optin.domain.outbox import OutboxMessage
from optin.ports.store import (
    Callback,
    CallbackStage,
    Committed,
    Histories,
    Reading,
    States,
    Work,
)
from optin.stores.batch import Rows
from optin.stores.committer import Committer
from optin.stores.digests import Digests
from optin.stores.seal import Seal
from optin.stores.sqlite import batches, directory, entries, leasing, queues
from optin.stores.sqlite.commits import HEAVY, Commits
from optin.stores.sqlite.connection import connect, snapshot, transaction
from optin.stores.sqlite.counting import SQLiteCounts
from optin.stores.sqlite.forgetting import SQLiteErasure
from optin.stores.sqlite.imports import SQLiteImports
from optin.stores.sqlite.ledgers import SQLiteLedger
from optin.stores.sqlite.lists import SQLiteLists
from optin.stores.sqlite.migrate import newest_version, version

#: How old a proof that the store can commit may be, in seconds: probes must not cost an fsync each.
_STILL_READY = 1.0

_CONTACTS = """SELECT identity FROM identities WHERE bot_id = ? AND identity > ? AND identity < ?
 ORDER BY identity LIMIT ?"""

R = TypeVar("R")
T = TypeVar("T")


class SQLiteStore(SQLiteCounts, SQLiteErasure, SQLiteImports, SQLiteLedger, SQLiteLists):
    """Consent in one file. Made by `open`; the file must be migrated already."""

    def __init__(self, path: Path, seal: Seal, clock: Callable[[], int], digests: Digests) -> None:
        super().__init__(path, seal, clock)
        self._digests = digests
        self._ready_at = float("-inf")
        self._commits = Commits(self._writer, seal, clock, digests)
        self._reads: Committer[tuple[str, Sequence[str]], Reading] = Committer(
            self._read_group,
            most=HEAVY,
            weigh=lambda asked: 1 + len(asked[1]),
            lane=lambda asked: asked[0],
        )

    @classmethod
    async def open(
        cls,
        path: str | Path,
        seal: Seal,
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> SQLiteStore:
        """Opens a migrated file. `clock` is this store's database clock: UTC µs.

        Raises `StartupError` for a file that cannot be opened or is another program's, and
        `SchemaMismatch` for a schema that is newer, or older and not migrated yet.
        """
        where = Path(path)
        connection = connect(where)
        try:
            if version(connection, where) < newest_version():
                raise SchemaMismatch(
                    f"The database {where} has an old schema: run 'optin migrate' first."
                )
            digests = directory.digests(connection, seal)
        finally:
            connection.close()
        return cls(where, seal, clock, digests)

    async def close(self) -> None:
        await self._commits.idle()
        await self._reads.idle()
        await self._writer.close()
        await self._reader.close()
        await self._long_reader.close()
        await self._aside.close()
        await asyncio.to_thread(self._checkpointer.close)

    # Commits

    async def commit(self, work: Work[R]) -> R:
        return cast(R, await self._commits.commit(work))

    async def commit_ahead(self, work: Work[R]) -> Committed[R]:
        return await self._commits.commit_ahead(work)

    # Reads

    async def read(self, bot_id: str, identities: Sequence[str]) -> Reading:
        return await self._reads.call((bot_id, identities))

    async def _read_group(
        self, wanted: Sequence[tuple[str, Sequence[str]]]
    ) -> Sequence[Reading | InconsistentRecord]:
        return await self._reader.run(lambda connection: self._read_all(connection, wanted))

    def _read_all(
        self, connection: sqlite3.Connection, wanted: Sequence[tuple[str, Sequence[str]]]
    ) -> list[Reading | InconsistentRecord]:
        with snapshot(connection):
            loaded, now = Rows(self._digests.of), self._clock()
            return [_read_one(connection, loaded, now, *each) for each in wanted]

    async def states(self, bot_id: str, identities: Sequence[str]) -> States:
        def work(connection: sqlite3.Connection) -> States:
            loaded = Rows(self._digests.of)
            return States(self._clock(), batches.states_of(connection, loaded, bot_id, identities))

        return await self._read(work)

    async def contacts(self, bot_id: str, after: str, limit: int) -> Reading:
        def work(connection: sqlite3.Connection) -> Reading:
            found = connection.execute(_CONTACTS, (bot_id, after, DIGEST_MARK, limit)).fetchall()
            who = [row[0] for row in found]
            return Reading(self._clock(), _clocks(connection, Rows(self._digests.of), bot_id, who))

        return await self._read(work)

    async def histories(self, bot_id: str, identities: Sequence[str]) -> Histories:
        def work(connection: sqlite3.Connection) -> Histories:
            everybody = batches.states_of(connection, Rows(self._digests.of), bot_id, identities)
            found = {
                who: entries.of_identity(
                    connection, bot_id, state.links.plain or who, self._digests.of(bot_id, who)
                )
                for who, state in everybody.items()
            }
            return Histories(self._clock(), found, entries.known_from(connection, bot_id))

        return await self._read(work)

    # Queues

    async def lease_messages(
        self, claimant: str, lease_for: int, limit: int, without: Collection[str] = ()
    ) -> tuple[int, list[OutboxMessage]]:
        now = self._clock()
        asked = leasing.Lease(now, now + lease_for, claimant, limit, without)
        return now, await self._leased(leasing.MESSAGES, queues.lease_messages, asked)

    async def stale_messages(self, claimed_before: int, limit: int) -> list[OutboxMessage]:
        return await self._reader.run(
            lambda c: queues.stale_messages(c, claimed_before, self._clock(), limit)
        )

    async def lease_callbacks(
        self,
        claimant: str,
        lease_for: int,
        limit: int,
        without: Collection[str] = (),
        without_bots: Collection[str] = (),
    ) -> tuple[int, list[Callback]]:
        now = self._clock()
        asked = leasing.Lease(now, now + lease_for, claimant, limit, without_bots, without)
        return now, await self._leased(leasing.CALLBACKS, queues.lease_callbacks, asked)

    async def _leased(
        self,
        queue: leasing.Queue,
        lease: Callable[[sqlite3.Connection, leasing.Lease], list[T]],
        asked: leasing.Lease,
    ) -> list[T]:
        if await self._reader.run(lambda c: leasing.is_due(c, queue, asked)):
            return await self._writer.run(lambda c: lease(c, asked))
        return []

    async def put_callbacks(
        self, done: Sequence[Callback], again: Sequence[Callback], dead: Sequence[Callback] = ()
    ) -> None:
        tried = [
            *(replace(each, stage=CallbackStage.DONE) for each in done),
            *(replace(each, stage=CallbackStage.DEAD) for each in dead),
            *(replace(each, stage=CallbackStage.WAITING) for each in again),
        ]
        await self._writer.run(lambda c: queues.put_callbacks(c, tried))

    async def replay_callbacks(self, bot_id: str, callback_ids: Sequence[str]) -> int:
        now = self._clock()
        return await self._writer.run(
            lambda c: queues.replay_callbacks(c, bot_id, callback_ids, now)
        )

    async def prune(self, bot_id: str, webhooks_before: int, callbacks_before: int) -> int:
        return await self._writer.run(
            lambda c: queues.prune(c, bot_id, webhooks_before, callbacks_before)
        )

    # The database as a whole

    async def ready(self) -> None:
        def probe(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.execute("REPLACE INTO meta VALUES ('probe', ?)", (str(self._clock()),))

        if time.monotonic() - self._ready_at > _STILL_READY:
            await self._writer.run(probe)
            self._ready_at = time.monotonic()

    async def now(self) -> int:
        return self._clock()


def _read_one(
    connection: sqlite3.Connection, loaded: Rows, now: int, bot_id: str, who: Sequence[str]
) -> Reading | InconsistentRecord:
    """One caller's answer. A record that cannot be read fails who asked for it, alone (R12)."""
    try:
        return Reading(now, _clocks(connection, loaded, bot_id, who))
    except InconsistentRecord as broken:
        return broken


def _clocks(
    connection: sqlite3.Connection, loaded: Rows, bot_id: str, identities: Sequence[str]
) -> dict[str, Clocks]:
    states = batches.states_of(connection, loaded, bot_id, identities)
    return {i: links.reading(i, states.__getitem__) for i in identities}
