"""A pair that is known is not recorded each time it is told: what that costs, and what not (R11).

The ledger holds a pair's first telling, and the first after each change that had ended it. Against
a ledger that held every telling it must never allow more, never hide a stop, and allow the same as
soon as facts come in the order of their times, or the pair is told once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from optin.domain import links
from optin.domain.consent import BLOCKING, Clocks
from optin.domain.events import Claim, Event, Kind, Origin
from optin.domain.ids import derived_id
from optin.domain.inbound import IdentityChange
from optin.domain.linking import change_claims, is_news, learned, pairs
from optin.domain.links import UNKNOWN, State
from optin.domain.times import effective_time

PEOPLE = ("46700000001", "46700000002", "5215512345678", "525512345678", "SE.a", "SE.b", "SE.ENT.c")
NOW = 10**15
#: Later than any fact in a life.
LAST = 1_000
GIVEN = (Kind.OPT_IN, Kind.START_WORD, Kind.MESSAGE, Kind.OPT_OUT_KEYWORD, Kind.MARKETING_STOP)


class Fact(NamedTuple):
    """What a provider or a contact says at `at`: a pair, a change from one to other, or consent."""

    kind: str
    one: str
    other: str
    at: int
    unit: int

    def claims(self) -> list[Claim]:
        """As the ledger would have it."""
        if self.kind == "pair":
            return pairs("shop", (self.one, self.other), self.at, self.unit, "webhook")
        if self.kind == "change":
            item = IdentityChange("PN", (self.one,), (self.other,), self.at, self.unit)
            return change_claims("shop", item, "webhook")
        event_id = derived_id(self.at, *map(str, self))
        return [Claim(event_id, self.one, Kind(self.kind), Origin.SIGNED, "webhook", at=self.at)]


FACTS = st.builds(
    lambda kind, who, at, unit: Fact(kind, who[0], who[1], at, unit),
    st.sampled_from(["pair"] * 6 + ["change"] * 2 + [*GIVEN]),
    st.permutations(PEOPLE),
    st.integers(0, 12),
    st.sampled_from([1, 1, 3]),
)
LIVES = st.lists(FACTS, max_size=14)


class World:
    """The states after some facts, in this order; `keeps`: which claims are recorded."""

    def __init__(self, keeps: Callable[[Claim, World], bool]) -> None:
        self._keeps = keeps
        self.states: dict[str, State] = {}
        self._ids: set[bytes] = set()

    def hear(self, facts: Iterable[Fact]) -> World:
        for claim in (claim for fact in facts for claim in fact.claims()):
            if claim.event_id not in self._ids and self._keeps(claim, self):
                self._ids.add(claim.event_id)
                event = Event(claim, NOW, effective_time(claim, NOW, NOW))
                self.states[claim.identity] = links.fold(self(claim.identity), event)
        return self

    def __call__(self, identity: str) -> State:
        return self.states.get(identity, UNKNOWN)

    def read(self) -> Mapping[str, Clocks]:
        """What decisions about each identity read."""
        return {who: links.reading(who, self) for who in PEOPLE}


def whole(facts: Sequence[Fact]) -> World:
    """Every telling is recorded: what R11 says."""
    return World(lambda claim, world: True).hear(facts)


def kept(facts: Sequence[Fact]) -> World:
    """As the program does it."""
    return World(is_news).hear(facts)


def blocks(clocks: Clocks) -> dict[str, Any]:
    return {name: getattr(clocks, name) for name in BLOCKING}


def allows(clocks: Clocks) -> dict[str, Any]:
    return {
        name: at for name, at in clocks._asdict().items() if name not in (*BLOCKING, "wordings")
    }


@settings(max_examples=400)
@given(LIVES, st.randoms(use_true_random=False))
def test_it_never_allows_more_and_never_hides_a_stop(life: list[Fact], chance: Any) -> None:
    """R11, in any order of arrival, with repetitions: each clock that lifts is at most what it is
    with every telling recorded, each that blocks is exactly that."""
    arrived = life * 2
    chance.shuffle(arrived)
    should, does = whole(arrived).read(), kept(arrived).read()
    for who in PEOPLE:
        assert blocks(does[who]) == blocks(should[who])
        assert all(at <= allows(should[who])[name] for name, at in allows(does[who]).items())


@settings(max_examples=400)
@given(LIVES)
def test_in_the_order_of_their_times_nothing_is_lost(life: list[Fact]) -> None:
    """R11: facts that come as they happen, changes before what was said in the same unit of time,
    read the same as with every telling recorded."""
    by_time = sorted(life, key=lambda fact: (fact.at + fact.unit, fact.kind != "change"))
    assert kept(by_time).read() == whole(by_time).read()


@settings(max_examples=400)
@given(LIVES, st.randoms(use_true_random=False))
def test_told_once_more_it_is_as_it_should_be(life: list[Fact], chance: Any) -> None:
    """R11: what a late change had cost comes back with the next message that names the pair."""
    arrived = [*life]
    chance.shuffle(arrived)
    again = [fact._replace(at=LAST) for fact in arrived if fact.kind == "pair"]
    assert kept([*arrived, *again]).read() == whole([*arrived, *again]).read()


@settings(max_examples=300)
@given(LIVES, st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), st.integers(0, 12))
def test_who_becomes_one_person_is_told_to_a_person(
    life: list[Fact], one: str, other: str, at: int
) -> None:
    """R11: a link that brings two numbers or two BSUIDs together stops marketing for all whom it
    brings together, whatever was known before."""
    world = kept(life)
    if one == other or other in links.reach(one, world).allowing:
        return
    here, there = (links.reach(each, world).allowing for each in (one, other))
    claims = Fact("pair", one, other, at, 1).claims()
    news, found = learned("shop", claims, lambda i: world(i).links, lambda _: False, NOW)
    same = {(a, b) for a in here for b in there if sort(a) == sort(b) and not spelled(a, b)}
    same -= {(one, other)}  # the provider itself says that these two are one
    assert (found is not None) == bool(same) or not any(c.kind is Kind.LINKED for c in news)
    if found is not None:
        assert {each for pair in same for each in pair} <= set(found.identities)
        stopped = {c.identity for c in news if c.kind is Kind.MARKETING_STOP}
        assert stopped == set(found.identities) >= {one, other}


def sort(identity: str) -> str:
    return "parent" if ".ENT." in identity else "bsuid" if "." in identity else "number"


def spelled(one: str, other: str) -> bool:
    return {one, other} == {"5215512345678", "525512345678"}
