"""An import whose node was killed ends as an undisturbed one: the same states, the same counts,
each row once in the ledger (R2, R13)."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from optin.stores.postgres import tables
from optin.usecases.import_list.running import AT_ONCE
from optin.usecases.verify import Verify
from tests.acceptance.killed.business import Business
from tests.acceptance.killed.pair import HOUR, Hold, Pair, process_of
from tests.acceptance.program import Program
from tests.acceptance.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")

ROWS = 3 * AT_ONCE
LOCK_JOB = "SELECT 1 FROM imports WHERE bot_id = $1 AND import_id = $2 FOR UPDATE"


def number(row: int) -> str:
    """Whom the row is about: every 20th about the one 300 rows before."""
    return f"467017{(row - 300 if row > 300 and row % 20 == 0 else row):05}"


def line(row: int) -> str:
    """Opt-ins and opt-outs, most with a date; now and then no number at all."""
    who = "nobody" if row % 97 == 0 else f"+{number(row)}"
    action = "opt_out" if row % 7 == 0 else "opt_in"
    date = "" if row % 5 == 0 else f"2026-0{1 + row % 9}-{1 + row % 28:02}T12:00:{row % 60:02}Z"
    return f"{who},{action},{date}"


LIST = "\n".join(["phone,action,date", *map(line, range(1, ROWS + 1))]).encode()


@dataclass(frozen=True)
class Taken:
    """What there is of an import at its end. Times that are the import's own are `created`."""

    job: dict[str, Any]
    rejected: Any
    states: list[tuple[Any, ...]]
    events: list[tuple[Any, ...]]


async def upload(business: Business, program: Program, data: bytes = LIST) -> str:
    """Gives the list to a node; the import's id."""
    path = f"/v1/bots/{business.bot_id}/imports?format=csv"
    told = await business.ask(program, "POST", path, data)
    import_id: str = told["id"]
    return import_id


async def told(business: Business, program: Program, import_id: str) -> dict[str, Any]:
    """What the API says of an import."""
    path = f"/v1/bots/{business.bot_id}/imports/{import_id}"
    job: dict[str, Any] = await business.ask(program, "GET", path)
    return job


async def ended(business: Business, program: Program, import_id: str) -> dict[str, Any]:
    """The same, once it is over."""

    async def over() -> dict[str, Any] | None:
        job = await told(business, program, import_id)
        return job if job["state"] in ("done", "failed") else None

    job: dict[str, Any] = await until(over)
    return job


async def taken(business: Business, program: Program, import_id: str) -> Taken:
    """All that came of it, to be compared with another's."""
    job = await ended(business, program, import_id)
    asked = "SELECT created FROM imports WHERE bot_id = $1 AND import_id = $2"
    [row] = await business.pair.rows(asked, business.bot_id, import_id)

    def plain(values: Any) -> tuple[Any, ...]:
        return tuple("created" if value == row["created"] else value for value in values)

    names = ", ".join(tables.IDENTITIES.types)
    states = f"SELECT {names} FROM identities WHERE bot_id = $1 ORDER BY identity"
    events = """SELECT identity, kind, at, effective, source, context FROM events
     WHERE bot_id = $1"""
    found = [
        (int(json.loads(each["context"])["row"]), *plain(each.values())[:-1])
        for each in await business.pair.rows(events, business.bot_id)
    ]
    rejected = """SELECT number, line, outcome, reason, identity, row FROM import_rows
     WHERE bot_id = $1 ORDER BY number"""
    return Taken(
        {name: job[name] for name in job if name not in ("id", "by", "created_at", "finished_at")},
        [tuple(each.values()) for each in await business.pair.rows(rejected, business.bot_id)],
        [plain(each.values()) for each in await business.pair.rows(states, business.bot_id)],
        sorted(found),
    )


_undisturbed: list[tuple[str, Taken]] = []


@pytest_asyncio.fixture(loop_scope="package")
async def undisturbed(pair: Pair) -> tuple[str, Taken]:
    """The bot for which nobody died, and what came of the list there."""
    if not _undisturbed:
        business = await Business.on(pair)
        import_id = await upload(business, pair.a_node)
        _undisturbed.append((business.bot_id, await taken(business, pair.a_node, import_id)))
    return _undisturbed[0]


async def look_around(pair: Pair, survivor: Program) -> None:
    """Returns when the survivor has taken up and ended a list that came after all others."""
    other = await Business.on(pair)
    import_id = await upload(other, survivor, b"phone,action\n+46701740605,opt_in\n")
    await ended(other, survivor, import_id)


