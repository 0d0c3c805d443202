"""Leases of waiting work: what is due, oldest first, but for those who are left out.

Two ways lead to it. Mostly the oldest few hundred that are due hold enough. If not, somebody who is
left out has a long queue in front; then a walk from one bot and receiver that something waits for
to the next, a seek each, passes over a queue however long it is.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace

from optin.stores import rows
from optin.stores.sqlite.connection import transaction

#: How many of those that are due are looked at before the walk.
_LOOKED_AT = 500
#: A lease ends with the one whose body fills this, bytes: a relayed one can have megabytes.
MOST_BYTES = 32 * 1024 * 1024


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
    """The statements of one queue: `oldest` and `walk` find (bot id, id, receiver) of what is due,
    oldest first, the second for those who are not left out; `take` leases one."""

    oldest: str
    walk: str
    take: str


# Each names its index, as SQLite would rather read all that any bot ever sent.
MESSAGES = Queue(
    oldest="""SELECT bot_id, message_id, '' FROM messages INDEXED BY messages_due
     WHERE stage = 'waiting' AND due <= ?1 AND leased_until <= ?1 ORDER BY due LIMIT ?2""",
    walk="""WITH RECURSIVE
     everyone(bot) AS (SELECT '' UNION ALL
      SELECT (SELECT bot_id FROM messages INDEXED BY messages_by_bot
       WHERE stage = 'waiting' AND bot_id > bot ORDER BY bot_id LIMIT 1)
      FROM everyone WHERE bot IS NOT NULL),
     wanted AS MATERIALIZED (SELECT bot FROM everyone
      WHERE bot NOT IN (SELECT value FROM json_each(?3)) AND ?4 = '[]'
      AND EXISTS (SELECT 1 FROM bots WHERE bot_id = bot AND removed IS NULL))
    SELECT bot_id, message_id, '' FROM wanted CROSS JOIN messages INDEXED BY messages_by_bot
     WHERE stage = 'waiting' AND bot_id = bot AND due <= ?1 AND leased_until <= ?1
     ORDER BY due LIMIT ?2""",
    take="""UPDATE messages SET claimant = ?, leased_until = ?
     WHERE bot_id = ? AND message_id = ? RETURNING *""",
)
CALLBACKS = Queue(
    oldest="""SELECT bot_id, callback_id, receiver FROM callbacks INDEXED BY callbacks_due
     WHERE stage = 'waiting' AND due <= ?1 AND leased_until <= ?1 ORDER BY due LIMIT ?2""",
    walk="""WITH RECURSIVE
     everyone(bot) AS (SELECT '' UNION ALL
      SELECT (SELECT bot_id FROM callbacks INDEXED BY callbacks_by_receiver
       WHERE stage = 'waiting' AND bot_id > bot ORDER BY bot_id LIMIT 1)
      FROM everyone WHERE bot IS NOT NULL),
     places(bot, host) AS (
      SELECT bot, (SELECT receiver FROM callbacks INDEXED BY callbacks_by_receiver
       WHERE stage = 'waiting' AND bot_id = bot ORDER BY receiver LIMIT 1) FROM everyone
       WHERE bot NOT IN (SELECT value FROM json_each(?3))
       AND EXISTS (SELECT 1 FROM bots WHERE bot_id = bot AND removed IS NULL)
      UNION ALL
      SELECT bot, (SELECT receiver FROM callbacks INDEXED BY callbacks_by_receiver
       WHERE stage = 'waiting' AND bot_id = bot AND receiver > host ORDER BY receiver LIMIT 1)
      FROM places WHERE host IS NOT NULL),
     wanted AS MATERIALIZED (SELECT bot, host FROM places
      WHERE host NOT IN (SELECT value FROM json_each(?4)))
    SELECT bot_id, callback_id, receiver
     FROM wanted CROSS JOIN callbacks INDEXED BY callbacks_by_receiver
     WHERE stage = 'waiting' AND bot_id = bot AND receiver = host AND due <= ?1
     AND leased_until <= ?1 ORDER BY due LIMIT ?2""",
    take="""UPDATE callbacks SET claimant = ?, leased_until = ?
     WHERE bot_id = ? AND callback_id = ? RETURNING *""",
)


def is_due(connection: sqlite3.Connection, queue: Queue, asked: Lease) -> bool:
    """Whether there is anything to lease; asked first, of a connection that only reads, so that an
    idle queue keeps nobody from writing."""
    return bool(_due(connection, queue, replace(asked, limit=1)))


def lease(connection: sqlite3.Connection, queue: Queue, asked: Lease) -> list[rows.Row]:
    """The rows that are leased now."""
    to = (asked.claimant, asked.until)
    with transaction(connection):
        leased: list[rows.Row] = []
        room = MOST_BYTES
        for found in _due(connection, queue, asked):
            row = connection.execute(queue.take, (*to, *found[:2])).fetchone()
            leased.append(row)
            room -= sum(len(value) for value in row if isinstance(value, bytes))
            if room <= 0:
                break
        return leased


def _due(connection: sqlite3.Connection, queue: Queue, asked: Lease) -> list[rows.Row]:
    """What may be leased, oldest due first."""
    left_out = _LeftOut(connection, asked)
    oldest = connection.execute(queue.oldest, (asked.now, _LOOKED_AT)).fetchall()
    found = [row for row in oldest if not left_out.names(row[0], row[2])]
    if len(found) >= asked.limit or len(oldest) < _LOOKED_AT:
        return found[: asked.limit]
    left = (json.dumps(list(asked.without_bots)), json.dumps(list(asked.without_receivers)))
    return connection.execute(queue.walk, (asked.now, asked.limit, *left)).fetchall()


class _LeftOut:
    """Whose work is passed over: bots and receivers that have enough, bots that were removed."""

    def __init__(self, connection: sqlite3.Connection, asked: Lease) -> None:
        self._connection = connection
        self._receivers = frozenset(asked.without_receivers)
        self._bots = dict.fromkeys(asked.without_bots, True)

    def names(self, bot_id: str, receiver: str) -> bool:
        """Whether what this bot owes this receiver is passed over."""
        if bot_id not in self._bots:
            lives = "SELECT 1 FROM bots WHERE bot_id = ? AND removed IS NULL"
            self._bots[bot_id] = not self._connection.execute(lives, (bot_id,)).fetchone()
        return self._bots[bot_id] or receiver in self._receivers
