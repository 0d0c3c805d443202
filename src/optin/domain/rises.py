"""When opt-outs come so suddenly that a person should look (P8: a fault read as a thousand stops).

Nothing is undone by itself: an opt-out counts until somebody has decided otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

from optin.domain.events import DAY, SECOND
from optin.domain.ids import derived_id, ulid

HOUR = 3_600 * SECOND
#: The time that an hour is compared with, µs.
SPAN = 7 * DAY

_FEW, _TIMES = 20, 5
_HOURS = SPAN // HOUR


def worth_comparing(last_hour: Mapping[str, int]) -> bool:
    """Whether any source had so many opt-outs that the week's must be known."""
    return any(count > _FEW for count in last_hour.values())


def rises(last_hour: Mapping[str, int], last_week: Mapping[str, int]) -> dict[str, int]:
    """Source -> opt-outs of the last hour, where they are more than 20 and more than five times
    those of an average hour of the week before it. `last_week` holds the last hour, too."""
    return {
        source: count
        for source, count in last_hour.items()
        if count > _FEW and count * (_HOURS - 1) > _TIMES * (last_week.get(source, count) - count)
    }


def rise_id(bot_id: str, source: str, now: int) -> str:
    """The id of the review of a rise: one a source and hour of the clock. `now`: UTC µs."""
    hour = now // HOUR * HOUR
    return ulid(derived_id(hour, bot_id, "rise", source, str(hour)))
