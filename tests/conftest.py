"""What all tests share: how Hypothesis runs, and a real store to run on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import settings

from optin.domain.bots import SCOPES, Bot, Token
from optin.stores.seal import Seal
from optin.stores.sqlite import SQLiteStore
from optin.stores.sqlite.migrate import migrate

# Machines that run tests are shared and slow at times: a slow example is no failure.
settings.register_profile("optin", deadline=None, print_blob=True)
settings.load_profile("optin")

SEAL = Seal(bytes(32))

#: Whose tests measure times, or fill the machine: one after another.
_ALONE = {"acceptance", "bench", "ha"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What one process runs when several do: a file, or all that must not run beside each other."""
    for item in items:
        folder = item.path.relative_to(item.config.rootpath / "tests").parts[0]
        group = "alone" if folder in _ALONE else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


OpenStore = Callable[..., Awaitable[SQLiteStore]]


def first_token(bot_id: str) -> Token:
    """A token record whose digest is made of the bot's id; nobody holds its token."""
    digest = bot_id.encode().ljust(32, b"\x00")[:32]
    return Token(digest, bot_id, "first", frozenset(SCOPES), 0)


@pytest.fixture
async def open_store(tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Opens a store on the test's one file, as often as wanted: each is another process to it."""
    opened: list[SQLiteStore] = []

    async def open_one(**options: object) -> SQLiteStore:
        path = tmp_path / "optin.db"
        migrate(path)
        opened.append(await SQLiteStore.open(path, SEAL, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: OpenStore) -> SQLiteStore:
    """A real store with two bots, `bot-1` and `bot-2`."""
    made = await open_store()
    for bot_id in ("bot-1", "bot-2"):
        await made.add_bot(Bot(bot_id), first_token(bot_id))
    return made
