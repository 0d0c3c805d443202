"""This process's share of what a sender may send, kept before anything is connected (H8).

Every process has an equal share, so none needs to ask another. What waits for its turn here is no
try: it was neither connected nor claimed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from optin.domain.bots import Bot
from optin.domain.events import SECOND
from optin.domain.outbox import OutboxMessage
from optin.domain.throughput import (
    Pace,
    free_from,
    number_limit,
    pair_limit,
    promise,
    take,
    turn,
)
from optin.ports.graph import Held, Limit
from optin.ports.upstream import Wait

#: Who has their turn within this is kept and waits for it here, µs; others are put back.
HORIZON = SECOND
#: How much is still to be sent when the bot's next messages are asked for, µs.
_REST_LESS = HORIZON // 4
#: A promise that nobody came for is forgotten after this, µs: another process took the message.
_PROMISE_LIFE = 60 * SECOND
_TIDY_EVERY = 60 * SECOND
_FRESH = Pace()


def monotonic() -> int:
    """A clock that never goes back, µs."""
    return time.monotonic_ns() // 1000


@dataclass(slots=True)
class _Pair:
    """One sender and one recipient: their bucket, and who was told when to come back."""

    pace: Pace = _FRESH
    promised: dict[str, int] = field(default_factory=dict)


class Pacing:
    """The buckets of all numbers and pairs in this process, one of `workers`."""

    def __init__(self, workers: int = 1, clock: Callable[[], int] = monotonic) -> None:
        self._workers = workers
        self._clock = clock
        self._pair_limit = pair_limit(workers)
        self._numbers: dict[str, Pace] = {}
        self._pairs: dict[tuple[str, str], _Pair] = {}
        self._tidied = clock()

    def turn(self, bot: Bot, per_second: int, message: OutboxMessage) -> int | Wait:
        """The µs after which the message may go, its tokens taken; `Wait`: it has no turn soon."""
        now = self._clock()
        self._tidy(now)
        limit = number_limit(per_second, self._workers)
        number = self._numbers.get(bot.bot_id, _FRESH)
        at = max(now, free_from(number, limit))
        pair = self._pairs.setdefault((bot.bot_id, message.identity), _Pair())
        promised = pair.promised.get(message.message_id)
        theirs = turn(pair.pace, self._pair_limit, now, promised=promised is not None)
        theirs = max(theirs, promised or 0)
        if theirs > at:
            return self._put_off(pair, message, now, theirs)
        if at - now > HORIZON:
            return Wait(None, rest=at - now - _REST_LESS)
        self._numbers[bot.bot_id] = take(number, limit, at)
        pair.promised.pop(message.message_id, None)
        pair.pace = take(pair.pace, self._pair_limit, at)
        return at - now

    def at_once(self, bot: Bot, per_second: int, identity: str) -> int | Held:
        """As `turn`, for a message that nobody keeps: it is promised no turn, and goes behind all
        who were."""
        now = self._clock()
        self._tidy(now)
        limit = number_limit(per_second, self._workers)
        number = self._numbers.get(bot.bot_id, _FRESH)
        at = max(now, free_from(number, limit))
        pair = self._pairs.get((bot.bot_id, identity)) or _Pair()
        theirs = turn(pair.pace, self._pair_limit, now, promised=False)
        if theirs > at:
            return Held(Limit.PAIR, theirs - now)
        if at - now > HORIZON:
            return Held(Limit.NUMBER, at - now)
        self._numbers[bot.bot_id] = take(number, limit, at)
        pair.pace = take(pair.pace, self._pair_limit, at)
        self._pairs[bot.bot_id, identity] = pair
        return at - now

    def _put_off(self, pair: _Pair, message: OutboxMessage, now: int, at: int) -> Wait:
        """Told to come back at its turn, behind all who were told before it."""
        if message.message_id not in pair.promised:
            pair.pace = promise(pair.pace, self._pair_limit, at)
        pair.promised[message.message_id] = at
        return Wait(at - now)

    def _tidy(self, now: int) -> None:
        """Forgets what is as good as new, so that the memory is that of the last minutes."""
        if now - self._tidied < _TIDY_EVERY:
            return
        self._tidied = now
        for pair in self._pairs.values():
            late = [m for m, at in pair.promised.items() if at + _PROMISE_LIFE < now]
            for message_id in late:
                del pair.promised[message_id]
        self._pairs = {
            key: pair
            for key, pair in self._pairs.items()
            if pair.promised or not pair.pace.is_idle(now)
        }
        self._numbers = {key: pace for key, pace in self._numbers.items() if not pace.is_idle(now)}
