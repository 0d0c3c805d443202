"""A sudden rise in opt-outs asks a person, once a source and hour (P8)."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from optin.domain.errors import InvalidInput
from optin.domain.events import Claim, Kind, Origin
from optin.stores.sqlite import SQLiteStore
from optin.usecases.review import Reviews
from optin.usecases.watch import Watch
from tests.stores.works import record
from tests.usecases.hearing import reviews
from tests.usecases.outbox import BOT, HOUR, Clock, add_bot, new_id, opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", clock) as made:
        await add_bot(made)
        yield made


async def opt_outs(store: SQLiteStore, count: int, source: str = "webhook:meta") -> None:
    claims = [
        Claim(new_id(), f"4673200{n:04}", Kind.OPT_OUT_KEYWORD, Origin.LIVE, source)
        for n in range(count)
    ]
    await store.commit(record(*claims, bot_id=BOT))


async def test_a_rise_is_asked_about_once(
    store: SQLiteStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """By whichever process, minute for minute; and told in the log and to the alarm."""
    told: list[tuple[str, str]] = []
    watch = Watch(store, lambda bot_id, source: told.append((bot_id, source)))
    await opt_outs(store, 20)
    assert await watch() == 0
    await opt_outs(store, 1)
    with caplog.at_level(logging.WARNING):
        assert [await watch(), await watch(), await Watch(store)()] == [1, 0, 0]
    assert told == [(BOT, "webhook:meta")]
    assert "21 opt-outs" in caplog.text
    [item] = await reviews(store)
    assert (item.kind, item.identities, item.context["count"]) == ("rise", (), "21")


async def test_the_next_hour_is_another_question(store: SQLiteStore, clock: Clock) -> None:
    """One that goes on is asked about each hour; an old one is over."""
    await opt_outs(store, 30)
    assert await Watch(store)() == 1
    clock.now += HOUR + 1
    assert await Watch(store)() == 0
    await opt_outs(store, 30)
    assert await Watch(store)() == 1


async def test_what_is_usual_is_no_rise(store: SQLiteStore, clock: Clock) -> None:
    """A hundred an hour for a week: four hundred are none, six hundred are; by source."""
    for _ in range(167):
        await opt_outs(store, 100)
        clock.now += HOUR + 1
    await opt_outs(store, 400)
    assert await Watch(store)() == 0
    await opt_outs(store, 200)
    await opt_outs(store, 25, "native_api")
    assert await Watch(store)() == 2


async def test_a_rise_is_about_nobody(store: SQLiteStore) -> None:
    """Nobody can be opted out by it; it can only be put away."""
    await opt_outs(store, 30)
    await Watch(store)()
    [item] = await reviews(store)
    with pytest.raises(InvalidInput):
        await Reviews(store).decide(BOT, item.review_id, "stop", actor="a")
    await Reviews(store).decide(BOT, item.review_id, "nothing", actor="a")
    assert await reviews(store) == []
