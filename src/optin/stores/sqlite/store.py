"""The SQLite store: `ports/store.py` on one file."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from optin.domain import consent
from optin.domain.errors import InconsistentRecord, SchemaMismatch, StoreUnavailable
from optin.domain.events import Event
from optin.domain.identities import reach
from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback, Histories, Reading, Template, Work
from optin.stores.batch import Batch, Rows
from optin.stores.committer import Committer
from optin.stores.seal import Seal
from optin.stores.sqlite import batches, directory, queues, rows
from optin.stores.sqlite.connection import connect, is_bad_data, snapshot, transaction
from optin.stores.sqlite.migrate import newest_version, version
from optin.stores.sqlite.operators import SQLiteDirectory
from optin.stores.sqlite.threads import Checkpointer

R = TypeVar("R")
T = TypeVar("T")

_EVENTS = """SELECT * FROM (
 SELECT * FROM events WHERE bot_id = ?1 AND identity = ?2
 UNION ALL SELECT * FROM contact_messages WHERE bot_id = ?1 AND identity = ?2
) ORDER BY effective, recorded, event_id"""


class SQLiteStore(SQLiteDirectory):
    """Consent in one file. Made by `open`; the file must be migrated already."""

    def __init__(self, path: Path, seal: Seal, clock: Callable[[], int]) -> None:
        super().__init__(path, seal, clock)
        self._batch_copy = directory.DirectoryCopy()
        self._checkpointer = Checkpointer(path)
        self._commits: Committer[Work[Any], Any] = Committer(self._commit_group)
        self._reads: Committer[tuple[str, Sequence[str]], Reading] = Committer(self._read_group)

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
        finally:
            connection.close()
        return cls(where, seal, clock)

    async def close(self) -> None:
        await self._commits.idle()
        await self._reads.idle()
        await self._writer.close()
        await self._reader.close()
        await asyncio.to_thread(self._checkpointer.close)

    # Commits

    async def commit(self, work: Work[R]) -> R:
        return cast(R, await self._commits.call(work))

    async def _commit_group(self, works: Sequence[Work[Any]]) -> Sequence[Any]:
        answers = await self._writer.run(lambda connection: self._commit(connection, works))
        self._checkpointer.committed()
        return answers

    def _commit(self, connection: sqlite3.Connection, works: Sequence[Work[Any]]) -> list[Any]:
        try:
            return self._commit_once(connection, works)
        except Exception as failed:
            if not is_bad_data(failed):
                raise
            if len(works) == 1:
                return [StoreUnavailable(f"The database refused the data: {failed}.")]
        # One of them is bad: each on its own, so that the others are not lost with it.
        return [answer for work in works for answer in self._commit(connection, [work])]

    def _commit_once(self, connection: sqlite3.Connection, works: Sequence[Work[Any]]) -> list[Any]:
        with transaction(connection):
            self._batch_copy.compare(connection)
            batch = Batch(self._clock(), Rows(bots=self._batch_copy.bots))
            answers = [self._attempt(connection, batch, work) for work in works]
            batches.save(connection, batch.writes)
        return answers

    def _attempt(self, connection: sqlite3.Connection, batch: Batch, work: Work[Any]) -> Any:
        """One work's answer. A record that cannot be read fails the works that need it, alone."""
        try:
            if work.bot_id not in batch.rows.bots:
                found = directory.bot(connection, self._seal, work.bot_id)
                batch.rows.bots[work.bot_id] = found
            batches.load(connection, batch.rows, work)
        except InconsistentRecord as broken:
            return broken
        return batch.attempt(work)

    # Reads

    async def read(self, bot_id: str, identities: Sequence[str]) -> Reading:
        return await self._reads.call((bot_id, identities))

    async def _read_group(self, wanted: Sequence[tuple[str, Sequence[str]]]) -> Sequence[Reading]:
        return await self._reader.run(lambda connection: self._read_all(connection, wanted))

    def _read_all(
        self, connection: sqlite3.Connection, wanted: Sequence[tuple[str, Sequence[str]]]
    ) -> list[Reading]:
        with snapshot(connection):
            return [
                Reading(self._clock(), {i: _joined(connection, bot_id, i) for i in identities})
                for bot_id, identities in wanted
            ]

    async def own_clocks(self, bot_id: str, identities: Sequence[str]) -> Reading:
        def work(connection: sqlite3.Connection) -> Reading:
            found = {i: batches.clocks_of(connection, bot_id, i) for i in identities}
            return Reading(self._clock(), found)

        return await self._read(work)

    async def histories(self, bot_id: str, identities: Sequence[str]) -> Histories:
        def work(connection: sqlite3.Connection) -> Histories:
            who = {identity: reach(identity) for identity in identities}
            every = {i for each in who.values() for i in each.blocking}
            events = {i: _events(connection, bot_id, i) for i in every}
            return Histories(
                self._clock(),
                {i: _merged(events, each.blocking) for i, each in who.items()},
                {i: _merged(events, each.allowing) for i, each in who.items()},
            )

        return await self._read(work)

    async def templates(self, bot_id: str) -> list[Template]:
        found = await self._fetch(
            """SELECT name, language, category, status, updated FROM templates
             WHERE bot_id = ? ORDER BY name, language""",
            bot_id,
        )
        return list(map(rows.template, found))

    async def template(self, bot_id: str, name: str, language: str) -> Template | None:
        found = await self._fetch(
            """SELECT name, language, category, status, updated FROM templates
             WHERE bot_id = ? AND name = ? AND language = ?""",
            bot_id,
            name,
            language,
        )
        return rows.template(found[0]) if found else None

    async def message(self, bot_id: str, message_id: str) -> OutboxMessage | None:
        found = await self._fetch(
            "SELECT * FROM messages WHERE bot_id = ? AND message_id = ?", bot_id, message_id
        )
        return rows.message(found[0]) if found else None

    async def blacklist(self, bot_id: str, offset: int, limit: int) -> list[str]:
        found = await self._fetch(
            "SELECT identity FROM blacklist WHERE bot_id = ? ORDER BY identity LIMIT ? OFFSET ?",
            bot_id,
            limit,
            offset,
        )
        return [row[0] for row in found]

    # Queues

    async def lease_messages(
        self, claimant: str, lease_for: int, limit: int
    ) -> tuple[int, list[OutboxMessage]]:
        def work(connection: sqlite3.Connection) -> tuple[int, list[OutboxMessage]]:
            now = self._clock()
            until = now + lease_for
            return now, queues.lease_messages(connection, now, claimant, until, limit)

        return await self._writer.run(work)

    async def stale_messages(self, claimed_before: int, limit: int) -> list[OutboxMessage]:
        return await self._reader.run(
            lambda c: queues.stale_messages(c, claimed_before, self._clock(), limit)
        )

    async def lease_callbacks(
        self, claimant: str, lease_for: int, limit: int
    ) -> tuple[int, list[Callback]]:
        def work(connection: sqlite3.Connection) -> tuple[int, list[Callback]]:
            now = self._clock()
            until = now + lease_for
            return now, queues.lease_callbacks(connection, now, claimant, until, limit)

        return await self._writer.run(work)

    async def put_callbacks(self, done: Sequence[Callback], again: Sequence[Callback]) -> None:
        await self._writer.run(lambda c: queues.put_callbacks(c, done, again))

    # The database as a whole

    async def ready(self) -> None:
        def probe(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.execute("REPLACE INTO meta VALUES ('probe', ?)", (str(self._clock()),))

        await self._writer.run(probe)

    async def now(self) -> int:
        return self._clock()


def _joined(connection: sqlite3.Connection, bot_id: str, identity: str) -> consent.Clocks:
    who = reach(identity)
    own = {i: batches.clocks_of(connection, bot_id, i) for i in who.blocking}
    return consent.read(own.values(), [own[i] for i in who.allowing])


def _events(connection: sqlite3.Connection, bot_id: str, identity: str) -> list[Event]:
    return list(map(rows.event, connection.execute(_EVENTS, (bot_id, identity)).fetchall()))


def _merged(events: Mapping[str, list[Event]], identities: frozenset[str]) -> list[Event]:
    every = [event for identity in identities for event in events[identity]]
    return sorted(every, key=lambda e: (e.effective or 0, e.recorded, e.claim.event_id))
