"""The worker's loops: everything due is done, nothing holds up the rest, they stop when told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.errors import StoreUnavailable
from optin.domain.events import Kind
from optin.domain.messages import Category, MessageState
from optin.domain.outbox import OutboxMessage, Stage
from optin.ports.stopping import Stopped
from optin.ports.store import Callback
from optin.ports.upstream import Accepted, Outcome, Release, Unknown
from optin.stores.sqlite import SQLiteStore
from optin.usecases.call_back import CallBack
from optin.usecases.send_message import SendMessage
from optin.worker import AT_ONCE, QueueLoop, Worker
from optin.worker.queue_loop import PATIENCE
from tests.conftest import first_token
from tests.usecases.outbox import (
    ADA,
    BOT,
    UTILITY,
    TellingUpstream,
    add_bot,
    again,
    consent,
    deliverer,
    new_id,
    opened,
    put_template,
    send,
    within,
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", lambda: time.time_ns() // 1000) as made:
        await add_bot(made)
        await put_template(made, Category.UTILITY)
        await consent(made, Kind.OPT_IN, ADA)
        yield made


@dataclass
class Hosts:
    """A poster for many receivers, some of which hang until they are let go."""

    hanging: str = ""
    posts: list[str] = field(default_factory=list)
    under_way: int = 0
    most: int = 0
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        if self.hanging and self.hanging in url:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await self.go.wait()
            self.under_way -= 1
        self.posts.append(url)
        return 200


def working(store: Any, upstream: Any, poster: Any = None, **more: Any) -> Worker:
    call_back = CallBack(store, poster or Hosts(), "process-1", new_id)
    return Worker(deliverer(store, upstream), call_back, **more)


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits for it, and fails when it does not come true."""
    for _ in range(int(seconds * 100)):
        if true():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not come true in time")


async def test_what_is_accepted_is_handed_over_and_told(store: SQLiteStore) -> None:
    """From accept to callback without anybody's doing."""
    upstream, hosts = TellingUpstream(), Hosts()
    worker = working(store, upstream, hosts)
    worker.start()
    [message] = await send(store, ADA, message=UTILITY)
    await until(lambda: bool(hosts.posts))
    await worker.stop()
    assert upstream.sent == [message.message_id]
    assert (await again(store, message)).state is MessageState.DISPATCHED
    assert hosts.posts == ["https://shop.example/hook"]


