"""What the business is told when consent changes (SPEC 4, `events_url`)."""

from __future__ import annotations

import json
from typing import Any

from optin.domain import consent
from optin.domain.bots import Bot
from optin.domain.consent import NEVER, Clocks
from optin.domain.events import Event
from optin.domain.identities import shown
from optin.domain.rfc3339 import shown_time

#: Farther from 1970 than this, in µs, nothing happens; it stays within the years 1 to 9999.
_WRITABLE = 2**55


def change_body(
    bot: Bot, event: Event, before: Clocks, after: Clocks, version: int
) -> bytes | None:
    """The body for one recorded event; None if the state that it speaks of stays as it was.

    `before` and `after` are what decisions read (R11). So a repeated opt-in is no change, nor is
    an old one that a newer opt-out outweighs. A contact's message is one only if no session was
    open: every further one merely prolongs it, and they are a hundred times as many.
    """
    state = _state(after, event.recorded, bot)
    if before == after or _is_the_same(state, _state(before, event.recorded, bot)):
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
            "effective_at": _shown(event.effective),
        },
        "state": state,
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _shown(at: int | None) -> str | None:
    """The time, if it is one that can be written: a provider's may be any number."""
    return None if at is None or abs(at) > _WRITABLE else shown_time(at)


def _is_the_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether they differ in nothing but the end of a session that is open in both."""
    both_open = None not in (one["session_until"], other["session_until"])
    return one == (other | {"session_until": one["session_until"]} if both_open else other)


def _state(clocks: Clocks, now: int, bot: Bot) -> dict[str, Any]:
    until = consent.session_until(clocks, now)
    opted_in = consent.opted_in(clocks, now, bot.policy)
    known = opted_in or consent.newest_opt_out(clocks) != NEVER
    return {
        "standing": ("opted_in" if opted_in else "opted_out") if known else "unknown",
        "session_until": None if until is None else shown_time(until),
        "marketing_stopped": consent.marketing_stopped(clocks),
    }