#: Uploads the list and yields the import's id and the name of the node that works on it, while that
#: stands still: (whose import, the bot for which nobody dies).
Standstill = Callable[[Business, str], AbstractAsyncContextManager[tuple[str, str]]]


def in_commit_of(row: int) -> Standstill:
    """In the commit that this row belongs to, before it has written anything."""

    @asynccontextmanager
    async def standing(business: Business, like: str) -> AsyncIterator[tuple[str, str]]:
        async with contact_locked(business, row, like) as hold:
            import_id = await upload(business, business.pair.a_node)
            yield import_id, await hold.waiter()

    return standing


@asynccontextmanager
async def before_the_end(business: Business, like: str) -> AsyncIterator[tuple[str, str]]:
    """All rows are committed, and the job's end is not.

    The last rows stand still first at a contact, then at the ledger. There they have the job's
    lock, and we are the next to get it.
    """
    pair = business.pair
    async with AsyncExitStack() as ledger, AsyncExitStack() as job:
        async with contact_locked(business, ROWS - 1, like) as contact:
            import_id = await upload(business, pair.a_node)
            await contact.waiter()
            whole = pair.held("LOCK TABLE events IN SHARE MODE")
            rows = await ledger.enter_async_context(whole)
        await rows.waiter()
        locked = pair.held(LOCK_JOB, business.bot_id, import_id)
        turn = asyncio.create_task(job.enter_async_context(locked))
        await pair.holds_wait()
        await ledger.aclose()
        yield import_id, await (await turn).waiter()


def contact_locked(business: Business, row: int, like: str) -> AbstractAsyncContextManager[Hold]:
    """Somebody is just making the state of the row's contact, a copy of the bot `like`'s, and never
    commits it."""
    names = ", ".join(tables.IDENTITIES.types)
    copy = f"INSERT INTO identities SELECT $1, {names} FROM identities"
    where = "WHERE bot_id = $2 AND identity = $3"
    return business.pair.held(f"{copy} {where}", business.bot_id, like, number(row))


@pytest.mark.parametrize(
    ("standstill", "done"),
    [
        pytest.param(
            in_commit_of(AT_ONCE // 2 + 1), 0, id="in its first commit", marks=pytest.mark.long
        ),
        pytest.param(in_commit_of(AT_ONCE * 3 // 2 + 1), AT_ONCE, id="in its second commit"),
        pytest.param(before_the_end, ROWS, id="before its end"),
    ],
)
async def test_an_import_ends_as_if_nobody_had_died(
    pair: Pair, undisturbed: tuple[str, Taken], standstill: Standstill, done: int
) -> None:
    """Until the lease is over nobody else touches it; then the other node goes on behind the last
    row that was committed."""
    like, expected = undisturbed
    business = await Business.on(pair)
    async with standstill(business, like) as (import_id, name):
        survivor = await pair.kill(name)
    await pair.forgotten()
    dead = process_of(await row_of(business, import_id))
    await pair.move_leases("imports", dead, HOUR)  # its time stands still until then
    before = await row_of(business, import_id)
    job = await told(business, survivor, import_id)
    assert (job["state"], job["rows"]) == ("running", done)
    await look_around(pair, survivor)
    assert await row_of(business, import_id) == before
    assert await pair.is_leased("imports", dead)

    await pair.let_leases_run_out("imports", dead)
    found = await taken(business, survivor, import_id)
    numbers = Counter(row for row, *_ in found.events)
    assert set(numbers.values()) == {1}
    assert found == expected
    [report] = await Verify(pair.store).verify([business.bot_id])
    assert report.is_sound


async def row_of(business: Business, import_id: str) -> dict[str, Any]:
    """What the database has of the job."""
    asked = "SELECT * FROM imports WHERE bot_id = $1 AND import_id = $2"
    [row] = await business.pair.rows(asked, business.bot_id, import_id)
    return dict(row)


async def test_the_list_is_worth_it() -> None:
    """Rows with and without a date, of contacts named twice, and some that are refused."""
    rows = LIST.decode().splitlines()[1:]
    assert len(rows) == ROWS
    assert min(Counter(row.split(",")[1] for row in rows).values()) > 100
    assert sum(row.endswith(",") for row in rows) > 100
    assert sum(row.startswith("nobody") for row in rows) > 10
    assert ROWS - len({row.split(",")[0] for row in rows}) > 20
