"""A database is moved whole, checked, and never in use on both sides (R6, R12 to R16)."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from optin.domain.errors import Conflict, InconsistentRecord, MasterKeyMismatch, StartupError
from optin.domain.events import Kind
from optin.domain.messages import Category
from optin.stores import whole as listed
from optin.stores.postgres import whole as postgres
from optin.stores.sqlite import whole as sqlite
from optin.stores.whole import TABLES
from optin.usecases.check import Check
from optin.usecases.copy_database import CopyDatabase
from optin.usecases.verify import Verify
from optin.wiring.copying import Copied, copy_database, release
from optin.wiring.opening import opened_store
from tests.stores.postgres.server import server
from tests.stores.works import BOT, OTHER_BOT, claim, record
from tests.wiring.lived_in import GONE_BOT, PEOPLE, live_in, settings, sqlite_url

OTHER_KEY = "ab" * 32
WAYS = [
    ("sqlite", "postgresql"),
    ("postgresql", "sqlite"),
    ("sqlite", "sqlite"),
    ("postgresql", "postgresql"),
]


class _Killed(Exception):
    """The program ended here."""


@asynccontextmanager
async def _places(folder: Path, *kinds: str) -> AsyncIterator[list[str]]:
    """Addresses at which there is nothing yet."""
    async with server().fresh() as one, server().fresh() as other:
        servers = iter((one, other))
        yield [
            sqlite_url(folder, f"{n}.db") if kind == "sqlite" else next(servers)
            for n, kind in enumerate(kinds)
        ]


async def _copied(source: str, target: str) -> Copied:
    return await copy_database(settings(source), settings(target), lambda *_: None)


async def _content(database: str) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables, read without anything that copies."""
    found: dict[str, list[dict[str, Any]]] = {}
    if database.startswith("sqlite:"):
        file = sqlite3.connect(database.removeprefix("sqlite:"))
        file.row_factory = sqlite3.Row
        for name in TABLES:
            found[name] = [dict(row) for row in file.execute(f"SELECT * FROM {name}")]
        file.close()
    else:
        connection = await asyncpg.connect(database)
        for name in TABLES:
            found[name] = [dict(row) for row in await connection.fetch(f"SELECT * FROM {name}")]
        await connection.close()
    return {
        name: sorted(rows, key=lambda row: repr(sorted(row.items())))
        for name, rows in found.items()
    }


async def _sql(database: str, statement: str) -> None:
    if database.startswith("sqlite:"):
        with sqlite3.connect(database.removeprefix("sqlite:")) as file:
            file.execute(statement)
        file.close()
    else:
        connection = await asyncpg.connect(database)
        await connection.execute(statement)
        await connection.close()


async def _decisions(database: str) -> list[Any]:
    async with opened_store(settings(database)) as store:
        return [
            [(row.allowed, row.reason, row.basis) for row in rows]
            for bot_id in (BOT, OTHER_BOT)
            for category in Category
            for rows in [await Check(store).now(bot_id, PEOPLE, category)]
        ]


async def _goes_on(database: str) -> None:
    """A STOP, and an opt-in, go on in the chains that there are, and all is sound."""
    async with opened_store(settings(database)) as store:
        before = {head.seq for r in await Verify(store).verify([BOT]) for head in r.heads}
        await store.commit(record(claim(Kind.OPT_OUT, PEOPLE[1])))
        reports = await Verify(store).verify()
        assert [report.findings for report in reports] == [[], [], []]
        [after] = [report.heads for report in reports if report.bot_id == BOT]
        assert [head.seq for head in after] == [max(before) + 1]
        assert (await store.bot(BOT)).settings["callback_hmac_key"] == "geheim"  # type: ignore[union-attr]
        assert [bot.bot_id for bot in await store.removed_bots()] == [GONE_BOT]
        [token] = await store.tokens(OTHER_BOT)
        assert await store.token(token.digest) == token


@pytest.mark.parametrize(("here", "there"), WAYS)
async def test_everything_is_there_afterwards(tmp_path: Path, here: str, there: str) -> None:
    """Every row of every table, of removed bots too, of erased contacts and behind a cut; every
    decision is the same; and the chains go on from their heads under the same keys."""
    async with _places(tmp_path, here, there) as (source, target):
        await live_in(source)
        content, decided = await _content(source), await _decisions(source)
        assert not [name for name, rows in content.items() if not rows]
        done = await _copied(source, target)
        assert await _content(target) == content
        assert done.work.rows == {name: len(rows) for name, rows in content.items()}
        assert await _decisions(target) == decided
        await _goes_on(target)


@pytest.mark.parametrize("there", ["postgresql", "sqlite"])
async def test_a_copy_goes_on_wherever_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    """However often it is interrupted, at each page of a row, the end is the same; until then
    neither side can be used."""
    for module in (listed, postgres, sqlite):
        monkeypatch.setattr(module, "page_size", lambda _: 1)
    async with _places(tmp_path, "sqlite", there) as (source, target):
        await live_in(source)
        content = await _content(source)
        kind = postgres.PostgresWhole if there == "postgresql" else sqlite.SQLiteWhole
        add, runs, lives = kind.add, 0, iter([0])

        async def one_more(self: Any, *what: Any) -> None:
            if next(lives, None) is None:
                raise _Killed
            await add(self, *what)

        monkeypatch.setattr(kind, "add", one_more)
        while True:
            lives, runs = iter([*range(10)]), runs + 1
            try:
                done = await _copied(source, target)
                break
            except _Killed:
                pass
            for side in (source, target):
                with pytest.raises(StartupError, match="optin copy"):
                    async with opened_store(settings(side), create=True):
                        pass
        assert runs > 3
        assert done.work.resumed == 10 * (runs - 1)
        assert await _content(target) == content
        assert (await _copied(source, target)).reports is None
        await _goes_on(target)


