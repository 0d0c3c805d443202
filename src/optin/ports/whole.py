"""A database as a whole, for moving it: every row of every table, as it lies there.

Nothing is judged and nothing is folded here. What is moved is named once, for all stores, so that
any of them can be copied to any. Every method raises `StoreUnavailable` when the database cannot
answer, and then nothing was changed (R12).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeAlias

#: Under this key of `meta` lies the `Mark` of a database that must not be used.
MARK = "copy"
#: Under this one lies, for good, the id of the copy that the database was made by.
MADE_BY = "made_by_copy"

Row: TypeAlias = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Mark:
    """Why a database must not be used: it is the `role` of a copy, "source" or "target".

    `copy_id` is the same on both sides; `other` is what people may see of the other's address.
    """

    copy_id: str
    role: str
    other: str

    def to_json(self) -> str:
        """As it lies in `meta`."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, kept: str | None) -> Mark | None:
        """The mark that lies there; one that is not readable is a mark all the same (R12)."""
        if not kept:
            return None
        try:
            return cls(**json.loads(kept))
        except (ValueError, TypeError):
            return cls("", "", "")


@dataclass(frozen=True, slots=True)
class Table:
    """One table: all its columns, and which of them are its key, in the key's order."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    def key_of(self, row: Row) -> Row:
        """The key of a row."""
        return tuple(row[self.columns.index(name)] for name in self.key)


class Whole(Protocol):
    """One database, migrated, as a whole. Values are int, str, bytes or None."""

    async def tables(self) -> list[Table]:
        """All that are copied, in the order in which they are; columns by name."""

    async def count(self, table: Table) -> int:
        """How many rows it has."""

    async def last(self, table: Table) -> Row | None:
        """The key that is behind all others, byte by byte; None if there is no row."""

    async def page(self, table: Table, after: Row | None) -> list[Row]:
        """Rows in the order of their keys from behind `after`, None for the first; as many as
        fit into some MiB. None left: an empty page."""

    async def meta(self) -> dict[str, str]:
        """What belongs to the content of `meta`: neither the schema's version, nor what a copy
        has put there."""

    async def mark(self) -> Mark | None:
        """The mark that it bears."""

    async def made_by(self) -> str:
        """The id of the copy that made it; "" if none did, or it is not complete."""

    async def freeze(self, mark: Mark) -> None:
        """Marks it as a source, in one commit, so that nothing is committed to it afterwards by
        what honours the mark. Raises `Conflict`, and marks nothing, while anybody uses it."""

    async def release(self) -> None:
        """Takes the mark away."""

    async def begin(self, mark: Mark) -> None:
        """Marks it as a target, in one commit. Raises `Conflict` if there is anything in it, or
        ever was a service on it."""

    async def take_over(self, meta: Mapping[str, str]) -> None:
        """Puts the source's `meta` there, in one commit."""

    async def add(self, table: Table, rows: Sequence[Row]) -> None:
        """Adds whole rows, in one commit. Raises `InconsistentRecord` if they cannot be kept."""

    async def settle(self) -> None:
        """All rows are there: whatever makes reading them quick."""

    async def finish(self, mark: Mark, writers: Collection[int]) -> None:
        """Takes the mark away and keeps the copy's id, in one commit: from now on it can be served.
        `writers`: of the chains that there are, each to be gone on with from its head (R14)."""

    async def close(self) -> None:
        """Closes the database."""
