"""Group commit on PostgreSQL: one transaction for all that waits, tried until its outcome is known.

Directory changes and commits keep apart by an advisory lock: a commit sees settings as of now, and
nothing of a bot that was removed. A batch whose COMMIT was not answered is asked for by its number
(`Writer`): it is done again only if it is certain that it was not done. On shards there is a
transaction for each bot.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg

from optin.domain.bots import Bot
from optin.domain.errors import InconsistentRecord, StoreUnavailable
from optin.ports.store import Work
from optin.stores.batch import Batch, Rows
from optin.stores.digests import Digests
from optin.stores.ledger import Head
from optin.stores.postgres import directory, errors
from optin.stores.postgres.connection import AGAIN_FOR, Session, Sessions, transaction
from optin.stores.postgres.directory import DirectoryCopy
from optin.stores.postgres.errors import BadData
from optin.stores.postgres.loading import load
from optin.stores.postgres.saving import as_read, save
from optin.stores.postgres.writers import Writer
from optin.stores.seal import Seal

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: How long an outcome that was not seen is asked for: longer than a failover takes, in seconds.
ASK_FOR = 45.0


class _NothingToWrite(Exception):
    """The works only looked: there is nothing to commit."""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A transaction that is under way, and what all that happens in it needs.

    `first_seen`: the newest database time that was known when a try of it was lost with its
    connection: whoever waited for it may have given up since (R3)."""

    session: Session
    writer: Writer
    seal: Seal
    copy: DirectoryCopy
    digest: Callable[[str, str], str]
    clock: Callable[[], int] | None
    first_seen: int | None = None

    async def now(self) -> int:
        """The database's clock; the copy of the directory is as of now afterwards."""
        read = await directory.compare(self.session, self.copy)
        return self.clock() if self.clock else read

    async def bots(self, bot_ids: Collection[str]) -> dict[str, Bot | None]:
        """These bots as of this transaction; call `now` before."""
        return await directory.look_up_bots(self.session, self.seal, self.copy, bot_ids)


#: What happens in one transaction: (its answer, where the chains stand afterwards).
Act = Callable[[UnderWay], Awaitable[tuple[T, Mapping[str, Head]]]]


