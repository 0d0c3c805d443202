"""Where a call came from, as evidence (R14): proxies we trust are believed, nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

Networks = Sequence[IPv4Network | IPv6Network]


def networks(text: str) -> Networks:
    """The addresses and networks of a comma-separated list. Raises `ValueError`."""
    return tuple(ip_network(each.strip(), strict=False) for each in text.split(",") if each.strip())


def client_address(scope: Scope, trusted: Networks) -> str:
    """The address of the caller, "" if nobody knows.

    `X-Forwarded-For` is read from its end, each entry only if the one that added it is trusted: so
    what a caller writes there itself is never taken for its address.
    """
    client = scope.get("client")
    nearest = str(client[0]) if client else ""
    if not trusted or not _is_in(nearest, trusted):
        return nearest
    for entry in reversed(_forwarded(scope)):
        if _address(entry) is None:
            return nearest
        nearest = entry
        if not _is_in(entry, trusted):
            return entry
    return nearest


def _forwarded(scope: Scope) -> list[str]:
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [each.strip() for each in b",".join(values).decode("latin-1").split(",") if each.strip()]


def _is_in(text: str, trusted: Networks) -> bool:
    address = _address(text)
    if address is None:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in trusted)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
