"""Opening the store that the settings name, with the master key that belongs to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from optin.domain.errors import MasterKeyMismatch, StartupError
from optin.ports.backlog import Backlog
from optin.ports.store import Store
from optin.ports.whole import MARK, Mark
from optin.settings import Settings
from optin.stores.postgres import PostgresStore
from optin.stores.postgres import migrate as postgres
from optin.stores.postgres.backlog import PostgresBacklog
from optin.stores.seal import Seal
from optin.stores.sqlite import SQLiteStore
from optin.stores.sqlite import migrate as sqlite
from optin.stores.sqlite.backlog import SQLiteBacklog
from optin.wiring.master_key import master_key

#: Where the fingerprint of the master key lies in `meta`.
FINGERPRINT = "master_key_fingerprint"


async def open_store(settings: Settings, *, create: bool = False) -> Store:
    """The store, ready. With `create` it is made if it is not there, and brought up to date.

    Raises `SchemaMismatch`, `MasterKeyMismatch`, or `StartupError` for a database that is not
    there, can not be read, is none of ours, or is one side of a copy (`ports/whole.py`).
    """
    empty = await is_empty(settings)
    if empty and not create:
        raise StartupError(
            f"There is no database at {settings.database_name} yet: `optin bot add` and "
            "`optin serve` make one."
        )
    seal = Seal(master_key(settings, lambda _: empty))
    if create:
        await make_or_migrate(settings)
    store = await opened_whatever_its_mark(settings, seal)
    try:
        if mark := Mark.read(await store.meta(MARK)):
            raise _being_copied(settings, mark)
        held = await store.meta(FINGERPRINT) or await store.put_meta(FINGERPRINT, seal.fingerprint)
        if held != seal.fingerprint:
            raise _other_key(settings)
    except BaseException:
        await store.close()
        raise
    return store


async def migrate_store(settings: Settings) -> tuple[int, int]:
    """Brings the database to this program's schema; returns its (version before, version now).

    The key is checked as well, so that a success says that `serve` will start.
    """
    empty = await is_empty(settings)
    master_key(settings, lambda _: empty)
    versions = await make_or_migrate(settings)
    await (await open_store(settings)).close()
    return versions


@asynccontextmanager
async def opened_store(settings: Settings, *, create: bool = False) -> AsyncIterator[Store]:
    """`open_store`, closed at the end."""
    store = await open_store(settings, create=create)
    try:
        yield store
    finally:
        await store.close()


def open_backlog(settings: Settings) -> Backlog:
    """What waits in the database that the settings name. Close it."""
    if settings.is_postgresql:
        return PostgresBacklog(settings.database)
    return SQLiteBacklog(settings.database_path)


async def is_empty(settings: Settings) -> bool:
    """Whether there is nothing of ours in it yet, or no database at all."""
    if settings.is_postgresql:
        return await postgres.is_empty(settings.database)
    return sqlite.is_empty(settings.database_path)


async def make_or_migrate(settings: Settings) -> tuple[int, int]:
    """Brings the schema up to date, with whatever key. Returns (before, after)."""
    if settings.is_postgresql:
        return await postgres.migrate(settings.database)
    return await asyncio.to_thread(sqlite.migrate, settings.database_path)


async def opened_whatever_its_mark(settings: Settings, seal: Seal) -> Store:
    """The store, for a copy, which alone may use one that bears a mark. Raises as `open_store`."""
    if settings.is_postgresql:
        return await PostgresStore.open(settings.database, seal)
    return await SQLiteStore.open(settings.database_path, seal)


def _being_copied(settings: Settings, mark: Mark) -> StartupError:
    if mark.role == "source":
        return StartupError(
            f"The database {settings.database_name} is being copied, or was, to {mark.other}: use "
            "that one when `optin copy` is done. If that one is not to be used, `optin copy "
            "--release` gives this one back."
        )
    return StartupError(
        f"The database {settings.database_name} is an unfinished copy of {mark.other}: run the "
        "same `optin copy` again until it is done."
    )


def _other_key(settings: Settings) -> MasterKeyMismatch:
    return MasterKeyMismatch(
        f"The database {settings.database_name} was made with another master key than the one "
        "given."
    )