class Commits:
    """Runs one group of works after another, on a connection of its own."""

    def __init__(
        self,
        url: str,
        seal: Seal,
        digests: Digests,
        clock: Callable[[], int] | None,
        writer: Writer,
    ) -> None:
        self._sessions = Sessions(url, 1)
        self._seal = seal
        self._digests = digests
        self._clock = clock
        self._copy = DirectoryCopy()
        self._alone = asyncio.Lock()
        self.writer = writer

    async def run(self, works: Sequence[Work[Any]], again_for: float | None = None) -> list[Any]:
        """An answer or an exception for each work. Raises `StoreUnavailable` for all of them.
        `again_for`: see `transact`."""
        bots = dict.fromkeys(work.bot_id for work in works)
        if self.writer.sharded and len(bots) > 1:
            return await self._bot_by_bot(works, bots)
        try:
            return await self.transact(works[0].bot_id, lambda tx: _group(tx, works), again_for)
        except _NothingToWrite as looked:
            return list(looked.args[0])
        except (BadData, InconsistentRecord) as refused:
            if len(works) == 1:
                return [refused]
        # One of them is bad: each on its own, so that the others are not lost with it.
        return [await self._one(work) for work in works]

    async def _bot_by_bot(self, works: Sequence[Work[Any]], bots: Iterable[str]) -> list[Any]:
        """On shards a transaction is about one bot, so that it ends on one node, in one phase: the
        second of two may come after the acknowledgement (R6). Once one has failed, the others
        have a single try: a lost node has many bots, and each one's wait is its neighbours'."""
        answers: dict[int, Any] = {}
        again_for = None
        for bot_id in bots:
            places = [place for place, work in enumerate(works) if work.bot_id == bot_id]
            try:
                told = await self.run([works[place] for place in places], again_for)
            except StoreUnavailable as failed:
                told, again_for = [failed] * len(places), 0.0
            answers.update(zip(places, told, strict=True))
        return [answers[place] for place in range(len(works))]

    async def _one(self, work: Work[Any]) -> Any:
        """One work's answer: a failure of the store now is not that of what is committed."""
        try:
            return (await self.run([work]))[0]
        except StoreUnavailable as failed:
            return failed

    async def transact(self, bot_id: str, act: Act[T], again_for: float | None = None) -> T:
        """One transaction that writes, tried until it is certain that it was or was not committed.

        `bot_id`: whom it is about; on shards, nobody else. `act` may run more than once.
        `again_for`: seconds, in place of `AGAIN_FOR`.
        Raises what it raises, `BadData` if the database refuses what was written, and
        `StoreUnavailable`.
        """
        with errors.store_errors():
            try:
                return await self._insist(bot_id, act, again_for)
            except Exception as failed:
                if errors.is_bad_data(failed):
                    told = errors.told(failed)
                    raise BadData(f"The database refused the data: {told}.") from failed
                raise

    async def close(self) -> None:
        """Gives the slot back and closes the connection."""
        try:
            if self.writer.is_held:
                async with self._sessions.session() as session:
                    await self.writer.leave(session)
        except Exception as failed:  # noqa: BLE001 - the lease runs out by itself
            _log.debug("the writer's slot was not given back: %r", failed)
        await self._sessions.close()

    async def _insist(self, bot_id: str, act: Act[T], again_for: float | None) -> T:
        """Tries again what certainly was not committed and may go through next time."""
        patience = AGAIN_FOR if again_for is None else again_for
        deadline = asyncio.get_running_loop().time() + patience
        pause, outrun = 0.02, 0
        first_seen: int | None = None
        while True:
            try:
                async with self._alone:
                    return await self._once(bot_id, act, first_seen)
            except Exception as failed:
                self.writer.forget()
                if first_seen is None and errors.is_lost(failed):
                    first_seen = self._newest_seen()  # as the try that was lost read it
                outrun += isinstance(failed, errors.TAKEN)
                if not _may_go_through(failed, outrun):
                    raise
                if asyncio.get_running_loop().time() + pause > deadline:
                    raise
                _log.info("a commit is tried again: %s", errors.told(failed))
            await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - spreads tries
            pause = min(2 * pause, 0.5)

    def _newest_seen(self) -> int | None:
        return self._clock() if self._clock else self._copy.newest_seen

    async def _once(self, bot_id: str, act: Act[T], first_seen: int | None) -> T:
        done: list[tuple[T, Mapping[str, Head]]] = []
        number = 0
        try:
            async with self._sessions.session() as session:
                if not self.writer.is_held:
                    await self.writer.take(session)
                await self.writer.renew(session)
                async with transaction(session, directory.SHARED):
                    await self.writer.check(session)
                    done.append(await act(self._under_way(session, first_seen)))
                    number = await self.writer.mark(session, bot_id)
        except errors.CommitUnknown as unknown:
            if not done or not await self._was_committed(bot_id, number, unknown):
                raise ConnectionError("the commit was lost with its connection") from unknown
            self.writer.forget()
            return done[0][0]
        answer, heads = done[0]
        self.writer.moved(heads)
        return answer

    def _under_way(self, session: Session, first_seen: int | None) -> UnderWay:
        digest = functools.cache(self._digests.of)
        known = (self._seal, self._copy, digest, self._clock)
        return UnderWay(session, self.writer, *known, first_seen)

    async def _was_committed(self, bot_id: str, number: int, unknown: errors.CommitUnknown) -> bool:
        """Asks until the server says so. Raises `CommitUnknown` if it does not."""
        _log.warning("a commit's outcome was not seen (%s); asking for it", errors.told(unknown))
        deadline = asyncio.get_running_loop().time() + ASK_FOR
        while asyncio.get_running_loop().time() < deadline:
            try:
                async with self._sessions.session() as session:
                    known = await self.writer.was_committed(session, bot_id, number)
                if known is None:
                    break
                return known
            except (asyncpg.PostgresError, *errors.LOST, errors.CommitUnknown) as failed:
                _log.info("the outcome is not known yet: %s", errors.told(failed))
            await asyncio.sleep(0.1 + 0.2 * random.random())  # noqa: S311 - only spreads tries
        self.writer.lose()
        raise unknown


async def _group(
    under_way: UnderWay, works: Sequence[Work[Any]]
) -> tuple[list[Any], Mapping[str, Head]]:
    """Read, fold, write: all the works of one batch."""
    session = under_way.session
    loaded = Rows(under_way.digest)
    blanks = await load(session, loaded, works)
    now = await under_way.now()
    loaded.bots = await under_way.bots({work.bot_id for work in works})
    before = as_read(loaded)
    batch = Batch(now, loaded, under_way.first_seen)
    answers = [batch.attempt(work) for work in works]
    if not batch.writes:
        raise _NothingToWrite(answers)
    return answers, await save(session, under_way.writer, before, batch.writes, blanks)


def _may_go_through(failed: Exception, outrun: int) -> bool:
    if isinstance(failed, errors.TAKEN):
        return outrun <= 3  # else it is the data
    again = isinstance(failed, (*errors.ROLLED_BACK, errors.SlotLost))
    return again or errors.is_lost(failed)
