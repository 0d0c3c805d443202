"""SPEC 4: callbacks of a node that was killed. Each is posted at least once; twice only one whose
first post was under way, or answered and not yet written down, when the node died."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import pytest_asyncio

from optin.worker import CALLBACKS_FOR_ONE
from tests.acceptance.killed.business import Business
from tests.acceptance.killed.pair import Pair, process_of
from tests.acceptance.program import Program
from tests.acceptance.receivers import Receiver
from tests.acceptance.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")

NUMBERS = [f"4670174{n:04}" for n in range(12)]
LOCK = "SELECT 1 FROM callbacks WHERE bot_id = $1 FOR UPDATE"
_contacts = itertools.count(46_701_741_000)


@pytest_asyncio.fixture(loop_scope="package")
async def calm(pair: Pair, receiver: Receiver) -> Business:
    """Another bot, with a receiver that takes everything at once."""
    return await Business.on(pair, events_url=f"{receiver.url}/ok/calm")


async def owed(business: Business) -> Sequence[Mapping[str, Any]]:
    """All callbacks of the bot, as the database has them."""
    asked = """SELECT callback_id, body, stage, attempts, claimant, due, outcome
     FROM callbacks
     WHERE bot_id = $1 ORDER BY callback_id"""
    return [dict(row) for row in await business.pair.rows(asked, business.bot_id)]


async def look_around(calm: Business, receiver: Receiver, survivor: Program) -> None:
    """Returns when the survivor has posted something that became due after all that is due now:
    what it left alone then, it saw and left alone."""
    count = len(receiver.bodies("/ok/calm"))
    await calm.opt_in(survivor, str(next(_contacts)))
    await until(lambda: len(receiver.bodies("/ok/calm")) > count)


async def test_what_was_being_posted_is_posted_once_more(
    pair: Pair, calm: Business, receiver: Receiver
) -> None:
    """Killed with twelve under way: eight are at the receiver, which has not answered, and four
    wait behind them. Nobody knows whether the receiver will act on the eight: they come again."""
    business = await Business.on(pair, events_url=f"{receiver.url}/hang/events")
    await business.opt_in(pair.a_node, *NUMBERS)
    first = (await receiver.arrived(1, "/hang"))[0]
    name = pair.holder(first.port)
    [process] = [process_of(row) for row in await owed(business) if row["body"] == first.body]

    async def claimed() -> Sequence[Mapping[str, Any]]:
        return [row for row in await owed(business) if process_of(row) == process]

    async def under_way() -> set[bytes]:
        ours = {post.body for post in receiver.posts if pair.holder(post.port) == name}
        return ours if len(ours) == min(len(await claimed()), CALLBACKS_FOR_ONE) else set()

    cut_off = await until(under_way)
    survivor = await pair.kill(name)
    await pair.forgotten()
    dead = await claimed()
    assert len(dead) >= len(cut_off)
    await look_around(calm, receiver, survivor)
    assert await claimed() == dead
    assert await pair.is_leased("callbacks", process)
    posted = Counter(receiver.bodies("/hang"))
    assert {posted[body] for body in cut_off} == {1}

    receiver.let_go.set()
    await pair.let_leases_run_out("callbacks", process)
    await until(lambda: _all_done(business))
    await look_around(calm, receiver, survivor)
    posted = Counter(receiver.bodies("/hang"))
    assert len(posted) == len(NUMBERS)
    assert posted == {body: 2 if body in cut_off else 1 for body in posted}
    assert {row["attempts"] for row in await owed(business)} == {1}


async def test_what_was_taken_and_not_written_down_is_posted_once_more(
    pair: Pair, calm: Business, receiver: Receiver
) -> None:
    """Killed when the receiver's 200 is there and its commit is not."""
    business = await Business.on(pair, events_url=f"{receiver.url}/hang/events")
    await business.opt_in(pair.a_node, NUMBERS[0])
    await receiver.arrived(1, "/hang")
    async with pair.held(LOCK, business.bot_id) as hold:
        receiver.let_go.set()
        survivor = await pair.kill(await hold.waiter())
    await pair.forgotten()
    [dead] = await owed(business)
    assert (dead["stage"], dead["attempts"]) == ("waiting", 0)
    await look_around(calm, receiver, survivor)
    assert await owed(business) == [dead]
    assert await pair.is_leased("callbacks", process_of(dead))
    assert len(receiver.bodies("/hang")) == 1

    await pair.let_leases_run_out("callbacks", process_of(dead))
    await until(lambda: _all_done(business))
    await look_around(calm, receiver, survivor)
    one, again = receiver.bodies("/hang")
    assert one == again


async def _all_done(business: Business) -> bool:
    return {row["stage"] for row in await owed(business)} == {"done"}
