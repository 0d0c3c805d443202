"""`Store.forget`, `retain` and `compact` on PostgreSQL (R15, R16)."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence

from optin.domain.errors import NotFound
from optin.domain.retention import Horizons
from optin.ports.records import Erased, Erasing
from optin.stores.batch import Rows
from optin.stores.digests import Digests
from optin.stores.postgres import clearing, erasing, partitions, retaining
from optin.stores.postgres.commits import Commits
from optin.stores.postgres.connection import CLOCK, Row, Session, Sessions, snapshot
from optin.stores.postgres.errors import SlotHeld, store_errors
from optin.stores.postgres.ledgers import PostgresLedger
from optin.stores.postgres.writers import Writer

_WAS_THERE = "SELECT 1 FROM bots WHERE bot_id = $1"


class PostgresErasure(PostgresLedger):
    """Forgets contacts and cuts ledgers."""

    _url: str
    _sharded: bool
    _digests: Digests
    _lanes: Sequence[Commits]

    def _lane(self, bot_id: str) -> int:
        """A bot is always on the same lane: its works stay in their order."""
        return zlib.crc32(bot_id.encode()) % len(self._lanes)

    async def forget(self, bot_id: str, identity: str, asked: Erasing) -> Erased:
        """Bodies are cleared before, too: a repetition could no longer tell whom they name."""
        if not await self._read(lambda s: s.fetchval(_WAS_THERE, bot_id)):
            raise NotFound("There never was such a bot.")

        async def known(session: Session) -> frozenset[str]:
            return await erasing.scope_of(session, Rows(self._digests.of), bot_id, identity)

        scope = await self._snapshot(known)
        cleared = await self._clear(bot_id, scope, await self.now())
        done = await self._lanes[self._lane(bot_id)].transact(
            bot_id, lambda under_way: erasing.forget(under_way, bot_id, identity, asked)
        )
        cleared += await self._clear(bot_id, done.scope, done.at)
        return Erased(done.at, len(done.scope), done.entries, done.records + cleared)

    async def _clear(self, bot_id: str, scope: frozenset[str], until: int) -> int:
        """Over a connection of its own: it reads all bodies there are."""
        aside, gone = Sessions(self._url, 1), 0

        async def look(session: Session) -> dict[str, list[Row]]:
            async with snapshot(session, limit=None):
                return await clearing.naming(session, bot_id, scope, until)

        try:
            with store_errors():
                found = await aside.run(look, again=True)
                for table, keys in found.items():
                    clear = functools.partial(clearing.clear, bot_id=bot_id, table=table, keys=keys)
                    gone += await aside.run(clear, again=True)
        finally:
            await aside.close()
        return gone

    async def retain(self, bot_id: str, until: Horizons) -> int | None:
        """Cuts this process's own chains, and those of writers that are gone."""
        held = [lane for lane in self._lanes if lane.writer.is_held]
        for lane in held:
            gone = await _cut(lane, bot_id, until)
            if gone is not None:
                return gone
        own = {lane.writer.slot for lane in self._lanes}
        for writer in await self.chain_writers(bot_id):
            if writer not in own:
                gone = await self._cut_for(writer, bot_id, until)
                if gone is not None:
                    return gone
        return None

    async def _cut_for(self, writer: int, bot_id: str, until: Horizons) -> int | None:
        """In the place of a writer that is gone; one that is not cuts its chains itself."""
        only = Writer(writer, sharded=self._sharded)
        lane = Commits(self._url, self._seal, self._digests, self._clock, only)
        try:
            return await _cut(lane, bot_id, until)
        except SlotHeld:
            return None
        finally:
            await lane.close()

    async def keep_room(self) -> None:
        """By the database's own clock, as the ids of what comes are."""
        aside = Sessions(self._url, 1)
        try:
            with store_errors():
                await aside.run(_keep_parts, again=True)
        finally:
            await aside.close()

    async def compact(self) -> None:
        aside = Sessions(self._url, 1)
        try:
            with store_errors():
                await aside.run(erasing.compact)
        finally:
            await aside.close()


async def _keep_parts(session: Session) -> int:
    return await partitions.keep(session, await session.fetchval(f"SELECT {CLOCK}"))


async def _cut(lane: Commits, bot_id: str, until: Horizons) -> int | None:
    try:
        return await lane.transact(
            bot_id, lambda under_way: retaining.cut(under_way, bot_id, until)
        )
    except retaining.NothingToCut:
        return None
