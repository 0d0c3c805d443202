"""Which identities are one person, and what each of them may still say (R11).

Theory: like clocks, links only grow (`join` takes the newer time and the union), so they too are
the same for every order of arrival. Linking adds nothing and lifts nothing: it widens what a
decision reads. What blocks is read from W, all that is reached step by step; what allows from N,
which leaves out Argentina's spellings, links that a later change of number or BSUID ended, and
the identities that a person gave up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from optin.domain import consent
from optin.domain.consent import BLANK, BLOCKING, NEVER, Clocks
from optin.domain.events import Event, Kind
from optin.domain.identities import Reach
from optin.domain.identities import reach as spellings

_NOBODY: Mapping[str, int] = MappingProxyType({})


class Links(NamedTuple):
    """What one identity knows of others.

    `peers`: identities of the same person, with the newest instant at which a provider said so,
    UTC µs. `former`: identities that this one replaced. `cutoff`: the newest change that took this
    identity from its person; what it gave until then counts for nobody, `NEVER` if there is none.
    `erased`: the newest erasure (R15). From then on the person's identities of old are known by
    digests, from which no spelling can be told: `spelled` holds the digests of the spellings that
    allow, `blocking_spelled` of all. `plain`: the identity itself, once it is heard of again: the
    way from the digest to what is recorded from then on.
    """

    peers: Mapping[str, int] = _NOBODY
    former: frozenset[str] = frozenset()
    cutoff: int = NEVER
    erased: int = NEVER
    spelled: frozenset[str] = frozenset()
    blocking_spelled: frozenset[str] = frozenset()
    plain: str = ""


UNLINKED = Links()


@dataclass(frozen=True, slots=True)
class State:
    """The fold of one identity's own events: its clocks and its links.

    `version`: how many events there were; it grows with each, whatever the event says.
    """

    clocks: Clocks = BLANK
    links: Links = UNLINKED
    version: int = 0


UNKNOWN = State()

StateOf = Callable[[str], State]


def moved(event: Event) -> Links:
    """The links that this event alone gives."""
    at, others = event.effective, event.claim.others
    if at is None:
        return UNLINKED
    match event.claim.kind:
        case Kind.LINKED:
            return Links(peers=dict.fromkeys(others, at))
        case Kind.REPLACES:
            return Links(former=frozenset(others))
        case Kind.REPLACED:
            return Links(cutoff=at)
        case Kind.ERASED:
            return _erased(others, at)
        case _:
            return UNLINKED


def erased_spellings(spelled: Reach) -> tuple[str, ...]:
    """How an erasure's event names the digests of spellings in `others`: a "-" if one only
    blocks."""
    return tuple(who if who in spelled.allowing else "-" + who for who in sorted(spelled.blocking))


def _erased(others: Iterable[str], at: int) -> Links:
    told = frozenset(others)
    return Links(
        erased=at,
        spelled=frozenset(who for who in told if not who.startswith("-")),
        blocking_spelled=frozenset(who.removeprefix("-") for who in told),
    )


def join(one: Links, other: Links) -> Links:
    """The newer of each link, all former identities, the newer cutoff."""
    if other is UNLINKED or one == other:
        return one
    peers = dict(one.peers)
    for who, at in other.peers.items():
        peers[who] = max(at, peers.get(who, NEVER))
    return Links(
        peers,
        one.former | other.former,
        max(one.cutoff, other.cutoff),
        max(one.erased, other.erased),
        one.spelled | other.spelled,
        one.blocking_spelled | other.blocking_spelled,
        one.plain or other.plain,
    )


def fold(state: State, event: Event) -> State:
    """The state with one more event. This and `consent.moved` are all the folding there is."""
    return State(
        consent.join(state.clocks, consent.moved(event)),
        join(state.links, moved(event)),
        state.version + 1,
    )


def heard_again(state: State, identity: str) -> State:
    """The state under an erased identity's digest, once an event names the identity again."""
    return replace(state, links=state.links._replace(plain=identity))


