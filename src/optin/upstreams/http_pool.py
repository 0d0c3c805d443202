"""A client's connections: made, kept open between requests, and no more than agreed."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import defaultdict, deque

from aiohappyeyeballs import start_connection

from optin.upstreams.http_connection import HttpConnection, Origin

#: Seconds for which a connection waits for its next request. Servers keep theirs longer.
IDLE = 15.0
#: Seconds until the next address of a name is tried beside the last one (RFC 8305).
_NEXT_ADDRESS = 0.25


class ConnectionPool:
    """At most `limit` connections, each for one request at a time.

    A place is what a request has from `taken` or `connected` until `put`; those who wait for one
    get it in their order. `connect_timeout`: seconds for the place with TCP and TLS.
    """

    def __init__(self, limit: int, connect_timeout: float) -> None:
        self._free = limit
        self._connect_timeout = connect_timeout
        self._loop: asyncio.AbstractEventLoop
        self._alive: set[HttpConnection] = set()
        #: By origin, the one that was used last at the end.
        self._idle: defaultdict[Origin, list[HttpConnection]] = defaultdict(list)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._sweeping: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None
        self._closed = False

    def taken(self, origin: Origin, *, placed: bool = False) -> HttpConnection | None:
        """A connection that was kept, if there is one, and a place with it unless `placed`."""
        idle = self._idle.get(origin)
        while idle and (placed or self._free):
            connection = idle.pop()
            if connection.usable:
                if not placed:
                    self._free -= 1
                return connection
        return None

    async def connected(self, origin: Origin) -> HttpConnection:
        """Waits for a place, and makes a connection if none is kept by then."""
        async with asyncio.timeout(self._connect_timeout):
            self._loop = asyncio.get_running_loop()
            await self._placed()
            try:
                return self.taken(origin, placed=True) or await self._made(origin)
            except BaseException:
                self._vacated()
                raise

    def put(self, connection: HttpConnection) -> None:
        """Gives the place back; keeps the connection if it may carry another request."""
        if connection.usable:
            connection.idle_since = self._loop.time()
            self._idle[connection.origin].append(connection)
            if self._sweeping is None:
                self._sweeping = self._loop.call_later(IDLE, self._sweep)
        else:
            connection.drop()
        self._free += 1
        if self._waiting:
            self._hand_on()

    async def close(self) -> None:
        """Ends all connections, the requests on them and the waiting for one."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(_closed())
        for connection in tuple(self._alive):
            connection.fail(_closed())
        self._idle.clear()
        await asyncio.sleep(0)  # in which the event loop closes the sockets

    # --- places ---

    async def _placed(self) -> None:
        if self._closed:
            raise _closed()
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                self._vacated()  # it was our turn, but nobody is here any more
            raise

    def _vacated(self) -> None:
        self._free += 1
        self._hand_on()

    def _hand_on(self) -> None:
        while self._waiting and self._free:
            turn = self._waiting.popleft()
            if not turn.done():
                self._free -= 1
                turn.set_result(None)

    # --- connections ---

    async def _made(self, origin: Origin) -> HttpConnection:
        self._make_room()
        # A name's addresses are only those of kinds that this machine has itself.
        flags = 0 if ":" in origin.host else socket.AI_ADDRCONFIG
        found = await self._loop.getaddrinfo(
            origin.host, origin.port, type=socket.SOCK_STREAM, flags=flags
        )
        open_socket = await start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS)
        _, connection = await self._loop.create_connection(
            lambda: HttpConnection(origin, self._loop, self._alive),
            sock=open_socket,
            ssl=self._context() if origin.tls else None,
            server_hostname=origin.host.rstrip(".") if origin.tls else None,
        )
        if self._closed:
            connection.drop()
            raise _closed()
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def _make_room(self) -> None:
        """Ends idle connections, the oldest first, that would be too many with a new one."""
        idle = sorted(
            (connection for kept in self._idle.values() for connection in kept),
            key=lambda connection: connection.idle_since,
        )
        for connection in idle[: max(0, len(idle) - self._free)]:
            self._idle[connection.origin].remove(connection)
            connection.drop()

    def _sweep(self) -> None:
        """Ends what has been idle for too long, and comes back when the next one will have been."""
        now = self._loop.time()
        for origin, kept in tuple(self._idle.items()):
            while kept and (kept[0].idle_since + IDLE <= now or not kept[0].usable):
                kept.pop(0).drop()
            if not kept:
                del self._idle[origin]
        left = [kept[0].idle_since for kept in self._idle.values()]
        self._sweeping = self._loop.call_at(min(left) + IDLE, self._sweep) if left else None


def _closed() -> ConnectionError:
    return ConnectionError("the client is closed")
