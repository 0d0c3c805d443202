"""Access tokens for Sinch's APIs (OAuth 2.0 client credentials): one for each access key.

A token is asked for before a message is released (H8). However many messages wait for one, it is
asked for once, and an answer that denies it is believed for a while.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field

from optin.domain.bots import Bot
from optin.upstreams.connecting import Answer, NotConnected, OutcomeUnknown, ReleasingClient
from optin.upstreams.provider_json import read_object

#: Seconds before its end at which a token is replaced; a short-lived one at half its life.
_MARGIN = 60.0
#: Seconds for which nobody asks again: after a denial, after a fault.
_DENIED_FOR, _BROKEN_FOR = 60.0, 2.0
#: Seconds in which the authority must answer; much less than a lease.
_PATIENCE = 15.0
#: The longest life believed, seconds; Sinch's is an hour.
_LONGEST_LIFE = 86_400.0
#: A token younger than this, seconds, is not rejected for its age, whatever the API says.
_FRESH = 30.0


class TokenDenied(Exception):
    """The authority refuses this access key: nothing can be sent until somebody mends it."""


class TokenUnavailable(Exception):
    """The authority could not be asked, or did not answer as it should; later it may."""


@dataclass(frozen=True, slots=True)
class Token:
    """`text` goes into `Authorization: Bearer`. `obtained`, `until`: on the monotonic clock, s."""

    text: str = field(repr=False)
    obtained: float
    until: float


@dataclass(frozen=True, slots=True)
class _Key:
    url: str
    key_id: str
    secret: str = field(repr=False)


@dataclass(slots=True)
class _Kept:
    """What is known for one access key. `lock` is held by whoever asks the authority."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: Token | None = None
    fault: TokenDenied | TokenUnavailable | None = None
    fault_until: float = 0.0


class Tokens:
    """The tokens of this process. `monotonic`: seconds."""

    def __init__(
        self, client: ReleasingClient, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._monotonic = monotonic
        self._kept: dict[_Key, _Kept] = {}

    async def token(self, bot: Bot) -> Token:
        """A token that is good for a minute at least, or half its life.

        Raises `TokenDenied` or `TokenUnavailable`.
        """
        key = _key(bot)
        kept = self._kept.setdefault(key, _Kept())
        async with kept.lock:
            now = self._monotonic()
            if kept.token is not None and now < kept.token.until:
                return kept.token
            if kept.fault is not None and now < kept.fault_until:
                raise kept.fault.with_traceback(None)
            return await self._renewed(key, kept)

    def reject(self, bot: Bot, token: Token) -> bool:
        """The API did not take `token`: the next one who needs one asks the authority. Returns
        whether a new one may help, because this one was not new."""
        kept = self._kept.get(_key(bot))
        if kept is not None and kept.token is token:
            kept.token = None
        return self._monotonic() - token.obtained >= _FRESH

    async def _renewed(self, key: _Key, kept: _Kept) -> Token:
        try:
            kept.token, kept.fault = await self._asked(key), None
        except TokenDenied as denied:
            kept.fault, kept.fault_until = denied, self._monotonic() + _DENIED_FOR
            raise
        except TokenUnavailable as broken:
            kept.fault, kept.fault_until = broken, self._monotonic() + _BROKEN_FOR
            raise
        return kept.token

    async def _asked(self, key: _Key) -> Token:
        credentials = b64encode(f"{key.key_id}:{key.secret}".encode()).decode()
        headers = {
            "Authorization": f"Basic {credentials}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        body = b"grant_type=client_credentials"
        begun = self._monotonic()
        try:
            async with asyncio.timeout(_PATIENCE):
                answer = await self._client.post(key.url, headers, body, _nothing_to_release)
        except (NotConnected, OutcomeUnknown, TimeoutError) as fault:
            raise TokenUnavailable(f"no access token: {fault!r}") from None
        return _token(answer, begun)


def _key(bot: Bot) -> _Key:
    return _Key(*map(bot.value, ("sinch.auth_url", "sinch.key_id", "sinch.key_secret")))


async def _nothing_to_release() -> None:
    """Asking for a token hands nothing over."""


def _token(answer: Answer, begun: float) -> Token:
    """The token in the authority's answer to a request that began at `begun`."""
    if 400 <= answer.status < 500 and answer.status not in (408, 429):
        raise TokenDenied(f"no access token: the access key is refused ({answer.status})")
    content = read_object(answer.body)
    text, life = content.get("access_token"), content.get("expires_in")
    if answer.status != 200 or not isinstance(text, str) or not _is_plain(text):
        raise TokenUnavailable(f"no access token: status {answer.status}")
    seconds = _life(life)
    return Token(text, begun, begun + max(seconds - _MARGIN, seconds / 2))


def _is_plain(text: str) -> bool:
    """Whether it can stand in a header."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _life(value: object) -> float:
    """`expires_in`, seconds; without it a token serves for now only."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return 0.0
    return float(value) if value < _LONGEST_LIFE else _LONGEST_LIFE
