"""What a batch's works wrote, as SQL: each changed row once, and the ledger's entries chained.

One table after the other, always in the same order. What was read as absent is inserted, and if
somebody else was faster, that is a `UniqueViolationError`: the batch then reads again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optin.stores import import_rows, ledger, rows
from optin.stores.batch import Key, Rows, Writes
from optin.stores.ledger import Head
from optin.stores.postgres import tables
from optin.stores.postgres.adding import add
from optin.stores.postgres.connection import Row, Session
from optin.stores.postgres.errors import Outrun
from optin.stores.postgres.tables import Table
from optin.stores.postgres.writers import Writer

_UNBLANK = "DELETE FROM identities WHERE bot_id = $1 AND identity = ANY($2) AND version = 0"
_UNLIST = "DELETE FROM blacklist WHERE bot_id = $1 AND identity = ANY($2)"
# A template that was read is not locked, since every message of it reads it: it is replaced only
# if it is still what was read.
_REPLACE_TEMPLATE = """UPDATE templates SET category = $4, status = $5, updated = $6,
 components = $7 WHERE bot_id = $1 AND name = $2 AND language = $3
 AND category IS NOT DISTINCT FROM $8 AND status = $9 AND updated = $10 AND components = $11"""
_NOTE = "UPDATE webhooks SET note = $3 WHERE bot_id = $1 AND webhook_id = $2"


def as_read(loaded: Rows) -> Rows:
    """What is read now, before works change it."""
    return Rows(
        loaded.digest,
        templates=dict(loaded.templates),
        messages=dict(loaded.messages),
        reviews=dict(loaded.reviews),
        answers=dict(loaded.answers),
        imports=dict(loaded.imports),
    )


async def save(
    session: Session, writer: Writer, read: Rows, writes: Writes, blanks: set[Key]
) -> dict[str, Head]:
    """Writes it all; where each bot's chain stands then. `read`: the rows before the works ran."""
    states = [rows.state_row(key[0], key[1], state) for key, state in writes.states.items()]
    await add(session, tables.IDENTITIES.put, states)
    await _unblank(session, blanks - writes.states.keys())
    heads = await _append(session, writer, writes)
    await _save_templates(session, read, writes)
    await _put(
        session,
        tables.MESSAGES,
        {key: rows.message_row(each) for key, each in writes.messages.items()},
        read.messages,
    )
    # An id is made of the fact that it tells: what is owed already is not owed twice.
    owed = map(rows.callback_row, writes.callbacks)
    await add(session, tables.CALLBACKS.insert_new, owed)
    kept = (rows.webhook_row(bot_id, each) for bot_id, each in writes.webhooks)
    await add(session, tables.WEBHOOKS.insert_new, kept)
    for (bot_id, webhook_id), note in sorted(writes.notes.items()):
        await session.execute(_NOTE, bot_id, webhook_id, note)
    await _put(
        session,
        tables.REVIEWS,
        {key: rows.review_row(key[0], each) for key, each in writes.reviews.items()},
        read.reviews,
    )
    answers = {key: rows.answer_row(key[0], each) for key, each in writes.answers.items()}
    await _put(session, tables.ANSWERS, answers, read.answers)
    jobs = {key: import_rows.job_row(each) for key, each in writes.imports.items()}
    await _put(session, tables.IMPORTS, jobs, read.imports)
    kept_rows = {
        (bot_id, each.import_id, each.number): import_rows.kept_row(bot_id, each)
        for bot_id, each in writes.import_rows
    }
    await add(session, tables.IMPORT_ROWS.put, kept_rows.values())
    await _save_blacklist(session, writes.blacklist)
    return heads


async def _put(
    session: Session, table: Table, values: Mapping[Key, Row], read: Mapping[Key, Any]
) -> None:
    new = [row for key, row in values.items() if key in read and read[key] is None]
    await add(session, table.insert, new)
    known = [row for key, row in values.items() if key not in read or read[key] is not None]
    await add(session, table.put, known)


async def _unblank(session: Session, unused: set[Key]) -> None:
    for bot_id in sorted({key[0] for key in unused}):
        names = sorted(key[1] for key in unused if key[0] == bot_id)
        await session.execute(_UNBLANK, bot_id, names)


async def _append(session: Session, writer: Writer, writes: Writes) -> dict[str, Head]:
    """Adds the events to the ledger, one commit for each bot that has any (R14)."""
    bots = sorted({bot_id for bot_id, _ in writes.events})
    heads = {bot_id: await writer.head(session, bot_id) for bot_id in bots}
    made = ledger.chained(writes.events, writer.slot, heads.__getitem__)
    shown = [(*key, text) for key, text in made.wordings.items()]
    await add(session, tables.WORDINGS.insert_new, shown)
    await add(session, tables.EVENTS.insert, made.events)
    await add(session, tables.CONTACT_MESSAGES.insert, made.messages)
    await add(session, tables.COMMITS.insert, map(ledger.commit_row, made.commits))
    return {each.bot_id: Head(each.seq, each.hash) for each in made.commits}


async def _save_templates(session: Session, read: Rows, writes: Writes) -> None:
    unread = {k: v for k, v in writes.templates.items() if read.templates.get(k) is None}
    values = {key: rows.template_row(key[0], record) for key, record in unread.items()}
    await _put(session, tables.TEMPLATES, values, read.templates)
    for key, record in sorted(writes.templates.items()):
        before = read.templates.get(key)
        if before is not None:
            was = rows.template_row(key[0], before)
            new = rows.template_row(key[0], record)
            if await session.execute(_REPLACE_TEMPLATE, *new, *was[3:]) != "UPDATE 1":
                raise Outrun("a template changed since it was read")


async def _save_blacklist(session: Session, changed: Mapping[Key, bool]) -> None:
    await add(session, tables.BLACKLIST.insert_new, [k for k, on in changed.items() if on])
    gone = [key for key, on in changed.items() if not on]
    for bot_id, names in tables.by_bot(gone).items():
        await session.execute(_UNLIST, bot_id, sorted(name for _, name in names))
