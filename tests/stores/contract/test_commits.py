"""What every store promises of a commit: fold, isolation, group commit, ids, live time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optin.domain import consent
from optin.domain.consent import BLANK
from optin.domain.errors import FutureDated, InvalidInput, NotFound
from optin.domain.events import Event, Kind, Origin
from optin.ports.store import Reads, Store, Transaction, Work
from tests.domain.histories import events
from tests.stores.contract.conftest import Clock, Open
from tests.stores.works import BOT, OTHER_BOT, WHO, Do, claim, record


async def own(store: Store, identity: str = WHO, bot_id: str = BOT) -> consent.Clocks:
    return (await store.states(bot_id, [identity])).states[identity].clocks


async def test_a_live_opt_in_is_stored_and_folded(store: Store, clock: Clock) -> None:
    """R2, R3: it takes effect at the database's time and moves the clock."""
    [event] = await store.commit(record(claim(Kind.OPT_IN)))
    assert event.effective == event.recorded == clock.now
    assert (await own(store)).opt_in == clock.now


async def test_bots_do_not_share_consent(store: Store) -> None:
    """R1: another bot's opt-in says nothing here."""
    await store.commit(record(claim(Kind.OPT_IN), bot_id=OTHER_BOT))
    assert await own(store) == BLANK
    assert (await own(store, bot_id=OTHER_BOT)).opt_in > 0


async def test_live_time_is_later_than_every_clock_of_w(store: Store, clock: Clock) -> None:
    """R3: also when the database's clock goes back, and over the spellings of one subscriber."""
    await store.commit(record(claim(Kind.OPT_IN, "5215512345678")))
    clock.now -= 3_600_000_000
    [out] = await store.commit(record(claim(Kind.OPT_OUT, "525512345678")))
    assert out.effective == clock.now + 3_600_000_001
    [again] = await store.commit(record(claim(Kind.OPT_IN, "5215512345678")))
    assert again.effective == out.effective + 1


async def test_later_works_of_a_batch_see_the_earlier(store: Store) -> None:
    """R3, R6: opt-in and opt-out of one batch take effect one after the other, in queue order."""
    works = [record(claim(kind)) for kind in [Kind.OPT_IN, Kind.OPT_OUT] * 20]
    answers = await asyncio.gather(*map(store.commit, works))
    times = [event.effective for [event] in answers]
    assert times == sorted(set(times))
    assert not consent.opted_in(await own(store), 0)


async def test_a_failing_work_fails_alone_and_whole(store: Store) -> None:
    """Its own writes are forgotten, its neighbours' are not (H2)."""

    def half(tx: Transaction) -> None:
        tx.record(claim(Kind.OPT_IN, "46700000001"))
        raise InvalidInput("no")

    bad: Work[Any] = Do(half, Reads(identities=frozenset({"46700000001"})))
    good: list[Work[Any]] = [record(claim(Kind.OPT_IN, f"4670000001{n}")) for n in range(5)]
    answers = await asyncio.gather(
        *(store.commit(w) for w in [*good[:2], bad, *good[2:]]), return_exceptions=True
    )
    assert isinstance(answers[2], InvalidInput)
    assert sum(isinstance(answer, list) for answer in answers) == 5
    assert await own(store, "46700000001") == BLANK
    history = await store.histories(BOT, ["46700000001"])
    assert history.events["46700000001"] == []


async def test_data_that_the_database_refuses_fails_alone(store: Store) -> None:
    """Bad data never poisons a batch: the neighbours are committed."""
    good: list[Work[Any]] = [record(claim(Kind.OPT_IN, f"4670000002{n}")) for n in range(4)]
    event_id = claim(Kind.OPT_IN).event_id
    twice = claim(Kind.OPT_IN, "46700000030", event_id=event_id)
    await store.commit(record(twice))

    def again(tx: Transaction) -> None:
        tx.record(replace(twice, identity="46700000031"))

    bad: Work[Any] = Do(again, Reads(identities=frozenset({"46700000031"})))
    answers = await asyncio.gather(
        *(store.commit(w) for w in [*good[:2], bad, *good[2:]]), return_exceptions=True
    )
    assert isinstance(answers[2], Exception)
    assert sum(isinstance(answer, list) for answer in answers) == 4
    assert await own(store, "46700000031") == BLANK
    for number in range(4):
        assert (await own(store, f"4670000002{number}")).opt_in > 0


