"""The HTTP client that connects first, asks for the release, and only then sends (H8).

The request is written here, over a connection of `http_pool`; `http_connection` reads the answer.
Nothing is ever repeated.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import lru_cache

from yarl import URL

from optin import __version__
from optin.ports.upstream import Release
from optin.upstreams.http_connection import LONGEST_ANSWER, Answer, Origin
from optin.upstreams.http_pool import ConnectionPool

__all__ = ["LONGEST_ANSWER", "Answer", "NotConnected", "OutcomeUnknown", "ReleasingClient"]

_NAME = f"optin/{__version__}"
#: So many senders' heads are kept.
_HEADS = 1_024
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class NotConnected(Exception):
    """No byte of the request left, so it certainly was not received."""


class OutcomeUnknown(Exception):
    """Bytes may have left and no whole answer came: the request may have been carried out."""


class ReleasingClient:
    """Connections to upstreams, kept open between requests.

    `connect_timeout`: seconds for a free connection with TCP and TLS. `total_timeout`: seconds
    from the release to the end of the answer. `limit`: connections in all.
    """

    def __init__(
        self, *, connect_timeout: float = 10.0, total_timeout: float = 30.0, limit: int = 100
    ) -> None:
        self._total_timeout = total_timeout
        self._pool = ConnectionPool(limit, connect_timeout)

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, release: Release
    ) -> Answer:
        """Connects, awaits `release` once, sends once, and returns the answer of whatever status.

        Redirects are not followed. Raises `NotConnected` (`release` may or may not have been
        called, no byte left), `OutcomeUnknown`, or what `release` raised, after which no byte left.
        """
        try:
            origin, head = _head(url, tuple(headers.items()))
            connection = self._pool.taken(origin) or await self._pool.connected(origin)
        except Exception as fault:
            raise NotConnected(_said(fault)) from fault
        try:
            await release()
            if not connection.usable or connection.transport.is_closing():
                raise NotConnected("The connection was lost before the first byte.")
        except BaseException:
            self._pool.put(connection)
            raise
        try:
            answer = connection.ask(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
            # A commit is not cancelled for being slow: the clock starts at the first byte.
            clock = asyncio.get_running_loop().call_later(self._total_timeout, connection.expire)
            try:
                return await answer
            finally:
                clock.cancel()
        except Exception as fault:
            raise OutcomeUnknown(_said(fault)) from fault
        finally:
            self._pool.put(connection)  # which ends it unless the answer came to its end

    async def close(self) -> None:
        """Closes idle connections; ends requests that are under way."""
        await self._pool.close()


@lru_cache(maxsize=_HEADS)
def _head(url: str, headers: tuple[tuple[str, str], ...]) -> tuple[Origin, bytes]:
    """Whom to ask, and all of the request up to the length of its body; the next message of the
    same sender has the same. Raises `ValueError` for what would not be one request."""
    target = URL(url)
    host, port, scheme = target.raw_host, target.port, target.scheme
    if not host or port is None or target.user is not None or scheme not in ("http", "https"):
        raise ValueError("the address is none that can be posted to")
    named = {
        "Host": f"{target.host_subcomponent}{'' if target.is_default_port() else f':{port}'}",
        "User-Agent": _NAME,
        **dict(headers),
    }
    for text in (*named, *named.values()):
        if _CONTROL.search(text):
            raise ValueError("a header has a control character")
    lines = "".join([f"{name}: {value}\r\n" for name, value in named.items()])
    request = f"POST {target.raw_path_qs} HTTP/1.1\r\n{lines}".encode()
    return Origin(host, port, scheme == "https"), request


def _said(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}".rstrip(": ")
