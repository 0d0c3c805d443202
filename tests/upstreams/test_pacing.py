"""This process's share of a sender's throughput, kept before anything is connected (H8)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.bots import Bot
from optin.domain.events import DAY, SECOND
from optin.domain.messages import Category
from optin.domain.outbox import OutboxMessage
from optin.domain.throughput import PAIR_BURST, PAIR_INTERVAL
from optin.ports.graph import Held, Limit
from optin.ports.upstream import Accepted, Wait
from optin.upstreams.connecting import ReleasingClient
from optin.upstreams.meta import MetaUpstream
from optin.upstreams.pacing import HORIZON, Pacing
from tests.upstreams import cloud_api
from tests.upstreams.test_meta import TEXT, Released, bot
from tests.usecases.outbox import Clock

SHOP = Bot("shop")


def message(name: str, identity: str = "46701740605", bot_id: str = "shop") -> OutboxMessage:
    return OutboxMessage(bot_id, name, identity, TEXT, Category.SERVICE, 0, DAY, 0)


def to_many(count: int) -> Iterator[OutboxMessage]:
    return (message(f"m{n}", f"4670{n:07}") for n in range(count))


def test_the_number_has_its_rate() -> None:
    """80 a second: the first goes now, the others follow in even steps, none is put back early."""
    pacing = Pacing(clock=Clock(0))
    assert [pacing.turn(SHOP, 80, m) for m in to_many(81)] == [n * 12_500 for n in range(81)]


def test_what_has_no_turn_soon_keeps_its_place() -> None:
    """Beyond a second ahead a message is put back as it was, and the bot rests until it is near."""
    clock = Clock(0)
    pacing = Pacing(clock=clock)
    turns = [pacing.turn(SHOP, 80, m) for m in to_many(83)]
    assert turns[80] == HORIZON
    assert turns[81:] == [Wait(None, rest=12_500 + 750_000)] * 2
    clock.now += 762_500
    assert pacing.turn(SHOP, 80, message("again", "46709999999")) == 250_000


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_every_process_has_its_share(workers: int) -> None:
    """Processes that know nothing of each other keep the number's rate together."""
    each = [Pacing(workers, Clock(0)) for _ in range(workers)]
    now = [t for p in each for m in to_many(200) if isinstance(t := p.turn(SHOP, 80, m), int)]
    assert sum(t < SECOND for t in now) == 80


def test_a_pair_waits_alone() -> None:
    """Who has had their burst waits; others, and the same person with another bot, do not."""
    pacing = Pacing(clock=Clock(0))
    turns = [pacing.turn(SHOP, 1000, message(f"m{n}")) for n in range(PAIR_BURST + 3)]
    assert all(isinstance(t, int) for t in turns[:PAIR_BURST])
    waits = [t.after for t in turns[PAIR_BURST:] if isinstance(t, Wait)]
    assert waits == [PAIR_INTERVAL * n for n in (1, 2, 3)]
    assert isinstance(pacing.turn(SHOP, 1000, message("other", "46701740606")), int)
    assert pacing.turn(Bot("b"), 1000, message("m", bot_id="b")) == 0


def test_who_waited_goes_first_and_in_order() -> None:
    """A message that comes back at its turn goes; one that asks for the first time queues up."""
    clock = Clock(0)
    pacing = Pacing(clock=clock)
    for n in range(PAIR_BURST):
        pacing.turn(SHOP, 1000, message(f"m{n}"))
    assert pacing.turn(SHOP, 1000, message("a")) == Wait(PAIR_INTERVAL)
    assert pacing.turn(SHOP, 1000, message("b")) == Wait(2 * PAIR_INTERVAL)
    clock.now = PAIR_INTERVAL
    assert pacing.turn(SHOP, 1000, message("c")) == Wait(2 * PAIR_INTERVAL)
    assert pacing.turn(SHOP, 1000, message("b")) == Wait(PAIR_INTERVAL)
    assert pacing.turn(SHOP, 1000, message("a")) == 0
    clock.now = 2 * PAIR_INTERVAL
    assert pacing.turn(SHOP, 1000, message("b")) == 0
    clock.now = 3 * PAIR_INTERVAL
    assert pacing.turn(SHOP, 1000, message("c")) == 0


