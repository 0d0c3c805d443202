"""Which identities are one person, and what each may still say (R11)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain import consent, links
from optin.domain.consent import NEVER, SESSION
from optin.domain.events import LINKING, STOPS, Event, Kind
from optin.domain.links import UNKNOWN, State
from tests.domain.histories import INSTANTS, event

PEOPLE = ("46700000001", "46700000002", "5215512345678", "525512345678", "SE.a", "SE.b")


def of(identity: str, kind: Kind | str, at: int, *others: str, **claim: Any) -> Event:
    """An event of this identity, naming others if it links."""
    made = event(kind, at, **claim)
    return replace(made, claim=replace(made.claim, identity=identity, others=others))


def states(*events: Event) -> Mapping[str, State]:
    """The state of everybody named."""
    folded: dict[str, State] = defaultdict(lambda: UNKNOWN)
    for one in events:
        folded[one.claim.identity] = links.fold(folded[one.claim.identity], one)
    return folded


def linked(one: str, other: str, at: int) -> list[Event]:
    """A provider said that these are one person."""
    return [of(one, Kind.LINKED, at, other), of(other, Kind.LINKED, at, one)]


def replaced(old: str, new: str, at: int) -> list[Event]:
    """A provider said that the person went from `old` to `new`."""
    return [of(old, Kind.REPLACED, at, new), of(new, Kind.REPLACES, at, old)]


def read(world: Mapping[str, State], identity: str) -> consent.Clocks:
    return links.reading(identity, lambda one: world[one])


@st.composite
def lives(draw: st.DrawFn) -> list[Event]:
    """Random consent, links and changes among few identities."""
    made: list[Event] = []
    for _ in range(draw(st.integers(0, 12))):
        one, other = draw(st.permutations(PEOPLE))[:2]
        at = draw(INSTANTS)
        kind = draw(st.sampled_from(sorted(set(Kind))))
        if kind is Kind.LINKED:
            made += linked(one, other, at)
        elif kind in LINKING:
            made += replaced(one, other, at)
        else:
            made.append(of(one, kind, at))
    return made


@given(lives(), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(life: list[Event], chance: Any) -> None:
    """R2, R11: links are a set too; every reading is the same for every order of arrival."""
    shuffled = life * 2
    chance.shuffle(shuffled)
    one, other = states(*life), states(*shuffled)
    assert [read(one, who) for who in PEOPLE] == [read(other, who) for who in PEOPLE]


@given(lives(), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), INSTANTS, INSTANTS)
def test_no_link_or_change_lets_a_blocked_identity_through(
    life: list[Event], one: str, other: str, at: int, now: int
) -> None:
    """R11: what is refused stays refused by links and changes alone, unless a yes or a message
    that is later than the block comes with them."""
    before = read(states(*life), one)
    for more in (linked(one, other, at), replaced(one, other, at), replaced(other, one, at)):
        after = read(states(*life, *more), one)
        stops = [e.effective for e in life if e.claim.kind in STOPS - LINKING]
        block = consent.newest_opt_out(before)
        was_out = block != NEVER and not consent.opted_in(before, now)
        if was_out and consent.opted_in(after, now):
            gained = max(after.opt_in, after.start_word)
            assert gained > block
            assert gained > max(before.opt_in, before.start_word)
            assert stops


@given(lives(), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE))
def test_links_and_changes_never_hide_a_stop(life: list[Event], one: str, other: str) -> None:
    """R11: no link and no change makes any stop older than it was."""
    before = read(states(*life), one)
    for more in (linked(one, other, 3), replaced(one, other, 3), replaced(other, one, 3)):
        after = read(states(*life, *more), one)
        assert all(getattr(after, n) >= getattr(before, n) for n in consent.BLOCKING)


@given(lives(), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), INSTANTS)
def test_a_stop_never_lets_anybody_through_who_does_not_share_its_yes(
    life: list[Event], one: str, other: str, at: int
) -> None:
    """R11, R4: the STOP of an identity that counts from W alone lifts nothing, whenever dated."""
    before = states(*life)
    if other in links.reach(one, lambda who: before.get(who, links.UNKNOWN)).allowing:
        return
    for stop in (Kind.OPT_OUT, Kind.OPT_OUT_KEYWORD):
        after = read(states(*life, of(other, stop, at)), one)
        assert consent.opted_in(read(before, one), 9) or not consent.opted_in(after, 9)


def test_a_stop_by_bsuid_blocks_the_phone_and_the_other_way_round() -> None:
    """R11: as soon as the pair is known, in either order."""
    pair = linked("46700000001", "SE.a", 1)
    for stop, asked in (("SE.a", "46700000001"), ("46700000001", "SE.a")):
        world = states(*pair, of(asked, Kind.OPT_IN, 2), of(stop, Kind.OPT_OUT_KEYWORD, 3))
        assert not consent.opted_in(read(world, asked), 9)


def test_an_opt_in_counts_for_all_linked_identities_and_their_spellings() -> None:
    """R11: N is reached step by step: BSUID to phone to the phone's other spelling."""
    world = states(*linked("5215512345678", "SE.a", 1), of("525512345678", Kind.OPT_IN, 2))
    assert consent.opted_in(read(world, "SE.a"), 9)


