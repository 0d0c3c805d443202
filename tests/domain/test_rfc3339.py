"""Times as text (RFC 3339, SPEC 6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.errors import InvalidInput
from optin.domain.rfc3339 import parse_time, shown_time

EARLIEST, LATEST = -62135596800_000000, 253402300799_999999


@given(st.integers(EARLIEST, LATEST))
def test_there_and_back(at: int) -> None:
    """Every instant survives being written and read, to the microsecond."""
    assert parse_time(shown_time(at), "at") == at


@given(st.integers(EARLIEST, LATEST), st.integers(0, 23), st.integers(0, 59), st.booleans())
def test_an_offset_moves_the_clock_back(at: int, hours: int, minutes: int, ahead: bool) -> None:
    """Local time minus its offset is the instant, as long as that can be shown again."""
    sign, way = ("+", -1) if ahead else ("-", 1)
    text = f"{shown_time(at).removesuffix('Z')}{sign}{hours:02}:{minutes:02}"
    moved = at + way * (hours * 60 + minutes) * 60_000_000
    if EARLIEST <= moved <= LATEST:
        assert parse_time(text, "at") == moved
    else:
        with pytest.raises(InvalidInput):
            parse_time(text, "at")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("0001-01-01T00:00:00Z", EARLIEST),
        ("0001-01-01T05:30:00+05:30", EARLIEST),
        ("9999-12-31T23:59:59.999999Z", LATEST),
        ("9999-12-31T18:29:59.999999-05:30", LATEST),
    ],
)
def test_the_first_and_the_last_instant(text: str, at: int) -> None:
    """The years 1 to 9999 in UTC, to the microsecond, whatever the offset."""
    assert parse_time(text, "at") == at
    assert parse_time(shown_time(at), "at") == at


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-04-11T00:00:00Z", "2026-04-11T00:00:00Z"),
        ("2026-04-11t00:00:00z", "2026-04-11T00:00:00Z"),
        ("2026-04-11 02:30:00+02:30", "2026-04-11T00:00:00Z"),
        ("2026-04-11T00:00:00.000001Z", "2026-04-11T00:00:00.000001Z"),
        ("2026-04-11T00:00:00.1Z", "2026-04-11T00:00:00.100000Z"),
        ("2026-04-11T00:00:00.000001999Z", "2026-04-11T00:00:00.000001Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
    ],
)
def test_known_times(text: str, shown: str) -> None:
    """Case, offset and fraction may be written as the RFC lets them be."""
    assert shown_time(parse_time(text, "at")) == shown


@pytest.mark.parametrize(
    "value",
    [
        "",
        "now",
        "2026-04-11",
        "2026-04-11T00:00",
        "2026-04-11T00:00:00",
        "2026-04-11T00:00:00.Z",
        "2026-04-11T00:00:00+0200",
        "2026-04-11T00:00:00+02:60",
        "2026-04-11T00:00:00+24:00",
        "2026-04-11T24:00:00Z",
        "2026-04-11T00:60:00Z",
        "2026-13-11T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T05:29:59.999999+05:30",
        "9999-12-31T18:30:00-05:30",
        "9999-12-31T23:59:59-23:59",
        "２０２６-04-11T00:00:00Z",
        "2026-04-11T00:00:00Z ",
        "2026-04-11T00:00:00Z\n",
        1775865600,
        None,
    ],
)
def test_what_is_no_time(value: object) -> None:
    """Anything else is refused, a time without its offset first of all; the field is named."""
    with pytest.raises(InvalidInput) as caught:
        parse_time(value, "occurred_at")
    assert caught.value.field == "occurred_at"
    assert "[occurred_at]" in str(caught.value)
