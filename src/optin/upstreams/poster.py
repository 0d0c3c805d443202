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

# Which addresses Python calls global differs from version to version, and cloud providers keep
# services of their own in between. So what is no public host's is named here, by the registries
# of IANA (RFC 6890), as of 2025; the library's word comes on top.
_PRIVATE_V4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's own host, from within every machine there
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",  # with 192.0.0.192, Oracle's metadata
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",
        ),
    )
)
#: Global unicast; no other IPv6 address is a public host's.
_UNICAST = ipaddress.IPv6Network("2000::/3")
_PRIVATE_V6 = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # with Teredo and ORCHIDs
            "2001:db8::/32",
            "2620:4f:8000::/48",
            "3fff::/20",
        ),
    )
)


def is_public(address: str) -> bool:
    """Whether a connection to this IP address leaves our own network."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        ip = _inner(ip)
    if not ip.is_global or ip.is_multicast or ip.is_reserved or ip.is_unspecified:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in _PRIVATE_V4)
    return ip in _UNICAST and not any(ip in network for network in _PRIVATE_V6)


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
