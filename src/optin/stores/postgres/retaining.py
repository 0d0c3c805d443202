"""Cutting the ledger on PostgreSQL, a bounded piece at a time (R16).

A chain is cut by its writer alone, who appends the checkpoint. Chains of writers that are gone are
cut by whoever finds their slot free.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from optin.domain import chain
from optin.domain.consent import Clocks
from optin.domain.events import Kind
from optin.domain.ids import time_ordered_id
from optin.domain.retention import Horizons
from optin.stores import ledger, retention
from optin.stores.batch import Rows
from optin.stores.ledger import Head, Row
from optin.stores.postgres import tables
from optin.stores.postgres.adding import add
from optin.stores.postgres.commits import UnderWay
from optin.stores.postgres.connection import Session, fetch
from optin.stores.postgres.ledger_pages import LEDGER
from optin.stores.postgres.loading import look_up_states

#: Entries that one cut may take up; one commit is always taken whole.
_AT_ONCE = 1_000
_OLDEST = """SELECT seq, hash, events + messages FROM commits
 WHERE bot_id = $1 AND writer = $2 AND recorded < $3 ORDER BY seq LIMIT 500"""
_ENTRIES = " UNION ALL ".join(
    f"""SELECT {tables.EVENTS.columns} FROM {table}
 WHERE bot_id = $1 AND writer = $2 AND seq <= $3"""
    for table in LEDGER
)
_MOVE = """UPDATE {table} SET seq = t.seq, place = t.place
 FROM unnest($2::bytea[], $3::bigint[], $4::bigint[]) AS t (event_id, seq, place)
 WHERE {table}.bot_id = $1 AND {table}.event_id = t.event_id"""
_DROP = "DELETE FROM {table} WHERE bot_id = $1 AND event_id = ANY($2)"
_DROP_COMMITS = "DELETE FROM commits WHERE bot_id = $1 AND writer = $2 AND seq <= $3"
_UNUSED = """DELETE FROM wordings w WHERE bot_id = $1 AND hash = ANY($2)
 AND NOT EXISTS (SELECT 1 FROM events WHERE bot_id = $1 AND wording = w.hash)
 AND NOT EXISTS (SELECT 1 FROM contact_messages WHERE bot_id = $1 AND wording = w.hash)"""


class NothingToCut(Exception):
    """The writer's chain of the bot has nothing that is old enough."""


async def cut(under_way: UnderWay, bot_id: str, until: Horizons) -> tuple[int, Mapping[str, Head]]:
    """Cuts the oldest commits of this writer: how many entries went. Raises `NothingToCut`."""
    session, writer = under_way.session, under_way.writer
    through = await _through(session, bot_id, writer.slot, until)
    if through is None:
        raise NothingToCut
    found = await fetch(session, _ENTRIES, bot_id, writer.slot, through.seq)
    rows = sorted((tuple(row) for row in found), key=lambda row: row[18:20])
    loaded = Rows(under_way.digest)
    await look_up_states(session, loaded, bot_id, {row[2] for row in rows})

    def clocks(identity: str) -> Clocks:
        return loaded.states[bot_id, loaded.names.get((bot_id, identity), identity)].clocks

    head, now = await writer.head(session, bot_id), await under_way.now()
    event_id = time_ordered_id(now, os.urandom(10))
    asking = retention.Cutting(
        bot_id, writer.slot, through, head, now, event_id, os.urandom(chain.SALT)
    )
    made = retention.cut(asking, rows, clocks, until)
    return len(made.dropped), {bot_id: await _save(session, bot_id, writer.slot, made, head)}


async def _through(session: Session, bot_id: str, writer: int, until: Horizons) -> Head | None:
    """The last commit to go."""
    last, taken = None, 0
    for seq, hashed, size in await fetch(session, _OLDEST, bot_id, writer, until.newest):
        if last is not None and taken + size > _AT_ONCE:
            break
        last, taken = Head(seq, hashed), taken + size
    return last


async def _save(
    session: Session, bot_id: str, writer: int, made: retention.Cut, head: Head
) -> Head:
    await session.execute(_DROP_COMMITS, bot_id, writer, made.through.seq)
    for table in LEDGER:
        moved = [(bot_id, row[1], *row[18:20]) for row in made.carried if _table(row) == table]
        if moved:
            await session.execute(_MOVE.format(table=table), bot_id, *tables.arrays(moved))
        gone = [row[1] for row in made.dropped if _table(row) == table]
        await session.execute(_DROP.format(table=table), bot_id, gone)
    shown = sorted({row[13] for row in made.dropped if row[13] is not None})
    await session.execute(_UNUSED, bot_id, shown)
    await add(session, tables.EVENTS.insert, [made.checkpoint[0]])
    commit = ledger.commit(made.checkpoint, head)
    await add(session, tables.COMMITS.insert, [ledger.commit_row(commit)])
    return Head(commit.seq, commit.hash)


def _table(row: Row) -> str:
    return "contact_messages" if row[3] == Kind.MESSAGE.value else "events"
