"""What every store promises of leases when some are left out: nobody is in the others' way."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.messages import Category
from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback, Store, Transaction
from tests.conftest import first_token
from tests.stores.contract.conftest import Clock
from tests.stores.works import BOT, OTHER_BOT, WHO, Do

SECOND = 1_000_000
#: More than any store looks at before it takes the longer way round.
MANY = 1_200


async def owe(store: Store, *callbacks: Callback) -> None:
    """Puts each in its own bot's commit."""
    for bot_id in {each.bot_id for each in callbacks}:
        mine = [each for each in callbacks if each.bot_id == bot_id]

        def put(tx: Transaction, mine: Sequence[Callback] = mine) -> None:
            for each in mine:
                tx.put_callback(each)

        await store.commit(Do(put, bot_id=bot_id))


def callback(bot_id: str, number: int, host: str, due: int) -> Callback:
    return Callback(bot_id, f"C{number:05}", f"https://{host}/x", b"{}", due, due)


async def names(store: Store, limit: int = 10, **without: Any) -> list[tuple[str, str]]:
    _, leased = await store.lease_callbacks("w", SECOND, limit, **without)
    return [(each.bot_id, each.callback_id) for each in leased]


@pytest.mark.parametrize("many", [3, MANY])
async def test_bots_are_left_out(store: Store, clock: Clock, many: int) -> None:
    """SPEC 4: a bot that has enough under way is passed over, however much of it is due before
    the others'; and is there again when it is asked for."""
    mine = [callback(BOT, n, f"host{n % 700}", clock.now - 10 * many + n) for n in range(many)]
    theirs = [callback(OTHER_BOT, n, "host1", clock.now - 2 + n) for n in range(3)]
    await owe(store, *mine, *theirs)
    assert await names(store, without_bots=[BOT, OTHER_BOT]) == []
    assert await names(store, 2, without_bots=[BOT]) == [
        (OTHER_BOT, "C00000"),
        (OTHER_BOT, "C00001"),
    ]
    assert await names(store, without_bots=[BOT]) == [(OTHER_BOT, "C00002")]
    assert await names(store, 2) == [(BOT, "C00000"), (BOT, "C00001")]


@pytest.mark.parametrize("many", [3, MANY])
async def test_receivers_are_left_out(store: Store, clock: Clock, many: int) -> None:
    """SPEC 4: a receiver that hangs is passed over for each bot that owes it something."""
    dead = [callback(b, n, "dead", clock.now - 9) for n in range(many) for b in (BOT, OTHER_BOT)]
    living = [callback(BOT, many, "a.example", clock.now), callback(BOT, many + 1, "z", clock.now)]
    await owe(store, *dead, *living)
    assert await names(store, without=["dead", "z"]) == [(BOT, f"C{many:05}")]
    assert await names(store, without=["dead"]) == [(BOT, f"C{many + 1:05}")]
    assert await names(store, without=["dead"], without_bots=[OTHER_BOT]) == []
    assert len(await names(store, 3 * many, without_bots=[OTHER_BOT])) == many


async def test_a_long_queue_of_a_removed_bot_is_in_nobodys_way(store: Store, clock: Clock) -> None:
    """A bot that was ended leases nothing, and keeps nobody from it."""
    gone = [callback(BOT, n, f"host{n}", clock.now - 9) for n in range(MANY)]
    await owe(store, *gone, callback(OTHER_BOT, 0, "living", clock.now))
    await store.remove_bot(BOT)
    assert await names(store) == [(OTHER_BOT, "C00000")]


async def test_messages_of_bots_are_left_out(store: Store, clock: Clock) -> None:
    """H8: a bot that rests with a long queue is passed over."""

    def message(bot_id: str, number: int, due: int) -> OutboxMessage:
        return OutboxMessage(
            bot_id, f"M{number:05}", WHO, {}, Category.SERVICE, due, due + 99 * SECOND, due
        )

    mine = [message(BOT, n, clock.now - MANY + n) for n in range(MANY)]
    for of in (mine, [message(OTHER_BOT, 0, clock.now), message(OTHER_BOT, 1, clock.now + 1)]):

        def put(tx: Transaction, of: Sequence[OutboxMessage] = of) -> None:
            for each in of:
                tx.put_message(each)

        await store.commit(Do(put, bot_id=of[0].bot_id))
    _, leased = await store.lease_messages("w", SECOND, 10, [BOT])
    assert [(each.bot_id, each.message_id) for each in leased] == [(OTHER_BOT, "M00000")]
    _, leased = await store.lease_messages("w", SECOND, 2)
    assert [each.message_id for each in leased] == ["M00000", "M00001"]


async def test_a_lease_is_what_a_plain_search_finds(store: Store, clock: Clock) -> None:
    """Whoever is left out, and whichever way the store takes: the oldest due of all the others."""
    chance = random.Random(7)
    bots = [BOT, OTHER_BOT, *(f"b{n}" for n in range(6))]
    for bot_id in bots[2:]:
        await store.add_bot(Bot(bot_id), first_token(bot_id))
    times = iter(chance.sample(range(clock.now - 10**6, clock.now + 10**5), 3 * MANY))
    owed = [
        callback(chance.choice(bots), n, f"h{chance.randrange(12)}", next(times))
        for n in range(3 * MANY)
    ]
    await owe(store, *owed)
    for _ in range(25):
        without = chance.sample([f"h{n}" for n in range(12)], chance.randrange(12))
        without_bots = chance.sample(bots, chance.randrange(len(bots)))
        limit = chance.choice([1, 7, 200])
        expected = sorted(
            (
                each
                for each in owed
                if each.due <= clock.now
                and each.receiver not in without
                and each.bot_id not in without_bots
            ),
            key=lambda each: each.due,
        )[:limit]
        now, leased = await store.lease_callbacks("w", SECOND, limit, without, without_bots)
        plain = [replace(each, leased_until=0, claimant="") for each in leased]
        assert plain == expected
        await store.put_callbacks([], plain)
        assert now == clock.now
