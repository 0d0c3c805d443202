"""H9: template records of bots whose node was killed while it asked for them. Nodes agree on
nothing here: the other asks on its own and ends with all of them."""

from __future__ import annotations

import asyncio

import pytest

from tests.acceptance.killed.templates import Killed
from tests.acceptance.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_killed_between_pages(killed_in_sync: asyncio.Task[Killed]) -> None:
    """Nothing is written of half a list, since the rest would be taken for deleted."""
    killed = await killed_in_sync
    assert killed.found[0] == {}
    await until(killed.short.is_whole)


async def test_killed_between_commits(killed_in_sync: asyncio.Task[Killed]) -> None:
    """Of a long list some records are true, and the others as they were."""
    killed = await killed_in_sync
    true, found = killed.long.listed, dict(killed.found[1])
    assert found.pop(killed.late) == "authentication" != true[killed.late]
    assert 0 < len(found) < len(true) - 1
    assert found.items() <= true.items()
    await until(killed.long.is_whole)
