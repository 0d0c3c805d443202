"""The HTTP client that connects first, asks for the release, and only then sends (H8).

aiohttp takes a connection (TCP and TLS, pooled or new) from its connector and writes the request
afterwards, so the release is awaited in the connector, between the two. aiohttp repeats a request
on its own only for idempotent methods, and this client only knows POST.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import (
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.connector import Connection

from optin.ports.upstream import Release

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.tracing import Trace

#: No answer to a send is anywhere near it; the rest of a longer one is not read.
LONGEST_ANSWER = 65_536


class NotConnected(Exception):
    """No byte of the request left, so it certainly was not received."""


class OutcomeUnknown(Exception):
    """Bytes may have left and no whole answer came: the request may have been carried out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `headers` by lower-case name, `body` cut off after `LONGEST_ANSWER` bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Refused(Exception):
    """The release raised; wrapped so that aiohttp cannot take it for a fault of its own."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(slots=True)
class _Request:
    """One request on its way. The clock of `deadline` only starts when the first byte may leave:
    a commit is not cancelled for being slow, and what it waits for has limits of its own."""

    release: Release
    deadline: asyncio.Timeout
    seconds: float
    released: bool = False

    async def let_go(self) -> None:
        try:
            await self.release()
        except Exception as reason:
            raise _Refused(reason) from reason
        self.deadline.reschedule(asyncio.get_running_loop().time() + self.seconds)


_current: ContextVar[_Request] = ContextVar("request")


class _ReleasingConnector(TCPConnector):
    """Gives a connection to its request only after the request's release."""

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        request = _current.get()
        connection = await super().connect(req, traces, timeout)
        try:
            _unused(connection)
            await request.let_go()
            _unused(connection)
        except BaseException:
            connection.release()
            raise
        request.released = True
        return connection


def _unused(connection: Connection) -> None:
    """Raises if the peer hung up meanwhile, or said something unasked: with that on the line,
    an old answer would be taken for the answer to this request."""
    protocol = connection.protocol
    if connection.closed or protocol is None or protocol.should_close:
        raise NotConnected("The connection was lost before the first byte.")


class ReleasingClient:
    """Connections to upstreams, kept open between requests.

    `connect_timeout`: seconds for a free connection with TCP and TLS. `total_timeout`: seconds
    from the release to the end of the answer. `limit`: connections in all.
    """

    def __init__(
        self, *, connect_timeout: float = 10.0, total_timeout: float = 30.0, limit: int = 100
    ) -> None:
        self._connect_timeout = connect_timeout
        self._total_timeout = total_timeout
        self._limit = limit
        self._session: ClientSession | None = None

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, release: Release
    ) -> Answer:
        """Connects, awaits `release` once, sends once, and returns the answer of whatever status.

        Redirects are not followed. Raises `NotConnected` (`release` may or may not have been
        called, no byte left), `OutcomeUnknown`, or what `release` raised, after which no byte left.
        """
        request = _Request(release, asyncio.timeout(None), self._total_timeout)
        token = _current.set(request)
        try:
            async with request.deadline:
                return await self._send(url, headers, body)
        except _Refused as refused:
            raise refused.reason from None
        except NotConnected:
            raise
        except Exception as fault:
            raise _judged(fault, request.released) from fault
        finally:
            _current.reset(token)

    async def close(self) -> None:
        """Closes idle connections; ends requests that are under way."""
        if self._session is not None:
            await self._session.close()

    async def _send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        sending = self._opened().post(url, headers=headers, data=body, allow_redirects=False)
        async with sending as response:
            content = await _bounded(response)
            named = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, named, content)

    def _opened(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                connector=_ReleasingConnector(limit=self._limit),
                timeout=ClientTimeout(total=None, connect=self._connect_timeout),
                cookie_jar=DummyCookieJar(),
                trust_env=False,
            )
        return self._session


def _judged(fault: Exception, released: bool) -> Exception:
    """Whatever went wrong, one thing decides what is known: whether bytes could leave."""
    said = f"{type(fault).__name__}: {fault}".rstrip(": ")
    return OutcomeUnknown(said) if released else NotConnected(said)


async def _bounded(response: ClientResponse) -> bytes:
    """The body up to `LONGEST_ANSWER`; if there is more, the connection is not used again."""
    parts: list[bytes] = []
    room = LONGEST_ANSWER
    while room and (part := await response.content.read(room)):
        parts.append(part)
        room -= len(part)
    if not room:
        response.close()
    return b"".join(parts)
