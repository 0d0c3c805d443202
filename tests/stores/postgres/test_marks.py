"""On shards the number of a writer's last commit lies beside the bot's rows (R13, R14)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from optin.domain.errors import StoreUnavailable
from optin.domain.events import Kind
from optin.ports.store import Reads
from optin.stores.postgres import PostgresStore, writers
from optin.stores.postgres.writers import Writer
from tests.stores.postgres.server import fetched, fresh_database
from tests.stores.postgres.sharded import check_ledgers, claimed, opened, sharded_database
from tests.stores.postgres.test_failures import recorded
from tests.stores.postgres.wire import wire_to
from tests.stores.works import BOT, OTHER_BOT, Do, claim, record

_LISTED = Do(lambda tx: tx.put_blacklisted("4670", True), Reads(blacklist=frozenset({"4670"})))


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with sharded_database() as made:
        yield made


async def marks(url: str, bot_id: str = BOT) -> dict[int, int]:
    """Each writer's last commit of the bot."""
    found = await fetched(url, "SELECT slot, batch FROM marks WHERE bot_id = $1", bot_id)
    return {int(str(slot)): int(str(batch)) for slot, batch in found}


async def listed(url: str) -> bool:
    return bool(await fetched(url, "SELECT 1 FROM blacklist"))


def lane_of(store: PostgresStore) -> Writer:
    return store._lanes[store._lane(BOT)].writer


async def give_away(url: str, slot: int) -> None:
    """The lease of the slot has run out."""
    await fetched(url, "UPDATE writers SET leased_until = 0 WHERE slot = $1", slot)


async def test_each_commit_marks_its_bots_shard(url: str) -> None:
    """R13: the number grows with each commit, of each bot by itself, with events or without, and
    is higher than all of who held the slot before; the writers' table is left alone."""
    async with opened(url, BOT, OTHER_BOT) as store:
        await store.commit(record(claim(Kind.OPT_IN)))
        slot = lane_of(store).slot
        before = await fetched(url, "SELECT * FROM writers WHERE slot = $1", slot)
        [first] = (await marks(url)).values()
        await store.commit(_LISTED)
        assert await marks(url) == {slot: first + 1}
        await store.commit(record(claim(Kind.OPT_IN), bot_id=OTHER_BOT))
        assert await marks(url) == {slot: first + 1}
        assert await fetched(url, "SELECT * FROM writers WHERE slot = $1", slot) == before
    async with opened(url) as store:
        await store.commit(record(claim(Kind.OPT_OUT)))
        assert (await marks(url))[lane_of(store).slot] >= 1 << 32
        await check_ledgers(store, BOT, OTHER_BOT)


@pytest.mark.parametrize("work", ["events", "none"])
@pytest.mark.parametrize("swallowed", ["swallow_answer", "swallow_commit"])
async def test_an_unseen_commit_is_done_once(url: str, swallowed: str, work: str) -> None:
    """R13: one whose answer was lost is found by its mark, one that never arrived is done again:
    either way once, and the caller is told so, whether or not it wrote events."""
    async with wire_to(url) as (wire, through), opened(through, BOT) as store:
        await store.commit(record(claim(Kind.OPT_IN)))
        [before] = (await marks(url)).values()
        setattr(wire, swallowed, 1)
        if work == "none":
            await store.commit(_LISTED)
            assert await listed(url)
        else:
            [event] = await store.commit(record(claim(Kind.OPT_OUT)))
            assert event.claim.kind is Kind.OPT_OUT
            assert await recorded(store) == [Kind.OPT_IN, Kind.OPT_OUT]
        assert wire.cut == 1
        [after] = (await marks(url)).values()
        assert after - before == (1 if swallowed == "swallow_answer" else 2)
        await check_ledgers(store, BOT)


@pytest.mark.parametrize(("swallowed", "done"), [("swallow_answer", 1), ("swallow_commit", 0)])
async def test_an_outcome_that_nobody_knows_any_more_is_not_done_again(
    url: str, swallowed: str, done: int
) -> None:
    """R13: who took the slot over has written to the bot's mark since. So it cannot be told whether
    the commit was done: its caller is not told that it was, and it is not done twice."""
    async with (
        wire_to(url) as (wire, through),
        opened(through, BOT) as store,
        opened(url) as other,
    ):
        await store.commit(record(claim(Kind.OPT_IN)))
        slot = lane_of(store).slot
        setattr(wire, swallowed, 1)
        unseen = asyncio.create_task(store.commit(record(claim(Kind.OPT_OUT))))
        while not wire.cut:  # noqa: ASYNC110 - the wire has no event for it
            await asyncio.sleep(0)
        wire.flows.clear()  # its question waits until the other has written
        await give_away(url, slot)
        while lane_of(other).slot != slot:
            lane_of(other).lose()
            await other.commit(record(claim(Kind.OPT_IN)))
        wire.flows.set()
        with pytest.raises(StoreUnavailable):
            await unseen
        kinds = await recorded(other)
        assert kinds.count(Kind.OPT_OUT) == done
        await store.commit(_LISTED)
        assert lane_of(store).slot not in (-1, slot)
        await check_ledgers(other, BOT)


