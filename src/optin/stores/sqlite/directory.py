"""Bots, settings and tokens on SQLite, and the copy of them that every process keeps.

A counter in `meta` grows with every change. Each process compares it at least once a second and
forgets its copy when it moved; a copy that could not be compared is not used (SPEC 8, R12). What
commits go by is compared in each of them: there templates are remembered, too, so whoever writes
one in a file lets the counter grow in the same transaction.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import replace

from optin.domain.bots import DEPLOYMENT, SECRETS, Bot, Token, kept_settings
from optin.domain.errors import Conflict, InconsistentRecord, MasterKeyMismatch, NotFound
from optin.ports.store import Template
from optin.stores import rows
from optin.stores.digests import META_KEY, Digests, new_wrapped_key, unwrapped
from optin.stores.seal import Seal
from optin.stores.sqlite.connection import transaction
from optin.stores.texts import from_json, to_json

#: How old the comparison may be when an answer is given from the copy, in seconds.
FRESH = 0.5

#: Every change ends with it.
BUMP = """INSERT INTO meta VALUES ('directory_version', '1')
 ON CONFLICT (key) DO UPDATE SET value = value + 1"""

_VERSION = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'directory_version'"

ADD_TOKEN = "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING"


class DirectoryCopy:
    """What one process remembers of the directory, as of one version of it. `has_erased`: the bots
    of which somebody was erased, and the others (R15). `templates`: by bot id, name and language.

    Only who has the connection that it is compared with changes it, so nothing that was read
    before a change can slip in after the comparison that noticed the change.
    """

    def __init__(self) -> None:
        self.bots: dict[str, Bot | None] = {}
        self.tokens: dict[bytes, Token] = {}
        self.has_erased: dict[str, bool] = {}
        self.templates: dict[tuple[str, ...], Template] = {}
        self.version = -1
        self._compared = float("-inf")

    def is_fresh(self) -> bool:
        """Whether it was compared recently enough to answer from."""
        return time.monotonic() - self._compared < FRESH

    def compare(self, connection: sqlite3.Connection) -> None:
        """Forgets everything if the directory changed since."""
        begun = time.monotonic()
        row = connection.execute(_VERSION).fetchone()
        found = row[0] if row else 0
        if found != self.version:
            self.bots, self.tokens, self.has_erased, self.templates = {}, {}, {}, {}
            self.version = found
        self._compared = begun

    def look_up_bot(self, connection: sqlite3.Connection, seal: Seal, bot_id: str) -> Bot | None:
        """The bot, remembered from now on."""
        self.compare(connection)
        found = bot(connection, seal, bot_id)
        if found is not None:
            self.bots[bot_id] = found
        return found

    def look_up_token(self, connection: sqlite3.Connection, digest: bytes) -> Token | None:
        """The token, remembered from now on."""
        self.compare(connection)
        found = token(connection, digest)
        if found is not None:
            self.tokens[digest] = found
        return found


def bot(connection: sqlite3.Connection, seal: Seal, bot_id: str) -> Bot | None:
    """The bot with its secrets opened; None if there is none or it was removed."""
    row = connection.execute(
        "SELECT settings FROM bots WHERE bot_id = ? AND removed IS NULL", (bot_id,)
    ).fetchone()
    if row is None:
        return None
    return Bot(bot_id, _opened(seal, bot_id, from_json(row[0])))


def bots(connection: sqlite3.Connection, seal: Seal) -> list[Bot]:
    """All bots that were not removed, by id."""
    found = connection.execute(
        "SELECT bot_id, settings FROM bots WHERE removed IS NULL ORDER BY bot_id"
    ).fetchall()
    return [Bot(bot_id, _opened(seal, bot_id, from_json(s))) for bot_id, s in found]


def bots_after(connection: sqlite3.Connection, seal: Seal, after: str, limit: int) -> list[Bot]:
    """Some bots, by id, from behind `after`."""
    found = connection.execute(
        """SELECT bot_id, settings FROM bots WHERE bot_id > ? AND removed IS NULL
         ORDER BY bot_id LIMIT ?""",
        (after, limit),
    ).fetchall()
    return [Bot(bot_id, _opened(seal, bot_id, from_json(s))) for bot_id, s in found]


def removed_bots(connection: sqlite3.Connection) -> list[Bot]:
    """Those that were removed, by id, with what is left of their settings."""
    found = connection.execute(
        "SELECT bot_id, settings FROM bots WHERE removed IS NOT NULL ORDER BY bot_id"
    ).fetchall()
    return [Bot(bot_id, from_json(settings)) for bot_id, settings in found]


def token(connection: sqlite3.Connection, digest: bytes) -> Token | None:
    """The token, dead or alive."""
    row = connection.execute("SELECT * FROM tokens WHERE digest = ?", (digest,)).fetchone()
    return rows.token(row) if row else None


def tokens(connection: sqlite3.Connection, bot_id: str) -> list[Token]:
    """The bot's tokens, oldest first."""
    found = connection.execute(
        "SELECT * FROM tokens WHERE bot_id = ? ORDER BY created, token_id", (bot_id,)
    ).fetchall()
    return list(map(rows.token, found))


