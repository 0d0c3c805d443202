"""When something is tried again (SPEC 4, H8)."""

from __future__ import annotations

from itertools import count, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.retries import CALLBACK_RETRIES, callback_wait, hand_over_wait, is_permanent

SECOND = 1_000_000


def test_callbacks_double_from_5_seconds_fifteen_times() -> None:
    """SPEC 4: 5 s, then doubling, 15 retries, the last wait 81,920 s; then never again."""
    waits = [callback_wait(tries) for tries in range(1, CALLBACK_RETRIES + 1)]
    assert waits[:3] == [5 * SECOND, 10 * SECOND, 20 * SECOND]
    assert (len(waits), waits[-1]) == (15, 81_920 * SECOND)
    assert callback_wait(CALLBACK_RETRIES + 1) is None


@pytest.mark.parametrize("status", [300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 410, 499])
def test_what_a_receiver_will_never_take(status: int) -> None:
    """SPEC 4: redirects and most client errors are permanent."""
    assert is_permanent(status)


@pytest.mark.parametrize("status", [100, 200, 204, 299, 408, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_change(status: int) -> None:
    """SPEC 4: 408, 425, 429 and server errors are temporary; a success is no failure."""
    assert not is_permanent(status)


def test_hand_overs_double_up_to_a_quarter_of_an_hour() -> None:
    """Without jitter: 1, 2, 4 … s, at most 900 s."""
    waits = [hand_over_wait(tries, 0.0) for tries in range(1, 13)]
    assert waits == [min(2**n, 900) * SECOND for n in range(12)]


def test_tries_last_longer_than_a_messages_life() -> None:
    """H8: as a rule `expires` ends a message, so that an outage of hours loses nothing."""
    waits = [w for w in (hand_over_wait(t, 0.999) for t in range(1, 1000)) if w is not None]
    slowest = [w for w in (hand_over_wait(t, 0.0) for t in range(1, 1000)) if w is not None]
    assert sum(slowest) > 24 * 3600 * SECOND
    assert sum(waits) > 12 * 3600 * SECOND


def test_tries_are_bounded() -> None:
    """A message that can never be handed over is not tried for ever."""
    tries = list(takewhile(lambda t: hand_over_wait(t, 0.5) is not None, count(1)))
    assert len(tries) < 200


@given(st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_jitter_only_shortens_and_at_most_by_half(tries: int, jitter: float) -> None:
    """Every wait lies between half of its longest and its longest, and is never nothing."""
    longest, wait = hand_over_wait(tries, 0.0), hand_over_wait(tries, jitter)
    assert longest is not None
    assert wait is not None
    assert longest / 2 <= wait <= longest
