"""One batch as SQL: load what the works will look at, save what they wrote."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from optin.domain.errors import InconsistentRecord
from optin.domain.links import UNKNOWN, State, neighbours
from optin.ports.store import Work
from optin.stores import rows
from optin.stores.batch import Key, Rows, Writes
from optin.stores.sqlite import entries, imports
from optin.stores.sqlite.connection import insert

_STATE = """SELECT identity, opt_in, opt_in_with_evidence, start_word, opt_out_keyword,
 opt_out_other, opt_out_from_contact, message, provider_marketing_stop, provider_marketing_resume,
 marketing_stop, marketing_resume, wordings, links, version
 FROM identities WHERE bot_id = ? AND identity IN (?, ?)"""
#: Between "~" and what follows it: no number or BSUID begins so.
_ERASED = """SELECT EXISTS (SELECT 1 FROM identities
 WHERE bot_id = ? AND identity >= '~' AND identity < char(127))"""
_RECORDED = """SELECT EXISTS (SELECT 1 FROM events WHERE bot_id = ?1 AND event_id = ?2)
 OR EXISTS (SELECT 1 FROM contact_messages WHERE bot_id = ?1 AND event_id = ?2)"""
_TEMPLATE = """SELECT name, language, category, status, updated, components FROM templates
 WHERE bot_id = ? AND name = ? AND language = ?"""
_MESSAGE = "SELECT * FROM messages WHERE bot_id = ? AND message_id = ?"
_REVIEW = "SELECT * FROM reviews WHERE bot_id = ? AND review_id = ?"
_ANSWER = "SELECT * FROM answers WHERE bot_id = ? AND actor = ? AND route = ? AND key = ?"
# The second condition is that of the index, which is not used without it.
_BY_UPSTREAM_ID = """SELECT message_id FROM messages
 WHERE bot_id = ? AND upstream_id = ? AND upstream_id <> ''"""
_BLACKLISTED = "SELECT EXISTS (SELECT 1 FROM blacklist WHERE bot_id = ? AND identity = ?)"


def load(connection: sqlite3.Connection, loaded: Rows, work: Work[Any]) -> None:
    """Adds the rows that the work's `reads` name, unless the batch has them already.

    Raises `InconsistentRecord` for one that cannot be read.
    """
    bot_id, reads = work.bot_id, work.reads

    def missing(names: Iterable[Any], known: Any) -> list[tuple[str, Any]]:
        return [key for name in names if (key := (bot_id, name)) not in known]

    load_states(connection, loaded, bot_id, reads.identities)
    for event_key in missing(reads.event_ids, loaded.recorded):
        loaded.recorded[event_key] = _exists(connection, _RECORDED, event_key)
    for name, language in reads.templates:
        if (bot_id, name, language) not in loaded.templates:
            found = connection.execute(_TEMPLATE, (bot_id, name, language)).fetchone()
            loaded.templates[bot_id, name, language] = rows.template(found) if found else None
    messages = set(reads.messages)
    for key in missing(reads.upstream_ids, loaded.upstream_ids):
        found = connection.execute(_BY_UPSTREAM_ID, key).fetchone()
        loaded.upstream_ids[key] = found[0] if found else None
    messages |= {
        message_id for u in reads.upstream_ids if (message_id := loaded.upstream_ids[bot_id, u])
    }
    for key in missing(messages, loaded.messages):
        found = connection.execute(_MESSAGE, key).fetchone()
        loaded.messages[key] = rows.message(found) if found else None
    for key in missing(reads.reviews, loaded.reviews):
        found = connection.execute(_REVIEW, key).fetchone()
        loaded.reviews[key] = rows.review(found) if found else None
    _load_answers(connection, loaded, work)
    for key in missing(reads.imports, loaded.imports):
        loaded.imports[key] = imports.job_of(connection, *key)
    for key in missing(reads.blacklist, loaded.blacklist):
        loaded.blacklist[key] = _exists(connection, _BLACKLISTED, key)


def _load_answers(connection: sqlite3.Connection, loaded: Rows, work: Work[Any]) -> None:
    for asked in work.reads.answers:
        key = (work.bot_id, *asked)
        if key not in loaded.answers:
            found = connection.execute(_ANSWER, key).fetchone()
            loaded.answers[key] = rows.answer(found) if found else None


def load_states(
    connection: sqlite3.Connection, loaded: Rows, bot_id: str, identities: Iterable[str]
) -> frozenset[str]:
    """Adds the states of the identities and of all that W reaches from them (R11): who these
    are."""
    waiting, seen = set(identities), set[str]()
    while waiting:
        identity = waiting.pop()
        seen.add(identity)
        key: Key = (bot_id, loaded.names.get((bot_id, identity), identity))
        if key not in loaded.states:
            key = _load_state(connection, loaded, bot_id, identity)
        waiting |= neighbours(identity, loaded.states[key].links) - seen
    return frozenset(seen)


def _load_state(connection: sqlite3.Connection, loaded: Rows, bot_id: str, identity: str) -> Key:
    """Adds the identity's own state; says where. Once erased it is under its digest (R15)."""
    name = identity
    if _has_erased(connection, loaded, bot_id):
        name = loaded.digest(bot_id, identity)
    found = connection.execute(_STATE, (bot_id, identity, name)).fetchall()
    erased = name != identity and any(row[0] == name for row in found)
    key = (bot_id, name if erased else identity)
    if key[1] != identity:
        loaded.names[bot_id, identity] = name
    if len(found) > 1:
        raise InconsistentRecord("An erased identity has a record beside that of its erasure.")
    if key not in loaded.states:
        loaded.states[key] = rows.state(found[0][1:]) if found else UNKNOWN
    return key


