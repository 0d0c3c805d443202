"""Callbacks to real receivers, good and bad, with the store's clock in our hand (SPEC 4)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.ports.store import Callback
from optin.stores.sqlite import SQLiteStore
from optin.upstreams.poster import HttpPoster
from optin.usecases.call_back import CallBack
from optin.usecases.replay_callbacks import ReplayCallbacks
from optin.worker import AT_ONCE, CALLBACKS_FOR_ONE, Worker
from tests.acceptance.receivers import Receiver, receiving, until
from tests.conftest import first_token
from tests.stores.works import Do
from tests.usecases.outbox import BOT, TellingUpstream, add_bot, deliverer, new_id, opened

OTHER = "other"
SECOND = 1_000_000
#: What a hanging receiver costs before it counts as silent, in seconds.
TIMEOUT = 1.0


class Ahead:
    """The real time, and what the test adds to it, in µs."""

    def __init__(self) -> None:
        self.by = 0

    def __call__(self) -> int:
        return time.time_ns() // 1000 + self.by


@pytest.fixture
def clock() -> Ahead:
    return Ahead()


@pytest.fixture
async def store(tmp_path: Path, clock: Ahead) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", clock) as made:
        await add_bot(made)
        await made.add_bot(Bot(OTHER), first_token(OTHER))
        yield made


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def poster() -> AsyncIterator[HttpPoster]:
    made = HttpPoster(allow_private=True, timeout=TIMEOUT)
    yield made
    await made.close()


def working(store: Any, poster: HttpPoster) -> Worker:
    call_back = CallBack(store, poster, "process-1", new_id)
    return Worker(deliverer(store, TellingUpstream()), call_back, grace=0.1)


async def owe(store: SQLiteStore, *urls: str, bot_id: str = BOT, mark: str = "C") -> None:
    """A callback to each; its body is its id."""

    def put(tx: Any) -> None:
        for number, url in enumerate(urls):
            name = f"{mark}{number:05}"
            tx.put_callback(Callback(bot_id, name, url, name.encode(), tx.now, tx.now))

    await store.commit(Do(put, bot_id=bot_id))


async def shown(store: SQLiteStore) -> dict[str, tuple[str, str]]:
    """Path -> (stage, outcome)."""
    return {
        c.url.split("/", 3)[3]: (c.stage.value, c.outcome)
        for c in await store.callbacks(BOT, "", 1000)
    }


async def test_each_kind_of_receiver(
    store: SQLiteStore, receiver: Receiver, poster: HttpPoster, clock: Ahead
) -> None:
    """Slow, hanging, redirecting, missing, busy, failing for a while, breaking off: who can take
    it in the end gets it, byte for byte; who refused is dead at once and never asked again."""
    paths = (
        *("ok/1", "slow/1", "redirect/1", "gone/1", "down-3/1", "busy/1", "cut/1", "half/1"),
        *("short/1", "hang/1"),
    )
    await owe(store, *(f"{receiver.url}/{path}" for path in paths))
    worker = working(store, poster)
    worker.start()

    async def all_tried() -> bool:
        waiting = [c for c in await store.callbacks(BOT, "", 100) if not c.outcome]
        return not waiting

    await until(all_tried)
    first = await shown(store)
    assert {path for path, (stage, _) in first.items() if stage == "done"} == {
        *("ok/1", "slow/1", "short/1")
    }
    assert (first["redirect/1"], first["gone/1"]) == (("dead", "HTTP 302"), ("dead", "HTTP 404"))
    assert (first["down-3/1"], first["busy/1"]) == (
        *(("waiting", "HTTP 500"), ("waiting", "HTTP 429")),
    )
    for path in ("cut/1", "half/1", "hang/1"):
        assert first[path][0] == "waiting"
        assert first[path][1].startswith("no answer: ")

    receiver.let_go.set()
    for wait in (5, 10, 20):
        clock.by += wait * SECOND
        await receiver.arrived(len(receiver.bodies("/down")) + 1, "/down")

    async def settled() -> bool:
        return not any(stage == "waiting" for stage, _ in (await shown(store)).values())

    await until(settled)
    await worker.stop()
    last = await shown(store)
    assert {path for path, (stage, _) in last.items() if stage == "dead"} == {
        *("redirect/1", "gone/1")
    }
    assert len(receiver.bodies("/redirect")) == len(receiver.bodies("/gone")) == 1
    assert "/ok/redirected" not in {post.path for post in receiver.posts}
    for number, path in enumerate(paths):
        assert set(receiver.bodies(f"/{path}")) == {f"C{number:05}".encode()}


@dataclass
class Counting:
    """The store, and how many callbacks are leased at one time."""

    store: SQLiteStore
    leased: int = 0
    most: int = 0

    async def lease_callbacks(
        self, claimant: str, lease_for: int, limit: int, *without: Collection[str]
    ) -> tuple[int, list[Callback]]:
        now, some = await self.store.lease_callbacks(claimant, lease_for, limit, *without)
        self.leased += len(some)
        self.most = max(self.most, self.leased)
        return now, some

    async def put_callbacks(self, *lists: Sequence[Callback]) -> None:
        await self.store.put_callbacks(*lists)
        self.leased -= sum(map(len, lists))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


async def rounds(store: SQLiteStore, worker: Worker, live: Receiver, mark: str) -> float:
    """Seconds until five rounds of the other bot's callbacks have arrived."""
    begun = time.monotonic()
    for number in range(5):
        wanted = len(live.posts) + 200
        await owe(store, *[f"{live.url}/ok/x"] * 200, bot_id=OTHER, mark=f"{mark}{number}-")
        worker.wake()
        await live.arrived(wanted)
    return time.monotonic() - begun


