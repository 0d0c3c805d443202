"""Meta's Cloud API: hands one message over and says what is certain about it (H8)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from optin.domain.bots import Bot
from optin.domain.errors import InvalidMessage
from optin.domain.events import SECOND
from optin.domain.messages import from_json
from optin.domain.outbox import OutboxMessage
from optin.ports.upstream import Accepted, Failed, Fault, Outcome, Release, Retry, Unknown, Wait
from optin.upstreams import meta_errors
from optin.upstreams.connecting import Answer, NotConnected, OutcomeUnknown, ReleasingClient
from optin.upstreams.meta_answers import sent
from optin.upstreams.meta_messages import request_body
from optin.upstreams.pacing import Pacing
from optin.upstreams.retry_after import retry_after

_TOO_MANY_REQUESTS = 429
#: Client errors after which a proxy may have passed the request on all the same.
_TIMED_OUT = frozenset({408, 499})
_FAULTS_OF_ITS_OWN = 500

_E = meta_errors.Outcome
#: How long to wait at least before the next try, µs; None: by the caller's own schedule.
_WAITS: Mapping[meta_errors.Outcome, int | None] = {
    _E.RETRY: None,
    _E.RETRY_PAIR: 6 * SECOND,  # the rate of a pair is one message in six seconds
    _E.RETRY_SLOWLY: 60 * SECOND,
    _E.CIRCUIT_BREAK: 60 * SECOND,  # nothing of this bot goes out until somebody mends it
}


@dataclass(frozen=True, slots=True)
class MetaUpstream:
    """The Cloud API at the bot's `meta.base_url`. `clock`: UTC seconds, for `Retry-After` dates.
    `pacing`: keeps to the number's and the pairs' limits (H8)."""

    client: ReleasingClient
    clock: Callable[[], float] = time.time
    pacing: Pacing = field(default_factory=Pacing)

    async def hand_over(self, bot: Bot, message: OutboxMessage, release: Release) -> Outcome:
        """See `Upstream`. A bot without number or token fails before its release (R12)."""
        for key in ("meta.phone_number_id", "meta.access_token"):
            if not bot.value(key):
                return Failed(f"setting {key} is missing")
        try:
            body = _body(message)
        except InvalidMessage as wrong:
            return Failed(str(wrong))
        turn = self.pacing.turn(bot, int(bot.value("meta.messages_per_second")), message)
        if isinstance(turn, Wait):
            return turn
        await asyncio.sleep(turn / SECOND)
        try:
            answer = await self.client.post(_url(bot), _headers(bot), body, release)
        except NotConnected as fault:
            return Retry(f"not connected: {fault}", fault=Fault.PROVIDER)
        except OutcomeUnknown as fault:
            return Unknown(f"no answer: {fault}")
        return outcome(answer, self.clock())

    async def close(self) -> None:
        """Closes idle connections."""
        await self.client.close()


def _url(bot: Bot) -> str:
    base = bot.value("meta.base_url").rstrip("/")
    number = bot.value("meta.phone_number_id")
    return f"{base}/{bot.value('meta.api_version')}/{number}/messages"


def _headers(bot: Bot) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {bot.value('meta.access_token')}",
        "Content-Type": "application/json",
        "Accept": "application/json",
    }


def _body(message: OutboxMessage) -> bytes:
    """The request; our message id goes along and comes back in every status."""
    body = request_body(from_json(message.body), message.identity, message.message_id)
    return json.dumps(body).encode()


def outcome(answer: Answer, now: float) -> Outcome:
    """What Meta's answer says about the message. `now`: UTC seconds.

    A message id says it was taken, an error object of Graph's that it was not, but for the faults
    of its own that do not say so (`meta_errors.UNCERTAIN`). Without either it may have been taken,
    unless the status says that the request never got as far as that.
    """
    content = _decoded(answer.body)
    taken = sent(content)
    if taken.upstream_id and _is_success(answer.status):
        return Accepted(taken.upstream_id, taken.wa_id or "")
    error = content.get("error") if isinstance(content, Mapping) else None
    judged = meta_errors.classify(error)
    if not isinstance(error, Mapping) or judged.code is None:
        return _without_graph(answer, now)
    if judged.code in meta_errors.UNCERTAIN and answer.status >= _FAULTS_OF_ITS_OWN:
        return Unknown(f"{judged.code}: {judged.details}")
    return _by_graph(judged, retry_after(answer, now), _fault(judged, answer.status))


def _fault(judged: meta_errors.Classified, status: int) -> Fault:
    if judged.outcome is _E.CIRCUIT_BREAK:
        return Fault.SENDER
    return Fault.PROVIDER if status >= _FAULTS_OF_ITS_OWN else Fault.NONE


def _by_graph(judged: meta_errors.Classified, asked: int | None, fault: Fault) -> Outcome:
    details = f"{judged.code}: {judged.details}"
    if judged.outcome not in _WAITS:
        return Failed(details, marketing_stop=judged.outcome is _E.MARKETING_STOP)
    waits = [wait for wait in (asked, _WAITS[judged.outcome]) if wait is not None]
    return Retry(details, after=max(waits, default=None), fault=fault)


def _without_graph(answer: Answer, now: float) -> Outcome:
    details = f"status {answer.status} without an answer of Graph's"
    if answer.status == _TOO_MANY_REQUESTS:
        return Retry(details, after=retry_after(answer, now))
    if 400 <= answer.status < 500 and answer.status not in _TIMED_OUT:
        return Failed(details)
    return Unknown(details)


def _is_success(status: int) -> bool:
    return 200 <= status < 300


def _decoded(body: bytes) -> object:
    try:
        decoded: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return decoded