async def test_wake_is_quicker_than_the_poll(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that sleeps is woken by what was accepted."""
    monkeypatch.setattr("optin.worker.queue_loop.POLL", 60.0)
    upstream = TellingUpstream()
    worker = working(store, upstream)
    worker.start()
    await asyncio.sleep(0.2)
    await send(store, ADA, message=UTILITY)
    await asyncio.sleep(0.2)
    assert upstream.sent == []
    worker.wake()
    await until(lambda: bool(upstream.sent), 2.0)
    await worker.stop()


async def test_a_receiver_that_hangs_holds_up_no_other(store: SQLiteStore) -> None:
    """SPEC 4: 600 callbacks to a dead receiver come first, those of the living go out at once,
    and the dead one is asked a few at a time."""

    def owe(tx: Any) -> None:
        for n in range(620):
            host = "dead" if n < 600 else "live"
            url = f"https://{host}.example/{n}"
            tx.put_callback(Callback(BOT, f"C{n:04}", url, b"{}", tx.now, tx.now + n))

    await within(store, owe)
    hosts = Hosts(hanging="dead")
    worker = working(store, TellingUpstream(), hosts, grace=0.1)
    worker.start()
    await until(lambda: len(hosts.posts) == 20)
    await worker.stop()
    assert all("live" in url for url in hosts.posts)
    assert 0 < hosts.most <= 8


async def test_a_bot_whose_upstream_hangs_holds_up_no_other(store: SQLiteStore) -> None:
    """One bot's hanging hand-overs leave room for the others'."""
    await store.add_bot(Bot("other", {"enforce": "none"}), first_token("other"))
    await store.put_settings(BOT, {"enforce": "none"})
    go, sent = asyncio.Event(), []

    class Half(TellingUpstream):
        async def hand_over(self, bot: Bot, message: OutboxMessage, release: Release) -> Outcome:
            if bot.bot_id == BOT:
                await go.wait()
            await release()
            sent.append(bot.bot_id)
            return Accepted(f"wamid.{message.message_id}")

    worker = working(store, Half(), grace=0.1)
    people = [f"4673{n:07}" for n in range(AT_ONCE + 50)]
    await send(store, *people, message=UTILITY)
    await SendMessage(store, new_id).accept("other", [ADA], UTILITY, "token-1")
    worker.start()
    await until(lambda: sent == ["other"])
    await worker.stop()


async def test_stop_waits_for_what_is_under_way(store: SQLiteStore) -> None:
    """A hand-over that has begun is settled before the process goes."""
    begun = asyncio.Event()

    async def slow() -> None:
        begun.set()
        await asyncio.sleep(0.3)

    upstream = TellingUpstream(after=slow)
    worker = working(store, upstream)
    [message] = await send(store, ADA, message=UTILITY)
    worker.start()
    await begun.wait()
    await worker.stop()
    assert (await again(store, message)).state is MessageState.DISPATCHED


async def test_stop_does_not_wait_for_ever(store: SQLiteStore) -> None:
    """What hangs longer than the grace is left claimed: never sent again."""
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.sleep(3600)

    worker = working(store, TellingUpstream(after=hang), grace=0.1)
    [message] = await send(store, ADA, message=UTILITY)
    worker.start()
    await begun.wait()
    async with asyncio.timeout(5):
        await worker.stop()
    assert (await again(store, message)).stage is Stage.CLAIMED


async def test_stop_ends_a_worker_that_has_nothing_to_do(store: SQLiteStore) -> None:
    """Stopping needs no work and leaves no task behind."""
    worker = working(store, TellingUpstream())
    worker.start()
    await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        await worker.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@dataclass
class Flaky:
    """The store, whose leases and stale lists fail at first."""

    store: SQLiteStore
    failures: int = 3

    def __getattr__(self, name: str) -> Any:
        if name in ("lease_messages", "stale_messages", "lease_callbacks") and self.failures:
            self.failures -= 1
            raise StoreUnavailable("down")
        return getattr(self.store, name)


async def test_a_loop_outlives_a_store_that_is_down(store: SQLiteStore) -> None:
    """R12: nothing is done while the store is down, everything once it is back."""
    upstream, flaky = TellingUpstream(), Flaky(store)
    worker = working(flaky, upstream)
    [message] = await send(store, ADA, message=UTILITY)
    worker.start()
    await until(lambda: upstream.sent == [message.message_id])
    await worker.stop()
    assert flaky.failures == 0


async def test_the_sweep_runs_by_itself(store: SQLiteStore) -> None:
    """H8: an unknown outcome ends after 24 h without anybody's doing."""
    upstream = TellingUpstream([Unknown("timed out")])
    worker = working(store, upstream, sweep_every=0.05)
    [message] = await send(store, ADA, message=UTILITY)
    worker.start()
    await until(lambda: bool(upstream.sent))
    await asyncio.sleep(0.2)

    def age(tx: Any) -> None:
        found = tx.message(message.message_id)
        tx.put_message(replace(found, claimed=found.claimed - 86_400_000_001))

    assert (await again(store, message)).stage is Stage.CLAIMED
    await within(store, age, messages=frozenset({message.message_id}))
    await asyncio.sleep(0.5)
    await worker.stop()
    assert (await again(store, message)).details == "unknown_outcome"


class Pile:
    """A queue of numbers; even ones break. Those of a key `slow` wait until they are let go."""

    def __init__(self, size: int, key: Callable[[int], str]) -> None:
        self.waiting = list(range(size))
        self.key = key
        self.go = asyncio.Event()
        self.done: list[int] = []
        self.given_back = 0
        self.busy = 0
        self.most = 0

    async def lease(self, limit: int, without: Collection[str]) -> list[int]:
        await asyncio.sleep(0)
        taken = [item for item in self.waiting if self.key(item) not in without][:limit]
        self.waiting = [item for item in self.waiting if item not in set(taken)]
        return taken

    async def deliver(self, item: int) -> None:
        self.busy += 1
        self.most = max(self.most, self.busy)
        await (self.go.wait() if self.key(item) == "slow" else asyncio.sleep(0))
        self.busy -= 1
        self.done.append(item)
        if item % 2 == 0:
            raise KeyError(item)

    async def put_back(self, items: Sequence[int]) -> None:
        self.given_back += len(items)
        self.waiting.extend(items)


async def turns(loop: QueueLoop[int], pile: Pile, done: int) -> None:
    """Turns until so many are done."""
    async with asyncio.timeout(20):
        while len(pile.done) < done:
            await loop.turn()


async def test_an_item_that_breaks_ends_nothing() -> None:
    """Each item is worked on once, whatever happens to its neighbours, within the bounds."""
    pile = Pile(1000, lambda item: str(item % 3))
    loop = QueueLoop(pile, pile.key, for_one=5)
    await turns(loop, pile, 1000)
    await loop.finish(1.0)
    assert sorted(pile.done) == list(range(1000))
    assert pile.most <= 15


async def test_a_busy_key_is_not_put_off() -> None:
    """One receiver that answers at once gets everything in one go, nothing is given back."""
    pile = Pile(5000, lambda _: "one")
    loop = QueueLoop(pile, pile.key, for_one=8)
    await turns(loop, pile, 5000)
    assert (pile.given_back, pile.most) == (0, 8)


async def test_a_key_that_hangs_leaves_room() -> None:
    """What hangs fills the room for a second at most; then the others have it."""
    pile = Pile(2 * AT_ONCE, lambda item: "slow" if item < AT_ONCE else "quick")
    loop = QueueLoop(pile, pile.key, for_one=8)
    await turns(loop, pile, AT_ONCE)
    assert min(pile.done) >= AT_ONCE
    assert (pile.busy, pile.given_back) == (8, AT_ONCE - 8)
    pile.go.set()
    await turns(loop, pile, 2 * AT_ONCE)
    assert sorted(pile.done) == list(range(2 * AT_ONCE))


async def test_a_key_that_hung_does_not_fill_the_room_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each time that the posts of a hanging receiver have timed out, the next few begin and the
    others still have the room: not again for a second."""
    pile = Pile(2 * AT_ONCE, lambda item: "slow" if item < AT_ONCE else "quick")
    loop = QueueLoop(pile, pile.key, for_one=8)
    await turns(loop, pile, AT_ONCE)
    pile.waiting = [*range(8, AT_ONCE), *range(9_000, 9_100)]
    pile.go.set()  # the eight under way time out, and the next ones hang again
    await asyncio.sleep(0)
    pile.go.clear()
    begun, worked = time.monotonic(), time.process_time()
    await turns(loop, pile, AT_ONCE + 8 + 100)
    waited = (time.monotonic() - begun) - (time.process_time() - worked)
    assert waited < 0.7 * PATIENCE  # a slow machine works for long, a loop that fills up waits
    assert pile.busy <= 8
    pile.go.set()
    await loop.finish(1.0)


async def test_a_key_that_recovered_has_the_room_again() -> None:
    """Who was slow and answers at once gets everything soon, in turns that double."""
    pile = Pile(2 * AT_ONCE, lambda item: "slow" if item < AT_ONCE else "quick")
    loop = QueueLoop(pile, pile.key, for_one=8)
    await turns(loop, pile, AT_ONCE)
    pile.go.set()
    begun = time.monotonic()
    await turns(loop, pile, 2 * AT_ONCE)
    assert time.monotonic() - begun < 2.0


async def test_chores_are_done_at_the_start_and_again(store: SQLiteStore) -> None:
    """A chore runs every so often; one that fails is tried again and ends no other."""
    counts = {"good": 0, "bad": 0}

    async def good(_: Stopped) -> int:
        counts["good"] += 1
        return 7

    async def bad(_: Stopped) -> None:
        counts["bad"] += 1
        raise StoreUnavailable("down")

    worker = working(store, TellingUpstream(), chores={good: 0.05, bad: 3600.0})
    worker.start()
    await until(lambda: counts["good"] >= 3 and counts["bad"] >= 2)
    async with asyncio.timeout(5):
        await worker.stop()


async def test_stopping_gives_back_what_has_not_begun() -> None:
    """Other processes need not wait for the leases to run out."""
    pile = Pile(100, lambda _: "slow")
    loop = QueueLoop(pile, pile.key, for_one=8)
    await loop.turn()
    await loop.finish(0.05)
    assert (len(pile.waiting), pile.done) == (92, [])
