"""The ledger in parts: making and dropping them loses nothing, and nobody waits (R3, R16)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.events import DAY, Kind
from optin.domain.ids import derived_id
from optin.stores.postgres import migrate as migrating
from optin.stores.postgres import partitions
from optin.stores.postgres.partitions import AHEAD, MONTHS, SETTLED
from tests.stores.postgres.server import fresh_database, server
from tests.stores.postgres.test_failures import check_ledger, opened, recorded
from tests.stores.works import WHO, claim, record

_WHERE = "SELECT DISTINCT tableoid::regclass::text FROM {table} WHERE identity = $1"


def instant(*date: int) -> int:
    """Midnight, UTC µs."""
    return int(datetime(*date, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[misc,arg-type]


def now() -> int:
    return time.time_ns() // 1000


def dated(at: int, kind: Kind = Kind.OPT_IN, who: str = WHO) -> Any:
    return claim(kind, who, event_id=derived_id(at, "dated", str(at), kind.value, who))


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def names(connection: Any, table: str) -> list[str]:
    return [part.name for part in await partitions.parts(connection, table)]


async def where(connection: Any, table: str, who: str) -> list[str]:
    return [row[0] for row in await connection.fetch(_WHERE.format(table=table), who)]


@given(
    st.sampled_from(sorted(MONTHS)),
    st.integers(2020, 2090),
    st.sampled_from([1, 4, 7, 10]),
    st.integers(0, 900),
)
def test_every_instant_is_in_one_part(table: str, year: int, month: int, days: int) -> None:
    """Parts follow one another without gap or overlap, at the first of a month, until the day."""
    begin = instant(year, month, 1)
    made = list(partitions.parts_until(table, begin, begin + days * DAY))
    ends = [begin, *(part.end for part in made)]
    assert [part.begin for part in made] == ends[:-1]
    assert made[-1].begin <= begin + days * DAY < made[-1].end
    firsts = [datetime.fromtimestamp(each / 1_000_000, UTC) for each in ends]
    assert all(each.day == 1 and each.hour == 0 for each in firsts)
    assert len({part.name for part in made}) == len(made)


async def test_parts_are_made_ahead_and_only_once() -> None:
    """A migrated database has the parts of the coming weeks, however many processes make them."""
    async with fresh_database() as url, contextlib.AsyncExitStack() as stack:
        several = [await stack.enter_async_context(connected(url)) for _ in range(4)]
        for table in MONTHS:
            there = await partitions.parts(several[0], table)
            assert there[0].begin == -1
            assert there[-1].end > now() + AHEAD
        later = there[-1].end
        made = await asyncio.gather(*(partitions.keep(each, later) for each in several))
        made.append(await partitions.keep(several[0], later))
        assert sum(made) > 0
        assert await partitions.keep(several[1], later) == 0
        for table in MONTHS:
            there = await partitions.parts(several[0], table)
            assert there[-1].end > later + AHEAD
            assert all(a.end == b.begin for a, b in itertools.pairwise(there))


async def test_what_came_before_its_part_moves_into_it() -> None:
    """R3: an entry from a clock ahead lies apart until its part is there; it is neither lost nor
    taken twice, before or after."""
    async with fresh_database() as url, opened(url) as store, connected(url) as connection:
        far = dated(now() + 200 * DAY)
        await store.commit(record(far))
        await store.commit(record(dated(now() + 500 * DAY, who="46700000001")))
        assert await where(connection, "events", WHO) == ["events_rest"]
        await partitions.keep(connection, now() + 180 * DAY)
        [part] = await where(connection, "events", WHO)
        assert part != "events_rest"
        assert await where(connection, "events", "46700000001") == ["events_rest"]
        assert await store.commit(record(far)) == []
        assert await recorded(store) == [Kind.OPT_IN]
        await check_ledger(store)


async def test_only_what_is_over_and_empty_goes() -> None:
    """R16: parts that retention emptied go; one entry keeps its part, and one that comes for a
    part that is gone is kept as well."""
    async with fresh_database() as url, opened(url) as store, connected(url) as connection:
        begin = now()
        await store.commit(record(dated(begin), dated(begin, Kind.MESSAGE)))
        first = {table: (await partitions.parts(connection, table))[0] for table in MONTHS}
        much_later = max(part.end for part in first.values()) + SETTLED + DAY
        await partitions.keep(connection, much_later)
        for table, part in first.items():
            assert part.name in await names(connection, table)
        await connection.execute("DELETE FROM contact_messages")
        await partitions.keep(connection, first["contact_messages"].end + SETTLED)
        assert first["contact_messages"].name in await names(connection, "contact_messages")
        await partitions.keep(connection, much_later)
        assert first["contact_messages"].name not in await names(connection, "contact_messages")
        assert first["events"].name in await names(connection, "events")
        await store.commit(record(dated(begin + 1, Kind.MESSAGE, "46700000001")))
        assert await where(connection, "contact_messages", "46700000001") == [
            "contact_messages_rest"
        ]


async def test_a_long_read_is_not_waited_for() -> None:
    """What reads for minutes keeps no commit waiting behind a part that is to be made."""
    async with (
        fresh_database() as url,
        opened(url) as store,
        connected(url) as reader,
        connected(url) as keeper,
    ):
        async with reader.transaction():
            await reader.fetch("SELECT count(*) FROM events")
            keeping = asyncio.ensure_future(partitions.keep(keeper, now() + 200 * DAY))
            await asyncio.sleep(0.2)
            await asyncio.wait_for(store.commit(record(claim(Kind.OPT_OUT))), 5)
            before = await names(reader, "events")
            assert await asyncio.wait_for(keeping, 30) > 0  # of the other table
            assert await names(keeper, "events") == before
        assert await partitions.keep(keeper, now() + 200 * DAY) > 0
        assert await recorded(store) == [Kind.OPT_OUT]


async def test_an_older_program_goes_on_while_the_ledger_is_parted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Expand, then contract: a service of the schema before commits all the way through, nothing
    that it acknowledged is lost, and an entry from before is still known."""
    newest = migrating.migrations()
    async with server().fresh("template0") as url:
        monkeypatch.setattr(migrating, "migrations", lambda: newest[:2])
        await migrating.migrate(url)
        async with opened(url) as store:
            far = dated(now() + 200 * DAY, who="46700000002")
            await store.commit(record(dated(1), dated(2, Kind.MESSAGE), far))
            acknowledged: list[str] = []
            ending = asyncio.Event()

            async def go_on() -> None:
                while not ending.is_set():
                    who = f"4671{len(acknowledged):07d}"
                    await store.commit(record(claim(Kind.OPT_IN, who), claim(Kind.OPT_OUT, who)))
                    acknowledged.append(who)

            going = asyncio.ensure_future(go_on())
            await asyncio.sleep(0.2)
            monkeypatch.setattr(migrating, "migrations", lambda: newest)
            assert await migrating.migrate(url) == (2, newest[-1][0])
            after = len(acknowledged)
            await asyncio.sleep(0.2)
            ending.set()
            await going
            assert 0 < after < len(acknowledged)
            for who in acknowledged:
                assert await recorded(store, who) == [Kind.OPT_IN, Kind.OPT_OUT]
            assert await store.commit(record(dated(1), dated(2, Kind.MESSAGE), far)) == []
            assert sorted(await recorded(store)) == sorted([Kind.OPT_IN, Kind.MESSAGE])
            await check_ledger(store)
        async with connected(url) as connection:
            assert await where(connection, "events", WHO) == ["events_before"]
            assert await where(connection, "events", "46700000002") == ["events_rest"]
