"""The SQLite file itself: migrations, foreign and newer files, locks, a full disk, damage."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.errors import (
    InconsistentRecord,
    MasterKeyMismatch,
    SchemaMismatch,
    StartupError,
    StoreUnavailable,
)
from optin.domain.events import Kind
from optin.stores.seal import Seal
from optin.stores.sqlite import SQLiteStore, batches, connection
from optin.stores.sqlite.migrate import is_empty, migrate, newest_version
from tests.conftest import SEAL, OpenStore, first_token
from tests.stores.works import BOT, OTHER_BOT, WHO, claim, record


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    """A new file goes from 0 to the newest version, an up-to-date one stays."""
    path = tmp_path / "a.db"
    assert is_empty(path)
    assert migrate(path) == (0, newest_version())
    assert migrate(path) == (newest_version(), newest_version())
    assert not is_empty(path)


async def test_processes_that_migrate_at_once_agree(tmp_path: Path) -> None:
    """Several workers start on one empty file: one of them migrates, all of them go on."""
    path = tmp_path / "a.db"
    done = await asyncio.gather(*(asyncio.to_thread(migrate, path) for _ in range(6)))
    assert {after for _, after in done} == {newest_version()}


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    """The sentence names both versions; nothing is changed."""
    path = tmp_path / "a.db"
    migrate(path)
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 999")
    with pytest.raises(SchemaMismatch, match="schema 999"):
        migrate(path)


async def test_an_unmigrated_file_is_refused(tmp_path: Path) -> None:
    """Opening does not migrate by itself; the sentence says what to do."""
    with pytest.raises(SchemaMismatch, match="optin migrate"):
        await SQLiteStore.open(tmp_path / "a.db", SEAL)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """Its tables are left alone."""
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StartupError, match="another program"):
        migrate(path)


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be one" * 40])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    """One plain sentence, and the file stays as it was."""
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(StartupError):
        migrate(path)
    assert path.read_bytes() == content


def test_a_folder_that_is_not_there_is_a_plain_sentence(tmp_path: Path) -> None:
    """A path that cannot be opened names itself."""
    with pytest.raises(StartupError, match="cannot be opened"):
        migrate(tmp_path / "missing" / "a.db")


async def test_a_locked_file_is_unavailable_and_records_nothing(
    store: SQLiteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R12: another process that never lets go; afterwards commits go on."""
    blocker = sqlite3.connect(tmp_path / "optin.db", isolation_level=None)
    monkeypatch.setattr(connection, "LOCK_TIMEOUT", 0.1)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await store.commit(record(claim(Kind.OPT_IN)))
    with pytest.raises(StoreUnavailable):
        await store.ready()
    blocker.execute("ROLLBACK")
    blocker.close()
    assert (await store.histories(BOT, [WHO])).events[WHO] == []
    await store.commit(record(claim(Kind.OPT_OUT)))
    await store.ready()