def test_a_changed_number_takes_its_stops_along_and_leaves_its_yes_behind() -> None:
    """R11: until t for nobody, later for the old number alone; stops for both, whenever."""
    old, new = "46700000001", "46700000002"
    change = replaced(old, new, 5)
    yes = states(of(old, Kind.OPT_IN, 4), *change)
    assert not consent.opted_in(read(yes, old), 9)
    assert not consent.opted_in(read(yes, new), 9)
    later = states(of(old, Kind.OPT_IN, 6), *change)
    assert consent.opted_in(read(later, old), 9)
    assert not consent.opted_in(read(later, new), 9)
    for at in (4, 6):
        out = states(of(new, Kind.OPT_IN, 3), of(old, Kind.OPT_OUT, at), *change)
        assert not consent.opted_in(read(out, new), 9)
    wrote = states(of(old, Kind.MESSAGE, 5), *change)
    assert consent.session_until(read(wrote, old), SESSION) is None, "a tie is the change's"


def test_a_change_counts_under_every_spelling_of_the_old_number() -> None:
    """R11: 52 and 521 are one subscriber, who gave both up."""
    change = replaced("5215512345678", "46700000002", 5)
    world = states(of("525512345678", Kind.OPT_IN, 4), *change)
    assert not consent.opted_in(read(world, "525512345678"), 9)
    assert not consent.opted_in(read(world, "5215512345678"), 9)


def test_links_from_before_a_change_no_longer_allow() -> None:
    """R11: a reassigned number's new holder neither gives to nor gets from the old BSUID."""
    phone, old_id, new_id = "46700000001", "SE.a", "SE.b"
    events = [
        *linked(phone, old_id, 1),
        *replaced(phone, "46700000002", 5),
        *replaced(old_id, "46700000002", 5),
        *linked(phone, new_id, 7),
        of(phone, Kind.MESSAGE, 7),
        of(new_id, Kind.MESSAGE, 7),
    ]
    world = states(*events)
    assert links.reach(phone, lambda i: world[i]).allowing == {phone, new_id}
    assert old_id in links.reach(phone, lambda i: world[i]).blocking
    assert consent.session_until(read(world, phone), 8) is not None
    assert consent.session_until(read(world, old_id), 8) is None


@pytest.mark.parametrize("gone", ["46700000001", "SE.a"])
def test_what_is_given_after_a_change_is_for_the_old_identity_alone(gone: str) -> None:
    """R11: whichever end of a link was given up, what it gives later no longer counts for the
    other end, nor the other's for it; a stop of either still does for both."""
    [stays] = {"46700000001", "SE.a"} - {gone}
    pair, change = linked(gone, stays, 1), replaced(gone, "SE.new", 5)
    for giver, other in ((gone, stays), (stays, gone)):
        world = states(*pair, *change, of(giver, Kind.OPT_IN, 7), of(giver, Kind.MESSAGE, 7))
        assert consent.opted_in(read(world, giver), 9)
        assert not consent.opted_in(read(world, other), 9)
        assert consent.session_until(read(world, other), 8) is None
        out = states(*pair, *change, of(other, Kind.OPT_IN, 6), of(giver, Kind.OPT_OUT, 7))
        assert not consent.opted_in(read(out, other), 9)


def test_live_times_lie_after_changes_too() -> None:
    """R3: an opt-in given after a change was recorded must not count as given before it."""
    world = states(*replaced("46700000001", "46700000002", 50))
    assert links.newest("46700000001", lambda i: world[i]) == 50
