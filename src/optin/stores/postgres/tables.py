"""The columns of each table, and the statements that are made of them.

The same order as in the migrations, which a test compares. Every table here begins with `bot_id`,
which is `$1` in every statement: none spans bots, so a database can be sharded by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from optin.stores.postgres.connection import Row

_ENTRY = """event_id bytea, identity text, kind text, origin text, at bigint, unit bigint,
 effective bigint, recorded bigint, source text, actor text, from_contact bigint, categories text,
 wording text, evidence text, context text, others text, writer bigint, seq bigint, place bigint,
 salt bytea, emptied bytea, erased_by bytea"""


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its columns after the bot id with their types, the key's columns first."""

    name: str
    types: Mapping[str, str]
    key: int = 1

    @property
    def columns(self) -> str:
        """All columns, the bot id first, as a statement names them."""
        return ", ".join(("bot_id", *self.types))

    def insert(self, count: int) -> str:
        """Adds as many rows, of one bot; one that is there already is an error."""
        each = len(self.types)
        numbers = range(2, 2 + count * each)
        rows = ", ".join(
            f"($1, {', '.join(f'${n}' for n in numbers[first : first + each])})"
            for first in range(0, len(numbers), each)
        )
        return f"INSERT INTO {self.name} ({self.columns}) VALUES {rows}"

    def insert_new(self, count: int) -> str:
        """Adds those rows that are not there yet."""
        return f"{self.insert(count)} ON CONFLICT DO NOTHING"

    def put(self, count: int) -> str:
        """Adds rows, or replaces those of the same key."""
        names = list(self.types)
        key = ", ".join(["bot_id", *names[: self.key]])
        changes = ", ".join(f"{name} = excluded.{name}" for name in names[self.key :])
        return f"{self.insert(count)} ON CONFLICT ({key}) DO UPDATE SET {changes}"


def _table(name: str, columns: str, key: int = 1) -> Table:
    pairs = (column.split() for column in columns.split(","))
    return Table(name, {column[0]: column[1] for column in pairs}, key)


IDENTITIES = _table(
    "identities",
    """identity text, opt_in bigint, opt_in_with_evidence bigint, start_word bigint,
 opt_out_keyword bigint, opt_out_other bigint, opt_out_from_contact bigint, message bigint,
 provider_marketing_stop bigint, provider_marketing_resume bigint, marketing_stop bigint,
 marketing_resume bigint, wordings text, links text, version bigint""",
)
EVENTS = _table("events", _ENTRY)
CONTACT_MESSAGES = _table("contact_messages", _ENTRY)
COMMITS = _table(
    "commits",
    """writer bigint, seq bigint, recorded bigint, previous bytea, events bigint,
 events_digest bytea, messages bigint, messages_digest bytea, hash bytea""",
    key=2,
)
WORDINGS = _table("wordings", "hash text, text text")
TEMPLATES = _table(
    "templates",
    "name text, language text, category text, status text, updated bigint, components text",
    key=2,
)
MESSAGES = _table(
    "messages",
    """message_id text, identity text, body text, category text, created bigint, expires bigint,
 due bigint, stage text, state text, details text, reason text, basis text, passed bigint,
 attempts bigint, claimant text, leased_until bigint, claimed bigint, upstream_id text,
 callback_url text, confirms text""",
)
CALLBACKS = _table(
    "callbacks",
    """callback_id text, url text, body bytea, created bigint, due bigint, attempts bigint,
 leased_until bigint, claimant text, kind text, headers text, stage text, outcome text,
 receiver text""",
)
BLACKLIST = _table("blacklist", "identity text")
WEBHOOKS = _table(
    "webhooks", "webhook_id bytea, received bigint, body bytea, note text, source text"
)
REVIEWS = _table(
    "reviews",
    """review_id text, kind text, identities text, text text, created bigint, context text,
 decision text, decided bigint, decided_by text, note text""",
)
ANSWERS = _table(
    "answers",
    """actor text, route text, key text, digest bytea, status bigint, body bytea, created bigint,
 identities text""",
    key=3,
)
IMPORTS = _table(
    "imports",
    """import_id text, state text, created bigint, claimant text, leased_until bigint,
 details text""",
)
IMPORT_BODIES = _table("import_bodies", "import_id text, piece bigint, body bytea", key=2)
IMPORT_ROWS = _table(
    "import_rows",
    """import_id text, number bigint, line bigint, outcome text, reason text, details text,
 identity text, row bytea""",
    key=2,
)

TABLES = (
    IDENTITIES,
    EVENTS,
    CONTACT_MESSAGES,
    COMMITS,
    WORDINGS,
    TEMPLATES,
    MESSAGES,
    CALLBACKS,
    BLACKLIST,
    WEBHOOKS,
    REVIEWS,
    ANSWERS,
    IMPORTS,
    IMPORT_BODIES,
    IMPORT_ROWS,
)


#: Where the tables are distributed, each writer's last commit of each bot (`writers.py`).
MARKS = _table("marks", "slot bigint, batch bigint")

#: What Citus distributes by the bot. The first says where the others' rows go.
DISTRIBUTED = (*TABLES, MARKS)


def entries(alias: str) -> str:
    """The columns of the ledger's entries, of the table that a statement calls `alias`."""
    return ", ".join(f"{alias}.{column}" for column in ("bot_id", *EVENTS.types))


def by_bot(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Whole rows by their bot id, in order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return dict(sorted(found.items()))


def arrays(rows: Iterable[Row]) -> list[list[Any]]:
    """Whole rows of one bot as one array a column, the bot id left out."""
    return [list(column) for column in list(zip(*rows, strict=True))[1:]]