def folded(events: Iterable[Event]) -> State:
    """The state that a set of events gives, whatever their order."""
    state = UNKNOWN
    for event in events:
        state = fold(state, event)
    return state


def neighbours(identity: str, links: Links) -> frozenset[str]:
    """One step of W: spellings, peers of any time, and what it replaced."""
    return spelled_as(identity, links).blocking | links.peers.keys() | links.former


def spelled_as(identity: str, links: Links) -> Reach:
    """The spellings of the identity, digests that were kept for them included, and the identity
    that a digest stands for, if it was heard of again (R15)."""
    found = spellings(identity)
    if links.erased == NEVER:
        return found
    own = frozenset({links.plain}) - {""}
    return Reach(
        blocking=found.blocking | links.blocking_spelled | own,
        allowing=found.allowing | links.spelled | own,
    )


def reach(identity: str, state_of: StateOf) -> Reach:
    """W and N of an identity, step by step."""
    blocking = _closure(identity, lambda one: neighbours(one, state_of(one).links))
    allowing = _closure(identity, lambda one: _living(one, state_of))
    return Reach(blocking=blocking, allowing=allowing)


def _living(identity: str, state_of: StateOf) -> frozenset[str]:
    """One step of N: a link counts only if it is newer than any change at either of its ends."""
    allowing = spelled_as(identity, state_of(identity).links).allowing
    return allowing | living_peers(identity, state_of)


def living_peers(identity: str, state_of: StateOf) -> frozenset[str]:
    """Whom the identity is linked to by no older word than the last change at either end."""
    ended = cutoff(identity, state_of)
    return frozenset(
        who
        for who, at in state_of(identity).links.peers.items()
        if at > ended and at > cutoff(who, state_of)
    )


def cutoff(identity: str, state_of: StateOf) -> int:
    """Until when what the identity gave counts for nobody, under any of its spellings."""
    spelled = spelled_as(identity, state_of(identity).links).allowing
    return max(state_of(one).links.cutoff for one in spelled)


def _closure(start: str, step: Callable[[str], frozenset[str]]) -> frozenset[str]:
    found, waiting = {start}, [start]
    while waiting:
        for new in step(waiting.pop()) - found:
            found.add(new)
            waiting.append(new)
    return frozenset(found)


def reading(identity: str, state_of: StateOf) -> Clocks:
    """What a decision about the identity reads: stops from W, the rest from N, less what was
    given before a change (R11)."""
    if _is_alone(identity, state_of):
        return state_of(identity).clocks
    who = reach(identity, state_of)
    return consent.read(
        (state_of(one).clocks for one in who.blocking),
        (_after(state_of(one).clocks, cutoff(one, state_of)) for one in who.allowing),
    )


def _is_alone(identity: str, state_of: StateOf) -> bool:
    """Whether W and N are the identity alone, as they mostly are."""
    return state_of(identity).links == UNLINKED and len(spellings(identity).blocking) == 1


def _after(clocks: Clocks, ended: int) -> Clocks:
    """The clocks without what lifts and was given until `ended`."""
    if ended == NEVER:
        return clocks
    kept = {
        name: at
        for name, at in clocks._asdict().items()
        if name in BLOCKING or (name != "wordings" and at > ended)
    }
    wordings = {wording: at for wording, at in clocks.wordings.items() if at > ended}
    return Clocks(**kept, wordings=wordings)


def entries(identity: str, state_of: StateOf) -> int:
    """How many events there are of all of W: any new one raises it, even if it moves no clock."""
    return sum(state_of(one).version for one in reach(identity, state_of).blocking)


def newest(identity: str, state_of: StateOf) -> int:
    """The newest clock of every identity in W, changes included: the live time lies after it."""
    if _is_alone(identity, state_of):
        return consent.newest(state_of(identity).clocks)
    who = reach(identity, state_of).blocking
    states = [state_of(one) for one in who]
    return max(max(consent.newest(state.clocks), state.links.cutoff) for state in states)
