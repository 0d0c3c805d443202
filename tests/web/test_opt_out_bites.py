"""R6: once an opt-out has been acknowledged, nothing that starts afterwards is allowed."""

from __future__ import annotations

import asyncio

from tests.conftest import OpenStore
from tests.web.doors import BOT, Doors, open_doors
from tests.web.test_legacy_messages import ORDER, send

ROUNDS = 1_000
_LANES = 4


async def test_no_decision_after_an_opt_out(doors: Doors) -> None:
    """1,000 times: opt out, acknowledged, then check and send, while others opt in: refused."""
    path = f"/v1/bots/{BOT}/templates/order_ready/en"
    await doors.call("PUT", path, {"category": "utility"})
    done = asyncio.Event()
    neighbours = asyncio.create_task(others_opt_in(doors, done))
    share = ROUNDS // _LANES
    lanes = [lane(doors, range(begin, begin + share)) for begin in range(0, ROUNDS, share)]
    rounds = await asyncio.gather(*lanes)
    done.set()
    assert sum(rounds) == ROUNDS
    assert await neighbours > ROUNDS // 10


async def test_on_every_node(doors: Doors, open_store: OpenStore) -> None:
    """100 times: opted out through one process, refused by another on the same database."""
    elsewhere = await open_doors(await open_store(), bot_id="elsewhere")
    elsewhere.token = doors.token
    for n in range(100):
        who = f"4673{n:07}"
        assert (await doors.legacy("POST", "provision/optin", who)).status_code == 200
        assert await elsewhere.allowed(who)
        assert (await doors.legacy("DELETE", "provision/optin", who)).status_code == 200
        assert not await elsewhere.allowed(who)
    await elsewhere.client.aclose()


async def lane(doors: Doors, numbers: range) -> int:
    """Rounds one after another, each with a contact of its own; every other one sends."""
    for n in numbers:
        who = f"4673{n:07}"
        assert (await doors.legacy("POST", "provision/optin", who)).status_code == 200
        assert await doors.allowed(who)
        method, tail = ("DELETE", "optin") if n % 4 < 2 else ("POST", "optout")
        assert (await doors.legacy(method, f"provision/{tail}", who)).status_code == 200
        if n % 2:
            assert not await doors.allowed(who)
        else:
            [row] = (await send(doors, [who], ORDER)).json()["statuses"]
            assert row["state"] == "no_opt_in"
    return len(numbers)


async def others_opt_in(doors: Doors, done: asyncio.Event) -> int:
    """Opt-ins of other numbers, so that batches are shared; how many there were."""
    count = 0
    while not done.is_set():
        await doors.legacy("POST", "provision/optin", f"4470{count:08}")
        count += 1
    return count