@given(st.lists(st.tuples(st.integers(0, 9 * SECOND), st.integers(0, 3)), max_size=60))
def test_no_pair_and_no_number_is_overrun(asks: list[tuple[int, int]]) -> None:
    """Whoever asks and whenever: no second has more than the number's, no minute more than the
    pair's, and forgetting what is idle changes none of it."""
    clock = Clock(0)
    pacing = Pacing(clock=clock)
    gone: list[tuple[int, int]] = []
    for place, (pause, person) in enumerate(asks):
        clock.now += pause
        turn = pacing.turn(SHOP, 2, message(f"m{place}", f"4670000000{person}"))
        if isinstance(turn, int):
            gone.append((clock.now + turn, person))
    for at, person in gone:
        assert sum(at <= other < at + SECOND for other, _ in gone) <= 2
        mine = [o for o, p in gone if p == person and at <= o < at + 60 * SECOND]
        assert len(mine) <= PAIR_BURST - 1 + 10


def test_memory_is_that_of_the_last_minutes() -> None:
    """A million recipients are not remembered: who has been quiet for a while costs nothing."""
    clock = Clock(0)
    pacing = Pacing(clock=clock)
    for m in to_many(500):
        pacing.turn(SHOP, 1000, m)
        clock.now += SECOND
    assert len(pacing._pairs) < 200


def test_who_is_not_idle_is_not_forgotten() -> None:
    """Tidying up gives nobody a fresh burst."""
    clock = Clock(0)
    pacing = Pacing(clock=clock)
    went = 0
    for at, count in ((0, PAIR_BURST), (30, 5), (60, 10)):
        clock.now = at * SECOND
        turns = [pacing.turn(SHOP, 1000, message(f"{at}/{n}")) for n in range(count)]
        went += sum(isinstance(turn, int) for turn in turns)
    assert went == PAIR_BURST + 60 // 6


def test_who_is_not_kept_is_promised_nothing() -> None:
    """A client's message that is put off holds up nobody behind it, however often it asks."""
    clock = Clock(0)
    pacing = Pacing(clock=clock)
    pairs = [pacing.at_once(SHOP, 1000, "46701740605") for _ in range(PAIR_BURST + 5)]
    assert pairs[PAIR_BURST:] == [Held(Limit.PAIR, PAIR_INTERVAL)] * 5
    clock.now = PAIR_INTERVAL
    assert pacing.at_once(SHOP, 1000, "46701740605") == 0


def test_who_is_not_kept_goes_behind_all_who_were_promised() -> None:
    """A message of the outbox that waits for its turn has it before a client's newer one."""
    clock = Clock(0)
    pacing = Pacing(clock=clock)
    for n in range(PAIR_BURST):
        pacing.turn(SHOP, 1000, message(f"m{n}"))
    assert pacing.turn(SHOP, 1000, message("a")) == Wait(PAIR_INTERVAL)
    clock.now = PAIR_INTERVAL
    assert pacing.at_once(SHOP, 1000, "46701740605") == Held(Limit.PAIR, PAIR_INTERVAL)
    assert pacing.turn(SHOP, 1000, message("a")) == 0


def test_both_kinds_share_the_numbers_rate() -> None:
    """80 a second together, and what has no turn within a second is told so."""
    pacing = Pacing(clock=Clock(0))
    for n, m in enumerate(to_many(80)):
        took = pacing.at_once(SHOP, 80, m.identity) if n % 2 else pacing.turn(SHOP, 80, m)
        assert took == n * 12_500
    assert pacing.at_once(SHOP, 80, "46709999999") == SECOND
    assert pacing.at_once(SHOP, 80, "46709999998") == Held(Limit.NUMBER, SECOND + 12_500)


@contextmanager
def timed(took: list[float]) -> Iterator[None]:
    begun = time.monotonic()
    yield
    took.append(time.monotonic() - begun)


async def test_meta_waits_before_it_connects() -> None:
    """The upstream waits for its turn, and puts back what has none, before any release (H8)."""
    async with cloud_api.cloud_api() as api:
        upstream = MetaUpstream(ReleasingClient())
        slow = bot(api, messages_per_second="4")
        took: list[float] = []
        with timed(took):
            for n in range(3):
                outcome = await upstream.hand_over(
                    slow, message(f"m{n}", f"4670{n:07}"), Released()
                )
                assert isinstance(outcome, Accepted)
        assert 0.45 < took[0] < 2.0
        slow = bot(api, messages_per_second="1")
        upstream = MetaUpstream(upstream.client)
        released = Released()
        for n in range(2):  # one now, one taken for in a second
            upstream.pacing.turn(slow, 1, message(f"x{n}", f"4671{n:07}"))
        outcome = await upstream.hand_over(slow, message("y"), released)
        assert isinstance(outcome, Wait)
        assert (outcome.after, released.calls, len(api.taken)) == (None, 0, 3)
        await upstream.close()
