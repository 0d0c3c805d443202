"""Request targets: what a request line asks for."""

from __future__ import annotations

import urllib.parse
from typing import NamedTuple

import httptools

from optin.web.connection import Refused


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
