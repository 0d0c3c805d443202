"""One batch as SQL: load what the works will look at, save what they wrote."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, MutableMapping
from functools import partial
from typing import Any

from optin.domain.errors import InconsistentRecord
from optin.domain.links import UNKNOWN, State, neighbours
from optin.ports.store import Reads, Template, Work
from optin.stores import import_rows, rows
from optin.stores.batch import Key, Rows, Writes
from optin.stores.sqlite import entries, imports
from optin.stores.sqlite.connection import insert
from optin.stores.sqlite.directory import BUMP

Read = Callable[[rows.Row], Any]

_STATE = """SELECT identity, opt_in, opt_in_with_evidence, start_word, opt_out_keyword,
 opt_out_other, opt_out_from_contact, message, provider_marketing_stop, provider_marketing_resume,
 marketing_stop, marketing_resume, wordings, links, version
 FROM identities WHERE bot_id = ?1 AND identity = ?2"""
#: An IN makes a table of its own for what it names: so only where there are two names.
_EITHER_STATE = _STATE.replace("= ?2", "IN (?2, ?3)")
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
#: So many templates of all bots are remembered.
_REMEMBERED = 1_000
_BLACKLISTED = "SELECT EXISTS (SELECT 1 FROM blacklist WHERE bot_id = ? AND identity = ?)"


def load(
    connection: sqlite3.Connection, loaded: Rows, work: Work[Any], remembered: dict[Key, Template]
) -> None:
    """Adds the rows that the work's `reads` name, unless the batch has them already.

    `remembered`: templates as of this transaction's version of the directory. Raises
    `InconsistentRecord` for a row that cannot be read.
    """
    bot_id, reads = work.bot_id, work.reads
    look_up = partial(_look_up, connection, bot_id)
    load_states(connection, loaded, bot_id, reads.identities)
    for template in reads.templates:
        key = (bot_id, *template)
        if key not in loaded.templates:
            found = remembered.get(key) or _template(connection, remembered, key)
            loaded.templates[key] = found
    for event_id in reads.event_ids:
        look_up(loaded.recorded, _RECORDED, _is, event_id)
    if reads.messages or reads.upstream_ids:
        _load_messages(look_up, loaded, bot_id, reads)
    for review_id in reads.reviews:
        look_up(loaded.reviews, _REVIEW, rows.review, review_id)
    for answer in reads.answers:
        look_up(loaded.answers, _ANSWER, rows.answer, *answer)
    for import_id in reads.imports:
        look_up(loaded.imports, imports.JOB, import_rows.job, import_id)
    for identity in reads.blacklist:
        look_up(loaded.blacklist, _BLACKLISTED, _is, identity)


def _load_messages(look_up: Callable[..., None], loaded: Rows, bot_id: str, reads: Reads) -> None:
    named = set(reads.messages)
    for upstream_id in reads.upstream_ids:
        look_up(loaded.upstream_ids, _BY_UPSTREAM_ID, _first, upstream_id)
        if message_id := loaded.upstream_ids[bot_id, upstream_id]:
            named.add(message_id)
    for message_id in named:
        look_up(loaded.messages, _MESSAGE, rows.message, message_id)


def _template(
    connection: sqlite3.Connection, remembered: dict[Key, Template], key: Key
) -> Template | None:
    """Remembered from now on."""
    row = connection.execute(_TEMPLATE, key).fetchone()
    if row is None:
        return None
    if len(remembered) >= _REMEMBERED:
        remembered.clear()
    remembered[key] = found = rows.template(row)
    return found


def _look_up(
    connection: sqlite3.Connection,
    bot_id: str,
    known: MutableMapping[Any, Any],
    sql: str,
    read: Read,
    *key: Any,
) -> None:
    if (bot_id, *key) not in known:
        found = connection.execute(sql, (bot_id, *key)).fetchone()
        known[bot_id, *key] = read(found) if found else None


def _first(row: rows.Row) -> Any:
    return row[0]


def _is(row: rows.Row) -> bool:
    return bool(row[0])


def load_states(
    connection: sqlite3.Connection, loaded: Rows, bot_id: str, identities: Iterable[str]
) -> frozenset[str]:
    """Adds the states of the identities and of all that W reaches from them (R11): who these
    are."""
    waiting = set(identities)
    seen: set[str] = set()
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
    if bot_id not in loaded.has_erased:
        loaded.has_erased[bot_id] = _exists(connection, _ERASED, (bot_id,))
    if loaded.has_erased[bot_id]:  # digests cost, and mostly nobody has one
        name = loaded.digest(bot_id, identity)
        found = connection.execute(_EITHER_STATE, (bot_id, identity, name)).fetchall()
    else:
        found = connection.execute(_STATE, (bot_id, identity)).fetchall()
    erased = name != identity and any(row[0] == name for row in found)
    key = (bot_id, name if erased else identity)
    if key[1] != identity:
        loaded.names[bot_id, identity] = name
    if len(found) > 1:
        raise InconsistentRecord("An erased identity has a record beside that of its erasure.")
    if key not in loaded.states:
        loaded.states[key] = rows.state(found[0][1:]) if found else UNKNOWN
    return key


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
    if writes.states:
        changed = [rows.state_row(key[0], key[1], state) for key, state in writes.states.items()]
        insert(connection, "REPLACE INTO identities", changed)
    if writes.events:
        entries.append(connection, writes.events)
    if writes.messages:
        changed = list(map(rows.message_row, writes.messages.values()))
        insert(connection, "REPLACE INTO messages", changed)
    if writes.callbacks:
        # An id is made of the fact that it tells: what is owed already is not owed twice.
        owed = list(map(rows.callback_row, writes.callbacks))
        insert(connection, "INSERT OR IGNORE INTO callbacks", owed)
    if writes.answers:
        changed = [rows.answer_row(key[0], kept) for key, kept in writes.answers.items()]
        insert(connection, "REPLACE INTO answers", changed)
    if writes.webhooks or writes.notes:
        _save_webhooks(connection, writes)
    if writes.reviews or writes.templates or writes.blacklist:
        _save_rarer(connection, writes)
    if writes.imports or writes.import_rows:
        imports.save(connection, writes)


def _save_webhooks(connection: sqlite3.Connection, writes: Writes) -> None:
    kept = [rows.webhook_row(bot_id, webhook) for bot_id, webhook in writes.webhooks]
    insert(connection, "INSERT OR IGNORE INTO webhooks", kept)
    connection.executemany(
        "UPDATE webhooks SET note = ? WHERE bot_id = ? AND webhook_id = ?",
        [(note, *key) for key, note in writes.notes.items()],
    )


def _save_rarer(connection: sqlite3.Connection, writes: Writes) -> None:
    changed = [rows.review_row(key[0], item) for key, item in writes.reviews.items()]
    insert(connection, "REPLACE INTO reviews", changed)
    changed = [rows.template_row(key[0], record) for key, record in writes.templates.items()]
    insert(connection, "REPLACE INTO templates", changed)
    if changed:
        connection.execute(BUMP)  # so that every process forgets the old ones
    listed = [key for key, on in writes.blacklist.items() if on]
    insert(connection, "REPLACE INTO blacklist", listed)
    connection.executemany(
        "DELETE FROM blacklist WHERE bot_id = ? AND identity = ?",
        [key for key, on in writes.blacklist.items() if not on],
    )
