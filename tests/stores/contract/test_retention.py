"""What every store promises of cutting its ledger (R16)."""

from __future__ import annotations

import random

import pytest

from optin.domain import links
from optin.domain.consent import NEVER
from optin.domain.events import DAY, SECOND, Kind, Origin
from optin.domain.retention import Horizons, horizons
from optin.ports.store import Store
from tests.stores.contract.conftest import Clock
from tests.stores.contract.test_erasure import PEOPLE, _random_claims, erasing
from tests.stores.works import BOT, OTHER_BOT, WHO, claim, record


async def cut_all(store: Store, until: Horizons) -> int:
    """How many entries went."""
    gone = 0
    while (dropped := await store.retain(BOT, until)) is not None:
        gone += dropped
    return gone


async def kinds(store: Store, who: str = WHO) -> list[Kind]:
    return [event.claim.kind for event in (await store.histories(BOT, [who])).events[who]]


async def test_what_a_clock_shows_and_every_opt_out_stay(store: Store, clock: Clock) -> None:
    """R16: of the rest, what is older than the horizon goes, messages by their own."""
    for kind in (Kind.OPT_IN, Kind.OPT_OUT, Kind.OPT_IN, Kind.MARKETING_STOP, Kind.OPT_OUT):
        await store.commit(record(claim(kind)))
        clock.now += DAY
    for _ in range(3):
        said = claim(Kind.MESSAGE, origin=Origin.SIGNED, at=clock.now)
        await store.commit(record(said))
        clock.now += DAY
    gone = await cut_all(store, Horizons(events=clock.now, messages=clock.now - 2 * DAY))
    assert gone == 2
    kept = [Kind.OPT_OUT, Kind.OPT_IN, Kind.MARKETING_STOP, Kind.OPT_OUT, *[Kind.MESSAGE] * 2]
    assert await kinds(store) == kept


async def test_nothing_is_cut_twice_and_nothing_young(store: Store, clock: Clock) -> None:
    """A checkpoint is young; what is not older than the horizon is not touched."""
    await store.commit(record(claim(Kind.OPT_IN)))
    clock.now += DAY
    assert await store.retain(BOT, Horizons(events=clock.now - 2 * DAY)) is None
    assert await store.retain(BOT, Horizons()) is None
    assert await store.retain(BOT, Horizons(events=clock.now)) == 0
    assert await store.retain(BOT, Horizons(events=clock.now)) is None
    assert (await store.histories(BOT, [WHO])).known_from == clock.now
    assert (await store.histories(OTHER_BOT, [WHO])).known_from == NEVER


def test_the_horizons_of_settings() -> None:
    """0 days keep for good; a message is kept for its 24 hours whatever the setting says."""
    assert horizons(10 * DAY, 0, 0) == Horizons()
    assert horizons(10 * DAY, 3, 1) == Horizons(7 * DAY, 8 * DAY)


@pytest.mark.parametrize("seed", range(15))
async def test_no_state_is_another_afterwards(store: Store, clock: Clock, seed: int) -> None:
    """R16: after any life with erasures, stored state and the fold of what is left are what they
    were, but for the count of entries."""
    chance = random.Random(seed)
    for _ in range(60):
        clock.now += chance.randrange(60) * SECOND
        if chance.random() < 0.05:
            await store.forget(BOT, chance.choice(PEOPLE), erasing())
        elif chance.random() < 0.1:
            old = clock.now - chance.randrange(600) * SECOND
            await cut_all(store, Horizons(events=old, messages=old))
        else:
            await store.commit(record(*_random_claims(chance, clock.now)))
    before = (await store.states(BOT, PEOPLE)).states
    await cut_all(store, Horizons(events=clock.now, messages=clock.now))
    after = (await store.states(BOT, PEOPLE)).states
    histories = (await store.histories(BOT, PEOPLE)).events
    assert after == before
    for who in PEOPLE:
        folded = links.folded(histories[who])
        known = after[who].links._replace(plain="")  # no event says where it is kept
        assert (folded.clocks, folded.links) == (after[who].clocks, known)


async def test_every_marketing_stop_stays(store: Store, clock: Clock) -> None:
    """R16: the clock may show a later stop that is no word of the contact's; theirs stays."""
    kinds_told = (Kind.MARKETING_STOP, Kind.PROVIDER_MARKETING_STOP) * 2
    for kind in kinds_told:
        await store.commit(record(claim(kind)))
        clock.now += DAY
    assert await cut_all(store, Horizons(events=clock.now)) == 0
    assert await kinds(store) == list(kinds_told)
