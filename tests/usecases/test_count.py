"""Counts cost as much however many ask for them (SPEC 8)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from optin.domain.errors import NotFound, StoreUnavailable
from optin.domain.events import Kind
from optin.stores.sqlite import SQLiteStore
from optin.usecases.count import Count, Counted
from tests.stores.works import claim, record
from tests.usecases.outbox import ADA, BOT, Clock, add_bot, opened


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", Clock()) as made:
        await add_bot(made)
        yield made


@pytest.fixture
def asked(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the store was asked to count."""
    calls: list[Any] = []
    stats = store.stats

    async def noted(*about: Any) -> Any:
        calls.append(about)
        return await stats(*about)

    monkeypatch.setattr(store, "stats", noted)
    return calls


async def test_many_at_once_are_counted_for_once(store: SQLiteStore, asked: list[Any]) -> None:
    """Those who ask while it is counted, and a few seconds later, get one answer; another number
    of days is another question."""
    count = Count(store, Counted())
    told = await asyncio.gather(*(count.stats(BOT, 30) for _ in range(50)))
    assert len({id(each) for each in told}) == 1
    assert await count.stats(BOT, 30) is told[0]
    assert len(asked) == 1
    assert await count.stats(BOT, 7) is not told[0]


async def test_it_is_counted_anew_after_a_few_seconds(store: SQLiteStore, asked: list[Any]) -> None:
    """What was recorded meanwhile is in it then, and nothing is kept that is old."""
    counted = Counted(fresh=0.05)
    count = Count(store, counted)
    before = await count.stats(BOT, 30)
    await store.commit(record(claim(Kind.OPT_IN, ADA), bot_id=BOT))
    await asyncio.sleep(0.1)
    after = await count.stats(BOT, 30)
    assert after.contacts.opted_in == before.contacts.opted_in + 1
    await asyncio.sleep(0.1)
    await count.stats(BOT, 7)
    assert len(counted) == 1


async def test_a_failure_is_not_kept(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """R12: the next one asks again; and a bot that is gone has no counts at once."""
    count, stats = Count(store, Counted()), store.stats

    async def down(*_: Any) -> Any:
        raise StoreUnavailable("down")

    monkeypatch.setattr(store, "stats", down)
    with pytest.raises(StoreUnavailable):
        await count.stats(BOT, 30)
    monkeypatch.setattr(store, "stats", stats)
    await count.stats(BOT, 30)
    await store.remove_bot(BOT)
    with pytest.raises(NotFound):
        await count.stats(BOT, 30)


async def test_one_that_goes_away_takes_nobodys_answer(store: SQLiteStore) -> None:
    """Whoever asked first may hang up; the others are answered."""
    count = Count(store, Counted())
    first, second = (asyncio.create_task(count.stats(BOT, 30)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).contacts.identities == 0


async def test_the_file_is_opened_once_more_for_all_of_them(store: SQLiteStore) -> None:
    """SPEC 8: one thread and one connection, however many different counts are asked for."""
    before, most = threading.active_count(), 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, threading.active_count())
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(Count(store).stats(BOT, days) for days in range(1, 30)))
    watching.cancel()
    assert most - before <= 1
