"""Forgetting a contact leaves no trace in the file (R15)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from optin.domain.bots import Bot
from optin.domain.events import Kind, Origin
from optin.domain.messages import Category
from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback, RawWebhook, Reads, Review, Transaction
from optin.stores.sqlite import SQLiteStore
from optin.stores.sqlite.erasing import TABLES
from optin.stores.sqlite.migrate import migrate
from tests.conftest import SEAL, first_token
from tests.stores.contract.test_erasure import erasing, together
from tests.stores.works import BOT, WHO, Do, claim, record

BSUID = "SE.13491208655302741918"


def test_no_table_is_forgotten(tmp_path: Path) -> None:
    """Whoever adds a table must say what becomes in it of somebody who is forgotten."""
    path = tmp_path / "t.db"
    migrate(path)
    connection = sqlite3.connect(path)
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    assert {name for (name,) in names} == set(TABLES)
    connection.close()


async def test_no_byte_of_the_person_stays(tmp_path: Path) -> None:
    """After an erasure and a compaction neither number, BSUID nor words are in file or log."""
    path = tmp_path / "t.db"
    migrate(path)
    store = await SQLiteStore.open(path, SEAL)
    await store.add_bot(Bot(BOT), first_token(BOT))
    shown = {"wording": "Yes, write to me", "name": "Anna of Lund", "ip": "203.0.113.9"}
    for n in range(300):  # several pages, so that some are freed whole
        await store.commit(record(claim(Kind.OPT_IN, evidence={**shown, "n": n}, wording="w")))
    await store.commit(record(*together(WHO, BSUID)))
    said = claim(Kind.MESSAGE, BSUID, origin=Origin.SIGNED, at=1, context={"name": "Anna of Lund"})
    await store.commit(record(said))
    await store.commit(Do(_everything, Reads(identities=frozenset({WHO}))))
    await store.forget(BOT, WHO, erasing())
    await store.compact()
    await store.close()
    left = _bytes_in(tmp_path)
    assert [
        each for each in (WHO, BSUID, "Anna of Lund", "203.0.113.9") if each.encode() in left
    ] == []


def _bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def _everything(tx: Transaction) -> None:
    body = f'{{"to":"+{WHO}","name":"Anna of Lund"}}'.encode()
    for n in range(50):
        tx.put_callback(Callback(BOT, f"c{n}", "https://shop.example/", body, tx.now, tx.now))
        tx.put_webhook(RawWebhook(b"%d" % n, tx.now, body, "a shape"))
        tx.put_message(
            OutboxMessage(
                bot_id=BOT,
                message_id=f"m{n}",
                identity=WHO,
                body={"type": "text", "text": "Hello Anna of Lund"},
                category=Category.SERVICE,
                created=tx.now,
                expires=tx.now,
                due=tx.now,
            )
        )
    tx.put_review(Review("r", "maybe_stop", (WHO,), "Anna of Lund: stop?", tx.now))
    tx.put_blacklisted(WHO, True)
