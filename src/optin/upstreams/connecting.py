"""The HTTP client that connects first, asks for the release, and only then sends (H8).

aiohttp's connector gives the connection (TCP and TLS, pooled or new) and its parser reads the
answer. The request is written here: aiohttp's session doubles what a message costs this client,
and offers no place between connecting and sending. Nothing is ever repeated.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from aiohttp import ClientRequest, ClientTimeout, StreamReader, TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

from optin import __version__
from optin.ports.upstream import Release

#: No answer to a send is anywhere near it; the rest of a longer one is not read.
LONGEST_ANSWER = 65_536

_NAME = f"optin/{__version__}"
#: So many senders' heads are kept.
_HEADS = 1_024
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SWITCHING = 101


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


class ReleasingClient:
    """Connections to upstreams, kept open between requests.

    `connect_timeout`: seconds for a free connection with TCP and TLS. `total_timeout`: seconds
    from the release to the end of the answer. `limit`: connections in all.
    """

    def __init__(
        self, *, connect_timeout: float = 10.0, total_timeout: float = 30.0, limit: int = 100
    ) -> None:
        self._connect_timeout = ClientTimeout(total=None, connect=connect_timeout)
        self._total_timeout = total_timeout
        self._limit = limit
        self._connector: TCPConnector | None = None
        #: What the connector is asked with, by scheme, host and port.
        self._origins: dict[URL, ClientRequest] = {}

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, release: Release
    ) -> Answer:
        """Connects, awaits `release` once, sends once, and returns the answer of whatever status.

        Redirects are not followed. Raises `NotConnected` (`release` may or may not have been
        called, no byte left), `OutcomeUnknown`, or what `release` raised, after which no byte left.
        """
        try:
            origin, head = _head(url, tuple(headers.items()))
            connection = await self._connected(origin)
        except Exception as fault:
            raise NotConnected(_said(fault)) from fault
        try:
            protocol = _unused(connection)
            await release()
            _unused(connection)
        except BaseException:
            connection.release()
            raise
        try:
            # A commit is not cancelled for being slow: the clock starts at the first byte.
            async with asyncio.timeout(self._total_timeout):
                answer = await _exchange(protocol, head, body)
        except BaseException as fault:
            connection.close()
            if isinstance(fault, Exception):
                raise OutcomeUnknown(_said(fault)) from fault
            raise
        connection.release()  # which closes it unless the answer came to its end
        return answer

    async def close(self) -> None:
        """Closes idle connections; ends requests that are under way."""
        if self._connector is not None:
            await self._connector.close()

    async def _connected(self, origin: URL) -> Connection:
        if self._connector is None:
            self._connector = TCPConnector(limit=self._limit)
        if origin not in self._origins:
            self._origins[origin] = ClientRequest("POST", origin)
        return await self._connector.connect(self._origins[origin], [], self._connect_timeout)


@lru_cache(maxsize=_HEADS)
def _head(url: str, headers: tuple[tuple[str, str], ...]) -> tuple[URL, bytes]:
    """Whom to ask, and all of the request up to the length of its body; the next message of the
    same sender has the same. Raises `ValueError` for what would not be one request."""
    target = URL(url)
    if target.user is not None or target.scheme not in ("http", "https"):
        raise ValueError("the address is none that can be posted to")
    port = "" if target.is_default_port() else f":{target.port}"
    named = {
        "Host": f"{target.host_subcomponent}{port}",
        "User-Agent": _NAME,
        **dict(headers),
    }
    for text in (*named, *named.values()):
        if _CONTROL.search(text):
            raise ValueError("a header has a control character")
    lines = "".join([f"{name}: {value}\r\n" for name, value in named.items()])
    return target.origin(), f"POST {target.raw_path_qs} HTTP/1.1\r\n{lines}".encode()


def _unused(connection: Connection) -> ResponseHandler:
    """Raises if the peer hung up meanwhile, or said something unasked: with that on the line,
    an old answer would be taken for the answer to this request."""
    protocol = connection.protocol
    if connection.closed or protocol is None or protocol.should_close:
        raise NotConnected("The connection was lost before the first byte.")
    return protocol


async def _exchange(protocol: ResponseHandler, head: bytes, body: bytes) -> Answer:
    """Writes the request and reads what is no interim answer to it."""
    protocol.set_response_params(read_until_eof=True)
    assert protocol.transport is not None  # noqa: S101 - `_unused` has just looked
    protocol.transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
    while True:
        message, content = await protocol.read()
        if message.code == _SWITCHING or not 100 <= message.code < 200:
            break
    named = {name.lower(): value for name, value in message.headers.items()}
    return Answer(message.code, named, await _body(content))


async def _body(content: StreamReader) -> bytes:
    """Cut off after `LONGEST_ANSWER`."""
    body = await content.read(LONGEST_ANSWER)
    while len(body) < LONGEST_ANSWER and not content.at_eof():
        body += await content.read(LONGEST_ANSWER - len(body))
    return body


def _said(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}".rstrip(": ")
