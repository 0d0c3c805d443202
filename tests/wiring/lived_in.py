"""A database that has been lived in: rows of every kind in every table that is copied."""

from __future__ import annotations

import atexit
import base64
import functools
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from optin.domain.bots import Bot
from optin.domain.consent_items import wording_hash
from optin.domain.events import Kind, Origin
from optin.domain.messages import Category
from optin.ports.imports import ImportJob, ImportRow, ImportState
from optin.ports.once import Keep
from optin.ports.records import AnswerKey, StoredAnswer
from optin.ports.store import Callback, RawWebhook, Reads, Review, Store, Template, Transaction
from optin.settings import Settings, load_settings
from optin.wiring.opening import opened_store
from tests.conftest import first_token
from tests.stores.contract.test_erasure import erasing, together
from tests.stores.contract.test_queues import message
from tests.stores.works import BOT, OTHER_BOT, WHO, Do, claim, record
from tests.usecases.lives import Cut, Forgotten, Step, live

GONE_BOT = "bot-gone"
PEOPLE = (WHO, "46732001133", "46732001144", "46732001155", "5215512345678", "SE.77", "46700000000")
KEY = base64.b64encode(bytes(32)).decode()


class _Clock:
    now = 1_800_000_000_000_000


def settings(database: str, key: str = KEY) -> Settings:
    """Those of a database under the tests' master key."""
    return load_settings({"database": database}, {"OPTIN_MASTER_KEY": key})


def sqlite_url(folder: Path, name: str) -> str:
    """The address of a file."""
    return f"sqlite:{folder / name}"


async def live_in(database: str) -> None:
    """Makes the database and everything in it. A file is made once and copied from then on."""
    if not database.startswith("sqlite:"):
        await _live_in(database)
        return
    made = _folder() / "made.db"
    if not made.exists():
        await _live_in(f"sqlite:{made}")
    shutil.copy(made, database.removeprefix("sqlite:"))


@functools.cache
def _folder() -> Path:
    made = tempfile.TemporaryDirectory(prefix="optin-lived-in-")
    atexit.register(made.cleanup)
    return Path(made.name)


async def _live_in(database: str) -> None:
    async with opened_store(settings(database), create=True) as store:
        await live(store, _steps())
        await store.put_settings(BOT, {"callback_hmac_key": "geheim", "name": "Ünï 👍"})
        await store.add_bot(Bot(GONE_BOT), first_token(GONE_BOT))
        await store.commit(record(claim(Kind.OPT_OUT), bot_id=GONE_BOT))
        await store.remove_bot(GONE_BOT)
        await _queues(store)
        await _list_under_way(store)
        await store.forget(BOT, PEOPLE[2], erasing())
        await store.commit(
            Keep(BOT, StoredAnswer(AnswerKey("t", "r", "k"), b"d", 200, b"\x00\xff"))
        )


def _steps() -> list[Step]:
    """Opt-ins with wordings, links, messages, an erasure, a cut, and more behind it."""
    shown = {"channel": "web", "wording": "Yes, send me öffers."}
    proved = claim(
        Kind.OPT_IN, PEOPLE[1], evidence=shown, wording=wording_hash(shown), context={"ip": "::1"}
    )
    return [
        (BOT, [claim(Kind.OPT_IN), proved, claim(Kind.OPT_IN, PEOPLE[2])]),
        (BOT, together(WHO, "SE.77")),
        (OTHER_BOT, [claim(Kind.OPT_IN), claim(Kind.MARKETING_STOP)]),
        (BOT, [claim(Kind.OPT_OUT, PEOPLE[3]), claim(Kind.OPT_IN, PEOPLE[4])]),
        (BOT, Forgotten(PEOPLE[4])),
        (BOT, Cut()),
        (BOT, [claim(Kind.MESSAGE, PEOPLE[3], origin=Origin.SIGNED, at=_Clock.now)]),
        (BOT, [replace(proved, event_id=claim(Kind.OPT_IN).event_id), claim(Kind.OPT_OUT)]),
    ]


async def _queues(store: Store) -> None:
    now = _Clock.now

    def fill(tx: Transaction) -> None:
        tx.put_message(message("M1", _Clock()))  # type: ignore[arg-type]
        tx.put_callback(Callback(BOT, "C1", "http://127.0.0.1/x", b"\xff{}", now, now))
        tx.put_template(Template("order", "en", Category.UTILITY, "APPROVED"))
        tx.put_blacklisted(PEOPLE[1], True)
        tx.put_webhook(RawWebhook(bytes(range(16)), tx.now, b"\xff\x00", "no JSON"))
        tx.put_review(Review("r", "maybe_stop", (PEOPLE[1],), "hm", tx.now))

    await store.commit(Do(fill, Reads(identities=frozenset(PEOPLE))))


async def _list_under_way(store: Store) -> None:
    job = ImportJob(BOT, "01J0000000000000000000000A", _Clock.now, state=ImportState.RUNNING)
    await store.put_import(job)
    await store.put_import_body(BOT, job.import_id, {0: bytes(range(256)), 1: b""})
    row = ImportRow(job.import_id, 1, 1, "rejected", "invalid", "x", "", b"\xff,\x00")
    await store.commit(Do(lambda tx: tx.put_import_row(row)))
