"""When a row says that something was, as people write it. Nothing is guessed (R3).

Of a date alone, or a time without seconds, it is known how long the unit was: the instant is its
beginning and `unit` its length, as a day has 23 to 25 hours. An hour that a clock change makes
twice is one unit as well.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple

from optin.domain.events import MICROSECOND, SECOND
from optin.domain.lists.faults import RowFault

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
_FIRST_YEAR, _LAST_YEAR = 1900, 9998

_CLOCK = (
    r"(?:[T ,]\s*(?P<h>\d{1,2}):(?P<mi>\d\d)(?::(?P<s>\d\d)(?:[.,](?P<f>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[ap])\.?m\.?)?(?:\s*(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?)?"
)
_WEEKDAY = r"(?:[a-z]{3,9}\.?,\s*)?"
_MONTH = r"(?P<month>[a-z]{3,9})\.?"
_FORMS = tuple(
    re.compile(form + _CLOCK, re.ASCII | re.I)
    for form in (
        r"(?P<y>\d{4})(?P<sep>[-/.])(?P<m>\d\d?)(?P=sep)(?P<d>\d\d?)",
        r"(?P<d>\d\d?)\.(?P<m>\d\d?)\.(?P<y>\d{4})",  # with dots the day is always first
        r"(?P<one>\d\d?)(?P<sep>[/-])(?P<two>\d\d?)(?P=sep)(?P<y>\d{4})",
        _WEEKDAY + r"(?P<d>\d\d?)[ -]" + _MONTH + r"[ ,-]+(?P<y>\d{4})",
        _WEEKDAY + _MONTH + r" (?P<d>\d\d?),? (?P<y>\d{4})",
    )
)
_UNIX = re.compile(r"\d{10}(?:\.\d{1,6})?|\d{13}", re.ASCII)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_NAMES = re.compile(
    "jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|"
    "oct(ober)?|nov(ember)?|dec(ember)?"
)

#: In which order day and month come where both could be either.
ORDERS = ("dmy", "mdy")


class Moment(NamedTuple):
    """`at`: UTC µs. `unit`: how coarse, µs: it was some time from `at` to before `at + unit`."""

    at: int
    unit: int


def parse_moment(value: Any, zone: tzinfo | None, order: str = "") -> Moment:
    """The moment that a cell says. `zone`: of times without an offset. `order`: one of `ORDERS`.

    Raises `RowFault` for what is no time, a day and month of unknown order, and a time without
    offset where no zone was named.
    """
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise _no_time()
    text = " ".join(text.removeprefix("'").split())
    if _UNIX.fullmatch(text):
        return _unix(text)
    for form in _FORMS:
        if found := form.fullmatch(text):
            try:
                return _moment(found.groupdict(), zone, order)
            except (ValueError, OverflowError):
                raise _no_time() from None
    raise _no_time()


def _unix(text: str) -> Moment:
    if len(text) == 13 and "." not in text:
        return Moment(int(text) * 1000, MICROSECOND)
    seconds, _, fraction = text.partition(".")
    return Moment(int(seconds) * SECOND + int(fraction.ljust(6, "0") or 0), MICROSECOND)


def _moment(part: dict[str, str | None], zone: tzinfo | None, order: str) -> Moment:
    month, day = _month_and_day(part, order)
    year = int(part["y"] or 0)
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise ValueError("no year of a consent")
    start = datetime(year, month, day)  # noqa: DTZ001 - its zone comes below
    told = _zone(part.get("zone"))
    where = told or zone
    if where is None:
        raise RowFault(
            "no_time_zone",
            "The time has no offset: name the list's time zone (time_zone, or --time-zone).",
        )
    if part.get("h") is None:
        return _between(start, start + _DAY, where)
    start += timedelta(hours=_hour(part), minutes=int(part["mi"] or 0))
    if part.get("s") is None:
        return _between(start, start + _MINUTE, where)
    micros = int((part["f"] or "")[:6].ljust(6, "0"))
    start = start.replace(second=int(part["s"] or 0), microsecond=micros)
    if told is not None:
        return Moment((start.replace(tzinfo=told) - _EPOCH) // _US, MICROSECOND)
    return _between(start, start + _US, where)


def _month_and_day(part: dict[str, str | None], order: str) -> tuple[int, int]:
    if part.get("month"):
        name = str(part["month"]).lower()
        if not _NAMES.fullmatch(name):
            raise ValueError("no month")
        return _MONTHS[name[:3]], int(part["d"] or 0)
    if part.get("m"):
        return int(part["m"] or 0), int(part["d"] or 0)
    one, two = int(part["one"] or 0), int(part["two"] or 0)
    if not order and one <= 12 and two <= 12 and one != two:
        raise RowFault("date_order", "Day and month could be either: name the date order.")
    if order == "mdy" or (not order and two > 12):
        return one, two
    return two, one


def _hour(part: dict[str, str | None]) -> int:
    hour, half = int(part["h"] or 0), (part.get("half") or "").lower()
    if half and not 1 <= hour <= 12:
        raise ValueError("no hour of half a day")
    if hour > 23 or int(part["mi"] or 0) > 59:
        raise ValueError("no time of day")
    return hour % 12 + (12 if half == "p" else 0) if half else hour


def _zone(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text.upper() in ("Z", "UTC", "GMT"):
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    if int(digits[2:]) > 59:
        raise ValueError("an offset has at most 59 minutes")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _between(start: datetime, end: datetime, zone: tzinfo) -> Moment:
    """From the first instant that `start` can be to the last before `end`."""
    first = min(_instants(start, zone))
    return Moment(first, max(_instants(end - _US, zone)) + 1 - first)


def _instants(local: datetime, zone: tzinfo) -> tuple[int, int]:
    """Both instants of a local time: they differ in the hour that a clock change makes twice, or
    leaves out."""
    one = local.replace(tzinfo=zone, fold=0)
    other = local.replace(tzinfo=zone, fold=1)
    return (one - _EPOCH) // _US, (other - _EPOCH) // _US


def _no_time() -> RowFault:
    return RowFault("invalid_time", "The time can not be read.")
