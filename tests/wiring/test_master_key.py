"""The master key: where it comes from, when one is made, and what a wrong one does (SPEC 8)."""

from __future__ import annotations

import base64
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from optin.domain.bots import Bot, Token
from optin.domain.errors import MasterKeyMismatch, SchemaMismatch, StartupError
from optin.settings import Settings
from optin.stores.sqlite.migrate import is_empty, migrate
from optin.wiring.master_key import master_key
from optin.wiring.opening import migrate_store, open_store, opened_store

KEY = bytes(range(32))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(database=f"sqlite:{tmp_path / 'optin.db'}")


def given(key: str, settings: Settings) -> Settings:
    return Settings(database=settings.database, master_key=key)


@pytest.mark.parametrize(
    "text",
    [
        KEY.hex(),
        KEY.hex().upper(),
        base64.b64encode(KEY).decode(),
        base64.b64encode(KEY).decode().rstrip("="),
        base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        f"  {KEY.hex()}\n",
    ],
)
def test_both_spellings_of_a_key_are_read(settings: Settings, text: str) -> None:
    """32 bytes as hex or as base64, padded or not, standard or URL-safe."""
    assert master_key(given(text, settings), is_empty) in (KEY, b"\xff" * 32)


@pytest.mark.parametrize("text", ["x", "00" * 31, "zz" * 32, base64.b64encode(b"x" * 33).decode()])
def test_what_is_no_key_is_refused(settings: Settings, text: str) -> None:
    """A key of another length or alphabet stops the start and is not repeated in the sentence."""
    with pytest.raises(
        MasterKeyMismatch, match=r"^OPTIN_MASTER_KEY holds no master key"
    ) as refused:
        master_key(given(text, settings), is_empty)
    assert len(text) == 1 or text not in str(refused.value)


async def test_an_empty_database_gets_a_key_file(settings: Settings) -> None:
    """The first start makes a key that only its owner can read; the next start uses it again."""
    async with opened_store(settings, create=True) as store:
        fingerprint = await store.meta("master_key_fingerprint")
    content = settings.key_path.read_bytes()
    assert stat.S_IMODE(settings.key_path.stat().st_mode) == 0o600
    assert len(base64.b64decode(content)) == 32
    async with opened_store(settings) as store:
        assert await store.meta("master_key_fingerprint") == fingerprint
    assert settings.key_path.read_bytes() == content
    assert {path.name for path in settings.key_path.parent.iterdir()} <= {
        "optin.db",
        "optin.db-wal",
        "optin.db-shm",
        "optin.db.key",
    }


async def test_a_lost_key_is_not_replaced(settings: Settings) -> None:
    """A database that is not empty never gets a new key: its secrets would be lost unseen."""
    await (await open_store(settings, create=True)).close()
    settings.key_path.unlink()
    for create in (False, True):
        with pytest.raises(MasterKeyMismatch, match="is missing"):
            await open_store(settings, create=create)
    assert not settings.key_path.exists()


async def test_another_key_does_not_open(settings: Settings) -> None:
    """The database keeps its key's fingerprint: another key is told before anything is read."""
    await (await open_store(settings, create=True)).close()
    with pytest.raises(MasterKeyMismatch, match="another master key"):
        await open_store(given("ab" * 32, settings), create=True)
    settings.key_path.write_text("cd" * 32)
    with pytest.raises(MasterKeyMismatch, match="another master key"):
        await open_store(settings)


async def test_a_given_key_makes_no_file(settings: Settings) -> None:
    """With OPTIN_MASTER_KEY nothing is written beside the database, and secrets open with it."""
    with_key = given(KEY.hex(), settings)
    bot = Bot("shop", {"meta.app_secret": "s3cret"})
    async with opened_store(with_key, create=True) as store:
        await store.add_bot(bot, Token(bytes(32), "shop", "t", frozenset({"read"}), 1))
    async with opened_store(given(base64.b64encode(KEY).decode(), settings)) as store:
        assert await store.bot("shop") == bot
    assert not settings.key_path.exists()


@pytest.mark.parametrize("content", [b"", b"not a key", b"\xff\xfe\x00"])
def test_a_damaged_key_file_is_refused(settings: Settings, content: bytes) -> None:
    """What does not hold a key is not used as one, even beside an empty database."""
    settings.key_path.write_bytes(content)
    with pytest.raises(MasterKeyMismatch, match="holds no master key"):
        master_key(settings, is_empty)


def test_a_key_file_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    """A folder that does not exist is an error in one sentence."""
    settings = Settings(database=f"sqlite:{tmp_path / 'none' / 'optin.db'}")
    with pytest.raises(StartupError, match=r"can not be made: No such file or directory\.$"):
        master_key(settings, is_empty)


RACE = """
import asyncio, sys
from optin.settings import Settings
from optin.wiring.opening import open_store
settings = Settings(database=sys.argv[1])
async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    store = await open_store(settings, create=True)
    print(await store.meta("master_key_fingerprint"))
    await store.close()
asyncio.run(main())
"""


def test_processes_that_start_at_once_agree_on_one_key(settings: Settings) -> None:
    """Six processes start on an empty database at one moment: all open it, all with one key."""
    for _ in range(3):
        racers = [racer(settings) for _ in range(6)]
        for process in racers:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in racers:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=60) for process in racers]
        assert [process.returncode for process in racers] == [0] * 6, said
        assert len({out for out, _ in said}) == 1
        for path in settings.database_path.parent.iterdir():
            path.unlink()


def racer(settings: Settings) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RACE, settings.database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_no_command_makes_a_database_by_a_slip_of_the_pen(settings: Settings) -> None:
    """Opening without `create` says that there is no database, and leaves no file behind."""
    with pytest.raises(StartupError, match="There is no database at"):
        await open_store(settings)
    assert list(settings.database_path.parent.iterdir()) == []


async def test_a_newer_schema_is_left_alone(settings: Settings) -> None:
    """A database of a newer version is neither opened nor changed."""
    await (await open_store(settings, create=True)).close()
    raise_schema(settings.database_path)
    before = settings.database_path.read_bytes()
    for attempt in (open_store(settings), open_store(settings, create=True)):
        with pytest.raises(SchemaMismatch, match="newer"):
            await attempt
    with pytest.raises(SchemaMismatch, match="newer"):
        await migrate_store(settings)
    assert settings.database_path.read_bytes() == before


def raise_schema(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


async def test_migrating_says_what_it_did(settings: Settings) -> None:
    """`migrate` makes an empty database whole, and does nothing the second time."""
    before, now = await migrate_store(settings)
    assert before == 0 < now
    assert await migrate_store(settings) == (now, now)
    assert migrate(settings.database_path) == (now, now)


async def test_a_file_of_another_program_is_left_alone(settings: Settings) -> None:
    """A file that is no database, and a database that is not ours, are told in one sentence."""
    settings.database_path.write_bytes(b"not a database at all, but long enough to be read" * 40)
    with pytest.raises(StartupError, match=os.fspath(settings.database_path)):
        await open_store(settings, create=True)
    assert not settings.key_path.exists()
