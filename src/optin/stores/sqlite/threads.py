"""The threads of the SQLite store: one that writes, some that read, one that checkpoints.

A connection belongs to one thread, and to the loop while that has nothing to do (`run_here`), so
nothing else locks. Checkpoints copy the log back into the file beside the writer; on its thread
they would hold up commits (p99 43 ms instead of 12).
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from optin.domain.errors import StoreUnavailable
from optin.stores.sqlite.connection import connect, unavailable

T = TypeVar("T")

#: What to do with the connection, and who waits for the answer.
_Call = tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]


class ConnectionThread:
    """One thread with one connection; calls run on it one after another.

    An executor would do the same, at twice the turns of the event loop for each call, and every
    commit waits for them.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._connection = connect(path, read_only=read_only)
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="sqlite", daemon=True)
        self._thread.start()
        self._closed = False
        #: Calls that wait or run; while there are none, nobody uses the connection.
        self.under_way = 0

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` with the connection on its thread. Raises `StoreUnavailable`.

        Cancelling the wait does not stop it: a write is never torn.
        """
        if self._closed:
            raise StoreUnavailable("The store is closed.")
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put(work, answer)
        return await answer

    def _put(self, work: Callable[[sqlite3.Connection], Any], answer: asyncio.Future[Any]) -> None:
        self.under_way += 1
        self._calls.put((work, answer))

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            self._do(*call)

    def _do(self, work: Callable[[sqlite3.Connection], Any], answer: asyncio.Future[Any]) -> None:
        """Runs it, and gives the answer."""
        done: Any = None
        failed: BaseException | None = None
        try:
            done = work(self._connection)
        except sqlite3.Error as error:
            failed = unavailable(error)
        except BaseException as error:  # noqa: BLE001 - it is the caller's, whatever it is
            failed = error
        try:  # noqa: SIM105 - every commit comes by here
            answer.get_loop().call_soon_threadsafe(self._tell, answer, done, failed)
        except RuntimeError:
            pass  # the loop has ended, and nobody waits

    def _tell(self, answer: asyncio.Future[Any], done: Any, failed: BaseException | None) -> None:
        self.under_way -= 1
        if answer.done():
            return  # whoever waited was cancelled
        if failed is None:
            answer.set_result(done)
        else:
            answer.set_exception(failed)

    async def close(self) -> None:
        """Ends after what was begun, and closes the connection."""
        if not self._closed:
            self._closed = True
            self._calls.put(None)
            await asyncio.to_thread(self._thread.join)
            self._connection.close()


class Aside:
    """One connection for what reads for long and is rare; opened when it is first asked for.

    There is only one however many ask, so that they cost no more memory together than one does.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread: ConnectionThread | None = None
        self._closed = False

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `ConnectionThread.run`."""
        if self._closed:
            raise StoreUnavailable("The store is closed.")
        if self._thread is None:
            self._thread = ConnectionThread(self._path, read_only=True)
        return await self._thread.run(work)

    async def close(self) -> None:
        """Ends after what was begun."""
        self._closed = True
        if self._thread is not None:
            await self._thread.close()


class Checkpointer:
    """Copies the write-ahead log back into the file, beside the writer.

    `PASSIVE` never waits for anybody. Under steady load it cannot let the log start over, so once
    that has grown past `_LONG` pages it asks the writer for a short pause by `RESTART`.
    """

    _EVERY = 0.5
    _LONG = 16_384

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self._connection.execute("PRAGMA busy_timeout = 200")
        self._dirty = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="sqlite-checkpoint", daemon=True)
        self._thread.start()

    def committed(self) -> None:
        """Tells it that there is something to copy."""
        if not self._dirty.is_set():
            self._dirty.set()

    def close(self) -> None:
        """Stops the thread; the log is copied whole and emptied if nobody else uses the file."""
        self._stop.set()
        self._dirty.set()
        self._thread.join()
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def _loop(self) -> None:
        while not self._stop.is_set():
            self._dirty.wait()
            self._dirty.clear()
            # A failure here loses nothing: the log stays, and the next round tries again.
            with contextlib.suppress(sqlite3.Error):
                self._checkpoint()
            self._stop.wait(self._EVERY)

    def _checkpoint(self) -> None:
        row = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if row and row[1] > self._LONG:
            self._connection.execute("PRAGMA wal_checkpoint(RESTART)")
