"""A ledger with everything in it, and ways to damage a copy of it as raw SQL would."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optin.domain.consent_items import wording_hash
from optin.domain.events import DAY, Claim, Kind, Origin
from optin.stores.sqlite import SQLiteStore
from optin.stores.sqlite.migrate import migrate
from optin.usecases.verify import Report, Verify
from tests.conftest import SEAL
from tests.stores.works import BOT, OTHER_BOT, claim
from tests.usecases.lives import NOW, PEOPLE, Forgotten, Step, live

#: What is verified, and the columns by which a row is found again.
TABLES = {
    "events": ("bot_id", "event_id"),
    "contact_messages": ("bot_id", "event_id"),
    "commits": ("bot_id", "writer", "seq"),
    "wordings": ("bot_id", "hash"),
    "identities": ("bot_id", "identity"),
}

_SHOWN = {"channel": "web", "page": "https://shop.example", "wording": "Yes, send me offers."}


def _said(kind: Kind, who: str, **more: Any) -> Claim:
    return claim(kind, who, context={"ip": "192.0.2.7"}, actor="token-1", **more)


def _life(bot_id: str) -> list[Step]:
    first, second, third, fourth, *_ = PEOPLE
    shown = {"evidence": _SHOWN, "wording": wording_hash(_SHOWN)}
    old = {"origin": Origin.DATED, "at": NOW - DAY}
    links = [
        _said(Kind.LINKED, first, others=(PEOPLE[-1],)),
        _said(Kind.LINKED, PEOPLE[-1], others=(first,)),
    ]
    return [
        (bot_id, [_said(Kind.OPT_IN, who, **shown) for who in PEOPLE]),
        (bot_id, [_said(Kind.MESSAGE, who, **old) for who in PEOPLE]),
        (bot_id, links),
        (bot_id, [_said(Kind.OPT_OUT_KEYWORD, second), _said(Kind.MESSAGE, third)]),
        (bot_id, [_said(Kind.OPT_IN, second, categories=frozenset({"utility"}))]),
        (bot_id, [_said(Kind.REPLACES, fourth, others=("541100000000",))]),
        (bot_id, [_said(Kind.REPLACED, "541100000000", others=(fourth,))]),
        (bot_id, Forgotten(first)),
        (bot_id, [_said(Kind.OPT_IN, first, **shown, **old), _said(Kind.MESSAGE, first)]),
        (bot_id, [_said(Kind.MARKETING_STOP, second), _said(Kind.OPT_OUT, third)]),
    ]


async def written(path: Path) -> None:
    """A whole ledger of two bots: links, wordings, an erased contact who is back."""
    migrate(path)
    now = iter(range(NOW, NOW + 10**9, 1_000))
    store = await SQLiteStore.open(path, SEAL, clock=lambda: next(now))
    try:
        await live(store, [*_life(BOT), *_life(OTHER_BOT)])
    finally:
        await store.close()


async def verified(path: Path) -> list[Report]:
    """What `verify` says of it."""
    store = await SQLiteStore.open(path, SEAL)
    try:
        return await Verify(store).verify()
    finally:
        await store.close()


def copied(path: Path, folder: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copy(path, folder / "copy.db"))


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as somebody with all rights to it has it."""
    with sqlite3.connect(path) as connection:
        yield connection
    connection.close()


def columns(path: Path, table: str) -> list[str]:
    """The table's columns, as the database itself tells them."""
    with opened(path) as connection:
        return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def content(path: Path) -> list[list[Any]]:
    """All that is verified, to see whether a damage is one."""
    with opened(path) as connection:
        return [connection.execute(f"SELECT * FROM {t}").fetchall() for t in TABLES]


def another(value: Any, chance: random.Random) -> Any:
    """A plausible value instead: of the same type, or one where there was none."""
    if value is None:
        return chance.choice([0, 1, NOW])
    if isinstance(value, int):
        return value + chance.choice([1, -1, 1_000_000, -(2**40)])
    if isinstance(value, bytes):
        size = len(value) or chance.choice([16, 32, 128])
        return bytes(chance.randrange(256) for _ in range(size))
    return chance.choice(
        [
            *(other for other in (*PEOPLE, BOT, OTHER_BOT) if other != value),
            '{"channel":"paper"}',
            '[{"46700009999":1},[],-4611686018427387904]',
            '{"5c16de691dcd6135e7d2a5b4332deaff2863b496c09b31e0566ae89a51f383c2":5}',
            f"{value}x",
        ]
    )