def _has_erased(connection: sqlite3.Connection, loaded: Rows, bot_id: str) -> bool:
    """Whether the bot has erased anybody: digests cost, and mostly nobody has one."""
    if bot_id not in loaded.has_erased:
        loaded.has_erased[bot_id] = _exists(connection, _ERASED, (bot_id,))
    return loaded.has_erased[bot_id]


def states_of(
    connection: sqlite3.Connection, loaded: Rows, bot_id: str, identities: Iterable[str]
) -> dict[str, State]:
    """The states of the identities and of all that W reaches from them (R11)."""
    seen = load_states(connection, loaded, bot_id, identities)
    return {who: loaded.states[bot_id, loaded.names.get((bot_id, who), who)] for who in seen}


def _exists(connection: sqlite3.Connection, sql: str, key: tuple[Any, ...]) -> bool:
    return bool(connection.execute(sql, key).fetchone()[0])


def save(connection: sqlite3.Connection, writes: Writes) -> None:
    """Writes each changed row once, and the events after them, chained."""
    insert(connection, "REPLACE INTO identities", _state_rows(writes.states))
    entries.append(connection, writes.events)
    insert(
        connection,
        "REPLACE INTO templates",
        [rows.template_row(key[0], record) for key, record in writes.templates.items()],
    )
    insert(
        connection, "REPLACE INTO messages", list(map(rows.message_row, writes.messages.values()))
    )
    # An id is made of the fact that it tells: what is owed already is not owed twice.
    insert(
        connection,
        "INSERT OR IGNORE INTO callbacks",
        list(map(rows.callback_row, writes.callbacks)),
    )
    insert(
        connection,
        "INSERT OR IGNORE INTO webhooks",
        [rows.webhook_row(bot_id, kept) for bot_id, kept in writes.webhooks],
    )
    if writes.notes:
        connection.executemany(
            "UPDATE webhooks SET note = ? WHERE bot_id = ? AND webhook_id = ?",
            [(note, *key) for key, note in writes.notes.items()],
        )
    insert(
        connection,
        "REPLACE INTO reviews",
        [rows.review_row(key[0], item) for key, item in writes.reviews.items()],
    )
    insert(
        connection,
        "REPLACE INTO answers",
        [rows.answer_row(key[0], kept) for key, kept in writes.answers.items()],
    )
    imports.save(connection, writes)
    if writes.blacklist:
        _save_blacklist(connection, writes.blacklist)


def _state_rows(changed: dict[Key, State]) -> list[rows.Row]:
    return [rows.state_row(key[0], key[1], state) for key, state in changed.items()]


def _save_blacklist(connection: sqlite3.Connection, changed: dict[Key, bool]) -> None:
    insert(connection, "REPLACE INTO blacklist", [key for key, on in changed.items() if on])
    connection.executemany(
        "DELETE FROM blacklist WHERE bot_id = ? AND identity = ?",
        [key for key, listed in changed.items() if not listed],
    )
