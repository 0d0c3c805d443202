"""The thread that writes: every commit is on disk when its answer is given, or right behind it.

SQLite flushes its log inside COMMIT with `synchronous = FULL`. With `NORMAL` a commit is written to
the log, where everybody sees it and the end of this process does not touch it, and no page comes to
be in the file before the log is flushed: what is missing is the flush, which `flush` makes as
SQLite would.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from optin.domain.errors import StoreUnavailable
from optin.stores.sqlite.connection import LOCK_TIMEOUT
from optin.stores.sqlite.threads import ConnectionThread

T = TypeVar("T")

#: As SQLite does it; macOS has no `fdatasync`.
_flush_file = getattr(os, "fdatasync", os.fsync)
_LOOK_AGAIN = 0.01


class Writer(ConnectionThread):
    """One thread with the one connection that writes. `committed` is called after each commit."""

    def __init__(self, path: Path, committed: Callable[[], None]) -> None:
        super().__init__(path)
        # `transaction` waits for the lock itself, and fairer than SQLite does.
        self._connection.execute("PRAGMA busy_timeout = 0")
        self._log_path = f"{path}-wal"
        self._log: int | None = None
        self._synchronous = "FULL"
        self._committed = committed

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `ConnectionThread.run`; what `work` committed is on disk."""
        return await super().run(partial(self._with, "FULL", work))

    async def run_unflushed(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `run`, but what `work` committed is on disk after the next `flush`, or `run`."""
        return await super().run(partial(self._with, "NORMAL", work))

    def run_here(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `run_unflushed`, on the caller's thread, the loop's; only with nothing `under_way`.

        Raises the driver's own errors.
        """
        if self._closed or self.under_way:
            raise StoreUnavailable("The store is closed, or its connection is in use.")
        return self._with("NORMAL", work, self._connection)

    def flush(self, on_disk: asyncio.Future[None]) -> None:
        """Ends the future when all commits so far are on disk.

        It ends with `StoreUnavailable` if they may never be; then nothing more is written.
        """
        if self._closed:
            on_disk.set_exception(StoreUnavailable("The store is closed."))
        else:
            self._put(self._flush, on_disk)

    async def close(self) -> None:
        await super().close()
        if self._log is not None:
            os.close(self._log)
            self._log = None

    def _with(
        self,
        synchronous: str,
        work: Callable[[sqlite3.Connection], T],
        connection: sqlite3.Connection,
    ) -> T:
        if synchronous != self._synchronous:
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            self._synchronous = synchronous
        return work(connection)

    def _do(self, work: Callable[[sqlite3.Connection], Any], answer: asyncio.Future[Any]) -> None:
        super()._do(work, answer)
        self._committed()

    def _flush(self, connection: sqlite3.Connection) -> None:
        """After a failed flush the system may take pages of the log for written, and the next flush
        would succeed over a hole that cuts off all behind it. So they go into the file at once, or
        nothing more is written."""
        try:
            if self._log is None:
                self._log = os.open(self._log_path, os.O_RDONLY)
            _flush_file(self._log)
        except OSError as failed:
            if not _copied_into_file(connection):
                connection.close()
                raise StoreUnavailable(
                    f"The log could not be written to disk: {failed}."
                ) from failed


def _copied_into_file(connection: sqlite3.Connection) -> bool:
    """Whether all of the log is in the file, on disk, and the log empty; readers hold that up."""
    deadline = time.monotonic() + LOCK_TIMEOUT
    with contextlib.suppress(sqlite3.Error):
        while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_AGAIN)
        return True
    return False
