"""From a provider's facts to links, and who claims to be whom (R11)."""

from __future__ import annotations

from typing import Any

import pytest

from optin.domain.events import SECOND, Claim, Event, Kind
from optin.domain.inbound import IdentityChange, InboundMessage, Preference, StatusUpdate
from optin.domain.linking import change_claims, is_news, pairs, rivals, told_together
from optin.domain.links import UNKNOWN, State, StateOf, fold, reading
from optin.domain.times import effective_time

AT = 1_795_000_000_000_000
PHONE, NEW_PHONE = "46732001122", "46709998877"
BSUID, NEW_BSUID, PARENT = "SE.111", "SE.222", "SE.ENT.9"


def known(*claims: Claim) -> StateOf:
    """The states after these claims, recorded long after they happened."""
    states: dict[str, State] = {}
    for claim in claims:
        event = Event(claim, AT * 2, effective_time(claim, AT * 2, AT * 2))
        states[claim.identity] = fold(states.get(claim.identity, UNKNOWN), event)
    return lambda identity: states.get(identity, UNKNOWN)


def linked(*identities: str, at: int | None = AT) -> list[Claim]:
    return pairs("shop", identities, at, SECOND, "webhook:meta")


def changed(old: tuple[str, ...], new: tuple[str, ...], at: int = AT) -> list[Claim]:
    item = IdentityChange("PNID1", old, new, at)
    return change_claims("shop", item, "webhook:meta") + linked(*new, at=at)


def test_one_claim_an_identity() -> None:
    """R11: each identity is linked to all others, under ids that the fact alone makes."""
    claims = linked(PHONE, BSUID, PARENT)
    assert [(c.identity, c.others) for c in claims] == [
        (PHONE, (BSUID, PARENT)),
        (BSUID, (PHONE, PARENT)),
        (PARENT, (PHONE, BSUID)),
    ]
    assert len({c.event_id for c in claims}) == 3
    assert {c.event_id for c in claims} == {c.event_id for c in linked(PARENT, BSUID, PHONE)}
    assert linked(PHONE) == linked() == []


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (InboundMessage("P", (PHONE, BSUID), "w", AT, "text", True), (PHONE, BSUID)),
        (InboundMessage("P", (BSUID,), "w", AT, "contacts", True, shared=(PHONE,)), (BSUID, PHONE)),
        (InboundMessage("P", (PHONE,), "w", AT, "contacts", True, shared=(PHONE,)), (PHONE,)),
        (InboundMessage("P", (PHONE, BSUID), "w", AT, "text", True, group=True), ()),
        (StatusUpdate("P", "w", "", "read", AT, identities=(PHONE, BSUID)), (PHONE, BSUID)),
        (Preference("P", (PHONE, BSUID), "stop", "", AT), (PHONE, BSUID)),
        (IdentityChange("P", (PHONE,), (NEW_PHONE, NEW_BSUID), AT), (NEW_PHONE, NEW_BSUID)),
    ],
)
def test_what_links(item: Any, expected: tuple[str, ...]) -> None:
    """R11: what one signed fact names together is one person; a change never links old and new."""
    assert told_together(item) == expected


def test_a_known_pair_is_no_news() -> None:
    """The same pair, later or earlier, and part of a known group, is not recorded again."""
    state_of = known(*linked(PHONE, BSUID, PARENT))
    for at in (AT - SECOND, AT, AT + SECOND, None):
        assert not any(is_news(c, state_of) for c in linked(PHONE, BSUID, at=at))
    assert all(is_news(c, state_of) for c in linked(PHONE, NEW_BSUID))


def test_a_pair_after_a_change_is_news() -> None:
    """R11: a change ends the link; only a word that is later than the change makes it again."""
    state_of = known(*linked(PHONE, BSUID), *changed((PHONE,), (NEW_PHONE,), AT + 9 * SECOND))
    assert not any(is_news(c, state_of) for c in linked(PHONE, BSUID, at=AT + 9 * SECOND))
    assert all(is_news(c, state_of) for c in linked(PHONE, BSUID, at=AT + 10 * SECOND))