async def test_a_full_database_is_unavailable_and_records_nothing(store: SQLiteStore) -> None:
    """R12: what does not fit is not reported as recorded, and what fitted is still there."""
    await store.commit(record(claim(Kind.OPT_IN)))
    pages = await store._writer.run(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await store._writer.run(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    big = [claim(Kind.OPT_IN, f"4670{n:07d}", evidence={"x": "y" * 500}) for n in range(200)]
    with pytest.raises(StoreUnavailable, match="full"):
        await store.commit(record(*big))
    assert (await store.histories(BOT, [WHO, "46700000000"])).events["46700000000"] == []
    await store._writer.run(lambda c: c.execute("PRAGMA max_page_count = 100000").fetchone())
    await store.commit(record(*big))


async def test_one_bots_broken_record_stops_that_bot_alone(
    store: SQLiteStore, tmp_path: Path
) -> None:
    """R12: an unreadable record decides nothing, and takes no neighbour along."""
    await store.commit(record(claim(Kind.OPT_IN)))
    await store.commit(record(claim(Kind.OPT_IN), bot_id=OTHER_BOT))
    with sqlite3.connect(tmp_path / "optin.db") as file:
        file.execute("UPDATE identities SET wordings = '{' WHERE bot_id = ?", (BOT,))
    answers: list[object] = await asyncio.gather(
        store.commit(record(claim(Kind.OPT_IN))),
        store.commit(record(claim(Kind.OPT_OUT), bot_id=OTHER_BOT)),
        return_exceptions=True,
    )
    assert isinstance(answers[0], InconsistentRecord)
    assert isinstance(answers[1], list)
    with pytest.raises(InconsistentRecord):
        await store.read(BOT, [WHO])
    assert (await store.read(OTHER_BOT, [WHO])).clocks


async def test_secrets_are_encrypted_at_rest(open_store: OpenStore, tmp_path: Path) -> None:
    """SPEC 8: the file never holds the text, and another key does not open it."""
    store = await open_store()
    await store.add_bot(Bot("b", {"meta.app_secret": "hush-hush"}), first_token("b"))
    for name in ("optin.db", "optin.db-wal"):
        assert b"hush-hush" not in (tmp_path / name).read_bytes()
    with pytest.raises(MasterKeyMismatch):
        await SQLiteStore.open(tmp_path / "optin.db", Seal(b"k" * 32))


@asynccontextmanager
async def under_steady_commits(
    folder: Path, every: float, long: int, asked: list[str]
) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Gives what makes 5,000 commits without a pause, and tells the size of the write-ahead log
    then, in bytes. `asked`: gets what the checkpointer asks of the database."""
    path = folder / f"{long}.db"
    migrate(path)
    store = await SQLiteStore.open(path, SEAL)
    store._checkpointer._EVERY, store._checkpointer._LONG = every, long
    store._checkpointer._connection.set_trace_callback(asked.append)
    await store.add_bot(Bot(BOT), first_token(BOT))
    waiting = asyncio.Semaphore(16)

    async def one(number: int) -> None:
        async with waiting:
            await store.commit(record(claim(Kind.OPT_IN, str(46700000000 + number * 7919 % 99991))))

    async def some() -> int:
        await asyncio.gather(*map(one, range(5000)))
        return path.with_name(f"{path.name}-wal").stat().st_size

    yield some
    await store.close()


async def test_the_log_does_not_grow_without_end(tmp_path: Path) -> None:
    """Under steady commits the checkpointer makes room, and the log starts over: sooner or later,
    since it asks for the lock politely."""
    asked: list[str] = []
    async with under_steady_commits(tmp_path, 60, 10**9, asked) as some:
        unbounded = await some()
    assert not any("RESTART" in each for each in asked)
    async with under_steady_commits(tmp_path, 0.02, 200, asked) as some:
        rounds, size = 1, await some()
        while size > rounds * unbounded / 2:
            assert rounds < 10, "the log grew and grew"
            rounds, size = rounds + 1, await some()
    assert any("RESTART" in each for each in asked)


def test_waiting_for_a_lock_has_an_end() -> None:
    """A request is answered 503 rather than never."""
    assert 0 < connection.LOCK_TIMEOUT <= 10


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Consent is personal data: a new file, its log and its index are made for nobody else to
    read, whatever the process's umask; one that is there keeps the mode that it was given."""
    path = tmp_path / "a.db"
    before = os.umask(0)
    try:
        migrate(path)
        opened = connection.connect(path)
        opened.execute("CREATE TABLE more (x)")
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        opened.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("a.db", "a.db-wal", "a.db-shm"), 0o600)
    path.chmod(0o640)
    migrate(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_probes_cost_next_to_nothing(store: SQLiteStore, tmp_path: Path) -> None:
    """SPEC 6: a thousand `/readyz` in a row are not a thousand commits in the log."""
    log = tmp_path / "optin.db-wal"
    before = log.stat().st_size
    for _ in range(1000):
        await store.ready()
    assert log.stat().st_size - before < 100_000


async def test_the_log_does_not_grow_by_probes_alone(
    open_store: OpenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is asked whether it is ready, and nothing else, for as long as it takes: each
    of these probes commits, and the log starts over all the same."""
    monkeypatch.setattr("optin.stores.sqlite.store._STILL_READY", -1.0)
    sizes = []
    for every, long in ((60.0, 10**9), (0.02, 100)):
        store = await open_store()
        store._checkpointer._EVERY, store._checkpointer._LONG = every, long
        for _ in range(4000):
            await store.ready()
        sizes.append((tmp_path / "optin.db-wal").stat().st_size)
        await store.close()
    assert sizes[1] < sizes[0] / 2


async def test_a_failed_store_fails_none_that_is_committed(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R13: when bad data makes a group go one by one, and the disk fails in the middle of it, the
    earlier ones are answered as recorded, the later ones as not; and so they are."""
    real, commits = batches.save, 0

    def save(using: sqlite3.Connection, *more: Any) -> None:
        nonlocal commits
        commits += 1
        if commits == 1:
            raise sqlite3.IntegrityError("one of them is bad")
        if commits > 3:
            raise sqlite3.OperationalError("disk I/O error")
        real(using, *more)

    monkeypatch.setattr(batches, "save", save)
    people = [f"4670000000{n}" for n in range(5)]
    answers = await asyncio.gather(
        *(store.commit(record(claim(Kind.OPT_OUT, who))) for who in people), return_exceptions=True
    )
    monkeypatch.undo()
    taken = [who for who, answer in zip(people, answers, strict=True) if isinstance(answer, list)]
    assert taken == people[:2]
    assert all(isinstance(answer, StoreUnavailable) for answer in answers[2:])
    events = (await store.histories(BOT, people)).events
    assert [who for who in people if events[who]] == taken
