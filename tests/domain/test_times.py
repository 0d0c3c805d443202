"""When events take effect (R3)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.errors import FutureDated
from optin.domain.events import SECOND, STOPS, Claim, Kind, Origin
from optin.domain.times import TOLERANCE, effective_time, live_time

NOW = 1_800_000_000 * SECOND
LIVE = NOW + 7


def claim(kind: Kind, origin: Origin, at: int | None = None, unit: int = 1) -> Claim:
    return Claim(bytes(16), "46732001122", kind, origin, "test", at=at, unit=unit)


S, D = Origin.SIGNED, Origin.DATED
TABLE: list[tuple[Any, ...]] = [
    # kind, origin, at, unit, effective
    (Kind.OPT_IN, Origin.LIVE, None, 1, LIVE),
    (Kind.MESSAGE, Origin.LIVE, None, 1, LIVE),
    (Kind.OPT_OUT, Origin.LIVE, None, 1, LIVE),
    (Kind.OPT_IN, Origin.REPEATED, NOW - 9, 1, NOW - 9),
    (Kind.MARKETING_RESUME, Origin.REPEATED, NOW - 9, 1, NOW - 9),
    (Kind.MESSAGE, Origin.REPEATED, NOW - 9, 1, NOW - 9),
    (Kind.OPT_OUT, Origin.REPEATED, NOW - 9, 1, LIVE),
    (Kind.OPT_IN, D, NOW - 9, 1, NOW - 9),
    (Kind.OPT_OUT, D, NOW - 9, 1, NOW - 9),
    (Kind.OPT_IN, D, NOW + TOLERANCE, 1, NOW),
    (Kind.MESSAGE, D, NOW + 1, 1, NOW),
    (Kind.OPT_OUT, D, NOW + 10 * TOLERANCE, 1, LIVE),
    (Kind.MARKETING_STOP, D, NOW + 1, 1, LIVE),
    (Kind.OPT_OUT, D, NOW - 60 * SECOND, 60 * SECOND, NOW - 1),
    (Kind.OPT_IN, D, NOW - 60 * SECOND, 60 * SECOND, NOW - 60 * SECOND),
    (Kind.OPT_OUT_KEYWORD, S, NOW - 2 * SECOND, SECOND, NOW - SECOND - 1),
    (Kind.OPT_OUT_KEYWORD, S, NOW - 5, SECOND, LIVE),
    (Kind.MESSAGE, S, NOW - 2 * SECOND, SECOND, NOW - 2 * SECOND),
    (Kind.OPT_OUT_KEYWORD, S, NOW + 10 * TOLERANCE, SECOND, LIVE),
    (Kind.PROVIDER_MARKETING_STOP, S, None, SECOND, LIVE),
    (Kind.MESSAGE, S, NOW + TOLERANCE, SECOND, NOW),
    (Kind.MESSAGE, S, NOW + TOLERANCE + 1, SECOND, None),
    (Kind.PROVIDER_MARKETING_RESUME, S, None, SECOND, None),
    (Kind.START_WORD, S, NOW + 10 * TOLERANCE, SECOND, None),
]


@pytest.mark.parametrize(("kind", "origin", "at", "unit", "effective"), TABLE)
def test_table(kind: Kind, origin: Origin, at: int | None, unit: int, effective: int) -> None:
    """R3 line by line: live, repeated, dated, signed, coarse, ahead, unreadable."""
    assert effective_time(claim(kind, origin, at, unit), NOW, LIVE) == effective


@pytest.mark.parametrize("kind", [Kind.OPT_IN, Kind.MARKETING_RESUME, Kind.MESSAGE])
def test_dated_too_far_ahead_is_refused(kind: Kind) -> None:
    """R3: more than five minutes ahead of the database's clock, for dated events only."""
    with pytest.raises(FutureDated):
        effective_time(claim(kind, Origin.DATED, NOW + TOLERANCE + 1), NOW, LIVE)


@given(
    st.sampled_from(list(Kind)),
    st.sampled_from([Origin.DATED, Origin.SIGNED]),
    st.integers(NOW - 10 * SECOND, NOW + TOLERANCE),
    st.sampled_from([1, 1000, SECOND]),
)
def test_in_doubt_a_stop_counts_later(kind: Kind, origin: Origin, at: int, unit: int) -> None:
    """R3: of the same coarse instant a stop is never before anything else, nor after recording."""
    other = effective_time(claim(Kind.MESSAGE, origin, at, unit), NOW, LIVE)
    got = effective_time(claim(kind, origin, at, unit), NOW, LIVE)
    assert got is not None
    assert other is not None
    assert got <= LIVE
    if kind in STOPS:
        assert got >= other
    else:
        assert got == other


@given(st.integers(0, 100), st.integers(-5, 100))
def test_live_time_is_later_than_every_clock(now: int, newest: int) -> None:
    """R3: later than the newest clock, even when the database's clock went back."""
    live = live_time(now, newest)
    assert live > newest
    assert live >= now
