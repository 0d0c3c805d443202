"""A commit that is lost and done again: when it counts from (R3)."""

from __future__ import annotations

import asyncio

from optin.domain.events import Kind, Origin
from tests.stores.postgres.server import fresh_database
from tests.stores.postgres.test_failures import check_ledger, opened, recorded
from tests.stores.postgres.wire import wire_to
from tests.stores.works import BOT, WHO, claim, record


async def test_an_opt_in_done_again_lifts_no_opt_out_that_came_between() -> None:
    """R3: an opt-in whose commit was lost counts from its first try, so that an opt-out that was
    acknowledged meanwhile at another node stands."""
    async with (
        fresh_database() as url,
        wire_to(url) as (wire, through),
        opened(url) as other,
        opened(through, new=False) as store,
    ):
        await store.commit(record(claim(Kind.OPT_IN, "46700000099")))
        wire.swallow_commit = 1
        lost = asyncio.create_task(store.commit(record(claim(Kind.OPT_IN))))
        while not wire.cut:  # noqa: ASYNC110 - the wire has no event for it
            await asyncio.sleep(0)
        wire.flows.clear()  # the second try waits until the opt-out is acknowledged
        await other.commit(record(claim(Kind.OPT_OUT)))
        wire.flows.set()
        [event] = await lost
        assert event.claim.origin is Origin.REPEATED
        assert await recorded(store) == [Kind.OPT_IN, Kind.OPT_OUT]
        clocks = (await other.states(BOT, [WHO])).states[WHO].clocks
        assert clocks.opt_in < clocks.opt_out_other
        await check_ledger(other)


async def test_an_opt_in_done_again_is_later_than_what_was_acknowledged_before() -> None:
    """R3: it began after the opt-out was acknowledged, so it counts after it."""
    async with (
        fresh_database() as url,
        wire_to(url) as (wire, through),
        opened(through) as store,
    ):
        await store.commit(record(claim(Kind.OPT_OUT)))
        wire.swallow_commit = 1
        await store.commit(record(claim(Kind.OPT_IN)))
        assert wire.cut == 1
        clocks = (await store.states(BOT, [WHO])).states[WHO].clocks
        assert clocks.opt_in > clocks.opt_out_other
