"""Who may call: one bearer token, of one bot, of one region (H4, SPEC 6)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import NamedTuple

from optin.domain.bots import Bot, Token
from optin.domain.errors import Forbidden, Unauthorized
from optin.ports.store import Directory

_BEARER = re.compile(rb"bearer +([!-~]+) *", re.IGNORECASE)

Headers = Iterable[tuple[bytes, bytes]]


class Admitted(NamedTuple):
    """Whose call it is."""

    bot: Bot
    token: Token


async def admit(directory: Directory, region: str, bot_id: str, headers: Headers) -> Admitted:
    """The bot and the token of a call to `bot_id`; `Unauthorized` whatever is wrong, all alike.

    `region`: the one this deployment serves, "" for all; a bot without a region is served
    everywhere. Raises `StoreUnavailable` if it cannot be known.
    """
    admitted = await holder(directory, region, bearer(headers))
    if admitted.bot.bot_id != bot_id:
        raise _unauthorized()
    return admitted


async def holder(directory: Directory, region: str, text: bytes) -> Admitted:
    """The bot whose token has this text; `Unauthorized`, `StoreUnavailable` as of `admit`."""
    digest = hashlib.sha256(text).digest()
    token = await directory.token(digest)
    if token is None or not hmac.compare_digest(token.digest, digest):
        raise _unauthorized()
    if token.revoked is not None:
        raise _unauthorized()
    bot = await directory.bot(token.bot_id)
    if bot is None or (region and bot.region not in ("", region)):
        raise _unauthorized()
    return Admitted(bot, token)


def require(token: Token, scope: str) -> None:
    """Raises `Forbidden` if the token lacks the scope."""
    if scope not in token.scopes:
        raise Forbidden(f"This token lacks the scope {scope!r}.")


def bearer(headers: Headers) -> bytes:
    """The token that the one `Authorization` header carries; with two, nobody knows whose call."""
    given = [value for name, value in headers if name == b"authorization"]
    match = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    if match is None:
        raise _unauthorized()
    return match[1]


def _unauthorized() -> Unauthorized:
    return Unauthorized("Unauthorized bot")
