"""How fast messages may go, as token buckets that know only numbers (H8). Times in µs.

A bucket is told by one number, the instant until which it is spent: taking a token moves that on
by `interval`, and a token is free as long as it is less than `burst` tokens ahead of now. So there
is nothing to refill, and no rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from optin.domain.events import SECOND

#: To one recipient Meta lets one message in six seconds through, after a few at once.
PAIR_INTERVAL = 6 * SECOND
PAIR_BURST = 10


@dataclass(frozen=True, slots=True)
class Limit:
    """A token every `interval` µs, and at most `burst` saved up."""

    interval: int
    burst: int = 1


@dataclass(frozen=True, slots=True)
class Pace:
    """Where one bucket stands. `promised_until`: behind everybody who was told to come back."""

    spent_until: int = 0
    promised_until: int = 0

    def is_idle(self, now: int) -> bool:
        """Whether it is as good as new: it can be forgotten."""
        return self.spent_until <= now and self.promised_until <= now


@lru_cache
def number_limit(per_second: int, workers: int) -> Limit:
    """One process's share of what a sender's number may send. Nothing is saved up, so no second,
    wherever it begins, has more than `per_second` tokens (rounded up to whole ones a process)."""
    return Limit(-(-SECOND * workers // per_second))


def pair_limit(workers: int) -> Limit:
    """One process's share of what may go from one number to one recipient."""
    return Limit(PAIR_INTERVAL * workers, max(1, PAIR_BURST // workers))


def free_from(pace: Pace, limit: Limit) -> int:
    """The instant from which a token is free."""
    return pace.spent_until - (limit.burst - 1) * limit.interval


def take(pace: Pace, limit: Limit, at: int) -> Pace:
    """The bucket after a token was taken at `at`: not before `free_from`, perhaps ahead of now."""
    return Pace(max(pace.spent_until, at) + limit.interval, pace.promised_until)


def turn(pace: Pace, limit: Limit, now: int, *, promised: bool) -> int:
    """When somebody who asks now has their turn: `now`, or later.

    Who was not promised a turn waits behind all who were, so that messages keep their order.
    """
    free = free_from(pace, limit)
    return max(now, free if promised else max(free, pace.promised_until))


def promise(pace: Pace, limit: Limit, at: int) -> Pace:
    """The bucket after its turn at `at` was promised to somebody: the next come after it."""
    return replace(pace, promised_until=max(pace.promised_until, at + limit.interval))
