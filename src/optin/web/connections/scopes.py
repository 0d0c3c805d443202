"""What ASGI's scopes are made of: the connection, and what a request line asks for."""

from __future__ import annotations

import asyncio
import urllib.parse
from typing import Any, NamedTuple

import httptools
from starlette.types import Scope

from optin.web.connections.refusals import Refused


class Target(NamedTuple):
    """`path` is percent-decoded, as the application sees it; `raw_path` and `query` as given."""

    path: str
    raw_path: bytes
    query: bytes


def read_target(given: bytes) -> Target:
    """Raises Refused (400) for one without a path, and what httptools and UTF-8 raise otherwise."""
    if given.startswith(b"/") and b"#" not in given:
        raw_path, _, query = given.partition(b"?")
    else:
        parsed = httptools.parse_url(given)
        if parsed.path is None:
            raise Refused(400, "The request target has no path.")
        raw_path, query = parsed.path, parsed.query or b""
    path = raw_path.decode("ascii")
    return Target(urllib.parse.unquote(path) if "%" in path else path, raw_path, query)


def common_scope(transport: asyncio.Transport) -> Scope:
    """What the ASGI scopes of all requests on a connection have in common."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "server": _address(transport.get_extra_info("sockname")),
        "client": _address(transport.get_extra_info("peername")),
        "scheme": "https" if transport.get_extra_info("sslcontext") else "http",
        "root_path": "",
    }


def _address(told: Any) -> tuple[str, int | None] | None:
    """Host and port of a socket's end, as ASGI has them; the path of a local one."""
    if isinstance(told, tuple):
        return str(told[0]), int(told[1])
    return (told, None) if isinstance(told, str) and told else None
