"""`ports/backlog.py` on the server, with a connection of its own: looking holds up no work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optin.ports.backlog import HeldUp
from optin.stores.postgres.connection import Sessions, fetch
from optin.stores.postgres.errors import store_errors

# Each count is one walk over a partial index that holds nothing but what is counted.
_LENGTHS = """SELECT 'messages', count(*) FROM messages WHERE stage = 'waiting'
 UNION ALL SELECT 'unsettled', count(*) FROM messages WHERE stage = 'claimed'
 UNION ALL SELECT 'callbacks', count(*) FROM callbacks WHERE stage = 'waiting'
 UNION ALL SELECT 'not_understood', count(*) FROM webhooks WHERE note <> ''"""
_HELD_UP = """SELECT details, count(*), min(created), min(due) FROM messages
 WHERE stage = 'waiting' AND bot_id = $1 GROUP BY details ORDER BY count(*) DESC LIMIT 20"""


class PostgresBacklog:
    """What waits in one database."""

    def __init__(self, url: str) -> None:
        self._sessions = Sessions(url, 1)

    async def lengths(self) -> Mapping[str, int]:
        """See `Backlog`."""
        with store_errors():
            found = await self._sessions.read(lambda s: fetch(s, _LENGTHS))
        return {row[0]: row[1] for row in found}

    async def held_up(self, bot_id: str) -> Sequence[HeldUp]:
        """See `Backlog`."""
        with store_errors():
            found = await self._sessions.read(lambda s: fetch(s, _HELD_UP, bot_id))
        return [HeldUp(*row) for row in found]

    async def close(self) -> None:
        """Closes the connection."""
        await self._sessions.close()