def test_a_change_gives_each_its_claim() -> None:
    """R11: old ones are replaced, new ones replace them all and are linked with each other."""
    claims = changed((PHONE, BSUID), (NEW_PHONE, NEW_BSUID))
    assert [(c.identity, c.kind, c.others) for c in claims] == [
        (PHONE, Kind.REPLACED, (NEW_PHONE, NEW_BSUID)),
        (BSUID, Kind.REPLACED, (NEW_PHONE, NEW_BSUID)),
        (NEW_PHONE, Kind.REPLACES, (PHONE, BSUID)),
        (NEW_BSUID, Kind.REPLACES, (PHONE, BSUID)),
        (NEW_PHONE, Kind.LINKED, (NEW_BSUID,)),
        (NEW_BSUID, Kind.LINKED, (NEW_PHONE,)),
    ]


def test_a_change_to_nobody_knows_whom() -> None:
    """A change whose new identity is hidden still ends the old one."""
    assert [(c.identity, c.kind) for c in changed((PHONE,), ())] == [(PHONE, Kind.REPLACED)]


@pytest.mark.parametrize(
    ("before", "told", "expected"),
    [
        ([(PHONE, BSUID)], (PHONE, NEW_BSUID), (BSUID,)),
        ([(PHONE, BSUID)], (NEW_PHONE, BSUID), (PHONE,)),
        ([(PHONE, BSUID)], (PHONE, PARENT), ()),
        ([(PHONE, BSUID)], (NEW_PHONE, NEW_BSUID), ()),
        ([], (PHONE, BSUID), ()),
        ([("525512345678", BSUID)], ("5215512345678", BSUID), ()),
        ([("5491123456789", BSUID)], ("541123456789", BSUID), ()),
        ([(PHONE, NEW_PHONE), (PHONE, BSUID)], (NEW_PHONE, BSUID), ()),
        ([(PHONE, BSUID), (NEW_PHONE, NEW_BSUID)], (PHONE, NEW_PHONE), (BSUID, NEW_BSUID)),
        ([(PHONE, BSUID), (NEW_PHONE, PARENT)], (BSUID, PARENT), (PHONE, NEW_PHONE)),
        (
            [(PHONE, BSUID), (PHONE, PARENT), (NEW_PHONE, NEW_BSUID)],
            (PARENT, NEW_BSUID),
            (PHONE, BSUID, NEW_PHONE),
        ),
    ],
)
def test_who_else_claims_it(
    before: list[tuple[str, str]], told: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """R11: two BSUIDs of one number or two numbers of one BSUID, but for spellings, parents and
    numbers known to be one person's."""
    state_of = known(*(claim for pair in before for claim in linked(*pair)))
    assert rivals(told, state_of) == tuple(sorted(expected))


def test_who_has_given_a_number_up_claims_it_no_more() -> None:
    """After a change the number's next owner is in conflict with nobody."""
    state_of = known(
        *linked(PHONE, BSUID),
        *changed((PHONE, BSUID), (NEW_PHONE, NEW_BSUID), AT + 9 * SECOND),
    )
    assert rivals((PHONE, "SE.333"), state_of) == ()


def test_stops_go_with_the_person_and_stay_with_the_number() -> None:
    """R11: after a change an old opt-out counts for both; an old opt-in for neither."""
    stop = Claim(b"1" * 16, PHONE, Kind.OPT_OUT_KEYWORD, linked(PHONE, BSUID)[0].origin, "t", at=AT)
    opt_in = Claim(b"2" * 16, PHONE, Kind.OPT_IN, stop.origin, "t", at=AT - SECOND)
    state_of = known(stop, opt_in, *changed((PHONE,), (NEW_PHONE,), AT + 9 * SECOND))
    for one in (PHONE, NEW_PHONE):
        assert reading(one, state_of).opt_out_keyword == AT
        assert reading(one, state_of).opt_in < 0
