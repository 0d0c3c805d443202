"""When opt-outs rise so suddenly that a person should look."""

from __future__ import annotations

import pytest

from optin.domain.rises import HOUR, rise_id, rises, worth_comparing


@pytest.mark.parametrize(
    ("hour", "week", "rising"),
    [
        (20, 20, False),
        (21, 21, True),
        (1_000, 1_000, True),
        (21, 21 + 167 * 4, True),
        (21, 21 + 167 * 5, False),
        (500, 500 + 167 * 100, False),
        (501, 501 + 167 * 100, True),
    ],
)
def test_a_rise(hour: int, week: int, rising: bool) -> None:
    """More than 20 an hour, and more than five times the average hour of the week before it."""
    assert bool(rises({"webhook:meta": hour}, {"webhook:meta": week})) is rising
    assert worth_comparing({"webhook:meta": hour}) is (hour > 20)


def test_sources_are_apart() -> None:
    """A busy source does not hide a rise of another."""
    hour = {"webhook:meta": 30, "native_api": 3_000}
    week = {"webhook:meta": 30, "native_api": 500_000}
    assert rises(hour, week) == {"webhook:meta": 30}


def test_one_review_a_source_and_hour() -> None:
    """The same hour of the clock, source and bot make the same id, all others another."""
    now = 500_000 * HOUR
    ids = {
        rise_id(bot, source, now + minute)
        for bot in ("a", "b")
        for source in ("x", "y")
        for minute in (0, HOUR - 1, HOUR)
    }
    assert len(ids) == 8
