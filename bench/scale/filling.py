"""Rows of many contacts, put straight into the tables: faster than through the store.

Each row is one that the store itself wrote, with another person, id, time and salt. People come in
an order that has nothing to do with their numbers, as they do in earnest, and indexes are kept
while rows come in. Only the links between commits are random bytes: the chain does not check.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import multiprocessing
import os
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import asyncpg

from optin.domain.consent_items import wording_hash
from optin.domain.events import Claim, Event, Kind, Origin
from optin.domain.ids import time_ordered_id
from optin.domain.links import folded
from optin.stores import ledger, rows
from optin.stores.postgres import tables

BOT = "shop"
#: A writer of the ledger that no process gets: its chain is the filled one.
FORMER_WRITER = 1_000_000
#: Of so many contacts one has opted out; of so many one wrote lately; events in one commit.
OUT_EVERY, WROTE_EVERY, IN_A_COMMIT = 10, 10, 20
#: Whose ledger is filled, too: decisions do not read it.
LEDGER_OF = int(os.environ.get("LEDGER_OF", "1000000"))
_YEAR = 365 * 86_400 * 1_000_000
_EVIDENCE = {
    "channel": "web_form",
    "page": "https://shop.example/checkout",
    "wording": "Yes, send me news and offers on WhatsApp. I can stop at any time with STOP.",
}
_STEP = 7_368_787  # a prime that divides no size here: numbers in an order of their own
_AT_ONCE = 50_000


#: The tables that are filled, by name.
FILLED = {
    table.name: table
    for table in (tables.IDENTITIES, tables.EVENTS, tables.CONTACT_MESSAGES, tables.COMMITS)
}

#: Some contacts: rows by the name of their table.
Batch = dict[str, list[Sequence[Any]]]


def person(number: int, contacts: int) -> str:
    """The phone number of the contact who came as the `number`th of so many."""
    return str(46_700_000_000 + number * _STEP % contacts)


def batches(contacts: int, part: range, bot_id: str = BOT) -> Iterator[Batch]:
    """A part of so many contacts, some at a time. They came within the last year."""
    begun = time.time_ns() // 1000 - _YEAR
    seqs = itertools.count(1 + 2 * part.start)
    for first in range(part.start, part.stop, _AT_ONCE):
        made: Batch = {name: [] for name in FILLED}
        for number in range(first, min(first + _AT_ONCE, part.stop)):
            at = begun + number * _YEAR // (2 * contacts)
            _contact(made, bot_id, number, person(number, contacts), at)
        for each in range(0, len(made["events"]), IN_A_COMMIT):
            made["commits"].append(_commit(bot_id, next(seqs), each + begun))
        yield made


def _contact(made: Batch, bot_id: str, number: int, identity: str, at: int) -> None:
    left = number % OUT_EVERY == 0
    wrote = number % WROTE_EVERY == 5
    state, entries = _like(bot_id, left, wrote)
    made["identities"].append(_moved(state, identity, at))
    for place, (row, later) in enumerate(entries if number < LEDGER_OF else ()):
        moment = at + later
        table = "contact_messages" if row[3] == Kind.MESSAGE.value else "events"
        event_id = time_ordered_id(moment, random.randbytes(10))
        position = (FORMER_WRITER, number // IN_A_COMMIT + 1, 2 * (number % IN_A_COMMIT) + place)
        said = (identity, *row[3:7], moment, moment, *row[9:17])
        made[table].append((row[0], event_id, *said, *position, random.randbytes(16), b"", b""))


def _moved(state: Sequence[Any], identity: str, by: int) -> Sequence[Any]:
    clocks = tuple(clock if clock < 0 else clock + by for clock in state[2:13])
    wordings = state[13] and f"{state[13][:-2]}{by}}}"
    return (state[0], identity, *clocks, wordings, *state[14:])


_known: dict[tuple[str, bool, bool], tuple[Sequence[Any], list[tuple[Sequence[Any], int]]]] = {}


def _like(
    bot_id: str, left: bool, wrote: bool
) -> tuple[Sequence[Any], list[tuple[Sequence[Any], int]]]:
    """(the state's row, rows of the ledger with their times) of a contact who came at time 0."""
    key = (bot_id, left, wrote)
    if key not in _known:
        told = [_event(Kind.OPT_IN, 0)]
        told += [_event(Kind.MESSAGE, 30_000_000)] * wrote
        told += [_event(Kind.OPT_OUT, 60_000_000)] * left
        entries = [(ledger.entry_row(bot_id, each, (0, 0, 0), b""), each.recorded) for each in told]
        _known[key] = rows.state_row(bot_id, "1", folded(told)), entries
    return _known[key]


def _event(kind: Kind, at: int) -> Event:
    evidence = _EVIDENCE if kind is Kind.OPT_IN else {}
    more: dict[str, Any] = {"evidence": evidence, "wording": wording_hash(evidence)}
    if kind is Kind.MESSAGE:
        more = {"context": {"message_id": "wamid.HBgLNDY3MDE3NDA2MDUVAgASGBQzQTdCNTQyRkY3"}}
    claim = Claim(bytes(16), "1", kind, Origin.LIVE, "api", actor="01M83TZJ27FZET3XSV", **more)
    return Event(claim, recorded=at, effective=at)


def _commit(bot_id: str, seq: int, at: int) -> Sequence[Any]:
    digests = [hashlib.sha256(b"%d %d" % (seq, n)).digest() for n in range(4)]
    counts = (IN_A_COMMIT, digests[1], 0, digests[2])
    return (bot_id, FORMER_WRITER, seq, at, digests[0], *counts, digests[3])


def fill(url: str, contacts: int) -> None:
    """Through the parent tables, by two processes at once, then VACUUM and ANALYZE."""
    half = contacts // 2
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        parts = [range(half), range(half, contacts)]
        list(pool.map(_fill, [url, url], [contacts, contacts], parts))
    asyncio.run(_tidy(url))


def _fill(url: str, contacts: int, part: range) -> None:
    asyncio.run(_copy(url, batches(contacts, part)))


async def _copy(url: str, made: Iterable[Batch]) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("SET synchronous_commit = off")
    for batch in made:
        for name, records in batch.items():
            columns = FILLED[name].columns.split(", ")
            await connection.copy_records_to_table(name, records=records, columns=columns)
    await connection.close()


async def _tidy(url: str) -> None:
    """What autovacuum would have done by now."""
    connection = await asyncpg.connect(url)
    shown = (wording_hash(_EVIDENCE), _EVIDENCE["wording"])
    await connection.execute(_WORDING, BOT, *shown)
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")
    await connection.close()


_WORDING = "INSERT INTO wordings (bot_id, hash, text) VALUES ($1, $2, $3)"
