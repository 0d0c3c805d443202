"""What all tests of killed nodes share: one pair of nodes, revived before each test, and another
that asks for templates meanwhile, since nodes do so only now and then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.acceptance.killed.pair import Pair, pair_on
from tests.acceptance.killed.templates import Killed, killing_in_sync
from tests.acceptance.nodes import empty_database
from tests.acceptance.receivers import Receiver, receiving


@pytest.fixture(scope="package")
def urls() -> Iterator[tuple[str, str]]:
    """An empty database for each pair."""
    with empty_database("killed") as one, empty_database("killed_in_sync") as other:
        yield one, other


@pytest_asyncio.fixture(scope="package", loop_scope="package", autouse=True)
async def killed_in_sync(
    tmp_path_factory: pytest.TempPathFactory, urls: tuple[str, str]
) -> AsyncIterator[asyncio.Task[Killed]]:
    """Begins before the first test, and happens while the others run."""
    folder = tmp_path_factory.mktemp("syncing")
    async with pair_on(folder, urls[1]) as pair, killing_in_sync(pair) as killing:
        yield killing


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def shared_pair(
    tmp_path_factory: pytest.TempPathFactory, urls: tuple[str, str]
) -> AsyncIterator[Pair]:
    """The nodes, in whatever state the last test left them."""
    async with pair_on(tmp_path_factory.mktemp("pair"), urls[0]) as pair:
        yield pair


@pytest_asyncio.fixture(loop_scope="package")
async def pair(shared_pair: Pair) -> Pair:
    """Two nodes that run."""
    await shared_pair.start()
    return shared_pair


@pytest_asyncio.fixture(loop_scope="package")
async def receiver() -> AsyncIterator[Receiver]:
    """The business's server."""
    async with receiving() as made:
        yield made
