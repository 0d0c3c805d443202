"""Limits and circuit breakers with the real loops and store: what waits is neither lost nor in
anybody's way (H8, R12)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.events import SECOND
from optin.domain.messages import MessageState
from optin.domain.outbox import OutboxMessage, Stage
from optin.ports.upstream import Accepted, Fault, Outcome, Release, Retry, Wait
from optin.stores.sqlite import SQLiteStore
from optin.upstreams.guarded import Breakers, GuardedUpstream
from optin.upstreams.pacing import Pacing
from optin.usecases.call_back import CallBack
from optin.usecases.send_message import SendMessage
from optin.worker import FOR_ONE, Worker
from tests.conftest import first_token
from tests.test_worker import Hosts, until
from tests.usecases.outbox import BOT, TEXT, add_bot, again, deliverer, new_id, opened

A_LOT = 400


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", lambda: time.time_ns() // 1000) as made:
        await add_bot(made, enforce="none", callback_url="")
        await made.add_bot(Bot("other", {"enforce": "none"}), first_token("other"))
        yield made


class Provider:
    """Takes all but `BOT`'s while it refuses that sender; keeps who had a turn, and when each was
    taken."""

    def __init__(self, pacing: Pacing | None = None, per_second: int = 80) -> None:
        self.refuses = False
        self.turns: list[str] = []
        self.taken: list[tuple[str, str, float]] = []
        self.pacing = pacing
        self.per_second = per_second

    async def hand_over(self, bot: Bot, message: OutboxMessage, release: Release) -> Outcome:
        if self.pacing is not None:
            turn = self.pacing.turn(bot, self.per_second, message)
            if isinstance(turn, Wait):
                return turn
            if bot.bot_id == BOT:
                self.turns.append(message.message_id)
            await asyncio.sleep(turn / SECOND)
        await release()
        if self.refuses and bot.bot_id == BOT:
            return Retry("190: The access token has expired.", 60 * SECOND, Fault.SENDER)
        self.taken.append((bot.bot_id, message.message_id, time.monotonic()))
        return Accepted(f"wamid.{message.message_id}")

    async def close(self) -> None:
        """Nothing is open."""

    def of(self, bot_id: str) -> list[str]:
        return [m for b, m, _ in self.taken if b == bot_id]


class Counting(Breakers):
    """Counts how often a message asks for its way."""

    asked = 0

    def of(self, bot: Bot) -> Any:
        self.asked += 1
        return super().of(bot)


def working(store: SQLiteStore, provider: Any) -> tuple[Worker, Counting]:
    breakers = Counting()
    deliver = deliverer(store, GuardedUpstream(provider, breakers))
    call_back = CallBack(store, Hosts(), "process-1", new_id)
    return Worker(deliver, call_back, resting=lambda: breakers.resting(store.bot)), breakers


def people(count: int, prefix: int = 4673) -> list[str]:
    return [f"{prefix}{n:07}" for n in range(count)]


async def send(store: SQLiteStore, bot_id: str, to: list[str], **more: Any) -> list[OutboxMessage]:
    return await SendMessage(store, new_id).accept(bot_id, to, TEXT, "token-1", **more)


def passed(order: Sequence[str]) -> list[int]:
    """How many that belong before it each one has left behind."""
    return [sum(later < one for later in order[n:]) for n, one in enumerate(order)]


async def test_an_open_breaker_slows_nobody_else(store: SQLiteStore) -> None:
    """With hundreds of one bot's messages held up, another's go as if there were none; the held
    ones wait, untried, and go when the operator has mended the setting."""
    provider = Provider()
    provider.refuses = True
    worker, breakers = working(store, provider)
    held = await send(store, BOT, people(A_LOT))
    worker.start()
    await until(lambda: BOT in breakers.not_closed())
    slowest = 0.0
    for n in range(20):
        begun = time.monotonic()
        [mine] = await send(store, "other", people(1))
        worker.wake()
        await until(lambda mine=mine: mine.message_id in provider.of("other"))  # type: ignore[misc]
        slowest = max(slowest, time.monotonic() - begun)
        assert n < len(provider.of("other"))
    assert slowest < 1.0
    now = [await again(store, each) for each in held]
    assert {m.stage for m in now} == {Stage.WAITING}
    tried = [m for m in now if m.attempts]
    assert len(tried) <= 64
    assert {m.details for m in tried} == {"190: The access token has expired."}
    assert provider.of(BOT) == []
    provider.refuses = False
    await store.put_settings(BOT, {"upstream": "sandbox"})
    await until(lambda: len(provider.of(BOT)) == A_LOT - len(tried))
    await worker.stop()


@pytest.mark.parametrize("after", [None, 5 * SECOND])
async def test_waiting_is_no_try(store: SQLiteStore, after: int | None) -> None:
    """A message without a turn keeps its place, or comes back at its turn; no attempt, no claim."""

    class Full(Provider):
        async def hand_over(self, bot: Bot, message: OutboxMessage, release: Release) -> Outcome:
            return Wait(after)

    [kept] = await send(store, BOT, people(1))
    deliver = deliverer(store, Full())
    [leased] = await deliver.lease(10)
    await deliver.deliver(leased)
    put_back = await again(store, kept)
    assert (put_back.stage, put_back.attempts, put_back.claimed) == (Stage.WAITING, 0, 0)
    assert (put_back.claimant, put_back.leased_until) == ("", 0)
    if after is None:
        assert put_back == kept
    else:
        assert put_back.due - kept.due >= after


async def test_nothing_is_taken_up_of_who_rests(store: SQLiteStore) -> None:
    """While a bot rests its queue is not even leased, again and again, only to be put back."""
    provider = Provider()
    provider.refuses = True
    worker, breakers = working(store, provider)
    await send(store, BOT, people(A_LOT))
    worker.start()
    await until(lambda: BOT in breakers.not_closed())
    await asyncio.sleep(1.0)
    asked = breakers.asked
    await asyncio.sleep(1.0)
    await worker.stop()
    assert breakers.asked == asked


async def test_what_is_held_up_expires(store: SQLiteStore) -> None:
    """An open breaker turns no message into an allowed one: at the end of its life it fails."""
    provider = Provider()
    provider.refuses = True
    worker, breakers = working(store, provider)
    await send(store, BOT, people(1, 4670))
    worker.start()
    await until(lambda: BOT in breakers.not_closed())
    [short] = await send(store, BOT, people(1), life=SECOND // 2)
    worker.wake()
    await asyncio.sleep(0.7)
    await worker._deliver.sweep()
    await worker.stop()
    ended = await again(store, short)
    assert (ended.state, ended.details, ended.attempts) == (MessageState.FAILED, "expired", 0)


async def test_the_number_s_rate_holds_and_the_order(store: SQLiteStore) -> None:
    """A queue far longer than a second's worth goes out at the number's rate, in its order, each
    with one attempt; another bot's message need not wait for it."""
    provider = Provider(Pacing(), per_second=80)
    worker, _ = working(store, provider)
    queue = await send(store, BOT, people(200))
    worker.start()
    await until(lambda: len(provider.of(BOT)) >= 60)
    begun = time.monotonic()
    await send(store, "other", people(1))
    worker.wake()
    await until(lambda: bool(provider.of("other")))
    assert time.monotonic() - begun < 1.5
    await until(lambda: len(provider.of(BOT)) == 200)
    await worker.stop()
    times = [at for b, _, at in provider.taken if b == BOT]
    assert 2.3 < times[-1] - times[0] < 6
    for n, at in enumerate(times):
        assert sum(at <= other < at + 1 for other in times[n:]) <= 80 + 8  # wake-ups are not exact
    # Turns are had in order. After that, one passes at most those that are on their way with it.
    assert provider.turns == sorted(provider.turns)
    assert max(passed(provider.of(BOT))) < FOR_ONE
    assert {(await again(store, m)).attempts for m in queue} == {1}


async def test_a_pair_that_waits_holds_up_no_other(store: SQLiteStore) -> None:
    """A burst to one person waits for its turns without tries; others of the bot go meanwhile."""
    provider = Provider(Pacing(), per_second=1000)
    worker, _ = working(store, provider)
    many = [(await send(store, BOT, people(1)))[0] for _ in range(15)]
    others = await send(store, BOT, people(20, 4670))
    worker.start()
    await until(lambda: len(provider.of(BOT)) == 30)
    await worker.stop()
    assert set(provider.of(BOT)) == {m.message_id for m in (*many[:10], *others)}
    waiting = [await again(store, m) for m in many[10:]]
    assert {(m.stage, m.attempts) for m in waiting} == {(Stage.WAITING, 0)}
    steps = [b.due - a.due for a, b in pairwise(waiting)]
    assert all(5.5 * SECOND < step < 6.5 * SECOND for step in steps)
