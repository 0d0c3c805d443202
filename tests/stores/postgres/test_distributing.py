"""What `optin migrate` and the keeping of parts ask of Citus, and whom they refuse.

Citus's own functions are stood in for by ones that write down what they are asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from optin.domain.errors import StartupError
from optin.domain.events import DAY
from optin.stores.postgres import migrate as migrating
from optin.stores.postgres import partitions, shards, tables
from optin.stores.postgres.migrate import migrate, migrated
from tests.stores.postgres.server import fetched, server
from tests.stores.postgres.sharded import opened
from tests.stores.postgres.test_partitions import connected, now
from tests.stores.works import BOT

_STAND_IN = """
CREATE TABLE told (place serial, asked text);
CREATE TABLE pg_dist_partition (logicalrelid regclass);
CREATE TABLE pg_dist_local_group (groupid int);
INSERT INTO pg_dist_local_group VALUES (0);
CREATE TABLE workers (nodename text, nodeport int, success bool, result text);
CREATE FUNCTION run_command_on_workers(text) RETURNS SETOF workers LANGUAGE sql
 AS 'SELECT * FROM workers';
CREATE FUNCTION create_distributed_table(t regclass, c text, colocate_with text) RETURNS void
 LANGUAGE sql AS $$
 INSERT INTO told (asked) VALUES (t || ' by ' || c || ' beside ' || colocate_with);
 INSERT INTO pg_dist_partition VALUES (t) $$;
CREATE FUNCTION truncate_local_data_after_distributing_table(t regclass) RETURNS void
 LANGUAGE sql AS $$ INSERT INTO told (asked) VALUES ('empty ' || t) $$"""
_TOLD = "SELECT asked FROM told ORDER BY place"


@pytest.fixture
async def url(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A new database, with what stands in for the extension."""
    async with stood_in() as made:
        monkeypatch.setattr(shards, "has_citus", _yes)
        yield made


@asynccontextmanager
async def stood_in() -> AsyncIterator[str]:
    async with server().fresh("template0") as url:
        async with connected(url) as connection:
            await connection.execute(_STAND_IN)
        yield url


async def _yes(_: object) -> bool:
    return True


async def told(url: str) -> list[Any]:
    return [row[0] for row in await fetched(url, _TOLD)]


def beside(name: str, first: str = "identities") -> list[str]:
    return [f"{name} by bot_id beside {first}", f"empty {name}"]


async def test_all_tables_of_bots_are_distributed_side_by_side(url: str) -> None:
    """One bot's rows lie on one node; what lay on the coordinator before goes from its disk (R15).
    It is done once."""
    await migrate(url)
    first, *others = (each.name for each in tables.DISTRIBUTED)
    expected = [*beside(first, "none"), *(part for name in others for part in beside(name))]
    asked = await told(url)
    assert asked[: len(expected)] == expected
    assert not {each.split()[-1] for each in asked[len(expected) :]} - partitions.MONTHS.keys()
    assert await migrated(url)
    await migrate(url)
    assert await told(url) == asked


async def test_a_database_that_is_in_use_is_distributed(url: str, monkeypatch: Any) -> None:
    """R14: nobody keeps a slot from before; a table that came later is put beside the others, and
    a start before that is refused."""
    with monkeypatch.context() as plain:
        plain.setattr(shards, "has_citus", _no)
        await migrate(url)
        async with opened(url, BOT):
            await fetched(url, "INSERT INTO writers VALUES (7, 'somebody', 3, 2::bigint ^ 60)")
    with pytest.raises(StartupError, match="optin migrate"):
        await migrated(url)
    await migrate(url)
    assert await fetched(url, "SELECT holder, leased_until FROM writers WHERE slot = 7") == [
        ("", 0)
    ]
    before = await told(url)
    await fetched(url, "DELETE FROM pg_dist_partition WHERE logicalrelid = 'marks'::regclass")
    await migrate(url)
    assert await told(url) == [*before, *beside("marks")]


async def _no(_: object) -> bool:
    return False


async def test_a_ledger_that_is_distributed_is_laid_in_parts_that_are(
    url: str, monkeypatch: Any
) -> None:
    """The new table is distributed beside the others before the old one becomes its part; so is
    each part that is made later, beside its table, before rows move into it."""
    newest = migrating.migrations()
    with monkeypatch.context() as older:
        older.setattr(migrating, "migrations", lambda: newest[:2])
        older.setattr(partitions, "MONTHS", {})
        await migrate(url)
    before = await told(url)
    assert await migrate(url) == (2, newest[-1][0])
    after = (await told(url))[len(before) :]
    assert after[:2] == [f"{each} by bot_id beside identities" for each in partitions.MONTHS]
    async with connected(url) as connection:
        names = set[str]()
        for later in (0, 90 * DAY):
            if later:
                assert await partitions.keep(connection, now() + later) > 0
            for table in partitions.MONTHS:
                ahead = (await partitions.parts(connection, table))[1:]
                names |= {f"{part.name} by bot_id beside {table}" for part in ahead}
            made = (await told(url))[len(before) + 2 :]
            assert sorted(made) == sorted(names)


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        ("UPDATE pg_dist_local_group SET groupid = 2", "connect to the coordinator"),
        ("INSERT INTO workers VALUES ('w', 1, true, 'off on')", "w:1 runs with fsync = off"),
        ("INSERT INTO workers VALUES ('w', 2, true, 'on off')", "synchronous_commit = off"),
        ("INSERT INTO workers VALUES ('w', 3, true, 'on local'), ('v', 4, false, 'x')", None),
    ],
)
async def test_whoever_would_lose_what_it_acknowledged_is_refused(
    url: str, state: str, refusal: str | None
) -> None:
    """R13: a worker in the coordinator's place, whose locks keep nobody apart, and a worker that
    does not write to disk. One that does not answer cannot be asked."""
    await fetched(url, state)
    if refusal is None:
        await migrate(url)
        return
    with pytest.raises(StartupError, match=refusal):
        await migrate(url)
    assert await fetched(url, "SELECT to_regclass('meta')") == [(None,)]
