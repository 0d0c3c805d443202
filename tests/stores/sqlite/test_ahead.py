"""Commits that are flushed behind their answer: when, by whom, and what a failing disk does."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from optin.domain.consent import NEVER
from optin.domain.errors import StoreUnavailable
from optin.domain.events import Kind
from optin.ports.store import Committed
from optin.stores.sqlite import SQLiteStore, commits, writing
from optin.stores.sqlite.connection import LOCK_TIMEOUT
from tests.stores.works import BOT, OTHER_BOT, WHO, Do, claim, record

FULL, NORMAL = 2, 1


class Disk:
    """Flushes of the log: counted, held up, or failing."""

    def __init__(self) -> None:
        self.flushed = 0
        self.fails = False
        self.go = threading.Event()
        self.go.set()

    def __call__(self, file: int) -> None:
        assert self.go.wait(10)
        if self.fails:
            raise OSError(errno.EIO, "Input/output error")
        self.flushed += 1


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    monkeypatch.setattr(writing, "_flush_file", made)
    return made


def opt_in(bot_id: str = BOT) -> Any:
    return record(claim(Kind.OPT_IN), bot_id=bot_id)


async def ended(committed: Committed[Any]) -> None:
    assert committed.on_disk is not None
    await asyncio.wait_for(committed.on_disk, 10)


def set_to(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA synchronous").fetchone()[0])


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Another process that holds the write lock."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield other
    finally:
        other.close()


async def test_the_answer_is_there_before_the_flush(store: SQLiteStore, disk: Disk) -> None:
    """It is on disk only when the flush has ended, whether it went alone or with others."""
    disk.go.clear()
    alone = await asyncio.wait_for(store.commit_ahead(opt_in()), 10)
    assert alone.on_disk is not None
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(alone.on_disk), 0.1)
    behind = [asyncio.create_task(store.commit_ahead(opt_in())) for _ in range(3)]
    disk.go.set()
    await ended(alone)
    for each in await asyncio.gather(*behind):
        await ended(each)
    assert disk.flushed == 2


async def test_what_waits_for_the_disk_is_flushed_by_sqlite(store: SQLiteStore) -> None:
    """R13: `commit` and all else that is written waits for its own flush, whatever came before."""
    seen = []
    for _ in range(2):
        await ended(await store.commit_ahead(opt_in()))
        seen.append(await store._writer.run_unflushed(set_to))
        await store.commit(opt_in())
        seen.append(await store._writer.run(set_to))
    assert seen == [NORMAL, FULL] * 2


async def test_a_group_of_both_waits_for_the_disk(store: SQLiteStore, disk: Disk) -> None:
    """SQLite flushes it, so nobody of it waits any more."""
    with locked(store._path) as other:
        waiting = [
            asyncio.create_task(each)
            for each in (store.commit(opt_in()), store.commit_ahead(opt_in(OTHER_BOT)))
        ]
        await asyncio.sleep(0.05)
        other.execute("ROLLBACK")
        _, ahead = await asyncio.gather(*waiting)
    assert isinstance(ahead, Committed)
    assert ahead.on_disk is None
    assert disk.flushed == 0


async def test_the_loop_does_not_wait_for_a_lock(store: SQLiteStore) -> None:
    """Another process is writing: the commit waits for it elsewhere, and is made then."""
    with locked(store._path) as other:
        asked = asyncio.create_task(store.commit_ahead(opt_in()))
        begun = time.monotonic()
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert time.monotonic() - begun < LOCK_TIMEOUT / 2
        assert not asked.done()
        other.execute("ROLLBACK")
        await ended(await asyncio.wait_for(asked, 10))
    assert (await store.read(BOT, [WHO])).clocks[WHO].opt_in > NEVER


async def test_a_slow_disk_holds_the_loop_up_once(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then commits go to the thread for a while, and come back."""
    here: list[str] = []
    run_here = store._writer.run_here

    def watched(work: Any) -> Any:
        here.append("here")
        return run_here(work)

    monkeypatch.setattr(store._writer, "run_here", watched)
    slow = Do(lambda tx: time.sleep(commits._LONG * 2))
    await ended(await store.commit_ahead(slow))
    for _ in range(3):
        await ended(await store.commit_ahead(opt_in()))
    assert here == ["here"]
    monkeypatch.setattr(store._commits, "_not_here_before", 0.0)
    await ended(await store.commit_ahead(opt_in()))
    assert here == ["here"] * 2


