"""`ports/backlog.py` on the file, with a connection of its own: looking holds up no work."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from optin.ports.backlog import HeldUp
from optin.stores.sqlite.threads import ConnectionThread

# Each count is one walk over a partial index that holds nothing but what is counted.
_LENGTHS = """SELECT 'messages', count(*) FROM messages WHERE stage = 'waiting'
 UNION ALL SELECT 'unsettled', count(*) FROM messages WHERE stage = 'claimed'
 UNION ALL SELECT 'callbacks', count(*) FROM callbacks WHERE stage = 'waiting'
 UNION ALL SELECT 'not_understood', count(*) FROM webhooks WHERE note <> ''"""
# The + keeps SQLite from going through all that the bot ever sent.
_HELD_UP = """SELECT details, count(*), min(created), min(due) FROM messages
 WHERE stage = 'waiting' AND +bot_id = ? GROUP BY details ORDER BY count(*) DESC LIMIT 20"""


class SQLiteBacklog:
    """What waits in one file."""

    def __init__(self, path: Path) -> None:
        self._thread = ConnectionThread(path, read_only=True)

    async def lengths(self) -> Mapping[str, int]:
        """See `Backlog`."""
        return await self._thread.run(lambda c: dict(c.execute(_LENGTHS).fetchall()))

    async def held_up(self, bot_id: str) -> Sequence[HeldUp]:
        """See `Backlog`."""

        def look(connection: sqlite3.Connection) -> list[HeldUp]:
            return [HeldUp(*row) for row in connection.execute(_HELD_UP, (bot_id,)).fetchall()]

        return await self._thread.run(look)

    async def close(self) -> None:
        """Closes the connection."""
        await self._thread.close()
