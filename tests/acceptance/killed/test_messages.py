"""H8: messages of a node that was killed. One that was not attempted is sent by the other node once
the lease is over; one that was is never sent again, and ends by a report or after 24 hours."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from tests.acceptance.killed.business import Business
from tests.acceptance.killed.pair import HOUR, Hold, Pair, process_of
from tests.acceptance.program import Program
from tests.acceptance.receivers import Receiver, port_of
from tests.acceptance.waiting import until
from tests.upstreams.cloud_api import CloudApi, answering, cloud_api, graph_error

pytestmark = pytest.mark.asyncio(loop_scope="package")

ADA = "46701740605"
#: Whom the survivor messages to show that it looked for work.
OTHERS = [f"4670174{n:04}" for n in range(700, 800)]
LOCK_CONTACT = "SELECT 1 FROM identities WHERE bot_id = $1 AND identity = $2 FOR UPDATE"
LOCK_MESSAGE = "SELECT 1 FROM messages WHERE bot_id = $1 AND message_id = $2 FOR UPDATE"


@pytest_asyncio.fixture(loop_scope="package")
async def api() -> AsyncIterator[CloudApi]:
    """The provider."""
    async with cloud_api() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="package")
async def business(pair: Pair, api: CloudApi, receiver: Receiver) -> Business:
    """A bot on that provider."""
    return await Business.on_meta(pair, api, receiver)


def reached(api: CloudApi) -> Counter[str]:
    """How often each message reached the provider, by its id."""
    return Counter(body["biz_opaque_callback_data"] for body in api.taken)


def told(receiver: Receiver, message_id: str) -> Counter[str]:
    """How often the business was told each state of a message."""
    bodies = [json.loads(post.body)["statuses"] for post in receiver.posts]
    rows = [row for statuses in bodies for row in statuses]
    return Counter(row["state"] for row in rows if row["message_id"] == message_id)


async def look_around(business: Business, survivor: Program) -> None:
    """Returns when the survivor has leased, sent and settled a message that became due after all
    that is due now: what it left alone then, it saw and left alone."""
    [message_id] = await business.send(survivor, OTHERS.pop())

    async def settled() -> bool:
        return bool((await business.message(message_id))["stage"] == "settled")

    await until(settled)


async def in_state(business: Business, message_id: str, state: str) -> None:
    """Returns when the message is settled in this state."""

    async def there() -> bool:
        row = await business.message(message_id)
        return (row["stage"], row["state"]) == ("settled", state)

    await until(there)


async def test_one_that_was_only_leased_is_sent_once_by_the_other(
    pair: Pair, business: Business, api: CloudApi, receiver: Receiver
) -> None:
    """Killed in the judgement, before its commit: nothing left the node, so nothing may be lost.

    Until the lease is over the message is the dead node's: it may be sending it for all that
    anybody knows.
    """
    api.behaviour = answering(graph_error(131053, "not now"), 400, Retry_After="600")
    [message_id] = await business.send(pair.a_node, ADA)
    await until(lambda: reached(api)[message_id] == 1)
    await until(lambda: _waits(business, message_id))
    api.behaviour = None
    async with pair.held(LOCK_CONTACT, business.bot_id, ADA) as hold:
        await pair.rows("UPDATE messages SET due = 0 WHERE bot_id = $1", business.bot_id)
        survivor = await pair.kill(await hold.waiter())
    await pair.forgotten()
    dead = await business.message(message_id)
    assert (dead["stage"], dead["attempts"]) == ("waiting", 1)
    await look_around(business, survivor)
    assert await business.message(message_id) == dead
    assert await pair.is_leased("messages", process_of(dead))
    assert reached(api)[message_id] == 1

    await pair.let_leases_run_out("messages", process_of(dead))
    await in_state(business, message_id, "dispatched")
    await look_around(business, survivor)
    assert reached(api)[message_id] == 2
    await until(lambda: told(receiver, message_id) == {"dispatched": 1})


async def _waits(business: Business, message_id: str) -> bool:
    row = await business.message(message_id)
    return bool(row["stage"] == "waiting" and row["leased_until"] == 0)


async def test_one_that_was_answered_and_not_settled_ends_after_24_hours(
    pair: Pair, business: Business, api: CloudApi, receiver: Receiver
) -> None:
    """Killed when the provider's answer is there and its commit is not."""
    locked: asyncio.Future[Hold] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        message_id = (await request.json())["biz_opaque_callback_data"]
        async with pair.held(LOCK_MESSAGE, business.bot_id, message_id) as hold:
            locked.set_result(hold)
            response = web.json_response({"messages": [{"id": "wamid.lost"}]})
            await response.prepare(request)
            await response.write_eof()
            await done.wait()
        return response

    api.behaviour = answer
    [message_id] = await business.send(pair.a_node, ADA)
    hold = await asyncio.wait_for(locked, 30)
    survivor = await pair.kill(await hold.waiter())
    done.set()
    api.behaviour = None
    await pair.forgotten()
    dead = await business.message(message_id)
    assert (dead["stage"], dead["state"], dead["attempts"]) == ("claimed", "queued", 1)
    await look_around(business, survivor)
    assert await business.message(message_id) == dead
    assert await pair.is_leased("messages", process_of(dead))

    await pair.let_leases_run_out("messages", process_of(dead))
    await look_around(business, survivor)
    after = await business.message(message_id)
    assert after == {**dead, "leased_until": after["leased_until"]}
    assert told(receiver, message_id) == {}

    back = "UPDATE messages SET claimed = claimed - $3 WHERE bot_id = $1 AND message_id = $2"
    await pair.rows(back, business.bot_id, message_id, 24 * HOUR)
    await pair.start()  # what has outlived its time is looked for at the start, then every 30 s
    await in_state(business, message_id, "failed")
    assert (await business.message(message_id))["details"] == "unknown_outcome"
    await look_around(business, survivor)
    assert reached(api)[message_id] == 1
    await until(lambda: told(receiver, message_id) == {"failed": 1})


