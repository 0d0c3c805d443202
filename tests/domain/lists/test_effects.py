"""What a row would do, and what takes an import back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain import consent, links
from optin.domain.consent import Policy
from optin.domain.errors import FutureDated
from optin.domain.events import Claim, Event, Kind, Origin
from optin.domain.links import UNKNOWN, State
from optin.domain.lists.claims import UNDATED
from optin.domain.lists.effects import Effect, Ledgers, compensations, foreseen
from optin.domain.lists.ids import row_id, span
from tests.domain.lists.reading import ANNA

NOW = 10_000_000
POLICIES = (Policy(), Policy(reopt_in_needs_evidence=True), Policy(opt_in_lifetime=5_000_000))


def claim(kind: Kind, at: int, number: int = 1, **more: object) -> Claim:
    made = Claim(
        number.to_bytes(16, "big"), ANNA, kind, Origin.DATED, "import", at, evidence={"a": 1}
    )
    return replace(made, **more)  # type: ignore[arg-type]


def event(kind: Kind, at: int, number: int, **more: object) -> Event:
    return Event(claim(kind, at, number, **more), NOW, at)


def effect(kind: Kind, at: int, *before: Event) -> tuple[Effect, bool]:
    states = {ANNA: links.folded(before)} if before else {}
    seen = foreseen(claim(kind, at, 99), lambda one: states.get(one, UNKNOWN), NOW, Policy())
    return seen.effect, seen.lifts


def test_effects() -> None:
    """New, changed, unchanged, and an opt-in that a newer opt-out outweighs."""
    out, early = event(Kind.OPT_OUT, 500, 1), event(Kind.OPT_IN, 100, 2)
    assert effect(Kind.OPT_IN, 100) == (Effect.NEW, False)
    assert effect(Kind.OPT_IN, 50, early) == (Effect.UNCHANGED, False)
    assert effect(Kind.OPT_IN, 200, early) == (Effect.CHANGED, False)
    assert effect(Kind.OPT_OUT, 200, early) == (Effect.CHANGED, False)
    assert effect(Kind.OPT_IN, 200, out) == (Effect.WOULD_REVIVE, False)
    assert effect(Kind.OPT_IN, UNDATED, out, early) == (Effect.WOULD_REVIVE, False)
    assert effect(Kind.OPT_IN, 600, out) == (Effect.CHANGED, True)
    with pytest.raises(FutureDated):
        effect(Kind.OPT_IN, NOW + 10**9)


_kinds = st.sampled_from(
    [
        Kind.OPT_IN,
        Kind.OPT_OUT,
        Kind.OPT_OUT_KEYWORD,
        Kind.START_WORD,
        Kind.MARKETING_STOP,
        Kind.MARKETING_RESUME,
    ]
)
_mine = st.sampled_from([Kind.OPT_IN, Kind.OPT_OUT, Kind.MARKETING_STOP, Kind.MARKETING_RESUME])
_times = st.one_of(st.integers(1, 12).map(lambda n: n * 1_000_000), st.just(UNDATED))
_given = st.lists(
    st.tuples(_kinds, _times, st.booleans(), st.sampled_from([None, "w1", "w2"])), max_size=5
)
_imported = st.lists(
    st.tuples(
        _mine, _times, st.sampled_from([None, frozenset({"utility"}), frozenset({"marketing"})])
    ),
    min_size=1,
    max_size=3,
)


@given(_given, _imported, st.sampled_from(POLICIES))
def test_an_undone_import_is_as_if_it_had_not_been(
    others: list[tuple[Kind, int, bool, str | None]],
    imported: list[tuple[Kind, int, frozenset[str] | None]],
    policy: Policy,
) -> None:
    """R4, R8: afterwards nobody is in who would not be without the import, nor out who would be in
    unless an expired or unproven opt-in is all there is; undoing again finds nothing to do."""
    history: list[Event] = [
        event(
            kind,
            at,
            number,
            evidence={"a": 1} if proven else {},
            wording=wording if kind is Kind.OPT_IN else None,
            from_contact=kind is Kind.OPT_OUT,
        )
        for number, (kind, at, proven, wording) in enumerate(others)
    ]
    rows = [
        event(kind, at, 100 + n, categories=named if kind is Kind.OPT_IN else None)
        for n, (kind, at, named) in enumerate(imported)
    ]
    mine = frozenset(row.claim.event_id for row in rows)
    without = _stands(history, policy)
    first = _undone([*history, *rows], mine, policy)
    assert not _stands(first, policy)[0] or without[0]
    assert _stands(first, policy)[1] or not without[1]
    if policy == Policy():
        assert _stands(first, policy) == without
    again = _undone(first, mine, policy)
    assert _stands(again, policy)[0] == _stands(first, policy)[0]


def _undone(events: Sequence[Event], mine: frozenset[bytes], policy: Policy) -> list[Event]:
    found = compensations(ANNA, Ledgers({ANNA: events}, mine), NOW * 2, policy)
    made = [
        Event(
            claim(
                each.kind,
                each.at,
                1_000 + len(events) + place,
                evidence=each.like.claim.evidence if each.like else {},
                wording=each.like.claim.wording if each.like else None,
            ),
            NOW,
            each.at,
        )
        for place, each in enumerate(found)
    ]
    return [*events, *made]


def _stands(events: Sequence[Event], policy: Policy) -> tuple[bool, bool]:
    """(opted in, marketing stopped)."""
    clocks = links.folded(events).clocks
    return consent.opted_in(clocks, NOW * 2, policy), consent.our_marketing_stopped(clocks)


def test_linked_people() -> None:
    """R11: an import's opt-in of a number counts for the BSUID linked with it; both are out."""
    bsuid = "SE.1"
    link = [
        Event(claim(Kind.LINKED, 1, 50 + n, identity=one, others=(other,)), NOW, 1)
        for n, (one, other) in enumerate([(ANNA, bsuid), (bsuid, ANNA)])
    ]
    row = event(Kind.OPT_IN, 1_000_000, 100)
    events = {ANNA: [link[0], row], bsuid: [link[1]]}
    ledgers = Ledgers(events, frozenset({row.claim.event_id}))
    (back,) = compensations(ANNA, ledgers, NOW, Policy())
    events[ANNA].append(Event(claim(back.kind, back.at, 200), NOW, back.at))
    states = {one: links.folded(its) for one, its in events.items()}
    for one in events:
        reading = links.reading(one, lambda who: states.get(who, State()))
        assert not consent.opted_in(reading, NOW)


def test_ids_of_rows() -> None:
    """The events of one import stand together in the order of its rows, and no other's between."""
    begin, end = span("bot", "A", 1_775_899_800_000_000)
    ids = [row_id("bot", "A", 1_775_899_800_000_000, n) for n in (1, 2, 255, 256, 10**6)]
    assert ids == sorted(ids)
    assert all(begin < one <= end for one in ids)
    for other in (("bot", "B"), ("tob", "A")):
        assert not begin < row_id(*other, 1_775_899_800_000_000, 5) <= end
