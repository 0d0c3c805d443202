"""The circuit breaker of one bot's upstream, as a table of states (H8, R12). Times in UTC µs.

While it is open nothing is handed over: messages wait, and fail when their life is over; none is
let through for want of an answer. After a while one message is let through as a probe; if that
fails, too, the next wait is longer.

    closed --a fault of the sender's, or `FAILURES` of the provider's in a row--> open
    open --its wait is over--> probing --the probe got through--> closed
                               probing --it failed--> open, longer
                               probing --it never left--> open, and the next one is the probe
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from optin.domain.events import SECOND

#: Failures of the provider's in a row, without an answer between them, that open it.
FAILURES = 5
#: A probe that has not ended after this is taken for lost, µs: longer than a hand-over can take.
PROBE_LIFE = 120 * SECOND
#: How long a bot waits for somebody else's probe before it asks again, µs.
_PROBE_PATIENCE = 5 * SECOND


class State(StrEnum):
    """Whether messages go through."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class Event(StrEnum):
    """How a hand-over that was let through has ended, as far as the way is concerned.

    `answered`: the provider did its work, whatever it said of the message. `provider_failed`: no
    connection, no answer, or a fault on its side. `sender_refused`: nothing of this sender's can
    go out until somebody acts. `never_left`: it ended before its first byte, so tells nothing.
    """

    ANSWERED = "answered"
    PROVIDER_FAILED = "provider_failed"
    SENDER_REFUSED = "sender_refused"
    NEVER_LEFT = "never_left"


#: First and longest wait, µs: a provider comes back by itself, an account when somebody acts.
WAITS = {
    Event.PROVIDER_FAILED: (5 * SECOND, 300 * SECOND),
    Event.SENDER_REFUSED: (30 * SECOND, 900 * SECOND),
}


@dataclass(frozen=True, slots=True)
class Breaker:
    """Where one bot's breaker stands.

    `round` grows whenever it opens or probes: what was let through before is not news any more.
    `failures`: in a row. `openings`: in a row, without a success between them. `until`: when an
    open one lets its probe through, or a probe counts as lost. `since` and `why`: of the first
    of the openings.
    """

    state: State = State.CLOSED
    round: int = 0
    failures: int = 0
    openings: int = 0
    until: int = 0
    since: int = 0
    why: str = ""


def ask(breaker: Breaker, now: int) -> tuple[Breaker, int | None]:
    """May one message be handed over? None: yes; else the µs after which to ask again."""
    if breaker.state is State.CLOSED:
        return breaker, None
    if now >= breaker.until:
        probe = replace(
            breaker, state=State.PROBING, round=breaker.round + 1, until=now + PROBE_LIFE
        )
        return probe, None
    left = breaker.until - now
    return breaker, min(left, _PROBE_PATIENCE) if breaker.state is State.PROBING else left


def ended(breaker: Breaker, of_round: int, event: Event, now: int, why: str = "") -> Breaker:
    """The breaker after a hand-over that it let through in that round has ended."""
    if of_round != breaker.round:
        return breaker
    match event:
        case Event.ANSWERED:
            return Breaker(round=breaker.round)
        case Event.NEVER_LEFT:
            probed = breaker.state is State.PROBING
            return replace(breaker, state=State.OPEN, until=now) if probed else breaker
        case Event.PROVIDER_FAILED if _may_fail(breaker):
            return replace(breaker, failures=breaker.failures + 1)
    return _opened(breaker, event, now, why)


def _may_fail(breaker: Breaker) -> bool:
    return breaker.state is State.CLOSED and breaker.failures + 1 < FAILURES


def _opened(breaker: Breaker, event: Event, now: int, why: str) -> Breaker:
    first, longest = WAITS[event]
    wait = min(first << min(breaker.openings, 20), longest)
    return Breaker(
        state=State.OPEN,
        round=breaker.round + 1,
        openings=breaker.openings + 1,
        until=now + wait,
        since=breaker.since or now,
        why=why,
    )
