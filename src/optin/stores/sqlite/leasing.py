"""Leases of waiting work: what is due, oldest first, but for those who are left out.

Two ways lead to it. Mostly the oldest few hundred that are due hold enough. If not, somebody who is
left out has a long queue in front: then a walk over the bots and receivers that something waits
for, a seek each, passes over whoever is left out, however much that is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace

from optin.stores.sqlite import rows
from optin.stores.sqlite.connection import transaction

#: How many of those that are due are looked at before the walk.
_LOOKED_AT = 500

#: What no text comes after: SQLite sorts blobs behind all texts.
_LAST = b"\xff"


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
    """The statements of one queue.

    `first`: (bot id, id, due, receiver) of what is due, oldest first. `places`: the first (bot id,
    receiver) behind a given one that anything waits for. `at`: as `first`, of one place. `take`:
    leases one.
    """

    first: str
    places: str
    at: str
    take: str


# Each names its index, as SQLite would rather read all that any bot ever sent.
MESSAGES = Queue(
    first="""SELECT bot_id, message_id, due, '' FROM messages INDEXED BY messages_due
     WHERE stage = 'waiting' AND due <= ?1 AND leased_until <= ?1 ORDER BY due LIMIT ?2""",
    places="""SELECT bot_id, '' FROM messages INDEXED BY messages_by_bot
     WHERE stage = 'waiting' AND (bot_id, '') > (?1, ?2) AND bot_id >= ?1
     ORDER BY bot_id LIMIT 1""",
    at="""SELECT bot_id, message_id, due, '' FROM messages INDEXED BY messages_by_bot
     WHERE stage = 'waiting' AND bot_id = ?3 AND ?4 = '' AND due <= ?1 AND leased_until <= ?1
     ORDER BY due LIMIT ?2""",
    take="""UPDATE messages SET claimant = ?, leased_until = ?
     WHERE bot_id = ? AND message_id = ? RETURNING *""",
)
CALLBACKS = Queue(
    first="""SELECT bot_id, callback_id, due, receiver FROM callbacks INDEXED BY callbacks_due
     WHERE stage = 'waiting' AND due <= ?1 AND leased_until <= ?1 ORDER BY due LIMIT ?2""",
    places="""SELECT bot_id, receiver FROM callbacks INDEXED BY callbacks_by_receiver
     WHERE stage = 'waiting' AND (bot_id, receiver) > (?1, ?2)
     ORDER BY bot_id, receiver LIMIT 1""",
    at="""SELECT bot_id, callback_id, due, receiver FROM callbacks
     INDEXED BY callbacks_by_receiver WHERE stage = 'waiting' AND bot_id = ?3 AND receiver = ?4
     AND due <= ?1 AND leased_until <= ?1 ORDER BY due LIMIT ?2""",
    take="""UPDATE callbacks SET claimant = ?, leased_until = ?
     WHERE bot_id = ? AND callback_id = ? RETURNING *""",
)


def lease(connection: sqlite3.Connection, queue: Queue, asked: Lease) -> list[rows.Row]:
    """The rows that are leased now. Looks before it writes: an idle queue costs no fsync."""
    if not _due(connection, queue, replace(asked, limit=1)):
        return []
    to = (asked.claimant, asked.until)
    with transaction(connection):
        found = _due(connection, queue, asked)
        return [connection.execute(queue.take, (*to, *row[:2])).fetchone() for row in found]


def _due(connection: sqlite3.Connection, queue: Queue, asked: Lease) -> list[rows.Row]:
    """What may be leased, oldest due first."""
    left_out = _LeftOut(connection, asked)
    first = connection.execute(queue.first, (asked.now, _LOOKED_AT)).fetchall()
    found = [row for row in first if not left_out.names(row[0], row[3])]
    if len(found) < asked.limit and len(first) == _LOOKED_AT:
        found = _walk(connection, queue, asked, left_out)
    return found[: asked.limit]


def _walk(
    connection: sqlite3.Connection, queue: Queue, asked: Lease, left_out: _LeftOut
) -> list[rows.Row]:
    found: list[rows.Row] = []
    place: tuple[str, str | bytes] = ("", "")
    while row := connection.execute(queue.places, place).fetchone():
        bot_id, receiver = place = row
        if left_out.names_bot(bot_id):
            place = (bot_id, _LAST)
        elif receiver not in asked.without_receivers:
            found += connection.execute(queue.at, (asked.now, asked.limit, *row)).fetchall()
    return sorted(found, key=lambda row: int(row[2]))


class _LeftOut:
    """Whose work is passed over: bots and receivers that have enough, bots that were removed."""

    def __init__(self, connection: sqlite3.Connection, asked: Lease) -> None:
        self._connection = connection
        self._receivers = frozenset(asked.without_receivers)
        self._bots = dict.fromkeys(asked.without_bots, True)

    def names(self, bot_id: str, receiver: str) -> bool:
        return receiver in self._receivers or self.names_bot(bot_id)

    def names_bot(self, bot_id: str) -> bool:
        if bot_id not in self._bots:
            lives = "SELECT 1 FROM bots WHERE bot_id = ? AND removed IS NULL"
            self._bots[bot_id] = not self._connection.execute(lives, (bot_id,)).fetchone()
        return self._bots[bot_id]