async def test_nothing_runs_beside_the_thread(store: SQLiteStore) -> None:
    """One connection: while the thread has it, commits ahead wait for their turn."""
    inside = threading.Event()
    go = threading.Event()

    def hold(_: sqlite3.Connection) -> None:
        inside.set()
        assert go.wait(10)

    holding = asyncio.create_task(store._writer.run(hold))
    await asyncio.to_thread(inside.wait, 10)
    with pytest.raises(StoreUnavailable):
        store._writer.run_here(lambda connection: None)
    asked = asyncio.create_task(store.commit_ahead(opt_in()))
    await asyncio.sleep(0.05)
    assert not asked.done()
    go.set()
    await holding
    await ended(await asked)


async def test_a_failed_flush_is_made_good_by_the_file(store: SQLiteStore, disk: Disk) -> None:
    """The pages of the log may be lost now, so they go into the file, whose flush is another."""
    log = Path(f"{store._path}-wal")
    disk.fails = True
    await ended(await store.commit_ahead(opt_in()))
    assert (await asyncio.to_thread(log.stat)).st_size == 0
    with sqlite3.connect(f"file:{store._path}?immutable=1", uri=True) as file:
        assert file.execute("SELECT count(*) FROM events").fetchone() == (1,)
    file.close()
    await store.commit(opt_in())


async def test_after_a_flush_that_stays_failed_nothing_is_written(
    store: SQLiteStore, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R12, R13: what came behind a hole in the log would be lost with it, acknowledged or not."""
    monkeypatch.setattr(writing, "LOCK_TIMEOUT", 0.05)
    await store.commit(opt_in())
    reader = sqlite3.connect(store._path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchone()
    disk.fails = True
    committed = await store.commit_ahead(opt_in())
    with pytest.raises(StoreUnavailable):
        await ended(committed)
    reader.close()
    disk.fails = False
    for commit in (store.commit, store.commit_ahead):
        with pytest.raises(StoreUnavailable):
            await commit(opt_in())
    with pytest.raises(StoreUnavailable):
        await store.ready()


async def test_a_lost_connection_is_unavailable(store: SQLiteStore) -> None:
    """R12: whatever the driver says of it."""
    store._writer._connection.close()
    for commit in (store.commit_ahead, store.commit):
        with pytest.raises(StoreUnavailable):
            await commit(opt_in())


async def test_who_is_cancelled_takes_no_other_along(store: SQLiteStore, disk: Disk) -> None:
    """The flush is of the whole group."""
    with locked(store._path) as other:
        asked = [asyncio.create_task(store.commit_ahead(opt_in())) for _ in range(2)]
        await asyncio.sleep(0.05)
        disk.go.clear()
        other.execute("ROLLBACK")
        first, second = await asyncio.gather(*asked)
    waiting = asyncio.create_task(ended(first))
    await asyncio.sleep(0.01)
    waiting.cancel()
    disk.go.set()
    await ended(second)


async def test_closing_at_once_flushes(store: SQLiteStore, disk: Disk) -> None:
    """Before the loop has had a turn to ask for the flush."""
    committed = await store.commit_ahead(opt_in())
    await store.close()
    await ended(committed)
    assert disk.flushed == 1


async def test_closing_waits_for_the_flush(store: SQLiteStore, disk: Disk) -> None:
    """Whoever still waits is told."""
    disk.go.clear()
    committed = await store.commit_ahead(opt_in())
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    disk.go.set()
    await closing
    await ended(committed)
