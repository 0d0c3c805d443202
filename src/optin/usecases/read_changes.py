"""The feed of the ledger: every entry once, in an order that stays, without a gap (SPEC 6).

A cursor is a position in each writer's chain. A chain grows at its end alone, one commit at a time,
so whoever goes on from a position misses nothing, however many write at once.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from optin.domain.entries import Entry
from optin.domain.errors import Gone, InconsistentRecord, NotFound, StoreUnavailable
from optin.domain.events import Kind
from optin.ports.ledger import Position
from optin.ports.store import Store

#: A place behind all of a commit.
WHOLE = 2**62

_BEHIND = b"\xff" * 17
#: Times that a chain is read if it is cut meanwhile.
_TRIES = 8


class Reached(NamedTuple):
    """How far a chain was read: up to this place of this commit, `WHOLE` if to its end. `start`:
    the commit that it was read from; what a checkpoint carries from before is new to this reader
    (R16)."""

    seq: int
    place: int
    start: int


Cursor = Mapping[int, Reached]


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of the feed. `cursor`: where the next one begins; `more`: whether it has something."""

    entries: list[Entry]
    cursor: Cursor
    more: bool


@dataclass(frozen=True, slots=True)
class ReadChanges:
    """Reads the feed."""

    store: Store

    async def page(self, bot_id: str, after: Cursor, limit: int, *, messages: bool) -> Changes:
        """Up to `limit` entries from behind `after`, {} for the first; with or without contacts'
        messages. Raises `NotFound` for an unknown bot, `Gone` if retention was faster (R16)."""
        if await self.store.bot(bot_id) is None:
            raise NotFound("There is no such bot.")
        writers = await self.store.chain_writers(bot_id)
        pages = [await self._of(bot_id, writer, after.get(writer), limit) for writer in writers]
        reached = dict(after) | {page.writer: page.begin for page in pages if page.begin}
        whole = {(page.writer, seq) for page in pages for seq in page.whole}
        left = Counter((page.writer, entry.seq) for page in pages for entry, _ in page.rows)
        more = any(page.full for page in pages)
        told: list[Entry] = []
        for entry, is_new in heapq.merge(*(page.rows for page in pages), key=_order):
            if len(told) == limit:
                more = True
                break
            start, commit = reached[entry.writer].start, (entry.writer, entry.seq)
            left[commit] -= 1
            at_end = not left[commit] and commit in whole
            reached[entry.writer] = Reached(entry.seq, WHOLE if at_end else entry.place, start)
            if is_new and (messages or not entry.is_message):
                told.append(entry)
        return Changes(told, reached, more)

    async def _of(self, bot_id: str, writer: int, reached: Reached | None, limit: int) -> _Page:
        """Of one chain, as it was between two looks at its beginning that agree."""
        first = await self._first(bot_id, writer)
        for _ in range(_TRIES):
            page = await self._read(bot_id, writer, reached, limit, first)
            before, first = first, await self._first(bot_id, writer)
            if first == before:
                return page
        raise StoreUnavailable("The ledger is being cut; try again.")

    async def _first(self, bot_id: str, writer: int) -> int | None:
        """The first commit that there is."""
        oldest = await self.store.chain_commits(bot_id, writer, 0, 1)
        return oldest[0].commit.seq if oldest else None

    async def _read(
        self, bot_id: str, writer: int, reached: Reached | None, limit: int, first: int | None
    ) -> _Page:
        head = await self.store.chain_head(bot_id, writer)
        if first is None or head is None:
            return _Page(writer, None, [], frozenset(), full=False)
        begin = reached or Reached(first - 1, WHOLE, first)
        if begin.seq + 1 < first or (begin.seq < first and begin.place != WHOLE):
            raise Gone("What came behind this cursor has left the ledger. Begin without one.")
        behind = Position(begin.seq, begin.place, _BEHIND)
        found = await self.store.chain_entries(bot_id, writer, behind, head.commit.seq, limit)
        through: dict[int, int] = {}
        rows = []
        for stored in found:
            entry = stored.entry
            if entry.seq not in through:
                through[entry.seq] = await self._cut_through(bot_id, entry)
            rows.append((entry, _is_new(entry, through[entry.seq], begin.start)))
        full = len(found) == limit
        whole = set(through)
        if full and not await self._is_last(bot_id, found[-1].entry):
            whole.discard(found[-1].entry.seq)
        return _Page(writer, begin, rows, frozenset(whole), full)

    async def _is_last(self, bot_id: str, entry: Entry) -> bool:
        """Whether its commit has none behind it."""
        found = await self.store.chain_commits(bot_id, entry.writer, entry.seq - 1, 1)
        if not found or found[0].commit.seq != entry.seq:
            return False
        return entry.place + 1 == found[0].commit.events + found[0].commit.messages

    async def _cut_through(self, bot_id: str, entry: Entry) -> int:
        """The last commit that the checkpoint cut off which the entry's commit is; 0 if none."""
        first = entry
        if entry.place:
            leaves = await self.store.leaves(bot_id, entry.writer, entry.seq)
            first = leaves[0].entry if leaves else entry  # none: it was cut away meanwhile
        if first.kind != Kind.CHECKPOINT.value:
            return 0
        try:
            return int(json.loads(first.evidence)["through"])
        except (ValueError, TypeError, KeyError):
            raise InconsistentRecord("A checkpoint of the ledger is not readable.") from None


@dataclass(frozen=True, slots=True)
class _Page:
    """Entries of one chain, each with whether the reader has not had it. `whole`: commits that it
    has to their end."""

    writer: int
    begin: Reached | None
    rows: list[tuple[Entry, bool]]
    whole: frozenset[int]
    full: bool


def _is_new(entry: Entry, through: int, start: int) -> bool:
    """What a checkpoint carries was there before, and was read by whoever began before its cut."""
    if entry.kind == Kind.CHECKPOINT.value:
        return False
    return through == 0 or through < start


def _order(row: tuple[Entry, bool]) -> tuple[int, int]:
    return row[0].recorded, row[0].writer
