"""Limits on our own side hold whatever is asked and when, and keep the order (H8)."""

from __future__ import annotations

import bisect
import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from optin.domain.events import SECOND
from optin.domain.throughput import (
    PAIR_BURST,
    PAIR_INTERVAL,
    Limit,
    Pace,
    free_from,
    number_limit,
    pair_limit,
    promise,
    take,
    turn,
)

GAPS = st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=120)
LIMITS = st.builds(Limit, st.integers(1, 7 * SECOND), st.integers(1, 12))


def most_in(times: list[int], window: int) -> int:
    """The most of these times that any window of that length holds, its end left out."""
    return max(bisect.bisect_left(times, at + window) - n for n, at in enumerate(times))


@given(LIMITS, GAPS, st.integers(1, 60 * SECOND))
def test_no_window_holds_more_than_its_share(limit: Limit, gaps: list[int], window: int) -> None:
    """However fast is asked, any stretch of time sees the burst and what its length allows."""
    pace, now, taken = Pace(), 0, []
    for gap in gaps:
        now += gap
        at = max(now, free_from(pace, limit))
        pace = take(pace, limit, at)
        taken.append(at)
    assert most_in(taken, window) <= limit.burst - 1 + math.ceil(window / limit.interval)


@given(LIMITS, GAPS)
def test_nobody_waits_without_need(limit: Limit, gaps: list[int]) -> None:
    """A token that is refused is one too many: taken at once, it would break the rate."""
    pace, now, taken = Pace(), 0, []
    for gap in gaps:
        now += gap
        if free_from(pace, limit) <= now:
            pace = take(pace, limit, now)
            taken.append(now)
            continue
        late = [*taken, now]
        assert any(
            len(late) - n > limit.burst + (now - at) // limit.interval for n, at in enumerate(late)
        )


@given(st.integers(1, 1000), st.integers(1, 64))
def test_all_processes_together_keep_to_the_number(per_second: int, n: int) -> None:
    """A second has at most the number's messages, with each process's share rounded up."""
    limit = number_limit(per_second, n)
    pace, times = Pace(), []
    for _ in range(per_second + 5):
        at = free_from(pace, limit)
        pace = take(pace, limit, at)
        times.append(at)
    assert most_in(times, SECOND) <= math.ceil(per_second / n)


def test_one_process_has_all_of_the_number() -> None:
    """80 a second are 80, not 79: asked without a pause, the 81st has to wait for the second."""
    limit, pace = number_limit(80, 1), Pace()
    for _ in range(80):
        assert free_from(pace, limit) < SECOND
        pace = take(pace, limit, max(0, free_from(pace, limit)))
    assert free_from(pace, limit) == SECOND


def test_a_pair_has_its_burst_and_then_one_in_six_seconds() -> None:
    """A few messages at once to one recipient go at once, then the pair's rate holds."""
    limit, pace = pair_limit(1), Pace()
    times = []
    for _ in range(PAIR_BURST + 3):
        at = max(0, free_from(pace, limit))
        pace = take(pace, limit, at)
        times.append(at)
    assert times == [0] * PAIR_BURST + [PAIR_INTERVAL, 2 * PAIR_INTERVAL, 3 * PAIR_INTERVAL]
    assert pair_limit(64) == Limit(64 * PAIR_INTERVAL, 1)


@given(LIMITS, GAPS)
def test_those_who_come_back_keep_their_order(limit: Limit, gaps: list[int]) -> None:
    """Who was told to wait comes before everybody who asks later, and the rate still holds."""
    pace, now = Pace(), 0
    waiting: list[tuple[int, int]] = []
    gone: list[tuple[int, int]] = []
    arrivals = []
    for gap in gaps:
        now += gap
        arrivals.append(now)
    asks = [(at, place, False) for place, at in enumerate(arrivals)]
    while asks:
        asks.sort()
        at, place, promised = asks.pop(0)
        theirs = turn(pace, limit, at, promised=promised)
        if theirs <= at:
            pace = take(pace, limit, at)
            gone.append((at, place))
        else:
            pace = pace if promised else promise(pace, limit, theirs)
            waiting.append((theirs, place))
            asks.append((theirs, place, True))
    assert [place for _, place in gone] == list(range(len(gaps)))
    for (_, a), (_, b) in pairwise(gone):
        assert a < b
    times = [at for at, _ in gone]
    assert most_in(times, 10 * SECOND) <= limit.burst - 1 + math.ceil(10 * SECOND / limit.interval)


def test_an_idle_bucket_can_be_forgotten() -> None:
    """Forgetting a bucket that stands still lets nothing more through."""
    limit = pair_limit(1)
    pace = promise(take(Pace(), limit, 100), limit, 100)
    assert not pace.is_idle(100)
    later = 100 + limit.interval
    assert pace.is_idle(later)
    assert free_from(pace, limit) <= later - (limit.burst - 1) * limit.interval
