"""The feed of the ledger: every entry once, in order, without a gap (SPEC 6)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from optin.domain.events import DAY, Kind
from optin.domain.retention import Horizons
from tests.stores.works import claim, record
from tests.web.doors import ANNA, BERTIL, BOT, Doors
from tests.web.test_native import assert_problem, item
from tests.web.test_native import record as consents

CHANGES = f"/v1/bots/{BOT}/changes"


async def page(doors: Doors, after: str = "", limit: int = 100, more: str = "") -> dict[str, Any]:
    """One page of the feed."""
    answer = await doors.call("GET", f"{CHANGES}?after={after}&limit={limit}{more}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def read_on(doors: Doors, after: str = "", limit: int = 100) -> tuple[list[str], str]:
    """(ids, cursor) of all there is now."""
    ids: list[str] = []
    while True:
        found = await page(doors, after, limit)
        ids += [event["id"] for event in found["events"]]
        after = found["next"]
        if not found["more"]:
            return ids, after


async def test_every_entry_comes_once_and_in_order(doors: Doors) -> None:
    """Whatever the size of the pages, the order is the same, and a cursor goes on where it was."""
    for _ in range(7):
        await consents(doors, item("opt_in"), item("opt_out", BERTIL), item("message"))
    whole, cursor = await read_on(doors)
    assert (len(whole), len(set(whole))) == (21, 21)
    assert [(await read_on(doors, limit=size))[0] for size in (1, 2, 5)] == [whole] * 3
    assert await read_on(doors, cursor) == ([], cursor)
    await consents(doors, item("opt_out"))
    new, _ = await read_on(doors, cursor)
    assert len(new) == 1


async def test_what_is_told_of_an_entry(doors: Doors) -> None:
    """As in a history; contacts' messages can be left out."""
    await consents(doors, item("opt_in", evidence={"channel": "web"}), item("message"))
    [event] = (await page(doors, more="&messages=no"))["events"]
    assert (event["kind"], event["identity"]) == ("opt_in", f"+{ANNA}")
    assert (event["evidence"], event["source"]) == ({"channel": "web"}, "native_api")
    kinds = [each["kind"] for each in (await page(doors))["events"]]
    assert kinds == ["opt_in", "message"]


async def test_a_reader_beside_writers_misses_nothing(doors: Doors) -> None:
    """No gap and nothing twice while many write."""
    seen: list[str] = []
    after = ""

    async def write(n: int) -> None:
        for _ in range(10):
            await consents(doors, item("opt_in", f"4673200{n:04}"))

    writing = asyncio.gather(*map(write, range(10)))
    while not writing.done():
        ids, after = await read_on(doors, after, 7)
        seen += ids
        await asyncio.sleep(0)
    seen += (await read_on(doors, after))[0]
    assert seen == (await read_on(doors))[0]
    assert len(seen) == len(set(seen)) == 100


async def test_what_retention_carries_is_not_told_twice(doors: Doors) -> None:
    """R16: who has read it does not get it again; who begins afterwards gets all that is left."""
    await consents(doors, item("opt_in"), item("opt_in"))
    read, cursor = await read_on(doors)
    until = Horizons(events=await doors.store.now() + DAY)
    assert await doors.store.retain(BOT, until) == 1
    assert (await read_on(doors, cursor))[0] == []
    assert (await read_on(doors))[0] == read[1:]


async def test_a_cursor_that_retention_overtook_is_gone(doors: Doors) -> None:
    """R16: a reader that was away too long is told so, instead of missing something."""
    await consents(doors, item("opt_in"))
    _, cursor = await read_on(doors)
    for kind in (Kind.OPT_IN, Kind.OPT_OUT):
        await doors.store.commit(record(claim(kind, ANNA), bot_id=BOT))
    await doors.store.retain(BOT, Horizons(events=await doors.store.now() + DAY))
    assert_problem(await doors.call("GET", f"{CHANGES}?after={cursor}"), 410, "gone")


@pytest.mark.parametrize("after", ["x", "e30x", "WzFd", "eyIwIjpbMV19", "%C3%BC"])
async def test_what_is_no_cursor_is_refused(doors: Doors, after: str) -> None:
    """A clear error instead of the feed's beginning."""
    assert_problem(await doors.call("GET", f"{CHANGES}?after={after}"), 400, "invalid_input")
