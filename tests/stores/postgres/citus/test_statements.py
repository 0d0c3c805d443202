"""No statement of the store is one that Citus refuses, or does otherwise than one server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pglast import parser

from optin.domain.events import Kind
from optin.stores.postgres import tables
from optin.stores.postgres.whole import PostgresWhole
from tests.stores.postgres.citus import constants as sources
from tests.stores.postgres.citus.constants import Constant, constants
from tests.stores.postgres.citus.exceptions import EXCEPTIONS, ONE_SERVER, excepted, offences
from tests.stores.postgres.citus.rules import RULES, broken
from tests.stores.postgres.citus.sent import linted, seen
from tests.stores.postgres.server import fresh_database
from tests.stores.postgres.test_failures import opened
from tests.stores.works import BOT, WHO, claim, record


def test_the_statements_in_the_source_break_no_rule() -> None:
    """Each statement says of which bot it is, and does nothing that Citus refuses, but for those
    that are named with their reason; none is named that breaks nothing."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for each in constants():
        if rules := broken(each.filled):
            key = (each.file, each.name)
            found[key] = found.get(key, frozenset()) | rules
    assert found == excepted()
    assert {rule for rules in excepted().values() for rule in rules} <= RULES.keys()


def test_all_of_the_source_is_looked_at() -> None:
    """Constants, texts in functions and in methods, texts with holes: hundreds of them, in every
    module that talks to the server; what is cut off or unreadable is an error, not passed over."""
    found = constants()
    assert len(found) > 190
    named = {(each.file, each.name) for each in found}
    assert {
        ("leasing.py", "_TAKE_FOUND"),
        ("directory.py", "put_settings"),
        ("partitions.py", "_MOVE"),
        ("tables.py", "Table.insert"),
        ("whole.py", "PostgresWhole.page"),
        ("ledger_pages.py", "bots"),
    } <= named
    silent = {"__init__.py", "adding.py", "commits.py", "errors.py", "forgetting.py", "ledgers.py"}
    files = {file.name for file in sources.SOURCE.glob("*.py")}
    assert files - {each.file for each in found} <= silent


def test_the_statements_of_each_table_break_no_rule() -> None:
    """What is made for any number of rows is about one bot."""
    for table in tables.DISTRIBUTED:
        keyed = len(table.types) == table.key  # nothing of it is ever replaced
        for make in (table.insert, table.insert_new, *(() if keyed else (table.put,))):
            for count in (1, 2, 64):
                assert broken(make(count)) == frozenset()


@pytest.mark.parametrize(
    ("source", "rules"),
    [
        ('BAD = "SELECT 1 FROM events WHERE identity = $1"', {"spans"}),
        ("BAD = 'SELECT 1 FROM ' + 'events'", {"spans"}),
        ('def bad():\n    return "DELETE FROM callbacks"', {"spans", "writes"}),
        ('class A:\n    async def bad(s):\n        s.x(f"SELECT 1 FROM {table}")', {"spans"}),
        ('GOOD = "SELECT 1 FROM events WHERE bot_id = $1"', set()),
        ('def good():\n    "SELECT 1 FROM events says what it does."', set()),
        ('GOOD = "SELECTED"\nTAG = "UPDATE 1"', set()),
    ],
)
def test_a_bad_statement_in_the_source_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, rules: set[str]
) -> None:
    """Wherever it stands in a module, and in no other text."""
    file = tmp_path / "errors.py"
    file.write_text(source)
    for name in ("BAD", "GOOD", "TAG"):
        if name in source:
            told = eval(re.findall(rf"{name} = (.*)", source)[0])
            monkeypatch.setattr(f"optin.stores.postgres.errors.{name}", told, raising=False)
    found = [rule for each in constants(tmp_path) for rule in broken(each.filled)]
    assert set(found) == rules


def test_a_hole_that_nothing_is_told_of_is_an_error() -> None:
    """A statement with a new hole is not passed over."""
    with pytest.raises(KeyError, match="unheard_of"):
        assert Constant("x.py", "_X", "SELECT {unheard_of} FROM events").filled
    with pytest.raises(parser.ParseError):
        broken("SELECT 1 FROM events WHERE")


async def test_whatever_is_sent_is_seen() -> None:
    """Single statements, several in one text, cursors, those of transactions and of copies: the
    server itself tells; what a test sends is not among it."""
    async with fresh_database() as url, seen(url) as sent, opened(url) as store:
        await store.commit(record(claim(Kind.OPT_IN), claim(Kind.MESSAGE)))
        await store.histories(BOT, [WHO])
        await store.lease_callbacks("w", 10**6, 10)
        await store.keep_room()
        await store.stored_states(BOT, None, 10)
        whole = PostgresWhole(url)
        await whole.add(next(iter(await whole.tables())), [])
        await whole.close()
        found = sent()
    assert len(found) > 40
    for part in (
        "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock_shared",
        "SET LOCAL statement_timeout = 0; COMMIT",
        "identity BETWEEN $2 AND $3\n UNION ALL",  # a cursor
        "COPY ",
        "INSERT INTO contact_messages (bot_id, event_id,",
        "FROM pg_inherits",
    ):
        assert any(part in sql for sql in found), part
    assert offences(found, sharded=False) == {}


async def test_what_is_put_together_at_run_time_is_held_against_the_rules() -> None:
    """A bad statement that is nowhere in the source fails whatever test sent it."""
    table = "events"
    async with fresh_database() as url:
        with pytest.raises(AssertionError, match="SELECT count"):
            async with linted(url), opened(url) as store:
                await store._fetch(f"SELECT count(*) FROM {table} WHERE kind = $1", "x")
        with pytest.raises(AssertionError, match="nothing was sent"):
            async with linted(url):
                pass


async def test_what_is_for_one_server_only_is_not_excepted_on_shards() -> None:
    """On shards the statements of one server break the rules again."""
    async with fresh_database() as url, seen(url) as sent, opened(url) as store:
        await store.read(BOT, [WHO])
        found = sent()
    assert offences(found, sharded=False) == {}
    assert set(offences(found, sharded=True).values()) == {frozenset({"tells_time"})}


def test_an_excepted_statement_is_known_again_when_it_is_sent() -> None:
    """With its holes filled, whatever the spaces; a longer one that begins alike is another."""
    known = {(each.file, each.name): each for each in constants()}
    count = known["whole.py", "PostgresWhole.count"]
    assert count.gives("SELECT  count(*)\n FROM messages")
    assert not count.gives("SELECT count(*) FROM messages WHERE stage = 'waiting'")
    one_server = {
        (file, name)
        for file, named in EXCEPTIONS.items()
        for name, (_, reason) in named.items()
        if reason == ONE_SERVER
    }
    assert one_server <= known.keys()
    for key in one_server:
        assert known[key].gives(known[key].filled)
        assert offences([known[key].filled], sharded=False) == {}
        assert offences([known[key].filled], sharded=True) != {}