async def test_the_source_cannot_be_used_any_more_until_it_is_given_back(tmp_path: Path) -> None:
    """R13: nothing is acknowledged by the old database that the new one would not know."""
    async with _places(tmp_path, "sqlite", "sqlite", "sqlite") as (source, target, third):
        await live_in(source)
        await _copied(source, target)
        with pytest.raises(StartupError, match="is being copied, or was, to"):
            await _decisions(source)
        with pytest.raises(Conflict, match="leaves it alone"):
            await _copied(source, third)
        await release(settings(source))
        await _decisions(source)
        with pytest.raises(StartupError, match="not the source"):
            await release(settings(source))
        with pytest.raises(Conflict, match="not empty"):
            await _copied(source, target)
        await _decisions(source)


@pytest.mark.parametrize("here", ["postgresql", "sqlite"])
async def test_a_source_in_use_is_refused(tmp_path: Path, here: str) -> None:
    """A service that has it open would acknowledge what is not copied: nothing is begun."""
    async with _places(tmp_path, here, "sqlite") as (source, target):
        await live_in(source)
        async with opened_store(settings(source)) as store:
            await store.ready()
            with pytest.raises(Conflict, match="in use"):
                await _copied(source, target)
            await store.commit(record(claim(Kind.OPT_OUT)))
        await _copied(source, target)


@pytest.mark.parametrize("there", ["postgresql", "sqlite"])
async def test_a_target_that_was_used_is_refused(tmp_path: Path, there: str) -> None:
    """Nothing is mixed into a database that holds anything, or that a service has made."""
    async with _places(tmp_path, "sqlite", there) as (source, target):
        await live_in(source)
        async with opened_store(settings(target), create=True):
            pass
        before = await _content(target)
        with pytest.raises(Conflict, match="not empty"):
            await _copied(source, target)
        assert await _content(target) == before
        await _decisions(source)


async def test_damage_is_found_before_anything_is_copied(tmp_path: Path) -> None:
    """R14: a changed entry of the source ends it, and the source is given back."""
    async with _places(tmp_path, "sqlite", "postgresql") as (source, target):
        await live_in(source)
        await _sql(source, "UPDATE events SET source = 'x' WHERE kind = 'opt_out'")
        with pytest.raises(InconsistentRecord, match="Checking the source: bot bot-1 is not sound"):
            await _copied(source, target)
        await _decisions(source)
        assert not any((await _content(target)).values())


@pytest.mark.parametrize("there", ["postgresql", "sqlite"])
async def test_neither_side_is_served_while_the_source_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    """R12: killed before the first row, the empty target has its mark already: a service on it
    would not know who has opted out. The next run goes on, or gives both sides back."""
    async with _places(tmp_path, "sqlite", there, "sqlite") as (source, target, new):
        await live_in(source)
        content = await _content(source)

        async def killed(*_: Any) -> None:
            raise _Killed

        with monkeypatch.context() as patched:
            patched.setattr(Verify, "verify", killed)
            patched.setattr(CopyDatabase, "give_back", killed)
            with pytest.raises(_Killed):
                await _copied(source, target)
        for side in (source, target):
            with pytest.raises(StartupError, match="optin copy"):
                async with opened_store(settings(side), create=True):
                    pass
        sources = content["events"][0]["source"]
        await _sql(source, f"UPDATE events SET source = 'x' WHERE source = '{sources}'")
        with pytest.raises(InconsistentRecord, match="Checking the source"):
            await _copied(source, target)
        await _decisions(source)
        await _sql(source, f"UPDATE events SET source = '{sources}' WHERE source = 'x'")
        await _copied(source, new)
        assert await _content(new) == content


async def test_a_difference_at_the_end_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One byte of one row changed under way, on either side: it is not complete, nor served."""
    finish = CopyDatabase.compare
    for change, there in (("source", "sqlite"), ("target", "postgresql")):
        folder = tmp_path / change
        folder.mkdir()
        async with _places(folder, "sqlite", there) as (source, target):
            await live_in(source)
            changed = {"source": source, "target": target}[change]

            async def altered(self: CopyDatabase, changed: str = changed) -> None:
                await _sql(changed, "UPDATE webhooks SET note = 'no JSOM'")
                await finish(self)

            monkeypatch.setattr(CopyDatabase, "compare", altered)
            with pytest.raises(InconsistentRecord, match="Table webhooks is not the same"):
                await _copied(source, target)
            for side in (source, target):
                with pytest.raises(StartupError, match="optin copy"):
                    await _decisions(side)


async def test_another_key_or_another_copy_is_refused(tmp_path: Path) -> None:
    """The wrong master key, the unfinished copy of something else: nothing is touched."""
    async with _places(tmp_path, "sqlite", "sqlite", "sqlite") as (source, target, other):
        for each in (source, other):
            await live_in(each)
        with pytest.raises(MasterKeyMismatch):
            await copy_database(settings(source, OTHER_KEY), settings(target), lambda *_: None)
        await _copied(source, target)
        await _sql(target, "UPDATE meta SET key = 'copy', value = '?' WHERE key = 'made_by_copy'")
        with pytest.raises(Conflict, match="leaves it alone"):
            await _copied(other, target)
        with pytest.raises(StartupError, match="optin copy"):
            await _decisions(target)
        await _decisions(other)
