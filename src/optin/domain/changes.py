"""What the business is told when consent changes (SPEC 4, `events_url`)."""

from __future__ import annotations

import json
from typing import Any

from optin.domain import consent
from optin.domain.bots import Bot
from optin.domain.consent import NEVER, Clocks
from optin.domain.events import Event, Kind
from optin.domain.identities import shown
from optin.domain.rfc3339 import shown_time


def change_body(
    bot: Bot, event: Event, before: Clocks, after: Clocks, version: int
) -> bytes | None:
    """The body for one recorded event; None if it changed nothing that anybody waits for.

    `before` and `after` are what decisions read (R11). A contact's message is a change only if no
    session was open: every further one merely prolongs it, and they are a hundred times as many.
    """
    if before == after or _prolongs_a_session(event, before):
        return None
    told = {
        "type": "consent",
        "bot_id": bot.bot_id,
        "identity": shown(event.claim.identity),
        "version": version,
        "event": {
            "id": event.claim.event_id.hex(),
            "kind": event.claim.kind.value,
            "source": event.claim.source,
            "recorded_at": shown_time(event.recorded),
            "effective_at": None if event.effective is None else shown_time(event.effective),
        },
        "state": _state(after, event.recorded, bot),
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _prolongs_a_session(event: Event, before: Clocks) -> bool:
    was_open = consent.session_until(before, event.recorded) is not None
    return event.claim.kind is Kind.MESSAGE and was_open


def _state(clocks: Clocks, now: int, bot: Bot) -> dict[str, Any]:
    until = consent.session_until(clocks, now)
    opted_in = consent.opted_in(clocks, now, bot.policy)
    known = opted_in or consent.newest_opt_out(clocks) != NEVER
    return {
        "standing": ("opted_in" if opted_in else "opted_out") if known else "unknown",
        "session_until": None if until is None else shown_time(until),
        "marketing_stopped": consent.marketing_stopped(clocks),
    }
