"""Opening the store that the settings name, with the master key that belongs to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from optin.domain.errors import MasterKeyMismatch, StartupError
from optin.ports.backlog import Backlog
from optin.ports.store import Store
from optin.settings import Settings
from optin.stores.seal import Seal
from optin.stores.sqlite import SQLiteStore
from optin.stores.sqlite.backlog import SQLiteBacklog
from optin.stores.sqlite.migrate import is_empty, migrate
from optin.wiring.master_key import master_key

_FINGERPRINT = "master_key_fingerprint"


async def open_store(settings: Settings, *, create: bool = False) -> Store:
    """The store, ready. With `create` it is made if it is not there, and brought up to date.

    Raises `SchemaMismatch`, `MasterKeyMismatch`, or `StartupError` for a file that is not there,
    can not be read, or is no database of ours.
    """
    path = settings.database_path
    if not create and is_empty(path):
        raise StartupError(
            f"There is no database at {path} yet: `optin bot add` and `optin serve` make one."
        )
    seal = Seal(master_key(settings, is_empty))
    if create:
        await asyncio.to_thread(migrate, path)
    store = await SQLiteStore.open(path, seal)
    try:
        held = await store.meta(_FINGERPRINT) or await store.put_meta(
            _FINGERPRINT, seal.fingerprint
        )
        if held != seal.fingerprint:
            raise MasterKeyMismatch(
                f"The database {path} was made with another master key than the one given."
            )
    except BaseException:
        await store.close()
        raise
    return store


async def migrate_store(settings: Settings) -> tuple[int, int]:
    """Brings the database to this program's schema; returns its (version before, version now).

    The key is checked as well, so that a success says that `serve` will start.
    """
    path = settings.database_path
    master_key(settings, is_empty)
    versions = await asyncio.to_thread(migrate, path)
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
    return SQLiteBacklog(settings.database_path)
