"""Checking the ledger: what is named, what retention excuses, signed heads, a busy store (R14)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from optin.domain.bots import Bot
from optin.domain.events import Kind
from optin.domain.ids import derived_id
from optin.domain.retention import Horizons
from optin.domain.verifying import Fault, Finding, Head
from optin.ports.ledger import Ledger
from optin.ports.store import Erasing
from optin.stores import ledger
from optin.stores.sqlite import SQLiteStore
from optin.usecases import verify
from optin.usecases.verify import MOST_TOLD, Report, Verify
from tests.conftest import OpenStore, first_token
from tests.stores.works import BOT, WHO, claim, record
from tests.usecases.forging import chain_made_anew, end_cut_off

PEOPLE = [str(46700000000 + number) for number in range(5)]


@pytest.fixture
async def chained(store: SQLiteStore) -> SQLiteStore:
    """A commit of three entries, then one for each of five people."""
    await store.commit(record(*(claim(Kind.OPT_IN, WHO) for _ in range(3))))
    for who in PEOPLE:
        await store.commit(record(claim(Kind.OPT_IN, who, evidence={"page": "a"})))
    return store


async def checked(store: SQLiteStore, *signed: Head) -> Report:
    [report] = await Verify(store).verify([BOT], signed)
    return report


def sql(path: Path, *statements: str) -> None:
    with sqlite3.connect(path / "optin.db") as file:
        for statement in statements:
            file.execute(statement)
    file.close()


async def test_the_first_broken_entry_is_named(chained: SQLiteStore, tmp_path: Path) -> None:
    """Bot, writer, commit, place and id, in order; and it goes on to what else is wrong."""
    sql(
        tmp_path,
        "UPDATE events SET evidence = '{}' WHERE seq = 3",
        "UPDATE events SET source = 'x' WHERE seq = 5",
        "UPDATE identities SET message = 5 WHERE identity = '46700000001'",
    )
    report = await checked(chained)
    first, second, third = report.findings
    assert (first.fault, first.bot_id, first.writer, first.seq, first.place) == (
        Fault.ENTRY_CHANGED,
        BOT,
        0,
        3,
        0,
    )
    assert len(first.event_id) == 32
    assert (second.fault, second.seq) == (Fault.ENTRY_CHANGED, 5)
    assert (third.fault, third.subject) == (Fault.STATE_CHANGED, "46700000001")


async def test_among_several_entries_the_commit_is_named(
    chained: SQLiteStore, tmp_path: Path
) -> None:
    """Only the digest of all its entries is kept: which of them was changed can not be told."""
    sql(tmp_path, "UPDATE events SET source = 'x' WHERE seq = 1 AND place = 1")
    report = await checked(chained)
    assert report.findings == [Finding(Fault.ENTRY_CHANGED, BOT, 0, 1)]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM commits WHERE seq = 4", {Fault.COMMIT_MISSING, Fault.ENTRY_ADDED}),
        ("DELETE FROM commits WHERE seq = 6", {Fault.ENTRY_ADDED}),
        ("UPDATE commits SET recorded = recorded + 1 WHERE seq = 4", {Fault.COMMIT_CHANGED}),
        (
            "UPDATE commits SET hash = zeroblob(32) WHERE seq = 4",
            {Fault.COMMIT_CHANGED, Fault.LINK_BROKEN},
        ),
        ("DELETE FROM events WHERE seq = 1 AND place = 1", {Fault.ENTRY_MISSING}),
        ("UPDATE events SET seq = 9 WHERE seq = 6", {Fault.ENTRY_MISSING, Fault.ENTRY_ADDED}),
        ("UPDATE events SET writer = 1 WHERE seq = 6", {Fault.ENTRY_MISSING, Fault.ENTRY_ADDED}),
        ("UPDATE events SET place = 0 WHERE seq = 1", {Fault.ENTRY_MOVED, Fault.ENTRY_CHANGED}),
        ("UPDATE events SET erased_by = x'01' WHERE seq = 3", {Fault.ENTRY_MALFORMED}),
        ("DELETE FROM identities WHERE identity = '46700000001'", {Fault.STATE_MISSING}),
        (
            "UPDATE identities SET links = '{' WHERE identity = '46700000001'",
            {Fault.STATE_UNREADABLE},
        ),
        ("INSERT INTO wordings VALUES ('bot-1', 'x', 'y')", {Fault.WORDING_CHANGED}),
    ],
)
async def test_each_fault_has_its_name(
    chained: SQLiteStore, tmp_path: Path, statement: str, found: set[Fault]
) -> None:
    """What was done to the database is told as what it is."""
    sql(tmp_path, statement)
    report = await checked(chained)
    faults = set(report.faults) - {Fault.STATE_CHANGED}
    assert faults == found


@pytest.fixture
async def erased(chained: SQLiteStore) -> SQLiteStore:
    """Two of the people are forgotten."""
    for number in (0, 1):
        erasing = Erasing(derived_id(number * 1000, "e"), "test")
        await chained.forget(BOT, PEOPLE[number], erasing)
    return chained


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        # Fields that an erasure left, which neither a leaf nor the state is made of.
        (
            """UPDATE events SET others = '["~x"]' WHERE emptied <> x'' AND seq = 2""",
            Fault.ERASURE_CHANGED,
        ),
        (
            """UPDATE events SET erased_by = (SELECT erased_by FROM events WHERE seq = 3)
             WHERE seq = 2""",
            Fault.ERASURE_CHANGED,
        ),
        ("UPDATE events SET erased_by = x'01' WHERE seq = 2", Fault.ERASURE_MISSING),
        ("UPDATE events SET context = '{}' WHERE seq = 2", Fault.ENTRY_MALFORMED),
        ("UPDATE events SET salt = zeroblob(16) WHERE seq = 2", Fault.ENTRY_MALFORMED),
        ("DELETE FROM events WHERE kind = 'erased' AND seq = 7", Fault.ERASURE_MISSING),
    ],
)
async def test_only_the_erasure_that_names_a_field_excuses_it(
    erased: SQLiteStore, tmp_path: Path, statement: str, found: Fault
) -> None:
    """R14, R15: what was emptied is what was recorded as emptied, no more and nothing else."""
    assert (await checked(erased)).is_sound
    sql(tmp_path, statement)
    assert found in (await checked(erased)).faults


async def test_an_entry_cannot_be_passed_off_as_erased(erased: SQLiteStore, tmp_path: Path) -> None:
    """R14: with the right digests its hash holds; but no erasure recorded that it emptied it."""
    with sqlite3.connect(tmp_path / "optin.db") as file:
        row = file.execute("SELECT * FROM events WHERE seq = 4").fetchone()
        by, name = file.execute("SELECT erased_by, identity FROM events WHERE seq = 3").fetchone()
        gone = ledger.emptied_row(row, lambda _: name, by)
        file.execute("DELETE FROM events WHERE seq = 4")
        file.execute(f"INSERT INTO events VALUES ({', '.join('?' * len(gone))})", gone)
    file.close()
    assert Fault.ENTRY_CHANGED not in (await checked(erased)).faults
    assert Fault.ERASURE_CHANGED in (await checked(erased)).faults


async def test_all_is_counted_and_not_all_told(store: SQLiteStore, tmp_path: Path) -> None:
    """A ledger that is broken throughout needs no more memory than a whole one."""
    await store.commit(record(*(claim(Kind.OPT_IN, str(46700000000 + n)) for n in range(150))))
    sql(tmp_path, "UPDATE identities SET message = 5")
    report = await checked(store)
    assert report.faults[Fault.STATE_CHANGED] == 150
    assert len(report.findings) == MOST_TOLD


async def test_the_end_cut_off_shows_against_a_head(chained: SQLiteStore, tmp_path: Path) -> None:
    """Cut off with all its states, nothing in the database tells of the end; a kept head does."""
    [head] = (await checked(chained)).heads
    assert (head.seq, head.entries) == (6, 8)
    end_cut_off(tmp_path / "optin.db", 4)
    assert (await checked(chained)).is_sound
    report = await checked(chained, head)
    assert report.findings == [Finding(Fault.HEAD_MISSING, BOT, 0, 6)]


async def test_a_chain_made_anew_shows_against_a_head(chained: SQLiteStore, tmp_path: Path) -> None:
    """Who can write everything can make a chain that is whole; but not the one of before."""
    [head] = (await checked(chained)).heads
    sql(tmp_path, 'UPDATE events SET evidence = \'{"page":"b"}\' WHERE seq = 3')
    chain_made_anew(tmp_path / "optin.db", 3)
    assert (await checked(chained)).is_sound
    report = await checked(chained, head)
    assert report.findings == [Finding(Fault.HEAD_CHANGED, BOT, 0, 6)]


async def test_a_head_of_before_is_still_in_a_longer_chain(chained: SQLiteStore) -> None:
    """What came after a head was signed does no harm to it."""
    [head] = (await checked(chained)).heads
    await chained.commit(record(claim(Kind.OPT_OUT)))
    assert (await checked(chained, head)).is_sound
    [unknown] = await Verify(chained).verify(["bot-2"], [head._replace(bot_id="bot-2")])
    assert [each.fault for each in unknown.findings] == [Fault.HEAD_MISSING]


async def test_a_bot_that_is_gone_shows_against_a_head(chained: SQLiteStore) -> None:
    """All bots are asked for: a head of one that the ledger no longer names is missing."""
    reports = await Verify(chained).verify(None, [Head("gone", 0, 1, bytes(32))])
    assert [(each.bot_id, each.is_sound) for each in reports] == [(BOT, True), ("gone", False)]


async def cut(store: SQLiteStore) -> None:
    now = await store.now()
    while await store.retain(BOT, Horizons(events=now, messages=now)) is not None:
        pass


async def test_only_a_checkpoint_excuses_the_beginning(
    chained: SQLiteStore, tmp_path: Path
) -> None:
    """R16: what retention cut is excused, with the head that it had there; the same cut without
    its checkpoint is not."""
    [head] = (await checked(chained)).heads
    await chained.commit(record(claim(Kind.OPT_OUT)))
    await cut(chained)
    report = await checked(chained, head._replace(seq=2), head._replace(seq=1))
    assert report.is_sound
    assert [each.seq for each in report.too_old] == [2, 1]
    sql(tmp_path, "UPDATE events SET kind = 'opt_in' WHERE kind = 'checkpoint'")
    chain_made_anew_behind_a_cut(tmp_path)
    assert Fault.COMMIT_MISSING in (await checked(chained)).faults


def chain_made_anew_behind_a_cut(folder: Path) -> None:
    """As `chain_made_anew`, for a chain without its beginning."""
    with sqlite3.connect(folder / "optin.db") as file:
        first, previous = file.execute("SELECT min(seq), previous FROM commits").fetchone()
        row = (BOT, 0, first - 1, 0, b"", 0, b"", 0, b"", previous)
        file.execute(f"INSERT INTO commits VALUES ({', '.join('?' * len(row))})", row)
    file.close()
    chain_made_anew(folder / "optin.db", first)
    sql(folder, f"DELETE FROM commits WHERE seq = {first - 1}")


class Busy:
    """A ledger in which something happens before each page that is read of it."""

    def __init__(self, store: SQLiteStore, happens: Callable[[int], Any]) -> None:
        self._store = store
        self._happens = happens
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        read = getattr(self._store, name)

        async def after_something(*asked: Any) -> Any:
            self.calls += 1
            await self._happens(self.calls)
            return await read(*asked)

        return after_something


async def test_it_reads_beside_a_service_that_goes_on(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New entries, erasures and cuts between any two pages are nothing to find."""
    monkeypatch.setattr(verify, "_PAGE", 2)
    store = await open_store()
    await store.add_bot(Bot(BOT), first_token(BOT))
    for who in PEOPLE * 3:
        await store.commit(record(claim(Kind.OPT_IN, who), claim(Kind.MESSAGE, who)))

    async def something(number: int) -> None:
        if number > 150:
            return
        who = PEOPLE[number % len(PEOPLE)]
        if number % 7 == 3:
            await store.forget(BOT, who, Erasing(derived_id(number * 1000, "e"), "test"))
        elif number == 20:
            await cut(store)
        else:
            await store.commit(record(claim(Kind.OPT_OUT, who), claim(Kind.MESSAGE, who)))

    busy = Busy(store, something)
    [report] = await Verify(cast(Ledger, busy)).verify([BOT])
    assert busy.calls > 30
    assert report.findings == []


async def test_progress_is_told(chained: SQLiteStore) -> None:
    """After each page: whose, and how many entries and identities were read."""
    told: list[tuple[str, int, int]] = []
    await Verify(chained, lambda *each: told.append(each)).verify()
    assert told[-1] == (BOT, 8, 6)
