"""Opening the file, and what its errors mean."""

from __future__ import annotations

import functools
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optin.domain.errors import StartupError, StoreUnavailable

#: How long a statement waits for another process's lock before it gives up, in seconds.
LOCK_TIMEOUT = 5.0

#: A damaged text must not fail those that are read with it, nor be told by the driver's error: it
#: comes with surrogates in it, and whoever reads the record refuses it (R12).
_AS_TEXT = functools.partial(str, encoding="utf-8", errors="surrogateescape")

#: How long a writer sleeps before it looks for the lock again, in seconds.
_LOOK_AGAIN = 0.001

_PRAGMAS = (
    "PRAGMA synchronous = FULL",  # a commit is on disk before it is acknowledged (R13)
    "PRAGMA secure_delete = ON",  # what is erased must not stay in free space (R15)
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA wal_autocheckpoint = 0",  # checkpoints run on a thread of their own
    "PRAGMA cache_size = -65536",
    "PRAGMA temp_store = MEMORY",
)


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection with explicit transactions, usable from any one thread at a time.

    Raises `StartupError` if the file cannot be opened or is no SQLite database.
    """
    try:
        connection = sqlite3.connect(
            path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        connection.text_factory = _AS_TEXT
        _use_wal(connection)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        if read_only:
            connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as failed:
        raise StartupError(f"The database {path} cannot be opened: {failed}.") from None
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Going over to WAL does not wait for locks by itself, and another process may just do so."""
    deadline = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as failed:
            if not is_busy(failed) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin(connection: sqlite3.Connection, wait: float) -> None:
    """Takes the write lock. SQLite's own waiting looks every 100 ms in the end, and so hardly ever
    comes in between two commits of another process that has much to do; this does."""
    deadline: float | None = None
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as failed:
            now = time.monotonic()
            deadline = now + wait if deadline is None else deadline
            if not is_busy(failed) or now >= deadline:
                raise
            time.sleep(_LOOK_AGAIN)
        else:
            return


def is_busy(failed: BaseException) -> bool:
    """Whether another connection had the lock, and nothing was done."""
    # What Python itself raises, of a closed connection say, has no code.
    return getattr(failed, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


class transaction:
    """One writing transaction: committed at the end, rolled back if anything is raised.

    It takes the write lock at once, so that what it reads cannot change before it writes, and waits
    for it up to `wait` seconds.
    """

    __slots__ = ("_connection", "_wait")

    def __init__(self, connection: sqlite3.Connection, wait: float = LOCK_TIMEOUT) -> None:
        self._connection = connection
        self._wait = wait

    def __enter__(self) -> sqlite3.Connection:
        _begin(self._connection, self._wait)
        return self._connection

    def __exit__(self, kind: object, broken: BaseException | None, trace: object) -> None:
        try:
            if broken is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One reading transaction: every query in it sees the same instant."""
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def store_errors() -> Iterator[None]:
    """Turns the driver's errors into `StoreUnavailable`: disk full, locked, damaged, closed."""
    try:
        yield
    except sqlite3.Error as failed:
        raise unavailable(failed) from failed


def unavailable(failed: sqlite3.Error) -> StoreUnavailable:
    """The driver's error, as callers know it."""
    told = StoreUnavailable(f"The database did not answer: {failed}.")
    told.__cause__ = failed
    return told


def is_bad_data(failed: BaseException) -> bool:
    """Whether a batch failed by what was in it, not by the store's state."""
    return isinstance(
        failed,
        sqlite3.DataError
        | sqlite3.IntegrityError
        | sqlite3.InterfaceError
        | sqlite3.ProgrammingError
        | OverflowError
        | UnicodeError
        | ValueError
        | TypeError,
    )


def insert(connection: sqlite3.Connection, into: str, values: Sequence[Sequence[Any]]) -> None:
    """Adds whole rows; `into`: the beginning of the statement, as far as the table's name."""
    if values:
        places = ", ".join("?" * len(values[0]))
        connection.executemany(f"{into} VALUES ({places})", values)
