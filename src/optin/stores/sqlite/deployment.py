"""What those who run the deployment do with many bots at once, on SQLite, and its answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from optin.domain.bots import DEPLOYMENT
from optin.domain.errors import InconsistentRecord, NotFound, OptinError
from optin.domain.tokens import Replacement
from optin.ports.directory import Plan
from optin.ports.records import AnswerKey, StoredAnswer
from optin.stores import rows
from optin.stores.sqlite.directory import ADD_TOKEN, BUMP, tokens

_IS_THERE = "SELECT 1 FROM bots WHERE bot_id = ? AND removed IS NULL"
_END = "UPDATE tokens SET revoked = ? WHERE bot_id = ? AND token_id = ?"
_ANSWER = "SELECT * FROM answers WHERE bot_id = ? AND actor = ? AND route = ? AND key = ?"
_KEEP = "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


def replace_tokens(
    connection: sqlite3.Connection, bot_ids: Sequence[str], plan: Plan, now: int
) -> Mapping[str, Sequence[Replacement] | OptinError]:
    """Does what the plan tells with each bot's tokens."""
    done = {bot_id: _replace(connection, bot_id, plan, now) for bot_id in bot_ids}
    connection.execute(BUMP)
    return done


def _replace(
    connection: sqlite3.Connection, bot_id: str, plan: Plan, now: int
) -> Sequence[Replacement] | OptinError:
    if connection.execute(_IS_THERE, (bot_id,)).fetchone() is None:
        return NotFound(f"There is no bot {bot_id}.")
    try:
        planned = plan(tokens(connection, bot_id), now)
    except InconsistentRecord as broken:
        return broken
    for old, new in planned:
        connection.execute(ADD_TOKEN, rows.token_row(new))
        connection.execute(_END, (old.revoked, bot_id, old.token_id))
    return planned


def answer(connection: sqlite3.Connection, key: AnswerKey) -> StoredAnswer | None:
    """The answer kept under the key."""
    found = connection.execute(_ANSWER, (DEPLOYMENT, *key)).fetchone()
    return rows.answer(found) if found else None


def keep(connection: sqlite3.Connection, new: StoredAnswer) -> StoredAnswer:
    """Keeps it if there is none yet."""
    connection.execute(_KEEP, rows.answer_row(DEPLOYMENT, new))
    return answer(connection, new.key) or new
