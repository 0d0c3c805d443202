"""What a lease costs on SQLite, counted in the steps of its virtual machine, not in time."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from optin.domain.messages import Category
from optin.domain.outbox import OutboxMessage, Stage
from optin.ports.store import Callback, CallbackStage, Transaction
from optin.stores.sqlite import SQLiteStore, leasing
from tests.stores.works import BOT, OTHER_BOT, WHO, Do

MANY = 5_000
NOW = 1_800_000_000_000_000


async def steps(store: SQLiteStore, asked: Callable[[], Awaitable[Any]]) -> int:
    """About how many steps the statements on both connections take, in hundreds."""
    counted = 0

    def one_hundred() -> int:
        nonlocal counted
        counted += 1
        return 0

    def watch(connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(one_hundred, 100)

    for thread in (store._writer, store._reader):
        await thread.run(watch)
    await asked()
    return counted


def owe(bot_id: str, count: int, stage: CallbackStage, host: str = "h{}") -> Do:
    def put(tx: Transaction) -> None:
        for n in range(count):
            url = f"https://{host.format(n % 900)}.example/"
            tx.put_callback(Callback(bot_id, f"{host}{n:05}", url, b"{}", n, n, stage=stage))

    return Do(put, bot_id=bot_id)


def keep(bot_id: str, count: int, stage: Stage) -> Do:
    def put(tx: Transaction) -> None:
        for n in range(count):
            name = f"{stage}{n:05}"
            times = (n, NOW + 10**9, n)
            made = OutboxMessage(bot_id, name, WHO, {}, Category.SERVICE, *times, stage=stage)
            tx.put_message(made)

    return Do(put, bot_id=bot_id)


async def test_an_idle_queue_does_not_read_what_is_done(store: SQLiteStore) -> None:
    """Every process asks several times a second, so what was sent and told long ago must not be
    read: neither by leases nor by the sweep."""
    await store.commit(owe(BOT, MANY, CallbackStage.DONE))
    await store.commit(keep(BOT, MANY, Stage.SETTLED))

    async def ask() -> None:
        assert (await store.lease_callbacks("w", 1, 10))[1] == []
        assert (await store.lease_messages("w", 1, 10))[1] == []
        assert await store.stale_messages(NOW, 10) == []

    assert await steps(store, ask) < 10


async def test_a_long_queue_of_who_is_left_out_is_passed_over(store: SQLiteStore) -> None:
    """Thousands that are due, of a receiver or a bot with enough under way, cost a few seeks."""
    await store.commit(owe(BOT, MANY, CallbackStage.WAITING, "dead"))
    await store.commit(keep(BOT, MANY, Stage.WAITING))
    await store.commit(owe(OTHER_BOT, 1, CallbackStage.WAITING, "living"))

    async def callbacks() -> None:
        _, [one] = await store.lease_callbacks("w", 1, 10, ["dead.example"])
        assert one.bot_id == OTHER_BOT
        assert len((await store.lease_callbacks("w", 1, 10, [], [BOT]))[1]) == 1

    async def messages() -> None:
        assert (await store.lease_messages("w", 1, 10, [BOT]))[1] == []

    looked_at = 500 * 12 // 100  # the oldest few hundred, a dozen steps each
    assert await steps(store, callbacks) < 4 * looked_at + 40
    assert await steps(store, messages) < looked_at + 40


async def test_a_lease_is_bounded_by_its_bytes(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relayed bodies can have megabytes each: the lease ends with the one that fills its room, the
    rest is for the next one, and one that is larger than that goes alone."""
    monkeypatch.setattr(leasing, "MOST_BYTES", 2_500)

    def put(tx: Transaction) -> None:
        for n, size in enumerate([1_000, 1_000, 1_000, 9_000, 2, 1_000]):
            tx.put_callback(Callback(BOT, f"C{n}", "https://a.example/", b"x" * size, n, n))

    await store.commit(Do(put))
    leases = [(await store.lease_callbacks("w", 10**6, 10))[1] for _ in range(4)]
    names = [[each.callback_id for each in found] for found in leases]
    assert names == [["C0", "C1", "C2"], ["C3"], ["C4", "C5"], []]
