"""Who may call: one bearer token, of one bot, of one region (H4, SPEC 6)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import NamedTuple

from optin.domain.bots import DEPLOYMENT, Bot, Token
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
    token = await _living(directory, text)
    if token is None or token.bot_id == DEPLOYMENT:
        raise _unauthorized()
    bot = await directory.bot(token.bot_id)
    if bot is None or (region and bot.region not in ("", region)):
        raise _unauthorized()
    return Admitted(bot, token)


async def deployment_token(directory: Directory, headers: Headers) -> Token:
    """The token of a call to `/v1/admin`; `Unauthorized` for any but a deployment token (SPEC 6).

    It serves bots of all regions: what it is for are the database's, which all regions share.
    """
    token = await _living(directory, bearer(headers))
    if token is None or token.bot_id != DEPLOYMENT:
        raise _unauthorized()
    return token


async def _living(directory: Directory, text: bytes) -> Token | None:
    digest = hashlib.sha256(text).digest()
    token = await directory.token(digest)
    return token if token is not None and hmac.compare_digest(token.digest, digest) else None


def require(token: Token, scope: str) -> None:
    """Raises `Forbidden` if the token lacks the scope."""
    if scope not in token.scopes:
        raise Forbidden(f"This token lacks the scope {scope!r}.")


def bearer(headers: Headers) -> bytes:
    """The token that the one `Authorization` header carries; with two, nobody knows whose call."""
    given: bytes | None = None
    for name, value in headers:
        if name == b"authorization":
            if given is not None:
                raise _unauthorized()
            given = value
    match = None if given is None else _BEARER.fullmatch(given)
    if match is None:
        raise _unauthorized()
    return match[1]


def _unauthorized() -> Unauthorized:
    return Unauthorized("Unauthorized bot")
