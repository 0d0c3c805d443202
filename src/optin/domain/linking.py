"""Who is one person, as a provider's signed facts tell it (R11): from items to linking claims.

One claim an identity, naming the others. A pair that is known already is told again by every
message and status; `is_news` keeps those out of the ledger. Linking widens what is read, so a
link that makes two people of one, or one of two, is for a person to look at: see `rivals`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from optin.domain import links
from optin.domain.events import Claim, Kind, Origin
from optin.domain.identities import is_bsuid, shown
from optin.domain.identities import reach as spellings
from optin.domain.ids import derived_id, ulid
from optin.domain.inbound import IdentityChange, InboundMessage, Item, Preference, StatusUpdate
from optin.domain.links import Links, State, StateOf

_LONGEST_TIME = 2**57  # later than any date there is, and well within an id's 48 bits of ms


def told_together(item: Item, sent_to: str = "") -> tuple[str, ...]:
    """The identities that the item says belong to one person; fewer than two link nothing.

    `sent_to`: for a report, whom its message was sent to, if that is known. Whoever got it is that
    person; another spelling of theirs is no news.
    """
    match item:
        case InboundMessage():
            return () if item.group else tuple(dict.fromkeys((*item.identities, *item.shared)))
        case IdentityChange():
            return item.new
        case StatusUpdate():
            known = {one for each in item.identities for one in spellings(each).allowing}
            meant = (sent_to,) if known and sent_to and sent_to not in known else ()
            return (*item.identities, *meant)
        case Preference():
            return item.identities
    return ()


def pairs(
    bot_id: str, identities: Sequence[str], at: int | None, unit: int, source: str
) -> list[Claim]:
    """`LINKED` for each of these identities of one person; none for a single one.

    `at`: when a provider said so, UTC µs, None if it did not say; `unit`: how coarse that is.
    """
    if len(identities) < 2:
        return []
    return [
        _linking(bot_id, Kind.LINKED, one, _others(one, identities), at, unit, source)
        for one in identities
    ]


def change_claims(bot_id: str, item: IdentityChange, source: str) -> list[Claim]:
    """`REPLACED` for each old identity, `REPLACES` for each new one; links come by `pairs`."""

    def claim(kind: Kind, one: str, others: tuple[str, ...]) -> Claim:
        return _linking(bot_id, kind, one, others, item.at, item.unit, source)

    gone = [claim(Kind.REPLACED, old, item.new) for old in item.old]
    come = [claim(Kind.REPLACES, new, item.old) for new in item.new if item.old]
    return gone + come


def is_news(claim: Claim, state_of: StateOf) -> bool:
    """Whether a `LINKED` claim says something new: an unknown pair, or one that a change of number
    or BSUID has ended since it was last told of. Every other claim does.

    So a pair is not dated anew by each telling, which keeps the ledger small. It costs this: if a
    change is heard of only after a later telling of the pair that it ends, the link stays ended
    until it is told once more. That blocks, never allows, and hides no stop.
    """
    if claim.kind is not Kind.LINKED:
        return True
    known = state_of(claim.identity).links.peers
    return any(
        other not in known or _revives(claim, other, known[other], state_of)
        for other in claim.others
    )


def _revives(claim: Claim, other: str, known_at: int, state_of: StateOf) -> bool:
    ended = max(links.cutoff(claim.identity, state_of), links.cutoff(other, state_of))
    return known_at <= ended and (claim.at is None or claim.at + claim.unit - 1 > ended)


def rivals(identities: Iterable[str], state_of: StateOf) -> tuple[str, ...]:
    """Who else claims one of these identities, which are about to be linked.

    Two of them would bring together two numbers (or two BSUIDs) that were not one person's so far,
    and are no spellings of one another: their own, or those that they are linked to already.
    """
    told = tuple(dict.fromkeys(identities))
    circles = {one: links.reach(one, state_of).allowing for one in told}
    met = [
        (here, there)
        for one, other in combinations(told, 2)
        if other not in circles[one]
        for here in circles[one]
        for there in circles[other]
        if _sort(here) == _sort(there) and there not in spellings(here).blocking
    ]
    return tuple(sorted({each for pair in met for each in pair if each not in told}))


@dataclass(frozen=True, slots=True)
class Conflict:
    """Several contacts claim one identity (R11): the review that asks a person, and `claims`, our
    marketing stop for each of them until somebody has decided."""

    review_id: str
    identities: tuple[str, ...]
    text: str
    claims: tuple[Claim, ...]


def conflict(bot_id: str, told: Claim, who: Sequence[str], now: int) -> Conflict:
    """The conflict that the linking claim `told` raises among all of `who`. `now`: UTC µs."""
    fact = told.event_id.hex()
    review_id = ulid(derived_id(now, bot_id, fact))
    stops = tuple(
        replace(
            told,
            event_id=derived_id(now, bot_id, fact, "conflict", one),
            identity=one,
            kind=Kind.MARKETING_STOP,
            at=None,
            others=(),
            context={**told.context, "review": review_id},
        )
        for one in who
    )
    text = f"Several contacts claim one identity: {', '.join(map(shown, who))}."
    return Conflict(review_id, tuple(who), text, stops)


def learned(
    bot_id: str,
    claims: Iterable[Claim],
    links_of: Callable[[str], Links],
    is_recorded: Callable[[bytes], bool],
    now: int,
) -> tuple[list[Claim], Conflict | None]:
    """What is to be recorded of the claims that one signed fact makes: what is news, and if its
    links bring people into conflict, the stops that follow from that. `now`: UTC µs."""

    def state_of(identity: str) -> State:
        return State(links=links_of(identity))

    news = [c for c in claims if not is_recorded(c.event_id) and is_news(c, state_of)]
    linked = [claim for claim in news if claim.kind is Kind.LINKED]
    told = tuple(dict.fromkeys(one for c in linked for one in (c.identity, *c.others)))
    others = rivals(told, state_of)
    if not others:
        return news, None
    found = conflict(bot_id, linked[0], (*told, *others), now)
    return [*news, *found.claims], found


def _sort(identity: str) -> str:
    if not is_bsuid(identity):
        return "number"
    return "parent" if identity[3:7] == "ENT." else "bsuid"


def _others(one: str, all_of_them: Iterable[str]) -> tuple[str, ...]:
    return tuple(each for each in all_of_them if each != one)


def _linking(
    bot_id: str,
    kind: Kind,
    identity: str,
    others: tuple[str, ...],
    at: int | None,
    unit: int,
    source: str,
) -> Claim:
    """The same fact at the same time has the same id, whoever tells it."""
    time = at if at is not None and 0 <= at < _LONGEST_TIME else 0
    told = (bot_id, str(at), kind.value, identity, *sorted(others))
    return Claim(
        event_id=derived_id(time, *told),
        identity=identity,
        kind=kind,
        origin=Origin.SIGNED,
        source=source,
        at=at,
        unit=unit,
        actor="webhook",
        others=others,
    )