async def stolen(url: str, store: PostgresStore, other: PostgresStore) -> int:
    """The slot that one has lost to the other, which has written to the bot since."""
    await store.commit(record(claim(Kind.OPT_IN)))
    slot = lane_of(store).slot
    await give_away(url, slot)
    await other.commit(record(claim(Kind.OPT_IN)))
    assert lane_of(other).slot == slot
    return slot


@pytest.mark.parametrize("checks", [True, False])
@pytest.mark.parametrize("work", [record(claim(Kind.OPT_OUT)), _LISTED], ids=["events", "none"])
async def test_who_lost_its_slot_commits_nothing_under_it(
    url: str, monkeypatch: pytest.MonkeyPatch, work: Any, checks: bool
) -> None:
    """R14: it takes another and does the work under that one, also where a commit writes no event
    whose key could clash. Were the look at the lease too early, the mark would still keep it
    out."""
    async with opened(url, BOT) as store, opened(url) as other:
        slot = await stolen(url, store, other)
        before = (await marks(url))[slot]
        if not checks:
            monkeypatch.setattr(Writer, "check", _unchecked)
        await store.commit(work)
        assert (await marks(url))[slot] == before
        assert lane_of(store).slot not in (-1, slot)
        assert (await marks(url))[lane_of(store).slot] > 0
        assert await listed(url) is (work is _LISTED)
        assert len(await recorded(other)) == (2 if work is _LISTED else 3)
        await check_ledgers(other, BOT)


async def test_who_lost_its_slot_commits_nothing_of_another_bot_either(url: str) -> None:
    """R14: where the new holder has not written yet no mark keeps it out, but the look at the lease
    does: else one chain of that bot would have two writers."""
    async with opened(url, BOT, OTHER_BOT) as store, opened(url) as other:
        lane, theirs = store._lanes[0], other._lanes[0]
        await lane.run([record(claim(Kind.OPT_IN))])
        slot = lane.writer.slot
        await give_away(url, slot)
        await theirs.run([record(claim(Kind.OPT_IN))])
        assert theirs.writer.slot == slot
        for work in (
            record(claim(Kind.OPT_IN), bot_id=OTHER_BOT),
            replace(_LISTED, bot_id=OTHER_BOT),
        ):
            await lane.run([work])
            assert slot not in await marks(url, OTHER_BOT)
        await check_ledgers(other, BOT, OTHER_BOT)


async def _unchecked(*_: object) -> None:
    """As if the slot were still ours."""


async def test_a_slot_is_not_taken_in_the_midst_of_a_commit(url: str) -> None:
    """R14: who takes a slot over waits for the commit under way, so that its mark is seen."""
    async with opened(url, BOT) as store, opened(url) as other:
        await store.commit(record(claim(Kind.OPT_IN)))
        slot, entered, go_on = lane_of(store).slot, asyncio.Event(), asyncio.Event()

        async def act(under_way: Any) -> Any:
            entered.set()
            await go_on.wait()
            await under_way.now()
            return "done", {}

        held = asyncio.create_task(store._lanes[store._lane(BOT)].transact(BOT, act))
        await entered.wait()
        await give_away(url, slot)
        taking = asyncio.create_task(other.commit(record(claim(Kind.OPT_IN))))
        waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while not await fetched(url, waits):
            assert not taking.done()
        go_on.set()
        assert await held == "done"
        await taking
        assert lane_of(other).slot == slot
        await check_ledgers(other, BOT)


async def test_the_lease_is_extended_apart_and_not_each_time(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R14: now and then, in a transaction of its own; who finds it lost takes another slot."""
    until = "SELECT leased_until FROM writers WHERE slot = $1"
    async with opened(url, BOT) as store, opened(url) as other:
        await store.commit(record(claim(Kind.OPT_IN)))
        slot = lane_of(store).slot
        taken = await fetched(url, until, slot)
        await store.commit(record(claim(Kind.OPT_IN)))
        assert await fetched(url, until, slot) == taken
        monkeypatch.setattr(writers, "_RENEW", 0.0)
        await store.commit(record(claim(Kind.OPT_IN)))
        assert await fetched(url, until, slot) > taken
        await give_away(url, slot)
        await other.commit(record(claim(Kind.OPT_OUT)))
        await store.commit(record(claim(Kind.OPT_OUT)))
        assert lane_of(other).slot == slot != lane_of(store).slot
        await check_ledgers(other, BOT)


async def test_a_process_from_before_the_tables_were_distributed_commits_nothing() -> None:
    """R14: it would look for its outcomes in the wrong place. It says that it must be started
    again; distributing takes its slots away."""
    async with fresh_database() as url, opened(url, BOT) as store:
        await store.commit(record(claim(Kind.OPT_IN)))
        await fetched(url, "UPDATE writers SET holder = '', leased_until = 0")
        with claimed(), pytest.raises(StoreUnavailable, match="start this process again"):
            await store.commit(record(claim(Kind.OPT_OUT)))
        assert await recorded(store) == [Kind.OPT_IN]
        with claimed():
            async with opened(url) as again:
                await again.commit(record(claim(Kind.OPT_OUT)))
                assert await recorded(again) == [Kind.OPT_IN, Kind.OPT_OUT]
