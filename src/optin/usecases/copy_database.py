"""Move all that a database holds into another one, whole and checked.

From the first moment on the source bears a mark, and no service starts on it any more: nothing can
be acknowledged that the copy would not have (R12, R13). The target bears one from then on until it
is complete: a service on less would not know who has opted out.
Rows go over in the order of their keys, so where to go on after a kill is what is there already.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field

from optin.domain.errors import Conflict, InconsistentRecord, StartupError
from optin.ports.whole import Mark, Row, Table, Whole

#: (what is being done, how much of it is done, how much there is).
Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class CopyDatabase:
    """One copy, from one run of the program. Its steps, in order: `claim`, `begin`, `run`,
    `compare`, `finish`. `rows`: of each table, as compared; `resumed`: how many of them an earlier
    run had brought over; `digests`: SHA-256 of each table's rows."""

    source: Whole
    target: Whole
    progress: Progress = lambda what, done, all_of_it: None
    rows: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    digests: dict[str, str] = field(default_factory=dict)
    _tables: list[Table] = field(default_factory=list)
    _copy_id: str = ""
    _source_mark: Mark | None = None
    _target_mark: Mark | None = None
    _untouched: bool = False

    async def claim(self, new_id: str, source_name: str, target_name: str) -> bool:
        """Marks both sides. False: this copy is complete already, and nothing is left to do.

        `new_id` names the copy if this is its first run. Raises `Conflict` if either side belongs
        to another copy, the target is not empty, or the source is in use.
        """
        held, begun = await self.source.mark(), await self.target.mark()
        self._copy_id = held.copy_id if held else new_id
        self._source_mark = Mark(self._copy_id, "source", target_name)
        self._target_mark = Mark(self._copy_id, "target", source_name)
        if held not in {None, self._source_mark}:
            raise Conflict(_sentence(source_name, held))
        if begun not in {None, self._target_mark}:
            raise Conflict(_sentence(target_name, begun))
        if held and await self.target.made_by() == self._copy_id:
            return False
        if begun is None and await self.target.meta():
            raise Conflict(f"The database {target_name} is not empty: a copy needs a new one.")
        await self.source.freeze(self._source_mark)
        if begun is None:
            await self._mark_target(self._target_mark, new=held is None)
        there = [await self.target.last(table) for table in await self.target.tables()]
        self._untouched = not any(there)
        return True

    async def _mark_target(self, mark: Mark, *, new: bool) -> None:
        try:
            await self.target.begin(mark)
        except Conflict:
            if new:
                await self.source.release()
            raise

    async def give_back(self) -> None:
        """Takes both marks away unless a row has been copied, in this run or an earlier one. The
        source's last: as long as it is there, the same copy can be gone on with."""
        if self._untouched:
            await self.target.release()
            await self.source.release()

    async def begin(self) -> None:
        """Takes over what is not copied row by row. Raises `StartupError` if the two have not the
        same tables."""
        self._tables = await self.source.tables()
        if self._tables != await self.target.tables():
            raise StartupError("The two databases have not the same tables: run `optin migrate`.")
        self._untouched = False
        await self.target.take_over(await self.source.meta())

    async def run(self) -> None:
        """Brings over the rows that are not there yet."""
        lasts = {table.name: await self.target.last(table) for table in self._tables}
        total = sum([await self.source.count(table) for table in self._tables])
        done = sum([await self.target.count(table) for table in self._tables])
        self.resumed = done
        for table in self._tables:
            async for page in _ahead(self.source, table, lasts[table.name]):
                await self.target.add(table, page)
                done += len(page)
                self.progress("Copying", done, total)
        await self.target.settle()

    async def compare(self) -> None:
        """Reads both sides again, to the last byte. Raises `InconsistentRecord` if they differ."""
        total = 2 * sum([await self.source.count(table) for table in self._tables])
        read = 0

        def tell(rows: int) -> None:
            nonlocal read
            read += rows
            self.progress("Comparing", read, total)

        for table in self._tables:
            (digest, rows), (other, others) = await asyncio.gather(
                _digest(self.source, table, tell), _digest(self.target, table, tell)
            )
            if digest != other:
                raise InconsistentRecord(
                    f"Table {table.name} is not the same on both sides ({rows} and {others} rows)."
                )
            self.rows[table.name], self.digests[table.name] = rows, digest

    async def finish(self, writers: Collection[int]) -> None:
        """Makes the target a database that can be served. `writers`: of all chains.

        Raises `Conflict` if the source has been given back meanwhile, `InconsistentRecord` if what
        is not copied row by row differs.
        """
        assert self._target_mark is not None  # noqa: S101 - `claim` came before
        if await self.source.meta() != await self.target.meta():
            raise InconsistentRecord("Table meta is not the same on both sides.")
        if await self.source.mark() != self._source_mark:
            raise Conflict("The source was given back while it was copied: copy to a new target.")
        await self.target.finish(self._target_mark, writers)


async def _ahead(whole: Whole, table: Table, after: Row | None) -> AsyncIterator[list[Row]]:
    """Pages in order; the next one is read while this one is used."""
    page = await whole.page(table, after)
    while page:
        following = asyncio.ensure_future(whole.page(table, table.key_of(page[-1])))
        try:
            yield page
        except BaseException:
            following.cancel()
            raise
        page = await following


async def _digest(whole: Whole, table: Table, tell: Callable[[int], None]) -> tuple[str, int]:
    digest, rows = hashlib.sha256(), 0
    after: Row | None = None
    while page := await whole.page(table, after):
        for row in page:
            digest.update(repr(row).encode())
        rows += len(page)
        after = table.key_of(page[-1])
        tell(len(page))
    return digest.hexdigest(), rows


def _sentence(name: str, mark: Mark | None) -> str:
    """Why a database that bears another copy's mark is left alone."""
    whose = f"the {mark.role} of a copy whose other side is {mark.other}" if mark else "none"
    return f"The database {name} is {whose}: this copy leaves it alone."
