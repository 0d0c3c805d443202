"""Tokens: how their text is made of random bytes, and how one takes the place of another (H4)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from optin.domain.bots import DEPLOYMENT, SCOPES, Token
from optin.domain.errors import InvalidInput
from optin.domain.ids import NewId, ulid

#: Random bytes of a token: 256 bits (H4).
SECRET_LENGTH = 32

# Say what it is where one turns up by mistake.
_PREFIX, _DEPLOYMENT_PREFIX = "optin_", "optin_admin_"
_ULID_LENGTH = 26
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-_.]{0,39}")


@dataclass(frozen=True, slots=True)
class FreshToken:
    """A token at the only moment at which its text is known: give `text` to the caller once."""

    token: Token
    text: str


class Replacement(NamedTuple):
    """`old` with its end set, and `new`, which has its scopes and takes its place."""

    old: Token
    new: Token


def token_text(secret: bytes, bot_id: str) -> str:
    """What the bearer of a token sends."""
    prefix = _DEPLOYMENT_PREFIX if bot_id == DEPLOYMENT else _PREFIX
    return prefix + base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def token_digest(text: str) -> bytes:
    """What is stored of it: SHA-256, 32 bytes."""
    return hashlib.sha256(text.encode()).digest()


def derived_secret(seed: bytes, *names: str) -> bytes:
    """A secret of its own for each thing that is named; the same again from the same seed, and not
    to be told from random bytes without it. No name may have a line end."""
    return hmac.digest(seed, "\n".join(names).encode(), "sha256")


def lives(token: Token, now: int) -> bool:
    """Whether it is in force at that instant. At the instant of its end it is dead."""
    return token.revoked is None or now < token.revoked


def checked_name(name: str) -> str:
    """`name` as the beginning of a token's id, or "" for none. Raises `InvalidInput`."""
    if name and not _NAME.fullmatch(name):
        raise InvalidInput(
            "A token's name has 1 to 40 characters of A-Z a-z 0-9 - _ and a dot, and begins with "
            "a letter or digit.",
            field="name",
        )
    return name and name + "-"


def name_of(token: Token) -> str:
    """The name that it was given; "" if none."""
    return token.token_id[:-_ULID_LENGTH].removesuffix("-")


def checked_scopes(scopes: Collection[str]) -> frozenset[str]:
    """The scopes. Raises `InvalidInput` for one that does not exist, or for none at all."""
    if not scopes or not set(scopes) <= set(SCOPES):
        raise InvalidInput(f"Scopes are some of: {', '.join(SCOPES)}.", field="scopes")
    return frozenset(scopes)


def replacements(
    tokens: Sequence[Token], now: int, overlap: int, text_of: Callable[[Token], str], new_id: NewId
) -> list[Replacement]:
    """What a rotation at `now` does with a bot's tokens: each that lives and has no end yet gets a
    successor and ends `overlap` µs later.

    `text_of` tells the successor's text. If one of these is there already, the rotation was done,
    and the answer is what it did.
    """
    known = {token.digest: token for token in tokens}
    texts = [(old, token_digest(text_of(old))) for old in tokens]
    done = [Replacement(old, known[digest]) for old, digest in texts if digest in known]
    return done or [
        Replacement(replace(old, revoked=now + overlap), _successor(old, digest, now, new_id))
        for old, digest in texts
        if old.revoked is None
    ]


def _successor(old: Token, digest: bytes, now: int, new_id: NewId) -> Token:
    name = name_of(old)
    token_id = (name and name + "-") + ulid(new_id())
    return replace(old, digest=digest, token_id=token_id, created=now)
