"""What may leave the ledger when its time is over, and what must not (R16).

Theory: a ledger is cut at its beginning, whole commits at a time. What must stay of them is
carried: it takes new places in a commit at the end, the checkpoint, whose first entry says up to
where the chain was cut and what hash it had there. So the fold of what is left is what it was.
"""

from __future__ import annotations

from dataclasses import dataclass

from optin.domain import consent
from optin.domain.consent import NEVER, Clocks
from optin.domain.events import DAY, LINKING, Event, Kind

#: Kept for good, whatever their age: an opt-out, who is one person, an erasure, and a marketing
#: stop. The clock shows the newest stop alone, and that may be a review item's, which is lifted
#: only if the contact gave none (R8).
_FOR_GOOD = LINKING | {
    Kind.OPT_OUT,
    Kind.OPT_OUT_KEYWORD,
    Kind.MARKETING_STOP,
    Kind.PROVIDER_MARKETING_STOP,
    Kind.ERASED,
}


@dataclass(frozen=True, slots=True)
class Horizons:
    """What was recorded before these instants may go, UTC µs; None: it is kept for good."""

    events: int | None = None
    messages: int | None = None

    @property
    def newest(self) -> int:
        """Before when anything may go; the past until then is not known for certain any more."""
        return max((at for at in (self.events, self.messages) if at is not None), default=NEVER)


def horizons(now: int, event_days: int, message_days: int) -> Horizons:
    """Those that a bot's settings give; 0 days: for good. Messages are kept for their 24 h."""
    return Horizons(
        now - event_days * DAY if event_days else None,
        now - max(message_days, 2) * DAY if message_days else None,
    )


def stays(event: Event, clocks: Clocks, until: Horizons, *, emptied: bool) -> bool:
    """Whether the event must be carried. `clocks`: the stored ones of its identity; `emptied`:
    an erasure names it."""
    kind = event.claim.kind
    if kind is Kind.CHECKPOINT:
        return False
    before = until.messages if kind is Kind.MESSAGE else until.events
    is_old = before is not None and event.recorded < before
    return not is_old or emptied or kind in _FOR_GOOD or _is_behind(event, clocks)


def _is_behind(event: Event, clocks: Clocks) -> bool:
    """Whether one of the clocks shows this event's time."""
    *plain, wordings = consent.moved(event)
    if any(at != NEVER and at == now for at, now in zip(plain, clocks[:-1], strict=True)):
        return True
    return any(clocks.wordings.get(wording) == at for wording, at in wordings.items())