@pytest.mark.parametrize("way", ["hangs", "refuses"])
async def test_a_dead_receiver_slows_nobody(
    store: SQLiteStore, receiver: Receiver, poster: HttpPoster, way: str
) -> None:
    """5,000 callbacks of one bot wait for a dead receiver, older than all others: another bot's
    take no more than a few times as long as without, and no more are in memory than ever."""
    async with receiving() as dead:
        counting = Counting(store)
        worker = working(counting, poster)
        worker.start()
        alone = await rounds(store, worker, receiver, "alone")
        address = f"{dead.url}/hang" if way == "hangs" else "http://127.0.0.1:1/"
        await owe(store, *[address] * 5_000)
        worker.wake()
        await asyncio.sleep(0.1)
        beside = await rounds(store, worker, receiver, "beside")
        print(f"{way}: 1,000 callbacks in {alone:.2f} s alone, in {beside:.2f} s beside 5,000")
        await worker.stop()
        assert beside < 8 * alone
        assert counting.most <= AT_ONCE
        assert dead.most <= CALLBACKS_FOR_ONE


async def test_everything_arrives_once_it_is_back(
    store: SQLiteStore, receiver: Receiver, poster: HttpPoster, clock: Ahead
) -> None:
    """A receiver that was away for a while gets all 600, none of them lost."""
    await owe(store, *(f"{receiver.url}/down-2/{n}" for n in range(600)))
    worker = working(store, poster)
    worker.start()

    async def all_done() -> bool:
        clock.by += SECOND
        left = await store.callbacks(BOT, "", 1000)
        return all(c.stage == "done" for c in left)

    await until(all_done, 60)
    await worker.stop()
    assert len(set(receiver.bodies())) == 600
    assert len(receiver.bodies()) == 1800


async def test_a_replay_reaches_the_receiver(
    store: SQLiteStore, receiver: Receiver, poster: HttpPoster
) -> None:
    """What was taken or given up is posted again from a cursor, the same bytes."""
    await owe(store, f"{receiver.url}/ok/1", f"{receiver.url}/gone/1", f"{receiver.url}/ok/2")
    worker = working(store, poster)
    worker.start()

    async def ended() -> bool:
        left = await store.callbacks(BOT, "", 1000)
        return all(c.stage != "waiting" for c in left)

    await until(ended)
    assert await ReplayCallbacks(store, worker.wake).replay_from(BOT, "C00000") == 2
    await until(ended)
    await worker.stop()
    assert sorted(receiver.bodies()) == [b"C00000", b"C00001", b"C00001", b"C00002", b"C00002"]