def add_bot(connection: sqlite3.Connection, seal: Seal, new: Bot, first: Token, now: int) -> None:
    """Adds a bot with its first token."""
    if connection.execute("SELECT 1 FROM bots WHERE bot_id = ?", (new.bot_id,)).fetchone():
        raise Conflict(f"There is or was a bot with the id {new.bot_id}; it cannot be used again.")
    settings = to_json(_sealed(seal, new.bot_id, new.settings))
    connection.execute("INSERT INTO bots VALUES (?, ?, ?, NULL)", (new.bot_id, settings, now))
    add_token(connection, seal, replace(first, created=now))


def put_settings(
    connection: sqlite3.Connection, seal: Seal, bot_id: str, changes: Mapping[str, str]
) -> Bot:
    """Sets the given settings; "" takes one back to its default."""
    known = _existing(connection, seal, bot_id)
    merged = {**known.settings, **changes}
    kept = {key: value for key, value in merged.items() if value}
    settings = to_json(_sealed(seal, bot_id, kept))
    connection.execute("UPDATE bots SET settings = ? WHERE bot_id = ?", (settings, bot_id))
    connection.execute(BUMP)
    return Bot(bot_id, kept)


def remove_bot(connection: sqlite3.Connection, seal: Seal, bot_id: str, now: int) -> None:
    """Ends the bot and its tokens. Its secrets go, its ledger stays for as long as it was to."""
    settings = to_json(kept_settings(_existing(connection, seal, bot_id)))
    connection.execute(
        "UPDATE bots SET removed = ?, settings = ? WHERE bot_id = ?", (now, settings, bot_id)
    )
    connection.execute(
        "UPDATE tokens SET revoked = ?1 WHERE bot_id = ?2 AND coalesce(revoked, ?1) >= ?1",
        (now, bot_id),
    )
    connection.execute(BUMP)


def add_token(connection: sqlite3.Connection, seal: Seal, new: Token) -> None:
    """Adds a token to the deployment, or to a bot that exists."""
    if new.bot_id != DEPLOYMENT:
        _existing(connection, seal, new.bot_id)
    connection.execute(ADD_TOKEN, rows.token_row(new))
    connection.execute(BUMP)


def revoke_token(connection: sqlite3.Connection, bot_id: str, token_id: str, now: int) -> None:
    """Kills the token; one that is dead already stays dead since then."""
    changed = connection.execute(
        """UPDATE tokens SET revoked = min(coalesce(revoked, ?1), ?1)
         WHERE bot_id = ?2 AND token_id = ?3""",
        (now, bot_id, token_id),
    )
    if not changed.rowcount:
        raise NotFound(f"Bot {bot_id} has no token {token_id}.")
    connection.execute(BUMP)


def _existing(connection: sqlite3.Connection, seal: Seal, bot_id: str) -> Bot:
    known = bot(connection, seal, bot_id)
    if known is None:
        raise NotFound(f"There is no bot {bot_id}.")
    return known


def _sealed(seal: Seal, bot_id: str, settings: Mapping[str, str]) -> dict[str, str]:
    return {
        key: seal.seal(value, f"{bot_id}/{key}") if key in SECRETS and value else value
        for key, value in settings.items()
    }


def _opened(seal: Seal, bot_id: str, settings: Mapping[str, str]) -> dict[str, str]:
    return {
        key: seal.open(value, f"{bot_id}/{key}") if key in SECRETS and value else value
        for key, value in settings.items()
    }


def digests(connection: sqlite3.Connection, seal: Seal) -> Digests:
    """The digests of this database, whose key is made when it is first opened (R15).

    Raises `MasterKeyMismatch` if the key that is there does not open.
    """
    asked = "SELECT value FROM meta WHERE key = ?"
    found = connection.execute(asked, (META_KEY,)).fetchone()
    if found is None:
        with transaction(connection):
            connection.execute(
                "INSERT OR IGNORE INTO meta VALUES (?, ?)", (META_KEY, new_wrapped_key(seal))
            )
        found = connection.execute(asked, (META_KEY,)).fetchone()
    try:
        return unwrapped(found[0], seal)
    except InconsistentRecord:
        raise MasterKeyMismatch(
            "The database was made with another master key than the one given."
        ) from None
