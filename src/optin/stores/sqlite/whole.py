"""An SQLite file as a whole, for moving it (`ports/whole.py`)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from optin.domain.errors import Conflict, InconsistentRecord, StoreUnavailable
from optin.ports.whole import MADE_BY, MARK, Mark, Row, Table
from optin.stores.sqlite.connection import (
    connect,
    is_bad_data,
    store_errors,
    transaction,
)
from optin.stores.whole import TABLES, content, page_size

_PUT = "REPLACE INTO meta VALUES (?, ?)"

T = TypeVar("T")


class SQLiteWhole:
    """One file; it must be migrated already."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: sqlite3.Connection | None = None
        self._alone = asyncio.Lock()

    async def tables(self) -> list[Table]:
        return await self._run(lambda connection: [_table(connection, name) for name in TABLES])

    async def count(self, table: Table) -> int:
        return int(await self._run(lambda c: _one(c, f"SELECT count(*) FROM {table.name}")))

    async def last(self, table: Table) -> Row | None:
        backwards = ", ".join(f"{name} DESC" for name in table.key)
        asked = f"SELECT {', '.join(table.key)} FROM {table.name} ORDER BY {backwards} LIMIT 1"
        found: Row | None = await self._run(lambda c: c.execute(asked).fetchone())
        return found

    async def page(self, table: Table, after: Row | None) -> list[Row]:
        key = ", ".join(table.key)
        places = ", ".join("?" * len(table.key))
        behind = "" if after is None else f"WHERE ({key}) > ({places})"
        asked = f"""SELECT {", ".join(table.columns)} FROM {table.name} {behind}
         ORDER BY {key} LIMIT {page_size(table)}"""
        return await self._run(lambda c: c.execute(asked, after or ()).fetchall())

    async def meta(self) -> dict[str, str]:
        return content(await self._run(_meta))

    async def mark(self) -> Mark | None:
        return Mark.read((await self._run(_meta)).get(MARK))

    async def made_by(self) -> str:
        return (await self._run(_meta)).get(MADE_BY, "")

    async def freeze(self, mark: Mark) -> None:
        """A connection in WAL mode holds a lock for as long as it is open, and one that wants the
        file for itself is refused until there is no other: a service, a command, another copy."""
        await self._exclusively(_PUT, MARK, mark.to_json())

    async def release(self) -> None:
        await self._exclusively("DELETE FROM meta WHERE key = ?", MARK)

    async def _exclusively(self, statement: str, *values: str) -> None:
        await self.close()
        async with self._alone:
            await asyncio.to_thread(self._alone_in_file, statement, values)

    def _alone_in_file(self, statement: str, values: Sequence[str]) -> None:
        connection = sqlite3.connect(self._path, timeout=1.0, isolation_level=None)
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA synchronous = FULL")
            with transaction(connection):
                connection.execute(statement, values)
        except sqlite3.Error as failed:
            if failed.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise _in_use(self._path) from None
            raise StoreUnavailable(f"The database did not answer: {failed}.") from failed
        finally:
            connection.close()

    async def begin(self, mark: Mark) -> None:
        def put_mark(connection: sqlite3.Connection) -> None:
            if _meta(connection) or any(_one(connection, _any(name)) for name in TABLES):
                raise Conflict(f"The database {self._path} is not empty: a copy needs a new file.")
            connection.execute(_PUT, (MARK, mark.to_json()))

        await self._run(_written(put_mark))

    async def take_over(self, meta: Mapping[str, str]) -> None:
        await self._run(_written(lambda c: c.executemany(_PUT, list(meta.items()))))

    async def add(self, table: Table, rows: Sequence[Row]) -> None:
        places = ", ".join("?" * len(table.columns))
        into = f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({places})"

        def insert(connection: sqlite3.Connection) -> None:
            try:
                connection.executemany(into, rows)
            except Exception as failed:
                if is_bad_data(failed):
                    raise InconsistentRecord(f"Table {table.name}: {failed}.") from failed
                raise

        await self._run(_written(insert))

    async def settle(self) -> None:
        await self._run(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())

    async def finish(self, mark: Mark, writers: Collection[int]) -> None:
        """`writers`: a file has one, whose chain goes on by itself; the others rest."""

        def take_away(connection: sqlite3.Connection) -> None:
            kept = connection.execute("SELECT value FROM meta WHERE key = ?", (MARK,)).fetchone()
            if kept is None or Mark.read(kept[0]) != mark:
                raise Conflict(f"The database {self._path} is not the target of this copy.")
            connection.execute("DELETE FROM meta WHERE key = ?", (MARK,))
            connection.execute(_PUT, (MADE_BY, mark.copy_id))

        await self._run(_written(take_away))

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        async with self._alone:
            return await asyncio.to_thread(self._do, work)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with store_errors():
            if self._open is None:
                self._open = connect(self._path)
                self._open.execute("PRAGMA wal_autocheckpoint = 4000")
            return work(self._open)

    async def close(self) -> None:
        async with self._alone:
            if self._open is not None:
                await asyncio.to_thread(self._open.close)
                self._open = None


def _written(work: Callable[[sqlite3.Connection], object]) -> Callable[[sqlite3.Connection], None]:
    """The same in one transaction."""

    def write(connection: sqlite3.Connection) -> None:
        with transaction(connection):
            work(connection)

    return write


def _table(connection: sqlite3.Connection, name: str) -> Table:
    asked = "SELECT name, pk FROM pragma_table_info(?) ORDER BY name"
    found = connection.execute(asked, (name,)).fetchall()
    key = sorted((place, column) for column, place in found if place)
    return Table(name, tuple(column for column, _ in found), tuple(column for _, column in key))


def _meta(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT key, value FROM meta").fetchall())


def _one(connection: sqlite3.Connection, asked: str) -> int:
    row = connection.execute(asked).fetchone()
    return int(row[0]) if row else 0


def _any(name: str) -> str:
    return f"SELECT 1 FROM {name} LIMIT 1"


def _in_use(path: Path) -> Conflict:
    return Conflict(
        f"The database {path} is in use: stop the service, and whatever else has the file open, "
        "and copy again."
    )
