"""What an erasure looks through, it looks through beside the writer (R15, SPEC 8)."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.ports.once import Keep
from optin.ports.records import AnswerKey, StoredAnswer
from optin.ports.store import Review, Transaction
from optin.stores.sqlite import SQLiteStore
from optin.stores.sqlite.migrate import migrate
from tests.conftest import SEAL, first_token
from tests.stores.contract.test_erasure import erasing
from tests.stores.works import BOT, WHO, Do

OTHER = "46700000001"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    path = tmp_path / "t.db"
    migrate(path)
    made = await SQLiteStore.open(path, SEAL)
    await made.add_bot(Bot(BOT), first_token(BOT))
    yield made
    await made.close()


async def answered(store: SQLiteStore, key: str, body: bytes, *who: str) -> None:
    """Keeps an answer."""
    kept = StoredAnswer(AnswerKey("t", "POST", key), b"d", 200, body, identities=who)
    await store.commit(Keep(BOT, kept))


async def speaking(store: SQLiteStore) -> list[str]:
    """The keys of the answers that still say something."""
    rows = await store._fetch("SELECT key FROM answers WHERE status > 0 ORDER BY key")
    return [row[0] for row in rows]


def reviewed(name: str, *who: str) -> Do:
    def put(tx: Transaction) -> None:
        tx.put_review(Review(name, "maybe_stop", who, "hm", tx.now))

    return Do(put)


async def test_the_writer_goes_through_no_table(store: SQLiteStore) -> None:
    """SPEC 8: within the transaction that decides, and on its thread, nobody looks for answers,
    reviews or bodies: all bots wait for that lock."""
    await answered(store, "k1", b"{}", WHO)
    await store.commit(reviewed("r1", WHO))
    said: list[str] = []
    await store._writer.run(lambda c: c.set_trace_callback(said.append))
    await store.forget(BOT, WHO, erasing())
    await store._writer.run(lambda c: c.set_trace_callback(None))
    looked = [sql for sql in said if sql.lstrip().startswith("SELECT")]
    tables = ("answers", "reviews", "callbacks", "webhooks", "import_rows")
    assert looked
    assert [sql for sql in looked for table in tables if f"FROM {table}" in sql] == []
    assert await speaking(store) == []
    assert not await store.reviews(BOT, "", 9)


async def test_answers_that_name_the_contact_are_emptied(store: SQLiteStore) -> None:
    """R15: by whom they are about, or by what they say; others' stay."""
    await answered(store, "about", b"{}", OTHER, WHO)
    await answered(store, "says", f'{{"to":"+{WHO}"}}'.encode())
    await answered(store, "other", f'{{"to":"9{WHO}"}}'.encode(), OTHER, "9" + WHO)
    done = await store.forget(BOT, WHO, erasing())
    assert await speaking(store) == ["other"]
    assert done.records == 2


async def test_what_comes_while_it_looks_is_cleared_too(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R15: what was committed between the first look and the commit that decides."""
    late = StoredAnswer(AnswerKey("t", "POST", "late"), b"d", 200, b"{}", identities=(WHO,))
    run = store._writer.run
    came: list[bool] = []

    async def slow(work: Any) -> Any:
        if not came:
            came.append(True)
            await store.commit(Keep(BOT, late))
            await store.commit(reviewed("late", WHO))
        return await run(work)

    monkeypatch.setattr(store._writer, "run", slow)
    await store.forget(BOT, WHO, erasing())
    assert await speaking(store) == []
    assert not await store.reviews(BOT, "", 9)


async def test_an_answer_that_cannot_be_read_goes(store: SQLiteStore) -> None:
    """R12, R15: nobody can tell whom it does not name, and nobody's erasure fails for it."""
    await answered(store, "broken", b"{}", WHO)
    await store._writer.run(lambda c: c.execute("UPDATE answers SET identities = ?", (f'["{WHO}',)))
    await store.forget(BOT, WHO, erasing())
    assert await speaking(store) == []


async def test_it_needs_no_memory_for_many_answers(store: SQLiteStore) -> None:
    """SPEC 8: answers are looked through one by one, however many are kept."""
    body = b'{"results":[' + b'{"identity":"46700000000"},' * 3000 + b"]}"
    for n in range(300):
        await answered(store, f"k{n}", body, WHO)
    tracemalloc.start()
    try:
        await store.forget(BOT, WHO, erasing())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024 < 300 * len(body)
