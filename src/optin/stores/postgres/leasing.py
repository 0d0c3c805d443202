"""Leases of waiting work: what is due, oldest first, but for those who are left out.

Two ways lead to it, as on SQLite. Mostly the oldest few hundred that are due hold enough. If not,
somebody who is left out has a long queue in front; then a walk from one bot and receiver that
something waits for to the next, a seek each, passes over a queue however long it is. A row that
another lease is just taking is passed over. What finds due work spans bots.

On shards nothing may be locked across bots: what is due is found first, then taken bot by bot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from optin.stores.postgres import tables
from optin.stores.postgres.connection import Row, Session, fetch

#: How many of those that are due are looked at before the walk.
_LOOKED_AT = 500

_LIVING = "SELECT bot_id FROM bots WHERE removed IS NULL AND bot_id = ANY($1)"
_OLDEST = """SELECT bot_id, {receiver} FROM {table}
 WHERE stage = 'waiting' AND due <= $1 AND leased_until <= $1 ORDER BY due LIMIT $2"""
#: Takes what is due of the places (bot and receiver) that are wanted.
_TAKE = """UPDATE {table} SET claimant = $5, leased_until = $6
 FROM (SELECT q.bot_id, q.{id} FROM {table} q
  JOIN unnest($3::text[], $4::text[]) AS w (bot, host) ON q.bot_id = w.bot AND {same}
  WHERE q.stage = 'waiting' AND q.due <= $1 AND q.leased_until <= $1
  ORDER BY q.due LIMIT $2 FOR UPDATE OF q SKIP LOCKED) AS d
 WHERE {table}.bot_id = d.bot_id AND {table}.{id} = d.{id} RETURNING {columns}"""
#: The same on shards, in two steps: whose work is due, and how much; then as much of one bot's.
_FIND = """SELECT q.bot_id FROM {table} q
 JOIN unnest($3::text[], $4::text[]) AS w (bot, host) ON q.bot_id = w.bot AND {same}
 WHERE q.stage = 'waiting' AND q.due <= $1 AND q.leased_until <= $1 ORDER BY q.due LIMIT $2"""
# Materialized: a plan that ran the search twice would pass over its own locks and take more.
_TAKE_FOUND = """WITH d AS MATERIALIZED (SELECT q.{id} FROM {table} q
  WHERE q.bot_id = $1 AND {there}
  AND q.stage = 'waiting' AND q.due <= $2 AND q.leased_until <= $2
  ORDER BY q.due LIMIT $6 FOR UPDATE SKIP LOCKED)
 UPDATE {table} SET claimant = $4, leased_until = $5 FROM d
 WHERE {table}.bot_id = $1 AND {table}.{id} = d.{id} RETURNING {columns}"""
_BOTS = """WITH RECURSIVE everyone (bot) AS (
 (SELECT bot_id FROM {table} WHERE stage = 'waiting' ORDER BY bot_id LIMIT 1) UNION ALL
 SELECT (SELECT bot_id FROM {table} WHERE stage = 'waiting' AND bot_id > bot
  ORDER BY bot_id LIMIT 1) FROM everyone WHERE bot IS NOT NULL)
 SELECT bot FROM everyone WHERE bot IS NOT NULL"""
_RECEIVERS = """WITH RECURSIVE places (bot, host) AS (
 SELECT bot, (SELECT receiver FROM callbacks WHERE stage = 'waiting' AND bot_id = bot
  ORDER BY receiver LIMIT 1) FROM unnest($1::text[]) AS one (bot) UNION ALL
 SELECT bot, (SELECT receiver FROM callbacks WHERE stage = 'waiting' AND bot_id = bot
  AND receiver > host ORDER BY receiver LIMIT 1) FROM places WHERE host IS NOT NULL)
 SELECT bot, host FROM places WHERE host IS NOT NULL"""
# A walk from shard to shard is refused: these read all that waits, on all shards.
_BOTS_ON_SHARDS = "SELECT DISTINCT bot_id FROM {table} WHERE stage = 'waiting'"
_RECEIVERS_ON_SHARDS = """SELECT DISTINCT bot_id, receiver FROM callbacks
 WHERE stage = 'waiting' AND bot_id = ANY($1)"""


@dataclass(frozen=True, slots=True)
class Lease:
    """What is asked of a queue: see `Store.lease_callbacks`. Times in UTC µs."""

    now: int
    until: int
    claimant: str
    limit: int
    without_bots: Collection[str]
    without_receivers: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Queue:
    """The statements of one queue. `place`: the column that its time is in. `find`: on shards
    what is found before it is taken, else empty."""

    oldest: str
    bots: str
    receivers: str
    take: str
    place: int
    find: str = ""


def _queue(table: tables.Table, identifier: str, *, receivers: bool) -> Queue:
    columns = ", ".join(f"{table.name}.{column}" for column in ("bot_id", *table.types))
    named = {"table": table.name, "id": identifier, "columns": columns}
    receiver, same = ("receiver", "q.receiver = w.host") if receivers else ("''", "w.host = ''")
    return Queue(
        _OLDEST.format(**named, receiver=receiver),
        _BOTS.format(**named),
        _RECEIVERS if receivers else "",
        _TAKE.format(**named, same=same),
        1 + list(table.types).index("due"),
    )


def _on_shards(table: tables.Table, identifier: str, *, receivers: bool) -> Queue:
    plain = _queue(table, identifier, receivers=receivers)
    columns = ", ".join(f"{table.name}.{column}" for column in ("bot_id", *table.types))
    named = {"table": table.name, "id": identifier, "columns": columns}
    return replace(
        plain,
        bots=_BOTS_ON_SHARDS.format(**named),
        receivers=_RECEIVERS_ON_SHARDS if receivers else "",
        take=_TAKE_FOUND.format(
            **named, there="q.receiver = ANY($3)" if receivers else "cardinality($3::text[]) > 0"
        ),
        find=_FIND.format(**named, same="q.receiver = w.host" if receivers else "w.host = ''"),
    )


#: The queues, on one server and on shards.
MESSAGES = {
    False: _queue(tables.MESSAGES, "message_id", receivers=False),
    True: _on_shards(tables.MESSAGES, "message_id", receivers=False),
}
CALLBACKS = {
    False: _queue(tables.CALLBACKS, "callback_id", receivers=True),
    True: _on_shards(tables.CALLBACKS, "callback_id", receivers=True),
}


async def places(session: Session, queue: Queue, asked: Lease) -> list[tuple[str, str]]:
    """Those (bot, receiver) that something may be due for, those who are left out excepted."""
    oldest = await fetch(session, queue.oldest, asked.now, _LOOKED_AT)
    found = await _wanted(session, [(row[0], row[1]) for row in oldest], asked)
    if len(found) >= asked.limit or len(oldest) < _LOOKED_AT:
        return sorted(set(found))
    bots = [(row[0], "") for row in await fetch(session, queue.bots)]
    living = await _wanted(session, bots, asked)
    if not queue.receivers:
        return living
    walked = await fetch(session, queue.receivers, [bot for bot, _ in living])
    return [(row[0], row[1]) for row in walked if row[1] not in asked.without_receivers]


async def take(
    session: Session, queue: Queue, asked: Lease, wanted: Sequence[tuple[str, str]]
) -> list[Row]:
    """The rows of what is due there, leased, oldest due first."""
    bots, hosts = [bot for bot, _ in wanted], [host for _, host in wanted]
    times = (asked.now, asked.limit, bots, hosts, asked.claimant, asked.until)
    leased = await fetch(session, queue.take, *times)
    return sorted(leased, key=lambda row: int(row[queue.place]))


async def find(
    session: Session, queue: Queue, asked: Lease, wanted: Sequence[tuple[str, str]]
) -> dict[str, int]:
    """On shards: how much of the oldest that is due there is whose."""
    bots, hosts = [bot for bot, _ in wanted], [host for _, host in wanted]
    found = await fetch(session, queue.find, asked.now, asked.limit, bots, hosts)
    return Counter(row[0] for row in found)


async def take_found(
    session: Session, queue: Queue, asked: Lease, bot_id: str, hosts: Sequence[str], most: int
) -> list[Row]:
    """On shards: the rows of what is due of the bot, leased; what another is taking is left out."""
    values = (asked.now, list(hosts), asked.claimant, asked.until, most)
    return await fetch(session, queue.take, bot_id, *values)


async def _wanted(
    session: Session, found: Sequence[tuple[str, str]], asked: Lease
) -> list[tuple[str, str]]:
    bots = sorted({bot for bot, _ in found} - set(asked.without_bots))
    living = {row[0] for row in await fetch(session, _LIVING, bots)} if bots else set()
    receivers = set(asked.without_receivers)
    return [(bot, host) for bot, host in found if bot in living and host not in receivers]
