"""What a claim would change, and what takes back what an import has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from optin.domain import consent, links
from optin.domain.consent import NEVER, Clocks, Policy
from optin.domain.events import Claim, Event, Kind
from optin.domain.links import State, StateOf
from optin.domain.times import effective_time, live_time


class Effect(StrEnum):
    """What a row would do. `WOULD_REVIVE`: an opt-in of somebody whose opt-out outweighs it: it is
    recorded and lifts nothing."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    WOULD_REVIVE = "would_revive"


@dataclass(frozen=True, slots=True)
class Foreseen:
    """`lifts`: whether it would end an opt-out that is in force. `state`: after it."""

    effect: Effect
    lifts: bool
    state: State


def foreseen(claim: Claim, state_of: StateOf, now: int, policy: Policy) -> Foreseen:
    """What recording the claim now would do. Raises `FutureDated`."""
    who = claim.identity
    state, before = state_of(who), links.reading(who, state_of)
    event = Event(
        claim, now, effective_time(claim, now, live_time(now, links.newest(who, state_of)))
    )
    after = links.fold(state, event)
    reading = links.reading(who, lambda one: after if one == who else state_of(one))
    stays_out = is_outweighed(claim.kind, reading, now, policy)
    lifts = _is_out(before, now, policy) and consent.opted_in(reading, now, policy)
    if stays_out:
        effect = Effect.WOULD_REVIVE
    elif state.version == 0:
        effect = Effect.NEW
    else:
        effect = Effect.UNCHANGED if after.clocks == state.clocks else Effect.CHANGED
    return Foreseen(effect, lifts, after)


def is_outweighed(kind: Kind, clocks: Clocks, now: int, policy: Policy) -> bool:
    """Whether an opt-in does not hold against what else is known."""
    return kind is Kind.OPT_IN and _is_out(clocks, now, policy)


def _is_out(clocks: Clocks, now: int, policy: Policy) -> bool:
    return consent.newest_opt_out(clocks) != NEVER and not consent.opted_in(clocks, now, policy)


@dataclass(frozen=True, slots=True)
class Compensation:
    """An event that takes something back. `like`: the one whose evidence it repeats."""

    kind: Kind
    at: int
    like: Event | None = None


class Ledgers:
    """The ledgers of some people and of all in W, with and without an import's events (`mine`)."""

    def __init__(self, events: Mapping[str, Sequence[Event]], mine: frozenset[bytes]) -> None:
        self._events = events
        self._mine = mine
        self._now: dict[str, State] = {}
        self._would: dict[str, State] = {}

    def reading(self, identity: str) -> Clocks:
        """What a decision reads (R11), from the events alone."""
        return links.reading(identity, self._state_now)

    def reading_without(self, identity: str) -> Clocks:
        """What it would read without the import."""
        return links.reading(identity, self._state_without)

    def newest(self, identity: str, *kinds: Kind) -> int | None:
        """The newest effective time of the import's own events of these kinds."""
        found = (e for e in self._events.get(identity, ()) if e.claim.event_id in self._mine)
        times = [e.effective for e in found if e.claim.kind in kinds and e.effective is not None]
        return max(times, default=None)

    def opt_in(self, identity: str) -> Event | None:
        """The newest opt-in that is not the import's: what somebody stands on again."""
        found = [
            event
            for one in links.reach(identity, self._state_without).allowing
            for event in self._events.get(one, ())
            if event.claim.kind is Kind.OPT_IN
            and event.effective is not None
            and event.claim.event_id not in self._mine
        ]
        return max(found, key=lambda event: event.effective or 0, default=None)

    def _state_now(self, identity: str) -> State:
        if identity not in self._now:
            self._now[identity] = links.folded(self._events.get(identity, ()))
        return self._now[identity]

    def _state_without(self, identity: str) -> State:
        if identity not in self._would:
            its = self._events.get(identity, ())
            others = (event for event in its if event.claim.event_id not in self._mine)
            self._would[identity] = links.folded(others)
        return self._would[identity]


def compensations(identity: str, ledgers: Ledgers, now: int, policy: Policy) -> list[Compensation]:
    """What takes back what an import did to somebody.

    Compared is what is with what would be without the import. Nobody is let in who would not be
    without it; whoever is only in by it is out again by an opt-out at the time of its opt-in, since
    a tie is an opt-out (R4). An opt-out of the import is lifted one microsecond after it, so that
    every later one stays in force.
    """
    is_now, would = ledgers.reading(identity), ledgers.reading_without(identity)
    found: list[Compensation] = []
    is_in, would_be_in = (consent.opted_in(each, now, policy) for each in (is_now, would))
    if is_in and not would_be_in and (at := ledgers.newest(identity, Kind.OPT_IN)) is not None:
        found.append(Compensation(Kind.OPT_OUT, at))
    if would_be_in and not is_in and (at := ledgers.newest(identity, Kind.OPT_OUT)) is not None:
        like = ledgers.opt_in(identity)
        if like is not None:
            found.append(Compensation(Kind.OPT_IN, at + 1, like))
    stopped, would_be = map(consent.our_marketing_stopped, (is_now, would))
    resumes, stops = (Kind.MARKETING_RESUME, Kind.OPT_IN), (Kind.MARKETING_STOP, Kind.OPT_IN)
    if would_be and not stopped and (at := ledgers.newest(identity, *resumes)) is not None:
        found.append(Compensation(Kind.MARKETING_STOP, at))
    if stopped and not would_be and (at := ledgers.newest(identity, *stops)) is not None:
        found.append(Compensation(Kind.MARKETING_RESUME, at + 1))
    return found
