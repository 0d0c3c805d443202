"""The ledger's parts on PostgreSQL: events by the quarter, messages from contacts by the month.

An entry lies where the time in its id says, which is its own: a repeated one meets the first (R3).
Parts are made before their time comes. Those that retention emptied go, and give their disk back
(R16). Each statement names its locks and waits for them a moment only: commits queue behind it.
A look-up by identity asks every part, so there should be tens of them, not hundreds.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import asyncpg

from optin.domain.events import DAY
from optin.stores.postgres import shards
from optin.stores.postgres.connection import fetch, transaction

#: Months of one part, by table.
MONTHS: Mapping[str, int] = {"events": 3, "contact_messages": 1}
#: How far ahead there are parts, µs.
AHEAD = 35 * DAY
#: How long a part stays after its end, µs, empty or not.
SETTLED = 35 * DAY
#: Parts that are made at once, by table: a server's clock that leaps must not make hundreds.
_MOST = 12

#: Whoever makes or drops parts holds this lock of the database: "optp".
_ALONE = f"SELECT pg_try_advisory_xact_lock({0x6F707470})"
_BRIEFLY = """SET LOCAL lock_timeout = '800ms';
SET LOCAL citus.multi_shard_modify_mode = 'sequential'"""
_PARTS = """SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i
 JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass($1::text)"""
_BOUND = re.compile(r"FROM \((?:MINVALUE|'\\x([0-9a-f]+)')\) TO \('\\x([0-9a-f]+)'\)")

_LOCK_REST = "LOCK TABLE {table}_rest IN ACCESS EXCLUSIVE MODE"
_MAKE = "CREATE TABLE {part} (LIKE {table} INCLUDING DEFAULTS INCLUDING INDEXES)"
_DISTRIBUTE = "SELECT create_distributed_table('{part}', 'bot_id', colocate_with := '{table}')"
_OF_PART = "event_id >= '\\x{begin}' AND event_id < '\\x{end}'"
_MOVE = f"INSERT INTO {{part}} SELECT * FROM {{table}}_rest WHERE {_OF_PART}"
_MOVED = f"DELETE FROM {{table}}_rest WHERE {_OF_PART}"
_ATTACH = r"""ALTER TABLE {table} ATTACH PARTITION {part}
 FOR VALUES FROM ('\x{begin}') TO ('\x{end}')"""
_USED = "SELECT EXISTS (SELECT 1 FROM {part})"
_LOCK_ALL = "LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE"
_DROP = "DROP TABLE {part}"


class Part(NamedTuple):
    """A part of a table. `begin`, `end`: the first instant in it and the first behind it, UTC µs;
    `begin` is -1 where it has none."""

    table: str
    name: str
    begin: int
    end: int


def parts_until(table: str, begin: int, until: int) -> Iterator[Part]:
    """The parts from `begin`, the first instant of one, to the one that `until` is in; UTC µs."""
    while begin <= until:
        first = datetime.fromtimestamp(begin / 1_000_000, UTC)
        months = first.year * 12 + first.month - 1 + MONTHS[table]
        end = datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)
        part = Part(table, _name(table, first), begin, int(end.timestamp()) * 1_000_000)
        yield part
        begin = part.end


def _name(table: str, first: datetime) -> str:
    if MONTHS[table] == 3:
        return f"{table}_{first.year}_q{first.month // 3 + 1}"
    return f"{table}_{first.year}_{first.month:02}"


async def keep(connection: Any, now: int) -> int:
    """Makes the parts that are missing until `AHEAD` of now (UTC µs), and drops those that ended
    long ago and hold nothing. Returns how many it made and dropped.

    What has to wait for a lock, or is another process's work just now, is left for the next time;
    meanwhile what belongs into a part that is missing goes to `rest`, and moves when it is made.
    Of a time that is over no part is made: what came meanwhile stays where it is.
    """
    done = 0
    for table in MONTHS:
        there = await parts(connection, table)
        if there:  # else the schema is older
            ahead = parts_until(table, max(part.end for part in there), now + AHEAD)
            for part in [part for part in ahead if part.end > now][:_MOST]:
                done += await _alone(connection, _make, part)
            for part in there[:-1]:  # the newest says where the next begins
                if part.end < now - SETTLED and not await _is_used(connection, part):
                    done += await _alone(connection, _drop, part)
    return done


async def parts(connection: Any, table: str) -> list[Part]:
    """The parts that there are, oldest first; `rest` is none."""
    found = []
    for name, bounds in await fetch(connection, _PARTS, table):
        if matched := _BOUND.search(bounds):
            begin, end = matched.groups()
            found.append(Part(table, name, _instant(begin) if begin else -1, _instant(end)))
    return sorted(found, key=lambda part: part.end)


async def _make(connection: Any, part: Part) -> bool:
    filled = functools.partial(
        str.format,
        table=part.table,
        part=part.name,
        begin=_prefix(part.begin),
        end=_prefix(part.end),
    )
    if await _is_there(connection, part):  # another process was faster
        return False
    await connection.execute(filled(_LOCK_REST))
    await connection.execute(filled(_MAKE))
    if await shards.is_sharded(connection):
        await connection.execute(filled(_DISTRIBUTE))
    for sql in (_MOVE, _MOVED, _ATTACH):
        await connection.execute(filled(sql))
    return True


async def _drop(connection: Any, part: Part) -> bool:
    await connection.execute(_LOCK_ALL.format(table=part.table))
    if not await _is_there(connection, part) or await _is_used(connection, part):
        return False
    await connection.execute(_DROP.format(part=part.name))
    return True


async def _is_there(connection: Any, part: Part) -> bool:
    return part.name in {there.name for there in await parts(connection, part.table)}


async def _is_used(connection: Any, part: Part) -> bool:
    try:
        return bool(await connection.fetchval(_USED.format(part=part.name)))
    except asyncpg.UndefinedTableError:  # another process was faster
        return True


async def _alone(
    connection: Any, change: Callable[[Any, Part], Awaitable[bool]], part: Part
) -> bool:
    """The change in a transaction of its own, if nobody else makes or drops parts. What another
    one's lock was in the way of is taken back."""
    try:
        async with transaction(connection, _BRIEFLY):
            return bool(await connection.fetchval(_ALONE)) and await change(connection, part)
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
        return False


def _prefix(instant: int) -> str:
    """How the ids of this instant begin, in hexadecimal (`domain/ids.py`)."""
    return (instant // 1000).to_bytes(6, "big").hex()


def _instant(prefix: str) -> int:
    return int(prefix[:12], 16) * 1000
