"""Counts in the native API: `stats` (SPEC 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from optin.domain.errors import InvalidInput
from optin.domain.events import DAY
from optin.domain.rfc3339 import shown_time
from optin.ports.stats import Stats
from optin.usecases.count import Count
from optin.web.answers import Answer, json_answer
from optin.web.resource import Call, Method

_DAYS, _MOST_DAYS = 30, 366


async def _stats(call: Call) -> Answer:
    """What stands now, and a row for each of the last `days` days (UTC) with anything."""
    days = _number(call.query("days"))
    count = Count(call.services.store, call.services.counted)
    return json_answer(stats_json(await count.stats(call.bot_id, days)))


#: Path below the bot -> what its methods do.
METHODS: Mapping[str, Mapping[str, Method]] = {"/stats": {"GET": Method("read", _stats)}}


def stats_json(stats: Stats) -> dict[str, Any]:
    """The counts as programs see them."""
    return {
        "as_of": shown_time(stats.now),
        "contacts": asdict(stats.contacts),
        "days": [
            {
                "date": shown_time(day.day * DAY)[:10],
                "events": dict(day.events),
                "messages": dict(day.messages),
                "refused": dict(day.refused),
            }
            for day in stats.days
        ],
    }


def _number(text: str | None) -> int:
    if text is None:
        return _DAYS
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
    if not 1 <= number <= _MOST_DAYS:
        raise InvalidInput(f"Field [days] must be a number from 1 to {_MOST_DAYS}.", field="days")
    return number
