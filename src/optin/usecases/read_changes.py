"""The feed of the ledger: every entry once, in an order that stays, without a gap (SPEC 6).

A cursor is a position in each writer's chain. A chain grows at its end alone, one commit at a time,
so whoever goes on from a position misses nothing, however many write at once.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from optin.domain.entries import Entry
from optin.domain.errors import Gone, InconsistentRecord, NotFound
from optin.domain.events import Kind
from optin.ports.ledger import Position
from optin.ports.store import Store

_BEHIND = b"\xff" * 17


class Reached(NamedTuple):
    """How far a chain was read: up to this place of this commit. `start`: the commit that it was
    read from; what a checkpoint carries from before is new to this reader (R16)."""

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
        more = any(page.full for page in pages)
        told: list[Entry] = []
        for entry, is_new in heapq.merge(*(page.rows for page in pages), key=_order):
            if len(told) == limit:
                more = True
                break
            start = reached[entry.writer].start
            reached[entry.writer] = Reached(entry.seq, entry.place, start)
            if is_new and (messages or not entry.is_message):
                told.append(entry)
        return Changes(told, reached, more)

    async def _of(self, bot_id: str, writer: int, reached: Reached | None, limit: int) -> _Page:
        oldest = await self.store.chain_commits(bot_id, writer, 0, 1)
        head = await self.store.chain_head(bot_id, writer)
        if not oldest or head is None:
            return _Page(writer, None, [], full=False)
        first = oldest[0].commit.seq
        begin = reached or Reached(first - 1, 2**62, first)
        if begin.seq + 1 < first:
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
        return _Page(writer, begin, rows, full=len(found) == limit)

    async def _cut_through(self, bot_id: str, entry: Entry) -> int:
        """The last commit that the checkpoint cut off which the entry's commit is; 0 if none."""
        first = entry
        if entry.place:
            first = (await self.store.leaves(bot_id, entry.writer, entry.seq))[0].entry
        if first.kind != Kind.CHECKPOINT.value:
            return 0
        try:
            return int(json.loads(first.evidence)["through"])
        except (ValueError, TypeError, KeyError):
            raise InconsistentRecord("A checkpoint of the ledger is not readable.") from None


@dataclass(frozen=True, slots=True)
class _Page:
    """Entries of one chain, each with whether the reader has not had it."""

    writer: int
    begin: Reached | None
    rows: list[tuple[Entry, bool]]
    full: bool


def _is_new(entry: Entry, through: int, start: int) -> bool:
    """What a checkpoint carries was there before, and was read by whoever began before its cut."""
    if entry.kind == Kind.CHECKPOINT.value:
        return False
    return through == 0 or through < start


def _order(row: tuple[Entry, bool]) -> tuple[int, int]:
    return row[0].recorded, row[0].writer
