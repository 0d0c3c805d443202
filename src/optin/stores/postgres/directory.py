"""Bots, settings and tokens on PostgreSQL, and the copy of them that every process keeps.

A counter in `meta` grows with every change. Each process compares it at least once a second and
forgets its copy when it moved; a copy that could not be compared is not used (SPEC 8, R12).
Changes hold a lock that commits share: no commit rests on what a finished change replaced.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from optin.domain.bots import DEPLOYMENT, SECRETS, Bot, Token, kept_settings
from optin.domain.errors import Conflict, NotFound, StoreUnavailable
from optin.ports.whole import MARK
from optin.stores import rows
from optin.stores.postgres.connection import CLOCK, Session, fetch
from optin.stores.seal import Seal
from optin.stores.texts import from_json, to_json

#: How old the comparison may be when an answer is given from the copy, in seconds.
FRESH = 0.5

_LOCK = 0x6F707464  # "optd"
#: A transaction's first statement: whoever commits, and whoever changes the directory.
SHARED = f"SELECT pg_advisory_xact_lock_shared({_LOCK})"
EXCLUSIVE = f"SELECT pg_advisory_xact_lock({_LOCK})"

_VERSION = "(SELECT value FROM meta WHERE key = 'directory_version')"
_COMPARE = f"SELECT {_VERSION}, {CLOCK}, (SELECT value FROM meta WHERE key = '{MARK}')"
#: Every change ends with it.
BUMP = """INSERT INTO meta (key, value) VALUES ('directory_version', '1')
 ON CONFLICT (key) DO UPDATE SET value = (meta.value::bigint + 1)::text"""
# One statement, one instant: what is remembered belongs to the version that it came with.
_BOT = f"""SELECT {_VERSION}, {CLOCK}, b.settings FROM (SELECT 1) AS one
 LEFT JOIN bots b ON b.bot_id = $1 AND b.removed IS NULL"""
TOKEN_COLUMNS = "digest, bot_id, token_id, scopes, created, revoked"
_TOKEN = f"""SELECT {_VERSION}, {CLOCK}, t.digest, t.bot_id, t.token_id, t.scopes, t.created,
 t.revoked FROM (SELECT 1) AS one LEFT JOIN tokens t ON t.digest = $1"""
_BOTS = """SELECT bot_id, settings FROM bots WHERE removed IS NULL AND bot_id = ANY($1)"""
_ALL_BOTS = "SELECT bot_id, settings FROM bots WHERE removed IS NULL ORDER BY bot_id"
_BOTS_AFTER = """SELECT bot_id, settings FROM bots WHERE bot_id > $1 AND removed IS NULL
 ORDER BY bot_id LIMIT $2"""
_REMOVED_BOTS = "SELECT bot_id, settings FROM bots WHERE removed IS NOT NULL ORDER BY bot_id"
_ADD_TOKEN = f"""INSERT INTO tokens ({TOKEN_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)
 ON CONFLICT (digest) DO NOTHING"""
_TOKENS = f"""SELECT {TOKEN_COLUMNS} FROM tokens WHERE bot_id = $1
 ORDER BY created, token_id"""


class DirectoryCopy:
    """What one process remembers of the directory, as of one version of it."""

    def __init__(self) -> None:
        self.bots: dict[str, Bot] = {}
        self.tokens: dict[bytes, Token] = {}
        self._version = -1
        self._compared = float("-inf")
        self._clock = 0

    @property
    def newest_seen(self) -> int | None:
        """The newest time of the database's clock that was seen, UTC µs; None before any."""
        return self._clock or None

    def now(self) -> int:
        """The database's clock, UTC µs: as it was at the comparison, and what this machine counted
        since; ahead by what the comparison took, so that no token outlives its end (R3)."""
        return self._clock + int((time.monotonic() - self._compared) * 1_000_000)

    def is_fresh(self) -> bool:
        """Whether it was compared recently enough to answer from."""
        return time.monotonic() - self._compared < FRESH

    def compare(self, version: int, begun: float, clock: int) -> bool:
        """Forgets everything if the directory changed since. `begun`: when the look at it began
        (monotonic, seconds); `clock`: what the database's said. False for a version that is older
        than the copy's."""
        if version > self._version:
            self.bots, self.tokens = {}, {}
            self._version = version
        if version == self._version and begun > self._compared:
            self._compared, self._clock = begun, clock
        return version == self._version


async def compare(session: Session, copy: DirectoryCopy) -> int:
    """Compares the copy; returns the database's clock. Raises `StoreUnavailable` for a database
    that bears the mark of a move to another one: nothing may be committed that would stay behind.
    """
    begun = time.monotonic()
    found = await session.fetchrow(_COMPARE)
    assert found is not None  # noqa: S101 - a SELECT without FROM gives one row
    if found[2]:
        raise StoreUnavailable("The database is one side of a copy: see `optin copy`.")
    copy.compare(_number(found[0]), begun, found[1])
    return int(found[1])


def _number(version: Any) -> int:
    return int(version or 0)


async def look_up_bot(session: Session, seal: Seal, copy: DirectoryCopy, bot_id: str) -> Bot | None:
    """The bot with its secrets opened, remembered from now on; None if there is none."""
    begun = time.monotonic()
    found = await session.fetchrow(_BOT, bot_id)
    assert found is not None  # noqa: S101 - the left side of the join has one row
    current = copy.compare(_number(found[0]), begun, found[1])
    if found[2] is None:
        return None
    bot = Bot(bot_id, _opened(seal, bot_id, from_json(found[2])))
    if current:
        copy.bots[bot_id] = bot
    return bot


async def look_up_bots(
    session: Session, seal: Seal, copy: DirectoryCopy, bot_ids: Collection[str]
) -> dict[str, Bot | None]:
    """These bots, for a transaction that has just compared the copy and shares the lock."""
    unknown = sorted(bot_ids - copy.bots.keys())
    if unknown:
        for bot_id, settings in await fetch(session, _BOTS, unknown):
            copy.bots[bot_id] = Bot(bot_id, _opened(seal, bot_id, from_json(settings)))
    return {bot_id: copy.bots.get(bot_id) for bot_id in bot_ids}


async def look_up_token(session: Session, copy: DirectoryCopy, digest: bytes) -> Token | None:
    """The token, dead or alive, remembered from now on."""
    begun = time.monotonic()
    found = await session.fetchrow(_TOKEN, digest)
    assert found is not None  # noqa: S101 - the left side of the join has one row
    current = copy.compare(_number(found[0]), begun, found[1])
    if found[2] is None:
        return None
    token = rows.token(found[2:])
    if current:
        copy.tokens[digest] = token
    return token


async def all_bots(session: Session, seal: Seal) -> list[Bot]:
    """All bots that were not removed, by id."""
    found = await fetch(session, _ALL_BOTS)
    return [Bot(bot_id, _opened(seal, bot_id, from_json(s))) for bot_id, s in found]


async def bots_after(session: Session, seal: Seal, after: str, limit: int) -> list[Bot]:
    """Some bots, by id, from behind `after`."""
    found = await fetch(session, _BOTS_AFTER, after, limit)
    return [Bot(bot_id, _opened(seal, bot_id, from_json(s))) for bot_id, s in found]


async def removed_bots(session: Session) -> list[Bot]:
    """Those that were removed, by id, with what is left of their settings."""
    found = await fetch(session, _REMOVED_BOTS)
    return [Bot(bot_id, from_json(settings)) for bot_id, settings in found]


async def tokens(session: Session, bot_id: str) -> list[Token]:
    """The bot's tokens, oldest first."""
    return list(map(rows.token, await fetch(session, _TOKENS, bot_id)))


# Changes, each in a transaction that begins with EXCLUSIVE


async def add_bot(session: Session, seal: Seal, new: Bot, first: Token, now: int) -> None:
    """Adds a bot with its first token."""
    if await session.fetchval("SELECT 1 FROM bots WHERE bot_id = $1", new.bot_id):
        raise Conflict(f"There is or was a bot with the id {new.bot_id}; it cannot be used again.")
    settings = to_json(_sealed(seal, new.bot_id, new.settings))
    await session.execute(
        "INSERT INTO bots (bot_id, settings, created) VALUES ($1, $2, $3)",
        new.bot_id,
        settings,
        now,
    )
    await add_token(session, seal, replace(first, created=now))


async def put_settings(
    session: Session, seal: Seal, bot_id: str, changes: Mapping[str, str]
) -> Bot:
    """Sets the given settings; "" takes one back to its default."""
    known = await _existing(session, seal, bot_id)
    kept = {key: value for key, value in {**known.settings, **changes}.items() if value}
    settings = to_json(_sealed(seal, bot_id, kept))
    await session.execute("UPDATE bots SET settings = $2 WHERE bot_id = $1", bot_id, settings)
    await session.execute(BUMP)
    return Bot(bot_id, kept)


async def remove_bot(session: Session, seal: Seal, bot_id: str, now: int) -> None:
    """Ends the bot and its tokens. Its secrets go, its ledger stays for as long as it was to."""
    settings = to_json(kept_settings(await _existing(session, seal, bot_id)))
    await session.execute(
        "UPDATE bots SET removed = $2, settings = $3 WHERE bot_id = $1", bot_id, now, settings
    )
    await session.execute(
        "UPDATE tokens SET revoked = $2 WHERE bot_id = $1 AND coalesce(revoked, $2) >= $2",
        bot_id,
        now,
    )
    await session.execute(BUMP)


async def add_token(session: Session, seal: Seal, new: Token) -> None:
    """Adds a token to the deployment, or to a bot that exists."""
    if new.bot_id != DEPLOYMENT:
        await _existing(session, seal, new.bot_id)
    await session.execute(_ADD_TOKEN, *rows.token_row(new))
    await session.execute(BUMP)


async def revoke_token(session: Session, bot_id: str, token_id: str, now: int) -> None:
    """Kills the token; one that is dead already stays dead since then."""
    changed = await session.execute(
        """UPDATE tokens SET revoked = least(coalesce(revoked, $3), $3)
         WHERE bot_id = $1 AND token_id = $2""",
        bot_id,
        token_id,
        now,
    )
    if changed == "UPDATE 0":
        raise NotFound(f"Bot {bot_id} has no token {token_id}.")
    await session.execute(BUMP)


async def _existing(session: Session, seal: Seal, bot_id: str) -> Bot:
    for _, settings in await fetch(session, _BOTS, [bot_id]):
        return Bot(bot_id, _opened(seal, bot_id, from_json(settings)))
    raise NotFound(f"There is no bot {bot_id}.")


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
