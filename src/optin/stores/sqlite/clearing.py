"""Finding and clearing what names a forgotten contact without being filed under them (R15).

It is looked for on a connection of its own, row by row: only what is found is touched by the
writer, for whose lock every bot waits.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from optin.stores import erasure
from optin.stores.sqlite.connection import transaction

_AT_ONCE = 500
_OLD_IMPORT = """coalesce((SELECT i.created FROM imports i
 WHERE i.bot_id = t.bot_id AND i.import_id = t.import_id), 0) <= ?2"""


class _Place(NamedTuple):
    """A table. `searched`: the columns in which the contact may be named; `until`: the condition
    of what is old enough to go; `clear`: what is done with a row."""

    table: str
    key: tuple[str, ...]
    searched: tuple[str, ...]
    until: str
    clear: str = "DELETE FROM {table}"

    @property
    def look(self) -> str:
        """?1 bot, ?2 until when, ?3 the identities as JSON; the regular expression decides."""
        named = " OR ".join(
            f"instr(CAST(t.{column} AS BLOB), CAST(value AS BLOB)) > 0" for column in self.searched
        )
        columns = ", ".join(f"t.{column}" for column in (*self.key, *self.searched))
        return f"""SELECT {columns} FROM {self.table} t WHERE t.bot_id = ?1 AND {self.until}
         AND EXISTS (SELECT 1 FROM json_each(?3) WHERE {named})"""  # noqa: S608 - ours

    @property
    def change(self) -> str:
        """Of one row: the bot, and the key."""
        where = "".join(f" AND {column} = ?" for column in self.key)
        return f"{self.clear.format(table=self.table)} WHERE bot_id = ?{where}"


#: Of answers the keys stay: what was asked for under one must not be done again.
_PLACES = (
    _Place("callbacks", ("callback_id",), ("body",), "t.created <= ?2"),
    _Place("webhooks", ("webhook_id",), ("body",), "t.received <= ?2"),
    _Place("reviews", ("review_id",), ("identities",), "t.created <= ?2"),
    _Place("import_rows", ("import_id", "number"), ("row", "details"), _OLD_IMPORT),
    _Place(
        "answers",
        ("actor", "route", "key"),
        ("identities", "body"),
        "t.created <= ?2 AND t.status > 0",
        "UPDATE answers SET status = 0, body = x'', identities = ''",
    ),
)
_CHANGES = {place.table: place.change for place in _PLACES}


class Named(NamedTuple):
    """A row in which the contact is named: its table, and its key within the bot."""

    table: str
    key: tuple[Any, ...]


def naming(
    connection: sqlite3.Connection, bot_id: str, scope: Collection[str], until: int
) -> list[Named]:
    """Where the contact is named in what came until then, UTC µs.

    It reads all there is: give it a connection of its own.
    """
    named = erasure.named_in(scope)
    asked = (bot_id, until, json.dumps(sorted(scope)))
    return [
        Named(place.table, row[: len(place.key)])
        for place in _PLACES
        for row in connection.execute(place.look, asked)
        if any(named.search(text) for text in _bytes(row[len(place.key) :]))
    ]


def _bytes(texts: Iterable[str | bytes]) -> Iterable[bytes]:
    for text in texts:
        yield text.encode(errors="surrogateescape") if isinstance(text, str) else bytes(text)


def clear(writer: sqlite3.Connection, bot_id: str, found: Sequence[Named]) -> int:
    """Deletes or empties these rows, a few hundred a commit."""
    for begin in range(0, len(found), _AT_ONCE):
        with transaction(writer):
            for table, key in found[begin : begin + _AT_ONCE]:
                writer.execute(_CHANGES[table], (bot_id, *key))
    return len(found)
