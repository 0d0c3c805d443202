"""An upstream behind a circuit breaker for each bot (H8, R12).

The breakers are this process's own: each process finds out by itself, with one message, what the
others know already, and none has to be told when all is well again. A bot whose way to the
provider was changed by its operator begins anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import TracebackType

from optin.domain.bots import Bot
from optin.domain.breaker import Breaker, Event, State, ask, ended
from optin.domain.events import SECOND
from optin.domain.outbox import OutboxMessage
from optin.ports.upstream import (
    Accepted,
    Failed,
    Fault,
    Outcome,
    Release,
    Retry,
    Unknown,
    Upstream,
    Wait,
)

_log = logging.getLogger(__name__)

FindBot = Callable[[str], Awaitable[Bot | None]]

#: Told of each hand-over's outcome, by its name.
Heard = Callable[[str], None]


def _now() -> int:
    return time.time_ns() // 1000


def unheard(outcome: str) -> None:
    """Nobody counts."""


def _unseen(bot_id: str, breaker: Breaker) -> None:
    """Nobody watches."""


@dataclass(slots=True)
class _Way:
    """One bot's way to its provider: its settings, its breaker, and until when the bot rests."""

    route: Mapping[str, str]
    breaker: Breaker = field(default_factory=Breaker)
    rests_until: int = 0


@dataclass(slots=True)
class Breakers:
    """The breakers of this process, and the bots that rest: no message of theirs has a turn.

    `changed` is told whenever one has gone from one state to another.
    """

    clock: Callable[[], int] = _now
    changed: Callable[[str, Breaker], None] = _unseen
    ways: dict[str, _Way] = field(default_factory=dict)

    def of(self, bot: Bot) -> _Way:
        """The bot's way, a new one if its settings have changed."""
        way = self.ways.get(bot.bot_id)
        if way is not None and way.route == bot.route:
            return way
        self._forget(bot.bot_id)
        return self.ways.setdefault(bot.bot_id, _Way(bot.route))

    def is_known(self, bot_id: str, way: _Way) -> bool:
        """Whether that is still the bot's way: else how it ends is no news."""
        return self.ways.get(bot_id) is way

    def not_closed(self) -> dict[str, Breaker]:
        """The breakers that hold messages up, by bot."""
        return {b: w.breaker for b, w in self.ways.items() if w.breaker.state is not State.CLOSED}

    async def resting(self, find: FindBot) -> Collection[str]:
        """The bots of which nothing need be taken up now. Those that are gone, or go another way
        since, are forgotten here, for no message may ever ask for them again."""
        now = self.clock()
        resting = [bot_id for bot_id, way in self.ways.items() if way.rests_until > now]
        for bot_id in {*resting, *self.not_closed()}:
            bot = await find(bot_id)
            if bot is None or bot.route != self.ways[bot_id].route:
                self._forget(bot_id)
        return [bot_id for bot_id in resting if bot_id in self.ways]

    def _forget(self, bot_id: str) -> None:
        way = self.ways.pop(bot_id, None)
        if way is not None and way.breaker.state is not State.CLOSED:
            self.changed(bot_id, Breaker())


@dataclass(frozen=True, slots=True)
class GuardedUpstream:
    """`upstream`, asked only while the bot's breaker lets it. `heard` is told of each outcome."""

    upstream: Upstream
    breakers: Breakers
    heard: Heard = unheard

    async def hand_over(self, bot: Bot, message: OutboxMessage, release: Release) -> Outcome:
        """See `Upstream`."""
        passage = Passage.of(self.breakers, bot, release, self.heard)
        if isinstance(passage, int):
            self.breakers.of(bot).rests_until = self.breakers.clock() + passage
            return Wait(None, rest=passage)
        with passage:
            return passage.ended(await self.upstream.hand_over(bot, message, passage))

    async def close(self) -> None:
        """Closes the upstream."""
        await self.upstream.close()


@dataclass(slots=True)
class Passage:
    """One hand-over that its bot's breaker let through, and itself the release of it: a context
    that tells the breaker how it ended, also when that was by an exception. What was `put_off`
    ends when its outcome is read."""

    breakers: Breakers
    bot: Bot
    release: Release
    heard: Heard
    way: _Way
    released: bool = False
    _told: tuple[Event, str] = (Event.NEVER_LEFT, "")
    _put_off: bool = False
    _round: int = 0

    @classmethod
    def of(cls, breakers: Breakers, bot: Bot, release: Release, heard: Heard) -> Passage | int:
        """The passage, or the µs for which nothing of the bot is let through."""
        way = breakers.of(bot)
        way.breaker, wait = ask(way.breaker, breakers.clock())
        if wait is not None:
            return wait
        return cls(breakers, bot, release, heard, way, _round=way.breaker.round)

    async def __call__(self) -> None:
        """The release, remembered."""
        await self.release()
        self.released = True

    def ended(self, outcome: Outcome) -> Outcome:
        """What the upstream made of it."""
        self._told = _told(outcome, self.released)
        self.heard(type(outcome).__name__.lower())
        if isinstance(outcome, Wait) and outcome.rest:
            self.way.rests_until = self.breakers.clock() + outcome.rest
        return outcome

    def put_off(self, outcome: Callable[[], Outcome]) -> Callable[[], Outcome]:
        """What reads the outcome, and ends the passage with it, behind its context."""
        self._put_off = True

        def read() -> Outcome:
            self._put_off = False
            with self:
                return self.ended(outcome())

        return read

    def __enter__(self) -> None:
        """The hand-over begins, or its outcome is read."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        broken: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._put_off:
            return
        if isinstance(broken, Exception):
            if self.released:
                self._told = Event.PROVIDER_FAILED, repr(broken)
            self.heard("unknown" if self.released else "withheld")
        self._end(*self._told)

    def _end(self, event: Event, why: str) -> None:
        """Writes down how it ended, and says in the log when something has opened or closed."""
        way, bot_id = self.way, self.bot.bot_id
        before, now = way.breaker, self.breakers.clock()
        way.breaker = after = ended(before, self._round, event, now, why)
        if after.state is not before.state and self.breakers.is_known(bot_id, way):
            self.breakers.changed(bot_id, after)
        if after.state is State.OPEN and after is not before:
            way.rests_until = after.until
            seconds = (after.until - now) / SECOND
            if after.openings > before.openings:
                text = "bot %s: nothing is handed over for %.0f s: %s"
                _log.error(text, bot_id, seconds, after.why)
        elif after.state is State.CLOSED and before.state is not State.CLOSED:
            way.rests_until = 0
            _log.warning("bot %s: messages are handed over again", bot_id)


def _told(outcome: Outcome, released: bool) -> tuple[Event, str]:
    """What an outcome says of the way, not of the message."""
    match outcome:
        case Retry(details, _, Fault.SENDER):
            return Event.SENDER_REFUSED, details
        case Retry(details, _, Fault.PROVIDER) | Unknown(details):
            return Event.PROVIDER_FAILED, details
        case Accepted() | Failed() | Retry() if released:
            return Event.ANSWERED, ""
    return Event.NEVER_LEFT, ""
