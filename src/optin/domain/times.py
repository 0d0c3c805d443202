"""When an event takes effect (R3)."""

from __future__ import annotations

from dataclasses import replace

from optin.domain.errors import FutureDated
from optin.domain.events import SECOND, STOPS, Claim, Kind, Origin

#: How far ahead of the database's clock a date may lie, µs: clocks of honest callers differ.
TOLERANCE = 300 * SECOND

#: What lifts something; a contact's message opens a session (R5).
_LIFTS = frozenset({Kind.OPT_IN, Kind.MARKETING_RESUME, Kind.MESSAGE})


def live_time(now: int, newest: int) -> int:
    """The live time: later than every clock that a decision about the identity reads.

    `now` is the database's clock, `newest` the newest clock of every identity in W (R11), µs.
    """
    return max(now, newest + 1)


def effective_time(claim: Claim, now: int, live: int) -> int | None:
    """The instant from which `claim`, recorded at `now`, counts; None for "without effect".

    `live` is the live time of the claim's identity in the same commit. Raises `FutureDated` for a
    dated opt-in, resume or message more than five minutes ahead. A repeated message counts from
    when it first came, as an opt-in does: it too would lift an opt-out that came in between.
    """
    if claim.origin is Origin.LIVE or claim.at is None:
        return _unreadable(claim, live)
    if claim.origin is Origin.REPEATED:
        return min(claim.at, live) if claim.kind in _LIFTS else live
    if claim.at > now:
        return _ahead(claim, claim.at, now, live)
    if claim.kind in STOPS:
        return min(claim.at + claim.unit - 1, live)
    return claim.at


def repeated(claim: Claim, first_seen: int | None) -> Claim:
    """A live claim that comes or is tried again: if it lifts anything, it counts from then.

    `first_seen`: the newest database time that was known at the first try, UTC µs; None in it.
    """
    if first_seen is None or claim.origin is not Origin.LIVE or claim.kind not in _LIFTS:
        return claim
    return replace(claim, origin=Origin.REPEATED, at=first_seen)


def _unreadable(claim: Claim, live: int) -> int | None:
    """A claim with no time: live calls have none; a provider's stop counts when recorded.

    Anything else of a provider without a readable time opens nothing: in doubt, block.
    """
    if claim.origin is Origin.SIGNED and claim.kind not in STOPS:
        return None
    return live


def _ahead(claim: Claim, at: int, now: int, live: int) -> int | None:
    if claim.kind in STOPS:
        return live
    if at <= now + TOLERANCE:
        return now
    if claim.origin is Origin.SIGNED:
        return None
    raise FutureDated(
        "The date lies more than 5 minutes ahead of this service's clock.", field="occurred_at"
    )
