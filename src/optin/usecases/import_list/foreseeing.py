"""A dry run beside the store's jobs: a list is read, and what it would do is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from optin.domain.lists.rows import Row
from optin.ports.imports import ImportJob, ImportRow
from optin.ports.store import Store
from optin.usecases.import_list.planning import Plan
from optin.usecases.import_list.preparing import Preparing

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Foresee:
    """Says what a list would do. `rejected` gets the rows that are not taken."""

    store: Store
    rejected: Callable[[Sequence[ImportRow]], None]

    async def __call__(
        self, job: ImportJob, body: AsyncIterator[bytes]
    ) -> tuple[Plan, dict[str, Any]]:
        """The plan, and what was found of the file's form. Raises `InvalidList`."""
        preparing, plan = Preparing(job), Plan(job.import_id)
        waiting: list[Row] = []
        async for data in body:
            waiting += await asyncio.to_thread(preparing.reader.feed, data)
            while len(waiting) >= _AT_ONCE:
                await self._some(job, preparing, plan, waiting[:_AT_ONCE])
                del waiting[:_AT_ONCE]
        waiting += await asyncio.to_thread(preparing.reader.finish)
        for begin in range(0, len(waiting), _AT_ONCE):
            await self._some(job, preparing, plan, waiting[begin : begin + _AT_ONCE])
        shape = preparing.reader.shape
        return plan, dict(shape.told()) if shape else {}

    async def _some(
        self, job: ImportJob, preparing: Preparing, plan: Plan, rows: Sequence[Row]
    ) -> None:
        prepared = await asyncio.to_thread(preparing.prepare, rows)
        self.rejected(await plan.add(self.store, job.bot_id, prepared))
