"""Rows added by statements of bounded kinds: many rows a statement, few statements to prepare.

They name their rows as VALUES: what Citus is given as INSERT ... SELECT it commits in two phases,
also on one shard, and the second may come after the acknowledgement (R6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from optin.stores.postgres.connection import Row, Session, fetch
from optin.stores.postgres.tables import by_bot

#: Rows of one statement.
_SIZES = (64, 16, 4, 1)


async def add(
    session: Session, statement: Callable[[int], str], rows: Iterable[Row], returning: str = ""
) -> list[Row]:
    """Adds whole rows, bot by bot. `statement`: of a table, for a number of rows. Returns what
    each statement returns."""
    returned: list[Row] = []
    for bot_id, its_rows in by_bot(rows).items():
        for some in _pieces(its_rows):
            values = [value for row in some for value in row[1:]]
            returned += await fetch(session, statement(len(some)) + returning, bot_id, *values)
    return returned


def _pieces(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    begin = 0
    for size in _SIZES:
        while len(rows) - begin >= size:
            yield rows[begin : begin + size]
            begin += size
