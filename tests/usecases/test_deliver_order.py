"""Deliver: what has no turn is given back and passed by nobody (H8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.outbox import OutboxMessage
from optin.ports.store import Work
from optin.ports.upstream import Accepted, Outcome, Release, Wait
from optin.stores.sqlite import SQLiteStore
from optin.usecases.send_message import SendMessage
from tests.conftest import first_token
from tests.usecases.outbox import TEXT, Clock, add_bot, deliverer, new_id, opened, send


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", Clock()) as made:
        await add_bot(made, enforce="none", callback_url="")
        yield made


@dataclass
class Gated:
    """A store whose settling waits until it is let go."""

    store: SQLiteStore
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def commit(self, work: Work[Any]) -> Any:
        if type(work).__name__ == "Settle":
            await self.go.wait()
        return await self.store.commit(work)


@dataclass
class Turns:
    """An upstream that first tells those it is given as many as `waits`, then takes them all."""

    waits: list[Wait]
    taken: list[str] = field(default_factory=list)

    async def hand_over(self, bot: Bot, message: OutboxMessage, release: Release) -> Outcome:
        if self.waits:
            return self.waits.pop(0)
        await release()
        self.taken.append(message.message_id)
        return Accepted(f"wamid.{message.message_id}")

    async def close(self) -> None:
        """Nothing is open."""


async def queue_of(store: SQLiteStore, count: int) -> list[OutboxMessage]:
    return [(await send(store, f"4673{n:07}"))[0] for n in range(count)]


async def test_nobody_passes_who_is_given_back(store: SQLiteStore) -> None:
    """While one without a turn is on its way back to the store, those behind it go back as well,
    asked or not, and nothing of the bot is leased; another bot's goes. Then all go in order."""
    queue = await queue_of(store, 4)
    await store.add_bot(Bot("other", {"enforce": "none"}), first_token("other"))
    gated, upstream = Gated(store), Turns([Wait(None, rest=1)])
    deliver = deliverer(gated, upstream)
    first, second = await deliver.lease(2)
    begun = [asyncio.create_task(deliver.deliver(first))]
    await asyncio.sleep(0)
    begun.append(asyncio.create_task(deliver.deliver(second)))
    await asyncio.sleep(0.05)
    assert await deliver.lease(10) == []
    [theirs] = await SendMessage(store, new_id).accept("other", ["46700000000"], TEXT, "token-1")
    assert [one.message_id for one in await deliver.lease(10)] == [theirs.message_id]
    assert upstream.taken == []
    gated.go.set()
    await asyncio.gather(*begun)
    for message in await deliver.lease(10):
        await deliver.deliver(message)
    assert upstream.taken == [message.message_id for message in queue]


async def test_what_was_leased_before_goes_back_too(store: SQLiteStore) -> None:
    """When one has no turn, all that are leased of the bot go back, even those that are taken up
    much later; only then does the queue go on, at its front."""
    queue = await queue_of(store, 4)
    upstream = Turns([Wait(None)])
    deliver = deliverer(store, upstream)
    first, second, third = await deliver.lease(3)
    await deliver.deliver(first)
    await deliver.deliver(second)
    assert await deliver.lease(10) == []
    await deliver.put_back([third])
    for message in await deliver.lease(10):
        await deliver.deliver(message)
    assert upstream.taken == [message.message_id for message in queue]


async def test_a_lease_that_was_on_its_way_goes_back_too(store: SQLiteStore) -> None:
    """What is leased just when another has no turn may be later than it, and does not begin."""
    queue = await queue_of(store, 3)
    gated, upstream = Gated(store), Turns([Wait(None)])
    deliver = deliverer(gated, upstream)
    [first] = await deliver.lease(1)
    leasing = asyncio.create_task(deliver.lease(1))
    await asyncio.sleep(0)
    returning = asyncio.create_task(deliver.deliver(first))
    [second] = await leasing
    await asyncio.sleep(0.05)
    later = asyncio.create_task(deliver.deliver(second))
    await asyncio.sleep(0.05)
    gated.go.set()
    await asyncio.gather(returning, later)
    for message in await deliver.lease(10):
        await deliver.deliver(message)
    assert upstream.taken == [message.message_id for message in queue]


async def test_who_waits_for_their_own_turn_holds_up_nobody(store: SQLiteStore) -> None:
    """A message that is told when to come back is no reason to hold back the others."""
    queue = await queue_of(store, 3)
    gated, upstream = Gated(store), Turns([Wait(5_000_000)])
    deliver = deliverer(gated, upstream)
    first, second = await deliver.lease(2)
    begun = [asyncio.create_task(deliver.deliver(one)) for one in (first, second)]
    await asyncio.sleep(0.05)
    [third] = await deliver.lease(10)
    gated.go.set()
    await asyncio.gather(*begun, deliver.deliver(third))
    assert upstream.taken == [message.message_id for message in queue[1:]]


async def test_it_begins_anew_when_all_are_back(store: SQLiteStore) -> None:
    """What was given back leaves no trace: neither in memory nor for the next one."""
    [message] = await queue_of(store, 1)
    upstream = Turns([Wait(None)] * 3)
    deliver = deliverer(store, upstream)
    for _ in range(4):
        [leased] = await deliver.lease(10)
        await deliver.deliver(leased)
    assert upstream.taken == [message.message_id]
    assert (deliver._places._waiting, deliver._places._returning) == ({}, {})