async def test_a_repeated_event_changes_nothing(store: Store, clock: Clock) -> None:
    """R2: the same id again, in the same batch or later, is recorded once."""
    stop = claim(Kind.OPT_OUT_KEYWORD, origin=Origin.SIGNED, at=clock.now - 5, unit=1_000_000)
    answers = await asyncio.gather(*(store.commit(record(stop)) for _ in range(3)))
    before = await own(store)
    clock.now += 10_000_000
    assert await store.commit(record(stop)) == []
    assert sorted(map(len, answers)) == [0, 0, 1]
    assert await own(store) == before


async def test_messages_are_found_as_repeated_too(store: Store, clock: Clock) -> None:
    """Contact messages lie in a table of their own, and are known by their id all the same."""
    wrote = claim(Kind.MESSAGE, origin=Origin.SIGNED, at=clock.now - 5)
    assert len(await store.commit(record(wrote))) == 1
    assert await store.commit(record(wrote)) == []


async def test_a_future_date_is_refused_inside_the_commit(store: Store, clock: Clock) -> None:
    """R3: by the database's clock, and nothing is stored."""
    with pytest.raises(FutureDated):
        await store.commit(
            record(claim(Kind.OPT_IN, origin=Origin.DATED, at=clock.now + 301_000_000))
        )
    assert await own(store) == BLANK


async def test_only_declared_rows_can_be_looked_at(store: Store) -> None:
    """A work that looks at what it did not name is a mistake in the program, and fails."""
    with pytest.raises(KeyError):
        await store.commit(Do(lambda tx: tx.clocks(WHO)))


async def test_an_unknown_or_removed_bot_records_nothing(store: Store) -> None:
    """R12: a bot that is gone neither records nor sends."""
    with pytest.raises(NotFound):
        await store.commit(record(claim(Kind.OPT_IN), bot_id="nobody"))
    await store.remove_bot(BOT)
    with pytest.raises(NotFound):
        await store.commit(record(claim(Kind.OPT_IN)))


async def test_two_writers_on_one_contact_agree(opened: Open, store: Store) -> None:
    """R3: opt-ins and opt-outs by two processes take effect one after another, none twice."""
    other = await opened()
    kinds = [Kind.OPT_IN, Kind.OPT_OUT] * 25
    works = [(s, record(claim(k))) for k in kinds for s in (store, other)]
    answers = await asyncio.gather(*(s.commit(work) for s, work in works))
    times = [event.effective for [event] in answers]
    assert len(set(times)) == len(times)
    history = (await other.histories(BOT, [WHO])).events[WHO]
    assert [e.effective for e in history] == sorted(times)
    assert consent.fold(history) == await own(store) == await own(other)


async def test_a_cancelled_wait_does_not_undo_the_work(store: Store) -> None:
    """Writes are never cancelled: what was handed in is committed."""
    task = asyncio.create_task(store.commit(record(claim(Kind.OPT_OUT))))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.commit(record(claim(Kind.OPT_IN, "46700000099")))
    assert (await own(store)).opt_out_other > 0


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(events(), max_size=8))
async def test_stored_state_is_the_fold_of_the_stored_ledger(
    store: Store, life: list[Event]
) -> None:
    """R2: clocks read back equal the fold of the events read back, all members kept."""
    who = f"4670{next(_numbers):07d}"
    claims = [
        replace(e.claim, identity=who, event_id=claim(Kind.OPT_IN).event_id, at=e.effective)
        for e in life
    ]
    recorded = [event for c in claims for event in await store.commit(record(c))]
    history = (await store.histories(BOT, [who])).events[who]
    assert {e.claim.event_id: e for e in history} == {e.claim.event_id: e for e in recorded}
    assert consent.fold(history) == consent.fold(recorded) == await own(store, who)


_numbers = iter(range(10**6))
