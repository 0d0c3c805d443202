"""A text column that is not UTF-8 is a broken record like any other (R12)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from optin.domain.bots import Bot
from optin.domain.errors import InconsistentRecord
from optin.domain.events import Kind
from optin.domain.verifying import Fault
from optin.stores.sqlite import SQLiteStore
from optin.stores.sqlite.migrate import migrate
from optin.usecases.verify import Verify
from tests.conftest import SEAL, first_token
from tests.stores.works import BOT, WHO, claim, record

OTHER = "46700000001"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    path = tmp_path / "t.db"
    migrate(path)
    made = await SQLiteStore.open(path, SEAL)
    await made.add_bot(Bot(BOT), first_token(BOT))
    for who in (WHO, OTHER):
        shown = {"wording": f"Yes, {who}"}
        await made.commit(record(claim(Kind.OPT_IN, who, evidence=shown)))
    yield made
    await made.close()


async def broken(store: SQLiteStore, table: str, column: str, where: str = "identity") -> None:
    """Puts bytes into a column that are no text."""
    sql = f"UPDATE {table} SET {column} = CAST(x'22ff73656372657422' AS TEXT) WHERE {where} = ?"
    assert (await store._writer.run(lambda c: c.execute(sql, (WHO,)).rowcount)) == 1


@pytest.mark.parametrize("column", ["wordings", "links"])
async def test_a_state_fails_who_needs_it_alone(store: SQLiteStore, column: str) -> None:
    """R12: of reads and of works that go together the others are done."""
    await broken(store, "identities", column)
    reads = (store.read(BOT, [who]) for who in (WHO, OTHER))
    first, second = await asyncio.gather(*reads, return_exceptions=True)
    assert isinstance(first, InconsistentRecord)
    assert not isinstance(second, BaseException)
    works = (store.commit(record(claim(Kind.OPT_OUT, who))) for who in (WHO, OTHER))
    refused, done = await asyncio.gather(*works, return_exceptions=True)
    assert isinstance(refused, InconsistentRecord)
    assert not isinstance(done, BaseException)


@pytest.mark.parametrize(
    "column", ["evidence", "context", "others", "source", "actor", "categories"]
)
async def test_an_entry_is_found_and_its_history_refused(store: SQLiteStore, column: str) -> None:
    """R12, R14: verify goes on to the end and says that the entry was changed."""
    await broken(store, "events", column)
    [report] = await Verify(store).verify([BOT])
    assert Fault.ENTRY_CHANGED in report.faults or Fault.COMMIT_CHANGED in report.faults
    assert report.identities == 2
    with pytest.raises(InconsistentRecord):
        await store.histories(BOT, [WHO])
    assert (await store.histories(BOT, [OTHER])).events[OTHER]
