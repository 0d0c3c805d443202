"""Connections that the bots share, none of them all: who hangs, hangs alone (H6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

_CONNECT_TIMEOUT = 10.0


@dataclass(slots=True)
class SharedSession:
    """At most `limit` connections in all and `share` of one bot. `silence`: seconds in which
    nothing comes of an answer; `patience`: seconds to wait for a place, and again to connect."""

    limit: int
    share: int
    silence: float
    patience: float = _CONNECT_TIMEOUT
    _session: ClientSession | None = field(default=None, init=False, repr=False)
    _places: dict[str, asyncio.Semaphore] = field(default_factory=dict, init=False, repr=False)

    @asynccontextmanager
    async def place(self, bot_id: str) -> AsyncIterator[ClientSession]:
        """The session, for one request of the bot's. Raises `TimeoutError` if none gets free."""
        places = self._places.setdefault(bot_id, asyncio.Semaphore(self.share))
        async with asyncio.timeout(self.patience):
            await places.acquire()
        try:
            yield self._opened()
        finally:
            places.release()

    async def close(self) -> None:
        """Closes idle connections; ends requests that are under way."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=self.limit),
                timeout=ClientTimeout(total=None, connect=self.patience, sock_read=self.silence),
                cookie_jar=DummyCookieJar(),
                trust_env=False,
            )
        return self._session
