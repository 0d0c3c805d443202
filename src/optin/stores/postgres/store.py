"""The PostgreSQL store: `ports/store.py` on a server that several nodes share."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from optin.domain.consent import NEVER
from optin.domain.errors import StoreUnavailable
from optin.domain.events import Event, Kind
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
from optin.stores import ledger, rows
from optin.stores.committer import Committer
from optin.stores.digests import Digests
from optin.stores.postgres import leasing, queues, tables
from optin.stores.postgres.commits import Commits
from optin.stores.postgres.connection import Row, Session, fetch
from optin.stores.postgres.counting import PostgresCounts
from optin.stores.postgres.forgetting import PostgresErasure
from optin.stores.postgres.imports import PostgresImports
from optin.stores.postgres.lists import PostgresLists
from optin.stores.postgres.migrate import migrated
from optin.stores.postgres.operators import digests_of
from optin.stores.postgres.reading import Asked, StateReader
from optin.stores.postgres.writers import Writer
from optin.stores.seal import Seal

#: Commits under way at once in one process; those of one bot come one after another.
_LANES = 2
#: The same on shards, where each commit is of one bot and on one of several nodes.
_LANES_ON_SHARDS = 8
#: What a commit may weigh: locks are held for about a tenth of a second.
_HEAVY = 1_000
#: How old a proof that the store can commit may be, in seconds: probes must not cost an fsync each.
_STILL_READY = 1.0

R = TypeVar("R")

_log = logging.getLogger(__name__)

_EVENTS = f"""SELECT {tables.entries("e")}, w.text FROM (
 SELECT {tables.EVENTS.columns} FROM events WHERE bot_id = $1 AND identity = ANY($2)
 UNION ALL SELECT {tables.EVENTS.columns} FROM contact_messages
 WHERE bot_id = $1 AND identity = ANY($2)
) e LEFT JOIN wordings w ON w.bot_id = $1 AND w.hash = e.wording
 ORDER BY effective NULLS FIRST, recorded, event_id"""
_CONTACTS = """SELECT identity FROM identities
 WHERE bot_id = $1 AND identity > $2 AND identity < $3 ORDER BY identity LIMIT $4"""
_CUT = "SELECT max(effective) FROM events WHERE bot_id = $1 AND identity = '' AND kind = $2"
_PROBE = """INSERT INTO meta (key, value) VALUES ('probe', $1)
 ON CONFLICT (key) DO UPDATE SET value = excluded.value"""


class PostgresStore(PostgresCounts, PostgresErasure, PostgresImports, PostgresLists):
    """Consent on a server. Made by `open`; the database must be migrated already."""

    def __init__(
        self,
        url: str,
        seal: Seal,
        digests: Digests,
        clock: Callable[[], int] | None,
        *,
        sharded: bool,
    ) -> None:
        super().__init__(url, seal, clock)
        self._url = url
        self._digests = digests
        self._ready_at = float("-inf")
        self._sharded = sharded
        self._lanes = [
            Commits(url, seal, digests, clock, Writer(sharded=sharded))
            for _ in range(_LANES_ON_SHARDS if sharded else _LANES)
        ]
        self._commits: list[Committer[Work[Any], Any]] = [
            Committer(lane.run, most=_HEAVY, weigh=_weight, lane=lambda work: work.bot_id)
            for lane in self._lanes
        ]
        self._reader = StateReader(url, digests, clock, sharded=sharded)
        self._reads: Committer[Asked, Reading] = Committer(
            self._reader.read,
            most=_HEAVY,
            weigh=lambda asked: 1 + len(asked[1]),
            lane=lambda asked: asked[0],
        )

    @classmethod
    async def open(
        cls, url: str, seal: Seal, *, clock: Callable[[], int] | None = None
    ) -> PostgresStore:
        """Opens a migrated database. `clock`: in place of the database's, for tests; UTC µs.

        Raises `StartupError` for one that cannot be opened or is another program's,
        `SchemaMismatch` for a schema that is newer, or older and not migrated yet, and
        `MasterKeyMismatch`.
        """
        sharded = await migrated(url)
        return cls(url, seal, await digests_of(url, seal), clock, sharded=sharded)

    async def close(self) -> None:
        for commits in self._commits:
            await commits.idle()
        await self._reads.idle()
        for lane in self._lanes:
            await lane.close()
        await self._reader.close()
        await super().close()

    async def commit(self, work: Work[R]) -> R:
        return cast(R, await self._commits[self._lane(work.bot_id)].call(work))

    async def commit_ahead(self, work: Work[R]) -> Committed[R]:
        """The server answers a commit when it is on disk, and nothing before that."""
        return Committed(await self.commit(work))

    # Reads

    async def read(self, bot_id: str, identities: Sequence[str]) -> Reading:
        return await self._reads.call((bot_id, identities))

    async def states(self, bot_id: str, identities: Sequence[str]) -> States:
        return await self._snapshot(lambda s: self._reader.states(s, bot_id, identities))

    async def contacts(self, bot_id: str, after: str, limit: int) -> Reading:
        async def look(session: Session) -> Reading:
            found = await fetch(session, _CONTACTS, bot_id, after, DIGEST_MARK, limit)
            return await self._reader.reading(session, bot_id, [row[0] for row in found])

        return await self._snapshot(look)

    async def histories(self, bot_id: str, identities: Sequence[str]) -> Histories:
        async def look(session: Session) -> Histories:
            known = await self._reader.states(session, bot_id, identities)
            found = {
                who: await self._events(session, bot_id, state.links.plain or who)
                for who, state in known.states.items()
            }
            cut = await session.fetchval(_CUT, bot_id, Kind.CHECKPOINT.value)
            return Histories(known.now, found, NEVER if cut is None else cut)

        return await self._snapshot(look)

    async def _events(self, session: Session, bot_id: str, identity: str) -> list[Event]:
        names = [identity, self._digests.of(bot_id, identity)]
        return list(map(ledger.event, await fetch(session, _EVENTS, bot_id, names)))

    # Queues

    async def lease_messages(
        self, claimant: str, lease_for: int, limit: int, without: Collection[str] = ()
    ) -> tuple[int, list[OutboxMessage]]:
        now = await self.now()
        asked = leasing.Lease(now, now + lease_for, claimant, limit, without)
        return now, rows.readable(
            rows.message, await self._lease(leasing.MESSAGES[self._sharded], asked)
        )

    async def lease_callbacks(
        self,
        claimant: str,
        lease_for: int,
        limit: int,
        without: Collection[str] = (),
        without_bots: Collection[str] = (),
    ) -> tuple[int, list[Callback]]:
        now = await self.now()
        asked = leasing.Lease(now, now + lease_for, claimant, limit, without_bots, without)
        return now, rows.readable(
            rows.callback, await self._lease(leasing.CALLBACKS[self._sharded], asked)
        )

    async def _lease(self, queue: leasing.Queue, asked: leasing.Lease) -> list[Row]:
        """Looks before it writes: an idle queue costs no fsync."""
        places = await self._read(lambda s: leasing.places(s, queue, asked))
        if not places:
            return []
        if not self._sharded:
            return await self._write(lambda s: leasing.take(s, queue, asked, places))
        return await self._lease_by_bot(queue, asked, places)

    async def _lease_by_bot(
        self, queue: leasing.Queue, asked: leasing.Lease, places: Sequence[tuple[str, str]]
    ) -> list[Row]:
        """A transaction for each bot; one whose shard is down is in nobody's way."""
        leased: list[Row] = []
        for bot_id, most in (
            await self._read(lambda s: leasing.find(s, queue, asked, places))
        ).items():
            hosts = [host for bot, host in places if bot == bot_id]
            take = functools.partial(
                leasing.take_found, queue=queue, asked=asked, bot_id=bot_id, hosts=hosts, most=most
            )
            try:
                leased += await self._write(take)
            except StoreUnavailable as failed:
                _log.warning("work of bot %s was not leased: %s", bot_id, failed)
        return sorted(leased, key=lambda row: int(row[queue.place]))

    async def stale_messages(self, claimed_before: int, limit: int) -> list[OutboxMessage]:
        now = await self.now()
        return await self._read(lambda s: queues.stale_messages(s, claimed_before, now, limit))

    async def put_callbacks(
        self, done: Sequence[Callback], again: Sequence[Callback], dead: Sequence[Callback] = ()
    ) -> None:
        tried = [
            *(replace(each, stage=CallbackStage.DONE) for each in done),
            *(replace(each, stage=CallbackStage.DEAD) for each in dead),
            *(replace(each, stage=CallbackStage.WAITING) for each in again),
        ]
        parts = queues.by_bot(tried) if self._sharded else [tried]
        puts = [functools.partial(queues.put_callbacks, tried=part) for part in parts]
        # One bot's shard may be down: what the others' receivers took must not be posted again.
        told = await asyncio.gather(
            *(self._write(put, again=True) for put in puts), return_exceptions=True
        )
        for failed in filter(None, told):
            raise failed

    async def replay_callbacks(self, bot_id: str, callback_ids: Sequence[str]) -> int:
        now = await self.now()
        return await self._write(lambda s: queues.replay_callbacks(s, bot_id, callback_ids, now))

    async def prune(self, bot_id: str, webhooks_before: int, callbacks_before: int) -> int:
        return await self._write(
            lambda s: queues.prune(s, bot_id, webhooks_before, callbacks_before), limit=None
        )

    # The database as a whole

    async def ready(self) -> None:
        if time.monotonic() - self._ready_at > _STILL_READY:
            begun = time.monotonic()
            await self._write(lambda s: s.execute(_PROBE, str(time.time_ns())))
            self._ready_at = begun


def _weight(work: Work[Any]) -> int:
    """What a work costs: the rows that it reads, and so may write."""
    reads = work.reads
    return 1 + len(reads.identities) + len(reads.event_ids) + len(reads.messages)