async def test_of_many_none_is_lost_and_none_sent_twice(
    pair: Pair, business: Business, api: CloudApi, receiver: Receiver
) -> None:
    """Killed with forty under way, each where it happens to be: settled, judged, leased, and some
    at the provider, which has read them and not answered. Each leaves once; one that was claimed
    is not sent again, and ends by the provider's report."""
    asked: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
    let_go = asyncio.Event()

    async def silent_from_the_tenth(request: web.Request) -> web.StreamResponse:
        message_id = (await request.json())["biz_opaque_callback_data"]
        if len(api.taken) >= 10:
            if not asked.done():
                asked.set_result((message_id, port_of(request)))
            await let_go.wait()
        return web.json_response({"messages": [{"id": f"wamid.{message_id}"}]})

    api.behaviour = silent_from_the_tenth
    numbers = [f"467017400{n:02}" for n in range(40)]
    for at in (0, 20):
        await business.send(pair.a_node, *numbers[at : at + 20])
    unanswered, port = await asyncio.wait_for(asked, 30)
    process = process_of(await business.message(unanswered))
    survivor = await pair.kill(pair.holder(port))
    await pair.forgotten()
    let_go.set()
    dead = await under_way(business, process)
    await look_around(business, survivor)
    assert await under_way(business, process) == dead
    assert await pair.is_leased("messages", process)

    await pair.let_leases_run_out("messages", process)
    await until(lambda: _nothing_waits(business))
    await look_around(business, survivor)
    count = reached(api)
    claimed = {each for each, row in dead.items() if row["stage"] == "claimed"}
    assert set(await under_way(business, process)) == claimed
    for message_id in claimed:
        await business.report(survivor, message_id, "delivered")
    rows = await pair.rows("SELECT * FROM messages WHERE bot_id = $1", business.bot_id)
    forty = {row["message_id"]: row for row in rows if row["identity"] in numbers}
    assert len(forty) == 40
    assert {row["stage"] for row in forty.values()} == {"settled"}
    assert {count[each] for each in forty.keys() - claimed} == {1}
    assert {count[each] for each in claimed} <= {0, 1}
    await pair.let_leases_run_out("callbacks", process)
    await until(lambda: all(told(receiver, each) for each in forty))
    for each in forty:
        assert set(told(receiver, each)) == {"delivered" if each in claimed else "dispatched"}


async def under_way(business: Business, process: str) -> dict[str, dict[str, Any]]:
    """The messages that this process has, by their ids."""
    asked = """SELECT message_id, stage, state, attempts, claimant, claimed FROM messages
     WHERE bot_id = $1 AND split_part(claimant, '/', 1) = $2 AND stage <> 'settled'"""
    rows = await business.pair.rows(asked, business.bot_id, process)
    return {row["message_id"]: dict(row) for row in rows}


async def _nothing_waits(business: Business) -> bool:
    asked = "SELECT 1 FROM messages WHERE bot_id = $1 AND stage = 'waiting'"
    return not await business.pair.rows(asked, business.bot_id)
