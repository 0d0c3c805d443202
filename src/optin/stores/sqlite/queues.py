"""Work that waits: leases of due messages and callbacks, each one commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback
from optin.stores.sqlite import rows
from optin.stores.sqlite.connection import transaction

_DUE_MESSAGES = """SELECT bot_id, message_id FROM messages
 WHERE stage = 'waiting' AND due <= ?1 AND leased_until <= ?1
 AND bot_id IN (SELECT bot_id FROM bots WHERE removed IS NULL)
 ORDER BY due LIMIT ?2"""
_LEASE_MESSAGE = """UPDATE messages SET claimant = ?, leased_until = ?
 WHERE bot_id = ? AND message_id = ? RETURNING *"""
_STALE = """SELECT * FROM (SELECT * FROM messages WHERE stage = 'claimed' AND claimed < ?1
 AND bot_id IN (SELECT bot_id FROM bots WHERE removed IS NULL) LIMIT ?3)
 UNION ALL SELECT * FROM (SELECT * FROM messages WHERE stage = 'waiting' AND expires <= ?2
 AND bot_id IN (SELECT bot_id FROM bots WHERE removed IS NULL) LIMIT ?3) LIMIT ?3"""
_DUE_CALLBACKS = """SELECT bot_id, callback_id FROM callbacks
 WHERE due <= ?1 AND leased_until <= ?1
 AND bot_id IN (SELECT bot_id FROM bots WHERE removed IS NULL) ORDER BY due LIMIT ?2"""
_LEASE_CALLBACK = """UPDATE callbacks SET claimant = ?, leased_until = ?
 WHERE bot_id = ? AND callback_id = ? RETURNING *"""


def lease_messages(
    connection: sqlite3.Connection, now: int, claimant: str, until: int, limit: int
) -> list[OutboxMessage]:
    """Due messages, leased in one commit. Looks before it writes: an idle outbox costs no fsync."""
    leased = _lease(connection, _DUE_MESSAGES, _LEASE_MESSAGE, (now, limit), (claimant, until))
    return list(map(rows.message, leased))


def lease_callbacks(
    connection: sqlite3.Connection, now: int, claimant: str, until: int, limit: int
) -> list[Callback]:
    """Due callbacks, leased in one commit."""
    leased = _lease(connection, _DUE_CALLBACKS, _LEASE_CALLBACK, (now, limit), (claimant, until))
    return list(map(rows.callback, leased))


def _lease(
    connection: sqlite3.Connection,
    due: str,
    lease: str,
    which: tuple[int, int],
    to: tuple[str, int],
) -> list[rows.Row]:
    if not connection.execute(due, which).fetchone():
        return []
    with transaction(connection):
        keys = connection.execute(due, which).fetchall()
        return [connection.execute(lease, (*to, *key)).fetchone() for key in keys]


def stale_messages(
    connection: sqlite3.Connection, claimed_before: int, now: int, limit: int
) -> list[OutboxMessage]:
    """Messages whose outcome stays unknown, and those that were not handed over in their life."""
    found = connection.execute(_STALE, (claimed_before, now, limit)).fetchall()
    return list(map(rows.message, found))


def put_callbacks(
    connection: sqlite3.Connection, done: Sequence[Callback], again: Sequence[Callback]
) -> None:
    """Forgets the done ones, puts back the others."""
    with transaction(connection):
        connection.executemany(
            "DELETE FROM callbacks WHERE bot_id = ? AND callback_id = ?",
            [(owed.bot_id, owed.callback_id) for owed in done],
        )
        connection.executemany(
            """UPDATE callbacks SET due = ?, attempts = ?, leased_until = ?, claimant = ?
             WHERE bot_id = ? AND callback_id = ?""",
            [
                (o.due, o.attempts, o.leased_until, o.claimant, o.bot_id, o.callback_id)
                for o in again
            ],
        )
