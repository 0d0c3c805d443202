"""Group commit on the one connection that writes.

What waits goes into one transaction, on the writer's thread. A commit ahead that nobody is in the
way of is made where it was asked for: the way to the thread and back takes as long as the commit,
which waits for the disk only where the log begins anew, behind a checkpoint. It waits for no lock,
and a disk that has held it up is left to the thread for a while.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from optin.domain.errors import InconsistentRecord, StoreUnavailable
from optin.ports.store import Committed, Work
from optin.stores.batch import Batch, Rows
from optin.stores.committer import Committer
from optin.stores.digests import Digests
from optin.stores.seal import Seal
from optin.stores.sqlite import batches, directory
from optin.stores.sqlite.connection import (
    LOCK_TIMEOUT,
    is_bad_data,
    is_busy,
    store_errors,
    transaction,
    unavailable,
)
from optin.stores.sqlite.writing import Writer

#: What a commit may weigh: about a tenth of a second of the write lock.
HEAVY = 2_000
#: After a commit that took so long the writer leaves the lock alone for `_GAP`, in seconds.
_LONG, _GAP = 0.02, 0.003
#: For so long nothing is committed on the loop after it was held up, in seconds.
_ELSEWHERE = 10.0


class _Asked(NamedTuple):
    """A work, and whether its caller takes the answer before the commit is on disk."""

    work: Work[Any]
    ahead: bool


class Commits:
    """What `Store.commit` and `Store.commit_ahead` are on SQLite."""

    def __init__(
        self, writer: Writer, seal: Seal, clock: Callable[[], int], digests: Digests
    ) -> None:
        self._writer = writer
        self._seal = seal
        self._clock = clock
        self._digests = digests
        self._copy = directory.DirectoryCopy()
        self._gap = 0.0
        self._unflushed: asyncio.Future[None] | None = None
        self._flushing: asyncio.Future[None] | None = None
        self._not_here_before = float("-inf")
        self.groups: Committer[_Asked, Any] = Committer(
            self._group,
            most=HEAVY,
            weigh=_weight,
            lane=lambda asked: asked.work.bot_id,
            between=self._between,
        )

    async def commit(self, work: Work[Any]) -> Any:
        """See `Store`."""
        return await self.groups.call(_Asked(work, ahead=False))

    async def commit_ahead(self, work: Work[Any]) -> Committed[Any]:
        """See `Store`."""
        if self.groups.running is None and not self._writer.under_way:
            begun = time.monotonic()
            if begun >= self._not_here_before:
                done = self._here(work)
                if (ended := time.monotonic()) - begun > _LONG:
                    self._not_here_before = ended + _ELSEWHERE
                if done is not None:
                    return done
        committed: Committed[Any] = await self.groups.call(_Asked(work, ahead=True))
        return committed

    async def idle(self) -> None:
        """Returns when nothing waits any more and all is on disk."""
        await self.groups.idle()
        if self._flushing is not None:
            await asyncio.wait([self._flushing])

    def _here(self, work: Work[Any]) -> Committed[Any] | None:
        """None: another process has the lock, and nothing was done."""
        try:
            [answer] = self._writer.run_here(partial(self._once, works=[work], wait=0.0))
        except Exception as failed:
            if is_busy(failed):
                return None
            if is_bad_data(failed):
                raise _refused(failed) from failed
            if isinstance(failed, sqlite3.Error):
                raise unavailable(failed) from failed
            raise
        if isinstance(answer, BaseException):
            raise answer
        loop = asyncio.get_running_loop()
        self._flushing = on_disk = loop.create_future()
        loop.call_soon(self._writer.flush, on_disk)  # behind what the caller does at once
        return Committed(answer, on_disk)

    async def _group(self, asked: Sequence[_Asked]) -> Sequence[Any]:
        begun = time.monotonic()
        works = [each.work for each in asked]
        ahead = all(each.ahead for each in asked)
        run = self._writer.run_unflushed if ahead else self._writer.run
        answers = await run(lambda connection: self._commit(connection, works))
        self._gap = _GAP if time.monotonic() - begun > _LONG else 0.0
        self._unflushed = asyncio.get_running_loop().create_future() if ahead else None
        return [_told(*each, self._unflushed) for each in zip(asked, answers, strict=True)]

    async def _between(self) -> None:
        """Flushes what its callers act upon already. After a long commit other processes, who wait
        for the lock, have their chance."""
        on_disk, self._unflushed = self._unflushed, None
        if on_disk is not None:
            await asyncio.sleep(0)  # they first
            self._writer.flush(on_disk)
            await asyncio.wait([on_disk])
        if self._gap:
            await asyncio.sleep(self._gap)

    def _commit(self, connection: sqlite3.Connection, works: Sequence[Work[Any]]) -> list[Any]:
        try:
            return self._once(connection, works, LOCK_TIMEOUT)
        except Exception as failed:
            if not is_bad_data(failed):
                raise
            if len(works) == 1:
                return [_refused(failed)]
        # One of them is bad: each on its own, so that the others are not lost with it.
        return [self._alone(connection, work) for work in works]

    def _alone(self, connection: sqlite3.Connection, work: Work[Any]) -> Any:
        """One work's answer: a failure of the store now is not that of what is committed."""
        try:
            with store_errors():
                return self._commit(connection, [work])[0]
        except StoreUnavailable as failed:
            return failed

    def _once(
        self, connection: sqlite3.Connection, works: Sequence[Work[Any]], wait: float
    ) -> list[Any]:
        with transaction(connection, wait):
            copy = self._copy
            copy.compare(connection)
            rows = Rows(self._digests.of, has_erased=copy.has_erased, bots=copy.bots)
            batch = Batch(self._clock(), rows)
            answers = []
            for work in works:
                answers.append(self._attempt(connection, batch, work, alone=len(works) == 1))
            batches.save(connection, batch.writes)
        return answers

    def _attempt(
        self, connection: sqlite3.Connection, batch: Batch, work: Work[Any], *, alone: bool
    ) -> Any:
        """One work's answer. A record that cannot be read fails the works that need it, alone."""
        try:
            if work.bot_id not in batch.rows.bots:
                found = directory.bot(connection, self._seal, work.bot_id)
                batch.rows.bots[work.bot_id] = found
            batches.load(connection, batch.rows, work, self._copy.templates)
        except InconsistentRecord as broken:
            return broken
        return batch.attempt(work, alone=alone)


def _refused(failed: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"The database refused the data: {failed}.")


def _told(asked: _Asked, answer: Any, on_disk: asyncio.Future[None] | None) -> Any:
    """What the caller gets. `on_disk` is of the whole group: none cancels it for the others."""
    if not asked.ahead or isinstance(answer, BaseException):
        return answer
    return Committed(answer, on_disk and asyncio.shield(on_disk))


def _weight(asked: _Asked) -> int:
    """What a work costs the writer: the rows that it reads, and so may write."""
    reads = asked.work.reads
    return 1 + len(reads.identities) + len(reads.event_ids) + len(reads.messages)
