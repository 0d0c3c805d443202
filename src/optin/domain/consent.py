"""The clocks of consent and their fold (R2 to R6, R8).

Theory: an event alone gives a set of clocks (`moved`); two sets of clocks join by taking the newer
of each (`join`). Joining is associative, commutative and idempotent, so the state is the same for
every order of arrival, and late or repeated events are harmless. This is the only fold there is:
stores, checks about the past and rebuilding all use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from types import MappingProxyType
from typing import Any, NamedTuple

from optin.domain.events import DAY, LINKING, Event, Kind

#: "Never happened": older than every date there is, and a plain 64-bit integer in every store.
NEVER = -(2**62)

SESSION = DAY

#: Wordings that are remembered of one identity, the newest: a caller that puts a name or a date
#: into each must not make its record grow for ever.
MOST_WORDINGS = 64

_NO_WORDINGS: Mapping[str, int] = MappingProxyType({})


class Clocks(NamedTuple):
    """The newest effective time of each kind of event, UTC µs; `NEVER` where there was none.

    `opt_in` and `opt_in_with_evidence` leave out opt-ins that were shown a wording: those are in
    `wordings`, the newest opt-in for each wording (SHA-256, hex), since a wording can be declared
    outdated later (R4). The integer clocks come first, in the order in which stores keep them.
    """

    opt_in: int = NEVER
    opt_in_with_evidence: int = NEVER
    start_word: int = NEVER
    opt_out_keyword: int = NEVER
    opt_out_other: int = NEVER
    opt_out_from_contact: int = NEVER
    message: int = NEVER
    provider_marketing_stop: int = NEVER
    provider_marketing_resume: int = NEVER
    marketing_stop: int = NEVER
    marketing_resume: int = NEVER
    wordings: Mapping[str, int] = _NO_WORDINGS


BLANK = Clocks()

#: What is read from all of W (R11): whatever blocks. The rest is read from N.
BLOCKING = (
    "opt_out_keyword",
    "opt_out_other",
    "opt_out_from_contact",
    "provider_marketing_stop",
    "marketing_stop",
)


@dataclass(frozen=True, slots=True)
class Policy:
    """A bot's settings that decide what an opt-in is worth (R4).

    `opt_in_lifetime`: µs after which an opt-in has expired, None for never. `outdated`: wordings
    (SHA-256, hex) and the instant, UTC µs, from which they count as none.
    """

    reopt_in_needs_evidence: bool = False
    opt_in_lifetime: int | None = None
    outdated: Mapping[str, int] = field(default_factory=dict)


SIMPLE = Policy()


def moved(event: Event) -> Clocks:
    """The clocks that this event alone gives."""
    at, claim = event.effective, event.claim
    if at is None or claim.kind in LINKING:
        return BLANK
    match claim.kind:
        case Kind.OPT_IN:
            return _moved_by_opt_in(event, at)
        case Kind.OPT_OUT:
            return Clocks(
                opt_out_other=at, opt_out_from_contact=at if claim.from_contact else NEVER
            )
        case Kind.ERASED:
            return Clocks(opt_out_other=at)
        case Kind.CHECKPOINT:
            return BLANK
        case Kind.OPT_OUT_KEYWORD:
            return Clocks(opt_out_keyword=at, opt_out_from_contact=at)
        case _:
            return _only(claim.kind.value, at)


def _only(clock: str, at: int) -> Clocks:
    one: dict[str, Any] = {clock: at}
    return BLANK._replace(**one)


def _moved_by_opt_in(event: Event, at: int) -> Clocks:
    claim = event.claim
    named = claim.categories
    clocks = Clocks(
        marketing_stop=at if named is not None and "marketing" not in named else NEVER,
        marketing_resume=at if named is not None and "marketing" in named else NEVER,
    )
    if claim.wording is not None:
        return clocks._replace(wordings={claim.wording: at})
    return clocks._replace(opt_in=at, opt_in_with_evidence=at if event.with_evidence else NEVER)


def join(one: Clocks, other: Clocks) -> Clocks:
    """The newer of each clock."""
    if other is BLANK or one == other:
        return one
    wordings = _join_wordings(one.wordings, other.wordings)
    return Clocks._make((*map(max, one[:-1], other[:-1]), wordings))


def _join_wordings(one: Mapping[str, int], other: Mapping[str, int]) -> Mapping[str, int]:
    if not one or not other:
        return one or other
    both = {w: max(one.get(w, NEVER), other.get(w, NEVER)) for w in one.keys() | other.keys()}
    if len(both) <= MOST_WORDINGS:
        return both
    # The newest of them are the same for every order of arrival; an older one only allows.
    return dict(sorted(both.items(), key=lambda item: (item[1], item[0]))[-MOST_WORDINGS:])


def fold(events: Iterable[Event], start: Clocks = BLANK) -> Clocks:
    """The state that a set of events gives, whatever their order."""
    return reduce(join, map(moved, events), start)


def newest(clocks: Clocks) -> int:
    """The newest of all clocks; `NEVER` if nothing ever happened."""
    return max(*clocks[:-1], *clocks.wordings.values())


def read(blocking: Iterable[Clocks], allowing: Iterable[Clocks]) -> Clocks:
    """What a decision reads (R11): opt-outs and stops from W (`blocking`), the rest from N.

    A start word lifts an opt-out by keyword (R4). Another's STOP, which counts from W alone, must
    not make one of an opt-out that was none: it would lift something.
    """
    allowed = reduce(join, allowing, BLANK)
    blocked = reduce(join, blocking, BLANK)
    own, others = allowed.opt_out_keyword, blocked.opt_out_keyword
    if others > own and own <= allowed.opt_out_other:
        allowed = allowed._replace(start_word=NEVER)
    return allowed._replace(**{name: getattr(blocked, name) for name in BLOCKING})


def newest_opt_out(clocks: Clocks) -> int:
    """The newest opt-out of any kind."""
    return max(clocks.opt_out_keyword, clocks.opt_out_other)


def opted_in(clocks: Clocks, now: int, policy: Policy = SIMPLE) -> bool:
    """R4. A tie between opt-in and opt-out is an opt-out."""
    if _lifted_by_start_word(clocks):
        return True
    out = newest_opt_out(clocks)
    if _newest_opt_in(clocks, clocks.opt_in, now, policy) <= out:
        return False
    if not policy.reopt_in_needs_evidence or clocks.opt_out_from_contact == NEVER:
        return True
    proven = _newest_opt_in(clocks, clocks.opt_in_with_evidence, now, policy)
    return clocks.opt_out_from_contact < proven


def _lifted_by_start_word(clocks: Clocks) -> bool:
    return clocks.start_word > clocks.opt_out_keyword > clocks.opt_out_other


def _newest_opt_in(clocks: Clocks, unworded: int, now: int, policy: Policy) -> int:
    """The newest opt-in that counts at `now`: neither expired nor of an outdated wording."""
    outdated = policy.outdated
    valid = (at for w, at in clocks.wordings.items() if w not in outdated or now < outdated[w])
    at = max((unworded, *valid))
    if policy.opt_in_lifetime is not None and now >= at + policy.opt_in_lifetime:
        return NEVER
    return at


def session_until(clocks: Clocks, now: int) -> int | None:
    """The end of the open session, UTC µs; None if there is none (R5)."""
    until = clocks.message + SESSION
    if now < until and clocks.message > newest_opt_out(clocks):
        return until
    return None


def marketing_stopped(clocks: Clocks) -> bool:
    """Whether the provider's or our marketing stop is in force; a tie is a stop (R8)."""
    return _stops(clocks.provider_marketing_stop, clocks.provider_marketing_resume) or _stops(
        clocks.marketing_stop, clocks.marketing_resume
    )


def our_marketing_stopped(clocks: Clocks) -> bool:
    """Whether the stop that was told to us is in force, whatever the provider's says (R8)."""
    return _stops(clocks.marketing_stop, clocks.marketing_resume)


def _stops(stop: int, resume: int) -> bool:
    return stop != NEVER and stop >= resume
