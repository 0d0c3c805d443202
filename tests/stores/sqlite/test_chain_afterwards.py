"""A database from before there was a chain: it migrates, verifies, and says the same as before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from optin.domain.consent_items import wording_hash
from optin.domain.events import DAY, Claim, Event, Kind, Origin
from optin.domain.ids import derived_id
from optin.domain.links import State, folded
from optin.stores import rows
from optin.stores.sqlite import SQLiteStore, migrate
from optin.stores.sqlite.migrate import migrations, newest_version
from optin.stores.texts import to_json
from optin.usecases.verify import Verify
from tests.conftest import SEAL
from tests.stores.works import BOT, OTHER_BOT, WHO, claim, record

NOW = 1_800_000_000_000_000
FRIEND = "46732001133"
SHOWN = {"channel": "web", "wording": "Yes, send me offers."}


def old_row(bot_id: str, event: Event) -> Sequence[Any]:
    """A row of `events` or `contact_messages` as the first release wrote it."""
    told = event.claim
    return (
        bot_id,
        told.event_id,
        told.identity,
        told.kind.value,
        told.origin.value,
        told.at,
        told.unit,
        event.effective,
        event.recorded,
        told.source,
        told.actor,
        int(told.from_contact),
        None if told.categories is None else ",".join(sorted(told.categories)),
        told.wording,
        to_json(told.evidence),
        to_json(told.context),
        to_json(told.others),
    )


def lives(bot_id: str) -> list[Event]:
    """More than one commit's worth of entries of a bot, about two people."""

    def event(number: int, kind: Kind, identity: str, **more: Any) -> Event:
        at = NOW - DAY + number
        made = Claim(
            derived_id(at, bot_id, str(number)), identity, kind, Origin.DATED, "test", at, **more
        )
        return Event(made, NOW + number // 7, at)

    shown = {"evidence": SHOWN, "wording": wording_hash(SHOWN)}
    return [
        event(0, Kind.OPT_IN, WHO, **shown),
        event(1, Kind.OPT_IN, FRIEND, categories=frozenset({"utility"})),
        event(2, Kind.OPT_OUT_KEYWORD, WHO, from_contact=True, context={"ip": "192.0.2.1"}),
        event(3, Kind.LINKED, FRIEND, others=("SE.77",)),
        *(event(4 + n, Kind.MESSAGE, (WHO, FRIEND)[n % 2]) for n in range(1_500)),
    ]


def insert(connection: sqlite3.Connection, table: str, found: Iterable[Sequence[Any]]) -> None:
    for row in found:
        connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database of schema 1, made with its script alone."""
    path = tmp_path / "old.db"
    number, script = migrations()[0]
    with sqlite3.connect(path) as file:
        file.executescript(script)
        file.execute(f"PRAGMA user_version = {number}")
        file.execute(f"PRAGMA application_id = {migrate.APPLICATION_ID}")
        for bot_id in (BOT, OTHER_BOT):
            file.execute("INSERT INTO bots VALUES (?, '{}', ?, NULL)", (bot_id, NOW))
            events = lives(bot_id)
            told = [event for event in events if event.claim.kind is Kind.MESSAGE]
            insert(file, "contact_messages", [old_row(bot_id, event) for event in told])
            rest = [event for event in events if event.claim.kind is not Kind.MESSAGE]
            insert(file, "events", [old_row(bot_id, event) for event in rest])
            insert(file, "identities", [rows.state_row(bot_id, *each) for each in states(events)])
    return path


def states(events: list[Event]) -> list[tuple[str, State]]:
    who = sorted({event.claim.identity for event in events})
    return [(one, folded(e for e in events if e.claim.identity == one)) for one in who]


async def test_what_was_there_is_chained(old: Path) -> None:
    """R14: every old entry stands in a commit, nothing is found, and states and events are as they
    were, the wording in its evidence included."""
    assert migrate.migrate(old) == (1, newest_version())
    store = await SQLiteStore.open(old, SEAL)
    try:
        reports = await Verify(store).verify()
        found = await store.states(BOT, [WHO, FRIEND])
        told = (await store.histories(BOT, [WHO])).events[WHO]
        await store.commit(record(claim(Kind.OPT_IN)))
        again = await Verify(store).verify([BOT])
    finally:
        await store.close()
    assert [report.findings for report in reports] == [[], []]
    assert [report.entries for report in reports] == [1_504, 1_504]
    assert reports[0].heads[0].seq > 1
    assert {who: found.states[who] for who in (WHO, FRIEND)} == dict(states(lives(BOT)))
    assert told == [event for event in lives(BOT) if event.claim.identity == WHO]
    assert again[0].is_sound
    assert again[0].heads[0].seq == reports[0].heads[0].seq + 1


async def test_a_migration_that_is_interrupted_changes_nothing(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whichever statement it ends: the old database is whole; the next try goes through."""
    before = dump(old)
    step = migrate._STEPS[2]

    def interrupted(connection: sqlite3.Connection) -> None:
        step(connection)
        raise KeyboardInterrupt

    monkeypatch.setitem(migrate._STEPS, 2, interrupted)
    with pytest.raises(KeyboardInterrupt):
        migrate.migrate(old)
    assert dump(old) == before
    monkeypatch.setitem(migrate._STEPS, 2, step)
    assert migrate.migrate(old) == (1, newest_version())


def dump(path: Path) -> list[str]:
    with sqlite3.connect(path) as file:
        return [*file.iterdump(), str(file.execute("PRAGMA user_version").fetchone())]
