"""Work that waits: messages and callbacks, leased, tried, put back, replayed and forgotten."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback
from optin.stores import rows
from optin.stores.sqlite.connection import transaction
from optin.stores.sqlite.leasing import CALLBACKS, MESSAGES, Lease, lease

# Each names its index, as SQLite would rather read all that any bot ever sent.
_STALE = """SELECT * FROM (SELECT * FROM messages INDEXED BY messages_claimed
  WHERE stage = 'claimed' AND claimed < ?1
  AND +bot_id IN (SELECT bot_id FROM bots WHERE removed IS NULL) LIMIT ?3)
 UNION ALL SELECT * FROM (SELECT * FROM messages INDEXED BY messages_expiring
  WHERE stage = 'waiting' AND expires <= ?2
  AND +bot_id IN (SELECT bot_id FROM bots WHERE removed IS NULL) LIMIT ?3) LIMIT ?3"""


def lease_messages(connection: sqlite3.Connection, asked: Lease) -> list[OutboxMessage]:
    """Due messages, leased in one commit."""
    return rows.readable(rows.message, lease(connection, MESSAGES, asked))


def lease_callbacks(connection: sqlite3.Connection, asked: Lease) -> list[Callback]:
    """Due callbacks, leased in one commit."""
    return rows.readable(rows.callback, lease(connection, CALLBACKS, asked))


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
        answers = connection.execute(
            "DELETE FROM answers WHERE bot_id = ? AND created < ?", (bot_id, callbacks_before)
        )
        webhooks = connection.execute(
            "DELETE FROM webhooks WHERE bot_id = ? AND received < ?", (bot_id, webhooks_before)
        )
        callbacks = connection.execute(
            "DELETE FROM callbacks WHERE bot_id = ? AND stage <> 'waiting' AND created < ?",
            (bot_id, callbacks_before),
        )
        return webhooks.rowcount + callbacks.rowcount + answers.rowcount
