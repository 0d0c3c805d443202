"""Works on jobs: rows in their order, a few hundred in one commit, so that nobody waits for them.

Whoever dies in the middle loses nothing: progress is in the commit of the rows, another process
reads the body again from its beginning, passes over what is done, and goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from optin.domain.errors import Conflict, InvalidInput, NotFound, OptinError
from optin.domain.lists.rows import Row
from optin.ports.imports import ImportJob, ImportKind, ImportState
from optin.ports.stopping import Stopped, never
from optin.ports.store import Store
from optin.usecases.import_list.planning import INVALID, Plan
from optin.usecases.import_list.preparing import Prepared, Preparing
from optin.usecases.import_list.undoing import Undoing
from optin.usecases.import_list.works import LEASE, MOST_REJECTED, End, NoteRows, RecordRows, Step

_log = logging.getLogger(__name__)

#: Rows of one commit: a live opt-out waits for two of them at most.
AT_ONCE = 500
#: Jobs that one process works on at the same time.
_JOBS = 4
#: Pieces of a body that are deleted in one commit.
_PIECES = 16

Heard = Callable[[ImportJob], None]


def _unheard(_: ImportJob) -> None:
    """Nobody looks at the progress."""


@dataclass(slots=True, eq=False)
class RunImports:
    """One process's share of the jobs. `claimant` names it."""

    store: Store
    claimant: str

    async def __call__(self, stopped: Stopped = never) -> int:
        """Works until nothing waits, or `stopped`; how many jobs ended. One fault ends no other.

        When stopped, each job ends behind the commit that is under way; others go on with it.
        """
        under_way: dict[asyncio.Task[ImportJob], str] = {}
        ended = 0
        while True:
            while len(under_way) < _JOBS and not stopped():
                job = await self.store.lease_import(self.claimant, LEASE, set(under_way.values()))
                if job is None:
                    break
                under_way[asyncio.create_task(self.run(job, stopped=stopped))] = job.bot_id
            if not under_way:
                return ended
            done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                bot_id = under_way.pop(task)
                ended += self._ended(task, bot_id)

    def _ended(self, task: asyncio.Task[ImportJob], bot_id: str) -> bool:
        try:
            return task.result().is_over
        except OptinError as why:
            _log.warning("an import of bot %s was interrupted: %s", bot_id, why)
        except Exception:  # noqa: BLE001 - and whatever happens to itself
            _log.exception("an import of bot %s was interrupted", bot_id)
        return False

    async def lease(self, job: ImportJob) -> ImportJob | None:
        """Takes up this very job, if no other process has it."""
        now = await self.store.now()
        if job.is_over or (job.leased_until > now and job.claimant != self.claimant):
            return None
        taken = replace(
            job, state=ImportState.RUNNING, claimant=self.claimant, leased_until=now + LEASE
        )
        await self.store.put_import(taken)
        return taken

    async def run(
        self, job: ImportJob, heard: Heard = _unheard, stopped: Stopped = never
    ) -> ImportJob:
        """Works on a job that is leased to us, to its end or until `stopped`. `heard` is called
        after each commit. Raises `Conflict` if another process has gone on with it, and whatever
        the store does; then it waits to be leased again."""
        try:
            steps = self._undone if job.kind is ImportKind.UNDO else self._rows_done
            async for now in steps(job):
                job = now
                heard(job)
                if stopped():
                    return await self._given_back(job)
        except (Conflict, NotFound):
            raise
        except InvalidInput as wrong:
            return await self._end(job, ImportState.FAILED, str(wrong))
        return await self._end(job, ImportState.DONE)

    async def _end(self, job: ImportJob, state: ImportState, error: str = "") -> ImportJob:
        ended = await self.store.commit(End(_step(job), state, error))
        while await self.store.drop_import_body(job.bot_id, job.import_id, _PIECES):
            pass
        return ended

    async def _given_back(self, job: ImportJob) -> ImportJob:
        waiting = replace(job, claimant="", leased_until=0, state=ImportState.WAITING)
        await self.store.put_import(waiting)
        return waiting

    async def _undone(self, job: ImportJob) -> AsyncIterator[ImportJob]:
        taken = await self.store.imported(job.bot_id, job.of)
        if taken is None:
            raise InvalidInput("The import is not there any more.")
        undoing = Undoing(self.store, job, taken)
        while (now := await undoing.step(job)) is not None:
            job = now
            yield job

    async def _rows_done(self, job: ImportJob) -> AsyncIterator[ImportJob]:
        preparing = Preparing(job)
        plan = Plan(job.import_id)
        plan.counts.update(job.counts)
        coming = self._prepared(preparing, job)
        rows = await anext(coming, None)
        while rows is not None:
            committing = asyncio.create_task(self._commit(job, preparing, plan, rows))
            try:
                rows = await anext(coming, None)
            finally:
                job = await committing
            yield job

    async def _commit(
        self, job: ImportJob, preparing: Preparing, plan: Plan, rows: list[Prepared]
    ) -> ImportJob:
        shape = preparing.reader.shape
        told = shape.told() if shape else {}
        if not job.dry_run:
            return await self.store.commit(RecordRows(_step(job), tuple(rows), told))
        before, shown = plan.counts.copy(), len(plan.examples)
        invalid = await plan.add(self.store, job.bot_id, rows)
        kept = {row.number: row for row in plan.examples[shown:]}
        if plan.counts[INVALID] <= MOST_REJECTED:
            kept |= {row.number: row for row in invalid}
        work = NoteRows(
            _step(job), rows[-1].number, plan.counts - before, tuple(kept.values()), told
        )
        return await self.store.commit(work)

    async def _prepared(
        self, preparing: Preparing, job: ImportJob
    ) -> AsyncIterator[list[Prepared]]:
        """The rows that are not done yet, in groups. What costs time runs beside the event loop."""
        waiting: list[Row] = []
        async for rows in self._rows(preparing, job):
            waiting += (row for row in rows if row.number > job.rows)
            while len(waiting) >= AT_ONCE:
                some, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
                yield await asyncio.to_thread(preparing.prepare, some)
        if waiting:
            yield await asyncio.to_thread(preparing.prepare, waiting)

    async def _rows(self, preparing: Preparing, job: ImportJob) -> AsyncIterator[list[Row]]:
        piece = 0
        while (data := await self.store.import_body(job.bot_id, job.import_id, piece)) is not None:
            yield await asyncio.to_thread(preparing.reader.feed, data)
            piece += 1
        yield await asyncio.to_thread(preparing.reader.finish)


def _step(job: ImportJob) -> Step:
    return Step(job.bot_id, job.import_id, job.claimant, job.rows, job.cursor)
