"""One bot's callbacks, to however many hosts, are in no other bot's way (SPEC 4)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.ports.store import Callback, CallbackStage
from optin.stores.sqlite import SQLiteStore
from optin.usecases.call_back import CallBack
from optin.worker import CALLBACKS_OF_A_BOT, QueueLoop, Worker
from optin.worker.shares import Shares
from tests.conftest import first_token
from tests.stores.works import Do
from tests.test_worker import until
from tests.usecases.outbox import BOT, TellingUpstream, add_bot, deliverer, new_id, opened

OTHER = "other"
HOSTS = 1_500


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", lambda: time.time_ns() // 1000) as made:
        await add_bot(made)
        await made.add_bot(Bot(OTHER), first_token(OTHER))
        yield made


class Hanging:
    """A poster whose posts to hosts named so hang until they are let go."""

    def __init__(self) -> None:
        self.posts: list[str] = []
        self.under_way = self.most = 0
        self.go = asyncio.Event()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        if "hanging" in url:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await self.go.wait()
            self.under_way -= 1
        self.posts.append(url)
        return 200


async def owe(store: SQLiteStore, bot_id: str, *urls: str) -> None:
    def put(tx: Any) -> None:
        for number, url in enumerate(urls):
            name = f"{tx.now}-{number:05}"
            tx.put_callback(Callback(bot_id, name, url, b"{}", tx.now, tx.now))

    await store.commit(Do(put, bot_id=bot_id))


async def test_hanging_hosts_of_one_bot_hold_up_no_other(store: SQLiteStore) -> None:
    """1,500 callbacks to as many hosts that hang, and then one of another bot: it goes out at
    once, not when 1,500 posts have timed out; and all of them arrive when their hosts are back."""
    await owe(store, BOT, *(f"https://hanging{n}.example/" for n in range(HOSTS)))
    poster = Hanging()
    call_back = CallBack(store, poster, "process-1", new_id)
    worker = Worker(deliverer(store, TellingUpstream()), call_back, grace=0.1)
    worker.start()
    await until(lambda: poster.under_way == CALLBACKS_OF_A_BOT)
    for number in range(5):
        begun = time.monotonic()
        await owe(store, OTHER, *[f"https://living.example/{number}"] * 20)
        worker.wake()
        await until(lambda done=20 * (number + 1): len(poster.posts) >= done)  # type: ignore[misc]
        assert time.monotonic() - begun < 2.0
        await asyncio.sleep(0.3)
    assert poster.most == CALLBACKS_OF_A_BOT
    poster.go.set()
    await until(lambda: len(set(poster.posts)) == HOSTS + 5, 60)
    await worker.stop()
    assert len(poster.posts) == HOSTS + 100
    assert await store.callbacks(BOT, "", 1, CallbackStage.WAITING) == []


class Pile:
    """A queue of (bot, host) pairs; the host `slow` takes its time."""

    def __init__(self, *items: tuple[str, str], shares: Shares[tuple[str, str]]) -> None:
        self.waiting = list(items)
        self.shares = shares
        self.done: list[tuple[str, str]] = []
        self.slow = ""
        self.given_back = 0
        self.busy = 0
        self.most = 0

    async def lease(self, limit: int, without: Collection[str]) -> list[tuple[str, str]]:
        await asyncio.sleep(0)
        out, full = set(without), set(self.shares.full())
        taken = [i for i in self.waiting if i[1] not in out and i[0] not in full][:limit]
        for item in taken:
            self.waiting.remove(item)
        return taken

    async def deliver(self, item: tuple[str, str]) -> None:
        self.busy += 1
        self.most = max(self.most, self.busy)
        await asyncio.sleep(0.1 if item[1] == self.slow else 0.001)
        self.busy -= 1
        self.done.append(item)

    async def put_back(self, items: Sequence[tuple[str, str]]) -> None:
        self.given_back += len(items)
        self.waiting.extend(items)


async def test_a_busy_bot_is_not_put_off() -> None:
    """Hosts that answer at once are all asked in one go, so many at a time, none put back."""
    shares = Shares[tuple[str, str]](lambda item: item[0], 4, 100)
    pile = Pile(*(("a", f"host{n}") for n in range(200)), shares=shares)
    loop = QueueLoop(pile, lambda item: item[1], 8, shares=shares)
    async with asyncio.timeout(10):
        while len(pile.done) < 200:
            await loop.turn()
    await loop.finish(1.0)
    assert (pile.most, pile.given_back) == (4, 0)
    assert sorted(pile.done) == sorted(("a", f"host{n}") for n in range(200))


async def test_what_waits_for_its_bots_share_is_not_lost() -> None:
    """Leased for a receiver that has nothing else under way, while its bot has enough: it is done
    when the bot has room again."""
    shares = Shares[tuple[str, str]](lambda item: item[0], 1, 100)
    items = [("a", "hub"), ("b", "far"), ("b", "hub")]
    pile = Pile(*items, shares=shares)
    pile.slow = "far"
    loop = QueueLoop(pile, lambda item: item[1], 8, shares=shares)
    async with asyncio.timeout(10):
        while len(pile.done) < len(items):
            await loop.turn()
    await loop.finish(1.0)
    assert (sorted(pile.done), pile.given_back) == (items, 0)


async def test_bots_with_one_receiver_do_not_wait_for_each_other() -> None:
    """A receiver's next callback may be another bot's, when the first bot has its share."""
    shares = Shares[tuple[str, str]](lambda item: item[0], 2, 100)
    items = [("a", "hub")] * 6 + [("b", "hub")] * 2
    pile = Pile(*items, shares=shares)
    loop = QueueLoop(pile, lambda item: item[1], 8, shares=shares)
    async with asyncio.timeout(10):
        while len(pile.done) < len(items):
            await loop.turn()
    await loop.finish(1.0)
    assert pile.most == 4
    assert ("b", "hub") in pile.done[:4]
    assert sorted(pile.done) == items
