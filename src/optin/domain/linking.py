"""Who is one person, as a provider's signed facts tell it (R11): from items to linking claims.

One claim an identity, naming the others. A pair that is known already is told again by every
message and status; `is_news` keeps those out of the ledger. Linking widens what is read, so a
link that makes two people of one, or one of two, is for a person to look at: see `rivals`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from optin.domain import links
from optin.domain.events import Claim, Kind, Origin
from optin.domain.identities import is_bsuid
from optin.domain.identities import reach as spellings
from optin.domain.ids import derived_id
from optin.domain.inbound import IdentityChange, InboundMessage, Item, Preference, StatusUpdate
from optin.domain.links import StateOf

_LONGEST_TIME = 2**57  # later than any date there is, and well within an id's 48 bits of ms


def told_together(item: Item) -> tuple[str, ...]:
    """The identities that the item says belong to one person; fewer than two link nothing."""
    match item:
        case InboundMessage():
            return () if item.group else tuple(dict.fromkeys((*item.identities, *item.shared)))
        case IdentityChange():
            return item.new
        case StatusUpdate() | Preference():
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
    or BSUID has ended since it was last told of. Every other claim does."""
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

    One of them is still linked to another number (or BSUID) than the one it comes with now, and
    the two are neither spellings of one another nor known to be one person.
    """
    told = tuple(identities)
    found = {
        peer
        for one in told
        for peer in links.living_peers(one, state_of)
        for other in told
        if peer not in told
        and _sort(peer) == _sort(other)
        and peer not in spellings(other).blocking
        and peer not in links.reach(other, state_of).allowing
    }
    return tuple(sorted(found))


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
