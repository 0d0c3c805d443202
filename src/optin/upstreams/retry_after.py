"""What a provider's `Retry-After` asks for."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

from optin.domain.events import DAY, SECOND
from optin.upstreams.connecting import Answer


def retry_after(answer: Answer, now: float) -> int | None:
    """The wait that the answer asks for, µs, at most a day; None if it asks for none.

    `now`: UTC seconds, for dates.
    """
    seconds = _seconds(answer.headers.get("retry-after", "").strip(), now)
    if seconds is None:
        return None
    return round(min(max(seconds, 0.0), DAY / SECOND) * SECOND)


def _seconds(asked: str, now: float) -> float | None:
    """A number of seconds or a date (RFC 9110, 10.2.3)."""
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        date = parsedate_to_datetime(asked)
    except ValueError:
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
