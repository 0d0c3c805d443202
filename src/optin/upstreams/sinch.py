"""The Sinch Conversation API: hands one message over and says what is certain about it (H8)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from optin.domain.bots import Bot
from optin.domain.errors import InvalidMessage
from optin.domain.events import SECOND
from optin.domain.messages import from_json
from optin.domain.outbox import OutboxMessage
from optin.ports.upstream import Accepted, Failed, Fault, Outcome, Release, Retry, Unknown
from optin.upstreams.connecting import Answer, NotConnected, OutcomeUnknown, ReleasingClient
from optin.upstreams.provider_json import read_object
from optin.upstreams.retry_after import retry_after
from optin.upstreams.sinch_messages import request_body
from optin.upstreams.sinch_tokens import Token, TokenDenied, Tokens, TokenUnavailable

#: Without these nothing can be handed over.
NEEDED = ("sinch.project_id", "sinch.app_id", "sinch.key_id", "sinch.key_secret")
#: How long to wait when the access key, or what it may do, has to be mended, µs.
_AUTH_WAIT = 60 * SECOND
_LONGEST_DETAILS = 500
#: Client errors after which the message may have been taken all the same: a proxy may have passed
#: it on, or an earlier copy of it was taken.
_UNCERTAIN = frozenset({408, 409, 499})


class SinchUpstream:
    """The Conversation API of the bot's `sinch.region`, or at its `sinch.base_url`.

    `clock`: UTC seconds, for `Retry-After` dates; `monotonic`: seconds, for the age of tokens.
    """

    def __init__(
        self,
        client: ReleasingClient,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._clock = clock
        self._tokens = Tokens(client, monotonic)

    async def hand_over(self, bot: Bot, message: OutboxMessage, release: Release) -> Outcome:
        """See `Upstream`. What is missing or cannot be said fails before its release (R12); the
        access token, too, is in hand before it."""
        for key in NEEDED:
            if not bot.value(key):
                return Failed(f"setting {key} is missing")
        try:
            body = _body(bot, message)
        except InvalidMessage as wrong:
            return Failed(str(wrong))
        try:
            token = await self._tokens.token(bot)
        except TokenDenied as denied:
            return _denied(str(denied))
        except TokenUnavailable as fault:
            return Retry(str(fault), fault=Fault.PROVIDER)
        return await self._sent(bot, body, token, release)

    async def close(self) -> None:
        """Closes idle connections."""
        await self._client.close()

    async def _sent(self, bot: Bot, body: bytes, token: Token, release: Release) -> Outcome:
        try:
            answer = await self._client.post(_url(bot), _headers(token), body, release)
        except NotConnected as fault:
            return Retry(f"not connected: {fault}", fault=Fault.PROVIDER)
        except OutcomeUnknown as fault:
            return Unknown(f"no answer: {fault}")
        if answer.status == 401:
            return self._unauthorized(bot, token, answer)
        return outcome(answer, self._clock())

    def _unauthorized(self, bot: Bot, token: Token, answer: Answer) -> Outcome:
        """The token was not taken, so neither was the message. One that has only grown old is
        replaced, and the message judged and handed over anew (H8); else somebody must act."""
        grown_old = self._tokens.reject(bot, token)
        expired = "expired" in answer.headers.get("www-authenticate", "").lower()
        return Retry(told(answer), after=0) if expired and grown_old else _denied(told(answer))


def base_url(bot: Bot) -> str:
    """Where the bot's app lives, without a slash at the end."""
    given = bot.value("sinch.base_url").rstrip("/")
    return given or f"https://{bot.value('sinch.region')}.conversation.api.sinch.com"


def _url(bot: Bot) -> str:
    return f"{base_url(bot)}/v1/projects/{bot.value('sinch.project_id')}/messages:send"


def _headers(token: Token) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token.text}",
        "Content-Type": "application/json",
        "Accept": "application/json",
    }


def _body(bot: Bot, message: OutboxMessage) -> bytes:
    """The request; our message id goes along and comes back in every report."""
    body = request_body(
        from_json(message.body),
        message.identity,
        message.message_id,
        app_id=bot.value("sinch.app_id"),
        category=message.category,
    )
    return json.dumps(body).encode()


def outcome(answer: Answer, now: float) -> Outcome:
    """What Sinch's answer says about the message. `now`: UTC seconds.

    A message id with a success says it was taken, a client error that it was not. A fault of the
    server says nothing: it may have failed after taking the message.
    """
    details = told(answer)
    if 200 <= answer.status < 300:
        message_id = read_object(answer.body).get("message_id")
        if isinstance(message_id, str) and message_id:
            return Accepted(message_id)
        return Unknown(details)
    if answer.status in _UNCERTAIN or not 400 <= answer.status < 500:
        return Unknown(details)
    if answer.status == 429:
        return Retry(details, after=retry_after(answer, now))
    if answer.status in (401, 403):
        return _denied(details)
    return Failed(details)


def _denied(details: str) -> Retry:
    """Nothing of this bot goes out until somebody mends its access."""
    return Retry(details, after=_AUTH_WAIT, fault=Fault.SENDER)


def told(answer: Answer) -> str:
    """The status, and what Sinch's error object says, for people."""
    error = read_object(answer.body).get("error")
    given = error if isinstance(error, Mapping) else {}
    words = [given.get(name) for name in ("status", "message")]
    said = [f"status {answer.status}", *(word for word in words if isinstance(word, str) and word)]
    return ": ".join(said)[:_LONGEST_DETAILS]
