"""Whatever is changed in ledger, evidence or state without the chain's knowledge is found (R14)."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from optin.domain.verifying import Fault
from optin.stores.sqlite.migrate import migrate
from tests.usecases.damage import (
    TABLES,
    another,
    columns,
    content,
    copied,
    opened,
    verified,
    written,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "whole.db"
    asyncio.run(written(path))
    return path


def every_column() -> list[tuple[str, str]]:
    """(table, column) of all that is verified, as the database tells: a new one is in it too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        migrate(path)
        return [(table, column) for table in TABLES for column in columns(path, table)]


async def test_the_whole_is_whole(whole: Path) -> None:
    """What the damages are made to has every kind of row in it, and nothing is found."""
    reports = await verified(whole)
    assert [report.findings for report in reports] == [[], []]
    with opened(whole) as connection:
        emptied = "SELECT count(*) FROM events WHERE emptied <> x''"
        assert connection.execute(emptied).fetchone()[0] > 2
        assert all(connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in TABLES)


async def found(path: Path) -> list[Fault]:
    return [each.fault for report in await verified(path) for each in report.findings]


@pytest.mark.parametrize(("table", "column"), every_column())
async def test_a_changed_field_is_found(
    whole: Path, tmp_path: Path, table: str, column: str
) -> None:
    """Each column of each table, of every third row, to several values."""
    chance = random.Random(f"{table}.{column}")
    with opened(whole) as connection:
        rows = connection.execute(f"SELECT {column}, {', '.join(TABLES[table])} FROM {table}")
        some = rows.fetchall()[::9]
    tried = 0
    for value, *key in [*some, *some]:
        path = copied(whole, tmp_path)
        where = " AND ".join(f"{name} = ?" for name in TABLES[table])
        instead = another(value, chance)
        try:
            with opened(path) as connection:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? WHERE {where}", (instead, *key)
                )
        except sqlite3.IntegrityError:  # the database itself refuses the type, or the double key
            continue
        tried += 1
        assert await found(path), (column, value, instead, key)
    assert tried


def damage(path: Path, chance: random.Random) -> None:
    """One random damage of a row, or of two."""
    table = chance.choice(sorted(TABLES))
    names = columns(path, table)
    with opened(path) as connection:
        rows = connection.execute(f"SELECT * FROM {table}").fetchall()
        one, other = chance.choice(rows), chance.choice(rows)
        how = chance.choice(["change", "remove", "add", "exchange", "exchange whole", "copy"])
        changed = list(one)
        _remove(connection, table, names, one)
        if how in ("change", "add"):
            if how == "add":
                _insert(connection, table, one)
                for key in TABLES[table]:
                    changed[names.index(key)] = another(changed[names.index(key)], chance)
            for column in chance.sample(range(len(names)), chance.randint(1, 3)):
                changed[column] = another(changed[column], chance)
            _insert(connection, table, changed)
        elif how == "exchange":
            _exchange(connection, table, names, (one, other), chance)
        elif how == "exchange whole":
            keys = [names.index(key) for key in TABLES[table]]
            _remove(connection, table, names, other)
            for row, place in ((one, other), (other, one)):
                moved = [place[n] if n in keys else value for n, value in enumerate(row)]
                _insert(connection, table, moved)
        elif how == "copy":
            _insert(connection, table, one)
            keyed = [other[n] if name == "bot_id" else one[n] for n, name in enumerate(names)]
            _insert(connection, table, keyed)


def _exchange(
    connection: sqlite3.Connection,
    table: str,
    names: list[str],
    rows: tuple[Any, Any],
    chance: random.Random,
) -> None:
    """Exchanges some fields of two rows: their places, their commits, their bots, their texts."""
    which = set(chance.sample(range(len(names)), chance.randint(1, len(names) - 1)))
    one, other = rows
    _remove(connection, table, names, other)
    for mine, theirs in ((one, other), (other, one)):
        mixed = [theirs[n] if n in which else mine[n] for n in range(len(names))]
        _insert(connection, table, mixed)


def _remove(connection: sqlite3.Connection, table: str, names: list[str], row: Any) -> None:
    where = " AND ".join(f"{name} = ?" for name in TABLES[table])
    key = [row[names.index(name)] for name in TABLES[table]]
    connection.execute(f"DELETE FROM {table} WHERE {where}", key)


def _insert(connection: sqlite3.Connection, table: str, row: Any) -> None:
    connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=100)
async def test_any_damage_is_found(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Rows changed, removed, added with plausible values, or exchanged between places, commits and
    bots: whatever leaves another content than before is found."""
    path = copied(whole, tmp_path_factory.getbasetemp())
    try:
        damage(path, random.Random(seed))
    except sqlite3.IntegrityError:
        assume(False)  # the database itself refuses a double key
    assume(sorted(map(repr, content(path))) != sorted(map(repr, content(whole))))
    assert await found(path)
