"""Posts callbacks with aiohttp, to public addresses only.

A callback's URL is chosen by whoever holds a bot's token, so it may not reach into our own network.
Each address is looked at when its socket is made, after every resolving: a name that resolves
differently the next moment (DNS rebinding) gains nothing, nor does another way of writing an
address. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Mapping

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import AddrInfoType

from optin.ports.poster import PostFailed

_TIMEOUT = 10.0
#: A short answer is read to its end, so that its connection can serve again; a long one is not.
_READ_AT_MOST, _READ_FOR = 4096, 1.0
_CONNECTIONS_PER_HOST = 16

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether a connection to this IP address leaves our own network."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        ip = _inner(ip)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that `ip` is a way to, if it is one."""
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def _public_socket(info: AddrInfoType) -> socket.socket:
    """The socket for a connection to `info`'s address. Raises `OSError` if it is not public."""
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise OSError(errno.EACCES, f"{address[0]} is not a public address")
    return socket.socket(family, kind, protocol)


class HttpPoster:
    """The client for all callbacks of a process. Close it in the event loop that used it.

    `allow_private`: for receivers in one's own network. `resolver`: the system's by default.
    `timeout`: seconds for the whole exchange.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        resolver: AbstractResolver | None = None,
        timeout: float = _TIMEOUT,
    ) -> None:
        self._allow_private = allow_private
        self._resolver = resolver
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """See `ports.poster.Poster`."""
        try:
            async with self._opened().post(
                url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                await _finish(answer)
                return answer.status
        except (aiohttp.ClientError, OSError, ValueError) as failed:
            raise PostFailed(str(failed) or type(failed).__name__) from failed

    async def close(self) -> None:
        """Closes idle connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """Made at the first post: a session belongs to the event loop that runs then."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=self._resolver,
                socket_factory=None if self._allow_private else _public_socket,
                limit=0,
                limit_per_host=_CONNECTIONS_PER_HOST,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


async def _finish(answer: aiohttp.ClientResponse) -> None:
    """Reads what little a receiver says; the status has already said what counts."""
    with contextlib.suppress(aiohttp.ClientError, OSError):
        async with asyncio.timeout(_READ_FOR):
            while not answer.content.at_eof() and answer.content.total_bytes < _READ_AT_MOST:
                await answer.content.readany()
