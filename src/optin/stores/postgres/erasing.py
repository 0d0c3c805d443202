"""Forgetting a contact on PostgreSQL (R15). `TABLES` says for each table what is done with it.

Rows that were deleted or emptied stay in the server's files until it vacuums; `compact` does so at
once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from optin.domain.bots import Bot
from optin.domain.events import Kind
from optin.domain.identities import is_digest
from optin.ports.records import Erasing
from optin.stores import erasure
from optin.stores.batch import Batch, Rows
from optin.stores.ledger import Head
from optin.stores.postgres import tables
from optin.stores.postgres.commits import UnderWay
from optin.stores.postgres.connection import Row, Session, fetch
from optin.stores.postgres.ledger_pages import LEDGER
from optin.stores.postgres.loading import lock_states, look_up_states
from optin.stores.postgres.queues import times
from optin.stores.postgres.saving import as_read, save
from optin.stores.texts import from_json

#: What becomes of a contact's data, by table. A test holds it against the schema.
TABLES = {
    **erasure.TABLES,
    "writers": "holds nobody's data",
    "marks": "holds nobody's data",
}

_OTHERS = """SELECT kind, others FROM events
 WHERE bot_id = $1 AND identity = ANY($2) AND others <> ''"""
_ENTRIES = """SELECT {columns} FROM {table}
 WHERE bot_id = $1 AND identity = ANY($2) AND emptied = '' ORDER BY event_id FOR UPDATE"""
#: Of somebody who was erased before, entries of older events may name others who were not.
_NAMING_OTHERS = f"""SELECT {tables.EVENTS.columns} FROM events
 WHERE bot_id = $1 AND identity = ANY($2) AND emptied = '' AND kind <> 'erased' AND others <> ''
 ORDER BY event_id FOR UPDATE"""
_EMPTY = """UPDATE {table} SET identity = t.identity, evidence = t.evidence, context = t.context,
 others = t.others, salt = t.salt, emptied = t.emptied, erased_by = t.erased_by
 FROM unnest($2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[],
  $8::bytea[], $9::bytea[])
  AS t (event_id, identity, evidence, context, others, salt, emptied, erased_by)
 WHERE {table}.bot_id = $1 AND {table}.event_id = t.event_id"""
_UNNAME = "DELETE FROM identities WHERE bot_id = $1 AND identity = ANY($2)"
_DELETE = "DELETE FROM {table} WHERE bot_id = $1 AND identity = ANY($2)"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What the deciding commit did. `scope`: the contact's identities as they were."""

    at: int
    scope: frozenset[str]
    entries: int
    records: int


async def forget(
    under_way: UnderWay, bot_id: str, identity: str, erasing: Erasing
) -> tuple[Forgotten, Mapping[str, Head]]:
    """All that decides, within the transaction that is under way."""
    session, loaded = under_way.session, Rows(under_way.digest)

    def names(who: str) -> str:
        return under_way.digest(bot_id, who)

    scope = await scope_of(session, loaded, bot_id, identity, lock=True)
    found = await _entries(session, bot_id, scope, names)
    gone = erasure.emptied(found, names, erasing)
    await _empty(session, bot_id, [row for its_rows in gone.values() for row in its_rows])
    now = await under_way.now()
    # Of a bot that was removed the ledger stays, and its contacts can still be forgotten.
    loaded.bots = {bot_id: (await under_way.bots({bot_id}))[bot_id] or Bot(bot_id)}
    batch = Batch(now, loaded)
    plain = _rename(batch, bot_id, scope)
    await session.execute(_UNNAME, bot_id, sorted(plain))
    at = batch.attempt(erasure.Erase(bot_id, erasure.claims(scope, names, gone, erasing)))
    if isinstance(at, Exception):
        raise at
    heads = await save(session, under_way.writer, as_read(loaded), batch.writes, set())
    records = await _delete(session, bot_id, scope)
    return Forgotten(at, scope, sum(map(len, gone.values())), records), heads


async def scope_of(
    session: Session, loaded: Rows, bot_id: str, identity: str, *, lock: bool = False
) -> frozenset[str]:
    """W, and whoever else the contact's linking entries name, step by step; adds their states."""
    scope, waiting = frozenset[str](), frozenset({identity})
    while waiting:
        if lock:
            await lock_states(session, loaded, bot_id, sorted(waiting))
        scope |= await look_up_states(session, loaded, bot_id, waiting)
        told = await fetch(session, _OTHERS, bot_id, sorted(scope))
        named = (from_json(row[1]) for row in told if row[0] != Kind.ERASED.value)
        waiting = frozenset(other for others in named for other in others) - scope
    return scope


async def _entries(
    session: Session, bot_id: str, scope: Collection[str], names: erasure.Names
) -> list[Row]:
    plain = sorted(who for who in scope if not is_digest(who))
    found: list[Row] = []
    for table in LEDGER:
        sql = _ENTRIES.format(columns=tables.EVENTS.columns, table=table)
        found += await fetch(session, sql, bot_id, plain)
    digests = sorted({names(who) for who in scope})
    for row in await fetch(session, _NAMING_OTHERS, bot_id, digests):
        if not all(map(is_digest, from_json(row[16]))):
            found.append(row)
    return [tuple(row) for row in found]


async def _empty(session: Session, bot_id: str, rows: Iterable[Row]) -> None:
    by_table: dict[str, list[Row]] = {table: [] for table in LEDGER}
    for row in rows:
        table = "contact_messages" if row[3] == Kind.MESSAGE.value else "events"
        by_table[table].append((bot_id, row[1], row[2], *row[14:17], *row[20:23]))
    for table, changed in by_table.items():
        if changed:
            await session.execute(_EMPTY.format(table=table), bot_id, *tables.arrays(changed))


def _rename(batch: Batch, bot_id: str, scope: Collection[str]) -> set[str]:
    """Puts the states under digests, links included: who had one under the plain name."""
    rows, plain = batch.rows, set[str]()

    def names(who: str) -> str:
        return rows.digest(bot_id, who)

    for who in scope:
        name = names(who)
        if name != who and (bot_id, who) not in rows.names:
            rows.states[bot_id, name] = rows.states.pop((bot_id, who))
            rows.names[bot_id, who] = name
            plain.add(who)
    for name in {names(who) for who in scope}:
        state = erasure.renamed(rows.states[bot_id, name], names)
        rows.states[bot_id, name] = batch.writes.states[bot_id, name] = state
    return plain


async def _delete(session: Session, bot_id: str, scope: Collection[str]) -> int:
    return sum(
        [
            times(await session.execute(_DELETE.format(table=table), bot_id, sorted(scope)))
            for table in ("messages", "blacklist", "import_rows")
        ]
    )


async def compact(session: Session) -> None:
    """Rewrites every table that anybody's data was in; nobody else reads or writes it meanwhile."""
    await session.execute("SET statement_timeout = 0; SET lock_timeout = 0")
    for table, done in sorted(TABLES.items()):
        if done != "holds nobody's data":
            await session.execute(f"VACUUM (FULL) {table}")
