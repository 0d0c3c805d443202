"""Housekeep: what was only kept to be looked at goes when its time is over (SPEC 4, 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from optin.domain.bots import Bot, checked_settings
from optin.domain.errors import InvalidSetting
from optin.domain.events import DAY, Kind
from optin.ports.store import Callback, RawWebhook
from optin.stores.sqlite import SQLiteStore
from optin.usecases.housekeep import Housekeep
from tests.conftest import first_token
from tests.stores.works import Do, claim, record
from tests.usecases.outbox import ADA, BOT, START, Clock, add_bot, consent, opened, within

URL = "https://shop.example/hook"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", clock) as made:
        await add_bot(made)
        await made.add_bot(Bot("other"), first_token("other"))
        yield made


async def fill(store: SQLiteStore) -> None:
    """A callback of each stage and a kept webhook, made now."""

    def owe(tx: Any) -> None:
        for name in ("done", "dead", "waiting"):
            tx.put_callback(Callback(BOT, name, URL, b"{}", tx.now, tx.now))
        tx.put_webhook(RawWebhook(b"w" * 16, tx.now, b"{}", "not understood"))

    await within(store, owe)
    found = {c.callback_id: c for c in await store.callbacks(BOT, "", 10)}
    await store.put_callbacks([found["done"]], [], [found["dead"]])


async def left(store: SQLiteStore) -> set[str]:
    """What is still there."""
    names = {c.callback_id for c in await store.callbacks(BOT, "", 10)}
    return names | {"webhook" for _ in await store.webhooks(BOT, b"", 10)}


async def test_a_week(store: SQLiteStore, clock: Clock) -> None:
    """Done and dead callbacks and kept webhooks stay seven days; what waits stays at any age."""
    await fill(store)
    clock.now += 7 * DAY
    assert await Housekeep(store)() == 0
    clock.now += 1
    assert await Housekeep(store)() == 3
    assert await left(store) == {"waiting"}


@pytest.mark.parametrize(("days", "kept"), [("30", 30), ("1", 1), ("0", 7), ("", 7)])
async def test_the_setting(store: SQLiteStore, clock: Clock, days: str, kept: int) -> None:
    """`keep_webhooks_days`; with 0, what was not understood still stays for a week."""
    await store.put_settings(BOT, {"keep_webhooks_days": days})
    await fill(store)
    clock.now += kept * DAY
    await Housekeep(store)()
    assert "webhook" in await left(store)
    clock.now += 1
    await Housekeep(store)()
    assert "webhook" not in await left(store)


async def test_the_ledger_stays(store: SQLiteStore, clock: Clock) -> None:
    """R16: no event goes, however old."""
    await consent(store, Kind.OPT_OUT, ADA)
    clock.now += 3650 * DAY
    await Housekeep(store)()
    assert len((await store.histories(BOT, [ADA])).events[ADA]) == 1


async def test_each_bot_for_itself(store: SQLiteStore, clock: Clock) -> None:
    """Every bot is visited, with its own setting."""
    await store.put_settings(BOT, {"keep_webhooks_days": "365"})
    await fill(store)
    webhook = RawWebhook(b"o" * 16, START, b"{}", "")
    await store.commit(Do(lambda tx: tx.put_webhook(webhook), bot_id="other"))
    clock.now += 8 * DAY
    await Housekeep(store)()
    assert await left(store) == {"waiting", "webhook"}
    assert await store.webhooks("other", b"", 10) == []


@pytest.mark.parametrize("value", ["-1", "366", "a week", "7.5", "٣"])
def test_what_is_no_number_of_days(value: str) -> None:
    """Whole days from 0 to 365."""
    with pytest.raises(InvalidSetting):
        checked_settings({"keep_webhooks_days": value})


async def test_the_ledger_is_cut_as_the_settings_say(store: SQLiteStore, clock: Clock) -> None:
    """R16: with `keep_events_days` what nothing rests on goes; without it nothing does."""
    for bot_id in (BOT, "other"):
        for kind in (Kind.OPT_IN, Kind.OPT_IN, Kind.OPT_OUT):
            await store.commit(record(claim(kind, ADA), bot_id=bot_id))
            clock.now += DAY
    await store.put_settings(BOT, checked_settings({"keep_events_days": "30"}))
    clock.now += 40 * DAY
    await Housekeep(store)()
    kept = [
        [e.claim.kind for e in (await store.histories(bot_id, [ADA])).events[ADA]]
        for bot_id in (BOT, "other")
    ]
    assert kept == [[Kind.OPT_IN, Kind.OPT_OUT], [Kind.OPT_IN, Kind.OPT_IN, Kind.OPT_OUT]]


async def test_removed_bots_are_visited(store: SQLiteStore, clock: Clock) -> None:
    """R16: what was kept goes after its time with a removed bot, too, by its own settings."""
    secret = {"keep_webhooks_days": "30", "keep_events_days": "60", "meta.access_token": "EAAG"}
    await store.put_settings(BOT, secret)
    await fill(store)
    for kind in (Kind.OPT_IN, Kind.OPT_IN, Kind.OPT_OUT):
        await consent(store, kind, ADA)
        clock.now += 1
    await store.remove_bot(BOT)
    [removed] = await store.removed_bots()
    assert dict(removed.settings) == {"keep_webhooks_days": "30", "keep_events_days": "60"}
    clock.now += 29 * DAY
    await Housekeep(store)()
    assert await left(store) == {"waiting", "webhook"}
    clock.now += 40 * DAY
    await Housekeep(store)()
    assert await left(store) == {"waiting"}
    kept = (await store.histories(BOT, [ADA])).events[ADA]
    assert [event.claim.kind for event in kept] == [Kind.OPT_IN, Kind.OPT_OUT]
