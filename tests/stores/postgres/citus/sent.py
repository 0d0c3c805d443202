"""What the program sends to a database, as the server itself writes it down.

So cursors are seen, and whatever is put together at run time. What a test sends over a connection
of its own goes by another application's name.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.stores.postgres.citus.exceptions import offences
from tests.stores.postgres.server import server

_ENTRY = re.compile(
    r"^\S+ \S+ \S+ \[\d+\] optin@(?P<database>\S+) LOG:  (statement|execute( fetch from)? \S+): "
    r"(?P<sql>.*(\n\t.*)*)",
    re.MULTILINE,
)
#: What the driver asks of the catalogue, to know types.
_DRIVER = re.compile(r"\s*(WITH RECURSIVE typeinfo_tree|SELECT\s+t\.oid,)")


@asynccontextmanager
async def seen(url: str) -> AsyncIterator[Callable[[], set[str]]]:
    """Tells what the program has sent to the database on the shared server, over connections that
    it makes from now on."""
    name = urlsplit(url).path[1:]
    for setting in ("log_statement = 'all'", "log_parameter_max_length = 0"):
        await server().execute(f"ALTER DATABASE {name} SET {setting}")
    begin = server().logged()

    def sent() -> set[str]:
        return {
            found["sql"].replace("\n\t", "\n")
            for found in _ENTRY.finditer(server().log(begin))
            if found["database"] == name and not _DRIVER.match(found["sql"])
        }

    yield sent


@asynccontextmanager
async def linted(url: str, *, sharded: bool = False) -> AsyncIterator[None]:
    """At the end, what the program sent meanwhile is held against the rules."""
    async with seen(url) as sent:
        yield
        statements = sent()
    assert statements, "nothing was sent, or the server did not write it down"
    found = offences(statements, sharded=sharded)
    assert not found, found
