"""What is copied when a database is moved: one list for all stores, which a test compares with
the schemas, so that no table can be forgotten."""

from __future__ import annotations

from collections.abc import Mapping

from optin.ports.whole import MADE_BY, MARK, Table

#: Copied whole, in this order.
TABLES = (
    "bots",
    "tokens",
    "wordings",
    "commits",
    "events",
    "contact_messages",
    "identities",
    "templates",
    "messages",
    "callbacks",
    "blacklist",
    "webhooks",
    "reviews",
    "answers",
    "imports",
    "import_bodies",
    "import_rows",
)
#: Not copied row by row. `meta`: its content is taken over at the beginning. `writers`: they are
#: leases of processes; the chains that they held are what is copied. `marks`: of their batches.
APART = ("meta", "writers", "marks")

#: Of `meta`: what belongs to one database, not to its content.
_OWN = {"schema_version", "probe", MARK, MADE_BY}

#: Rows of one page; fewer where a row may be as large as a body of a request.
_ROWS, _WIDE_ROWS = 5_000, 200


def content(meta: Mapping[str, str]) -> dict[str, str]:
    """What of `meta` is copied."""
    return {key: value for key, value in meta.items() if key not in _OWN}


def page_size(table: Table) -> int:
    """How many rows are read, held and committed at once."""
    return _WIDE_ROWS if "body" in table.columns else _ROWS
