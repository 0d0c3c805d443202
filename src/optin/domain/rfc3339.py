"""Times as people and APIs write them (RFC 3339, SPEC 6), and as they are kept: UTC µs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from optin.domain.errors import InvalidInput

_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: The years 1 to 9999 in UTC: what can be shown again.
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def parse_time(value: object, field: str) -> int:
    """The instant in UTC µs. Digits beyond the microsecond are cut off.

    Raises `InvalidInput` naming `field` for anything else, a time without its offset included.
    """
    match = _FORM.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _no_time(field)
    try:
        return _instant(*match.groups())
    except ValueError:
        raise _no_time(field) from None


def shown_time(at: int) -> str:
    """The instant as RFC 3339 in UTC, with a fraction only if it has one."""
    text = (_EPOCH + timedelta(microseconds=at)).replace(tzinfo=None).isoformat()
    return text + "Z"


def _instant(*parts: str | None) -> int:
    year, month, day, hour, minute, second = (int(part or 0) for part in parts[:6])
    fraction, sign, hours, minutes = parts[6:]
    micros = int((fraction or "")[:6].ljust(6, "0"))
    local = datetime(year, month, day, hour, minute, second, micros, tzinfo=UTC)
    if int(minutes or 0) > 59:
        raise ValueError("an offset has at most 59 minutes")
    offset = timezone(timedelta(hours=int(hours or 0), minutes=int(minutes or 0)))
    ahead = offset.utcoffset(None) // _MICROSECOND
    at = (local - _EPOCH) // _MICROSECOND - (-ahead if sign == "-" else ahead)
    if not _FIRST <= at <= _LAST:
        raise ValueError("in UTC it is no date that can be written")
    return at


def _no_time(field: str) -> InvalidInput:
    return InvalidInput(
        f"Field [{field}] must be a time such as 2026-04-11T09:30:00Z, with its offset.",
        field=field,
    )
