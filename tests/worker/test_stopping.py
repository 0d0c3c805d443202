"""A worker that goes over many bots stops behind the bot at hand, and its write is whole (R13)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.events import DAY
from optin.ports.store import Callback
from optin.stores.sqlite import SQLiteStore
from optin.usecases.call_back import CallBack
from optin.usecases.housekeep import Housekeep
from optin.usecases.keep_templates import KeepTemplates
from optin.usecases.watch import Watch
from optin.worker import Worker
from optin.worker.running import Chore
from tests.conftest import first_token
from tests.stores.works import Do
from tests.test_worker import Hosts, until
from tests.usecases.outbox import Clock, TellingUpstream, deliverer, new_id, opened

MANY = 60
#: How long a chore is at each bot, and how long all of them would take, in seconds.
AT_EACH, ALTOGETHER = 0.2, MANY * 0.2
#: How long a stop may take: the bot at hand, and what this machine takes for it, in seconds.
BOUND = 2.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    """Many bots, each with a callback whose time is over."""
    clock = Clock()
    async with opened(tmp_path / "t.db", clock) as made:
        for number in range(MANY):
            bot_id = f"bot-{number:03}"
            await made.add_bot(Bot(bot_id, {"keep_events_days": "9999"}), first_token(bot_id))
            await made.commit(Do(partial(_owe, bot_id), bot_id=bot_id))
            await made.put_callbacks(await made.callbacks(bot_id, "", 1), [], [])
        clock.now += 8 * DAY
        yield made


def _owe(bot_id: str, tx: Any) -> None:
    tx.put_callback(Callback(bot_id, "C", "https://shop.example/hook", b"{}", tx.now, tx.now))


@dataclass(eq=False)
class Slow:
    """The store, slow in one of its methods. It keeps what was begun and what came to its end."""

    store: SQLiteStore
    method: str
    begun: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)
        return self._slowly(found) if name == self.method else found

    def _slowly(self, called: Callable[..., Any]) -> Callable[..., Any]:
        async def slowly(bot_id: str, *more: Any) -> Any:
            self.begun.append(bot_id)
            await asyncio.sleep(AT_EACH / 2)
            answer = await called(bot_id, *more)
            await asyncio.sleep(AT_EACH / 2)
            self.ended.append(bot_id)
            return answer

        return slowly


async def stopped_within(store: Any, chore: Chore, begun: Callable[[], bool]) -> float:
    """How long a worker takes to stop once its chore has begun, in seconds."""
    call_back = CallBack(store, Hosts(), "process-1", new_id)
    worker = Worker(deliverer(store, TellingUpstream()), call_back, chores={chore: 3600.0})
    worker.start()
    await until(begun)
    since = time.monotonic()
    async with asyncio.timeout(ALTOGETHER):
        await worker.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return time.monotonic() - since


async def test_housekeeping_stops_behind_a_whole_write(store: SQLiteStore) -> None:
    """What was being pruned is pruned, and no bot behind it has been touched."""
    slow = Slow(store, "prune")
    taken = await stopped_within(slow, Housekeep(slow), lambda: len(slow.begun) == 3)
    assert taken < BOUND < ALTOGETHER
    assert slow.ended == slow.begun == sorted(slow.begun)
    left = [n for n in range(MANY) if await store.callbacks(f"bot-{n:03}", "", 1)]
    assert left == list(range(len(slow.ended), MANY))


async def test_a_long_cut_stops_behind_a_piece(store: SQLiteStore) -> None:
    """R16: one bot's ledger may have thousands of pieces to cut; each is whole by itself."""
    slow = Slow(store, "retain")

    async def a_piece(bot_id: str, until: Any) -> int:
        return 1

    store.retain = a_piece  # type: ignore[method-assign]
    taken = await stopped_within(slow, Housekeep(slow), lambda: len(slow.begun) == 3)
    assert taken < BOUND
    assert slow.ended == slow.begun
    assert set(slow.begun) == {"bot-000"}


async def test_the_watch_stops_between_bots(store: SQLiteStore) -> None:
    """Who has been looked at has been looked at to the end."""
    slow = Slow(store, "opt_outs_since")
    taken = await stopped_within(slow, Watch(slow), lambda: len(slow.begun) == 3)
    assert taken < BOUND < ALTOGETHER
    assert slow.ended == slow.begun
    assert len(slow.begun) < MANY / 2


async def test_no_further_template_list_is_asked_for(store: SQLiteStore) -> None:
    """Lists that are asked for a few at a time: those that wait for their turn never begin."""
    asked: list[str] = []

    async def sync(bot_id: str) -> None:
        asked.append(bot_id)
        await asyncio.sleep(AT_EACH)

    keeping = KeepTemplates(store, lambda _: True, sync, jitter=lambda: 0.0)
    call_back = CallBack(store, Hosts(), "process-1", new_id)
    worker = Worker(deliverer(store, TellingUpstream()), call_back, chores={keeping.round: 3600.0})
    worker.start()
    await until(lambda: bool(asked))
    await worker.stop()
    before = len(asked)
    await asyncio.sleep(3 * AT_EACH)
    assert len(asked) == before < MANY / 2
    await keeping.close()
