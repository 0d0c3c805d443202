"""Finding and clearing what names a forgotten contact without being filed under them (R15).

It is looked for in a snapshot, row by row; only what is found is written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from optin.stores import erasure
from optin.stores.postgres import tables
from optin.stores.postgres.connection import Row, Session, transaction
from optin.stores.postgres.ledger_pages import rows_of
from optin.stores.postgres.queues import times
from optin.stores.postgres.tables import Table

_LOOK = """SELECT {columns} FROM {table} AS t WHERE t.bot_id = $1 AND {until}
 AND EXISTS (SELECT 1 FROM unnest($3::bytea[]) AS named (who) WHERE {named})"""
_CLEAR = "DELETE FROM {table} WHERE bot_id = $1 AND ({key}) IN (SELECT * FROM unnest({arrays}))"
_EMPTY = """UPDATE {table} SET status = 0, body = '', identities = ''
 WHERE bot_id = $1 AND ({key}) IN (SELECT * FROM unnest({arrays}))"""
_OLD_IMPORT = """coalesce((SELECT i.created FROM imports i
 WHERE i.bot_id = $1 AND i.import_id = t.import_id), 0) <= $2"""
_AT_ONCE = 500


class _Place(NamedTuple):
    """A table. `searched`: where the contact may be named, as bytes; `until`: the condition of
    what is old enough to go; `clear`: what is done with rows."""

    table: Table
    searched: tuple[str, ...]
    until: str = "t.created <= $2"
    clear: str = _CLEAR

    @property
    def key(self) -> list[str]:
        """The columns of the key."""
        return list(self.table.types)[: self.table.key]

    @property
    def look(self) -> str:
        """$1 bot, $2 until when, $3 the identities; the regular expression decides."""
        return _LOOK.format(
            columns=", ".join((*(f"t.{column}" for column in self.key), *self.searched)),
            table=self.table.name,
            until=self.until,
            named=" OR ".join(f"position(who IN {text}) > 0" for text in self.searched),
        )

    @property
    def change(self) -> str:
        """$1 bot, then an array for each column of the key."""
        types = list(self.table.types.values())[: self.table.key]
        return self.clear.format(
            table=self.table.name,
            key=", ".join(self.key),
            arrays=", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types, 2)),
        )


_IDENTITIES = "convert_to(t.identities, 'UTF8')"
#: Of answers the keys stay: what was asked for under one must not be done again.
_PLACES: Mapping[str, _Place] = {
    place.table.name: place
    for place in (
        _Place(tables.CALLBACKS, ("t.body",)),
        _Place(tables.WEBHOOKS, ("t.body",), "t.received <= $2"),
        _Place(tables.REVIEWS, (_IDENTITIES,)),
        _Place(tables.IMPORT_ROWS, ("t.row", "convert_to(t.details, 'UTF8')"), _OLD_IMPORT),
        _Place(tables.ANSWERS, (_IDENTITIES, "t.body"), "t.created <= $2 AND t.status > 0", _EMPTY),
    )
}


async def naming(
    session: Session, bot_id: str, scope: Collection[str], until: int
) -> dict[str, list[Row]]:
    """Where the contact is named in what came until then, UTC µs: the keys, by table. It reads
    all there is, within a snapshot."""
    named, asked = erasure.named_in(scope), [who.encode() for who in sorted(scope)]
    found: dict[str, list[Row]] = {}
    for name, place in _PLACES.items():
        size = place.table.key
        async for row in rows_of(session, place.look, bot_id, until, asked):
            if any(named.search(text) for text in row[size:]):
                found.setdefault(name, []).append(row[:size])
    return found


async def clear(session: Session, bot_id: str, table: str, keys: Sequence[Sequence[Any]]) -> int:
    """Deletes or empties these rows, a few hundred a commit."""
    change, gone = _PLACES[table].change, 0
    for begin in range(0, len(keys), _AT_ONCE):
        some = [list(column) for column in zip(*keys[begin : begin + _AT_ONCE], strict=True)]
        async with transaction(session):
            gone += times(await session.execute(change, bot_id, *some))
    return gone
