"""Work that waits: leases of due messages and callbacks, each one commit."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback
from optin.stores.sqlite import rows
from optin.stores.sqlite.connection import transaction

_DUE_MESSAGES = """SELECT bot_id, message_id FROM messages
 WHERE stage = 'waiting' AND due <= ?1 AND leased_until <= ?1
 AND bot_id IN (SELECT bot_id FROM bots WHERE removed IS NULL)
 AND bot_id NOT IN (SELECT value FROM json_each(?3))
 ORDER BY due LIMIT ?2"""
_LEASE_MESSAGE = """UPDATE messages SET claimant = ?, leased_until = ?
 WHERE bot_id = ? AND message_id = ? RETURNING *"""
_STALE = """SELECT * FROM (SELECT * FROM messages WHERE stage = 'claimed' AND claimed < ?1
 AND bot_id IN (SELECT bot_id FROM bots WHERE removed IS NULL) LIMIT ?3)
 UNION ALL SELECT * FROM (SELECT * FROM messages WHERE stage = 'waiting' AND expires <= ?2
 AND bot_id IN (SELECT bot_id FROM bots WHERE removed IS NULL) LIMIT ?3) LIMIT ?3"""
_DUE_CALLBACKS = """SELECT bot_id, callback_id FROM callbacks
 WHERE stage = 'waiting' AND due <= ?1 AND leased_until <= ?1
 AND bot_id IN (SELECT bot_id FROM bots WHERE removed IS NULL)
 AND receiver NOT IN (SELECT value FROM json_each(?3))
 ORDER BY due LIMIT ?2"""
_LEASE_CALLBACK = """UPDATE callbacks SET claimant = ?, leased_until = ?
 WHERE bot_id = ? AND callback_id = ? RETURNING *"""


@dataclass(frozen=True, slots=True)
class Lease:
    """What is asked of a queue: see `Store.lease_messages`. Times in UTC µs."""

    now: int
    until: int
    claimant: str
    limit: int
    without: Collection[str]


def lease_messages(connection: sqlite3.Connection, asked: Lease) -> list[OutboxMessage]:
    """Due messages, leased in one commit."""
    return rows.readable(rows.message, _lease(connection, _DUE_MESSAGES, _LEASE_MESSAGE, asked))


def lease_callbacks(connection: sqlite3.Connection, asked: Lease) -> list[Callback]:
    """Due callbacks, leased in one commit."""
    return rows.readable(rows.callback, _lease(connection, _DUE_CALLBACKS, _LEASE_CALLBACK, asked))


def _lease(connection: sqlite3.Connection, due: str, lease: str, asked: Lease) -> list[rows.Row]:
    """Looks before it writes: an idle queue costs no fsync."""
    which = (asked.now, asked.limit, json.dumps(list(asked.without)))
    if not connection.execute(due, which).fetchone():
        return []
    to = (asked.claimant, asked.until)
    with transaction(connection):
        keys = connection.execute(due, which).fetchall()
        return [connection.execute(lease, (*to, *key)).fetchone() for key in keys]


def stale_messages(
    connection: sqlite3.Connection, claimed_before: int, now: int, limit: int
) -> list[OutboxMessage]:
    """Messages whose outcome stays unknown, and those that were not handed over in their life."""
    found = connection.execute(_STALE, (claimed_before, now, limit)).fetchall()
    return rows.readable(rows.message, found)


def put_callbacks(connection: sqlite3.Connection, tried: Sequence[Callback]) -> None:
    """Writes down what became of them."""
    with transaction(connection):
        connection.executemany(
            """UPDATE callbacks SET due = ?, attempts = ?, leased_until = ?, claimant = ?,
             stage = ?, outcome = ? WHERE bot_id = ? AND callback_id = ?""",
            [
                (
                    o.due,
                    o.attempts,
                    o.leased_until,
                    o.claimant,
                    o.stage.value,
                    o.outcome,
                    o.bot_id,
                    o.callback_id,
                )
                for o in tried
            ],
        )


def replay_callbacks(
    connection: sqlite3.Connection, bot_id: str, callback_ids: Sequence[str], now: int
) -> int:
    """Makes them owed again."""
    with transaction(connection):
        changed = connection.execute(
            """UPDATE callbacks SET stage = 'waiting', due = ?, attempts = 0, leased_until = 0,
             claimant = '' WHERE bot_id = ? AND callback_id IN (SELECT value FROM json_each(?))""",
            (now, bot_id, json.dumps(list(callback_ids))),
        )
        return changed.rowcount


def prune(
    connection: sqlite3.Connection, bot_id: str, webhooks_before: int, callbacks_before: int
) -> int:
    """Deletes what was only kept to be looked at or replayed."""
    with transaction(connection):
        webhooks = connection.execute(
            "DELETE FROM webhooks WHERE bot_id = ? AND received < ?", (bot_id, webhooks_before)
        )
        callbacks = connection.execute(
            "DELETE FROM callbacks WHERE bot_id = ? AND stage <> 'waiting' AND created < ?",
            (bot_id, callbacks_before),
        )
        return webhooks.rowcount + callbacks.rowcount
