"""The feed of the ledger: every entry once, in order, without a gap (SPEC 6)."""

from __future__ import annotations

import asyncio
import base64
from typing import Any, cast

import pytest

from optin.domain.entries import Entry
from optin.domain.errors import Gone
from optin.domain.events import DAY, Kind
from optin.domain.retention import Horizons
from optin.ports.store import Store
from optin.usecases.read_changes import Cursor, ReadChanges
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


async def test_a_cursor_within_a_commit_that_was_cut_is_gone(doors: Doors) -> None:
    """R16: the rest of its commit was never told, so going on behind it would leave a gap."""
    await consents(doors, *[item("opt_in")] * 3)
    begun = await page(doors, limit=2)
    read, cursor = await read_on(doors, begun["next"], limit=1)
    assert await doors.store.retain(BOT, Horizons(events=await doors.store.now() + DAY)) == 2
    gone = await doors.call("GET", f"{CHANGES}?after={begun['next']}")
    assert_problem(gone, 410, "gone")
    assert len(read) == 1
    assert (await read_on(doors, cursor))[0] == []


class Cut:
    """A store whose ledger is cut right before one of the feed's look-ups."""

    def __init__(self, store: Any, before: str) -> None:
        self._store, self._before = store, before

    def __getattr__(self, name: str) -> Any:
        ask = getattr(self._store, name)
        if name != self._before:
            return ask

        async def after_a_cut(*asked: Any) -> Any:
            self._before = ""
            await self._store.retain(BOT, Horizons(events=await self._store.now() + DAY))
            return await ask(*asked)

        return after_a_cut


@pytest.mark.parametrize("before", ["chain_writers", "chain_head", "chain_entries", "leaves"])
@pytest.mark.parametrize("size", [3, 7])
async def test_a_cut_while_a_page_is_read_leaves_no_gap(
    doors: Doors, before: str, size: int
) -> None:
    """R16: the reader gets all that is left, or is told that something is gone."""
    for n in range(12):
        await consents(doors, *(item("opt_in", f"4673200{n:04}") for _ in range(2)))
    entries: list[Entry] = []
    cursor: Cursor = {}
    if size == 7:
        first = await ReadChanges(doors.store).page(BOT, {}, size, messages=True)
        entries, cursor = first.entries, first.cursor
    feed = ReadChanges(cast(Store, Cut(doors.store, before)))
    try:
        more = True
        while more:
            found = await feed.page(BOT, cursor, size, messages=True)
            entries += found.entries
            cursor, more = found.cursor, found.more
    except Gone:
        return
    left = (await ReadChanges(doors.store).page(BOT, {}, 100, messages=True)).entries
    assert {each.event_id for each in left} <= {each.event_id for each in entries}
    assert size == 3, "half a commit was read: the other half is lost"


DEEP = base64.urlsafe_b64encode(b"[" * 9_000).decode()
LONG = base64.urlsafe_b64encode(b'{"0":[' + b"1" * 5_000 + b",0,0]}").decode()


@pytest.mark.parametrize(
    "after", ["x", "e30x", "WzFd", "eyIwIjpbMV19", "%C3%BC", DEEP, LONG], ids=str.__len__
)
async def test_what_is_no_cursor_is_refused(doors: Doors, after: str) -> None:
    """A clear error instead of the feed's beginning."""
    assert_problem(await doors.call("GET", f"{CHANGES}?after={after}"), 400, "invalid_input")
