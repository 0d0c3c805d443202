"""The clocks and their fold (R2 to R6, R8), against a second way of computing them."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from optin.domain import consent
from optin.domain.consent import BLANK, NEVER, SESSION, Clocks, Policy
from optin.domain.events import Event, Kind
from tests.domain.histories import event, events

LIVES = st.lists(events(), max_size=12)


def newest_of(life: list[Event], *kinds: Kind) -> int:
    """The newest effective time of these kinds, straight from the list."""
    times = [e.effective for e in life if e.claim.kind in kinds and e.effective is not None]
    return max(times, default=NEVER)


@given(LIVES, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(life: list[Event], chance: object) -> None:
    """R2: the fold depends on the set of events alone."""
    shuffled = life * 2
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert consent.fold(shuffled) == consent.fold(life)


@given(LIVES, LIVES)
def test_a_checkpoint_folds_on(before: list[Event], after: list[Event]) -> None:
    """R2: folding on from a stored state is folding everything."""
    assert consent.fold(after, consent.fold(before)) == consent.fold(before + after)


@given(LIVES)
def test_opted_in_agrees_with_the_words_of_the_rule(life: list[Event]) -> None:
    """R4, computed from the list of events instead of the clocks."""
    opt_in = newest_of(life, Kind.OPT_IN)
    keyword = newest_of(life, Kind.OPT_OUT_KEYWORD)
    other = newest_of(life, Kind.OPT_OUT, Kind.ERASED)
    lifted = keyword > other and newest_of(life, Kind.START_WORD) > keyword
    assert consent.opted_in(consent.fold(life), 10) == (opt_in > max(keyword, other) or lifted)


@given(LIVES)
def test_reopt_in_with_evidence_agrees_with_the_words_of_the_rule(life: list[Event]) -> None:
    """R4, `reopt_in: evidence`: only proof or a start word outweighs the contact's own no."""
    own_no = [
        e.effective
        for e in life
        if e.effective is not None
        and (e.claim.kind is Kind.OPT_OUT_KEYWORD or e.claim.from_contact)
    ]
    proven = [
        e.effective
        for e in life
        if e.claim.kind is Kind.OPT_IN and e.effective is not None
        if e.claim.evidence or e.claim.wording
    ]
    keyword, other = (
        newest_of(life, Kind.OPT_OUT_KEYWORD),
        newest_of(life, Kind.OPT_OUT, Kind.ERASED),
    )
    lifted = newest_of(life, Kind.START_WORD) > keyword > other
    outweighed = newest_of(life, Kind.OPT_IN) > max(keyword, other)
    allowed = not own_no or max(own_no) < max(proven, default=NEVER)
    policy = Policy(reopt_in_needs_evidence=True)
    assert consent.opted_in(consent.fold(life), 10, policy) == (lifted or (outweighed and allowed))


@given(LIVES, st.integers(0, 6))
def test_a_new_opt_out_always_wins(life: list[Event], at: int) -> None:
    """R4, R5, R6: an opt-out not older than anything else leaves neither opt-in nor session."""
    newest = max((e.effective or 0 for e in life), default=0)
    state = consent.fold([*life, event("opt_out", max(at, newest))])
    assert not consent.opted_in(state, 10)
    assert consent.session_until(state, 10) is None


def test_the_session_ends_at_exactly_24_hours() -> None:
    """R5: open one microsecond before, shut on the instant."""
    state = consent.fold([event("message", 5)])
    assert consent.session_until(state, 5 + SESSION - 1) == 5 + SESSION
    assert consent.session_until(state, 5 + SESSION) is None


def test_named_categories_stop_or_resume_marketing() -> None:
    """R8: named categories without marketing stop it, naming marketing lifts our stop."""
    without = consent.fold([event("opt_in", 1, categories=frozenset({"utility"}))])
    assert consent.marketing_stopped(without)
    lifted = consent.fold([event("opt_in", 2, categories=frozenset({"marketing"}))], without)
    assert not consent.marketing_stopped(lifted)
    assert consent.marketing_stopped(consent.fold([event("provider_marketing_stop", 1)], lifted)), (
        "the provider's stop is another clock"
    )


def test_an_expired_opt_in_counts_as_none() -> None:
    """R4: from the instant of expiry on, and only then."""
    state, policy = consent.fold([event("opt_in", 100)]), Policy(opt_in_lifetime=50)
    assert consent.opted_in(state, 149, policy)
    assert not consent.opted_in(state, 150, policy)


def test_an_outdated_wording_counts_as_none() -> None:
    """R4: the opt-ins under other wordings, or none, still count."""
    state = consent.fold([event("opt_in", 1), event("opt_in", 3, wording="w1")])
    state = consent.fold([event("opt_out", 2)], state)
    outdated = Policy(outdated={"w1": 10})
    assert consent.opted_in(state, 9, outdated)
    assert not consent.opted_in(state, 10, outdated)
    again = consent.fold([event("opt_in", 4, wording="w2")], state)
    assert consent.opted_in(again, 10, outdated)


def test_an_event_without_effect_moves_nothing() -> None:
    """R3: what a provider dates too far ahead is stored, and no clock moves."""
    assert consent.fold([event("message", None)]) == BLANK


@given(LIVES)
def test_newest_is_the_newest_clock(life: list[Event]) -> None:
    """R3: the live time must lie after this."""
    times = [e.effective for e in life if e.effective is not None]
    assert consent.newest(consent.fold(life)) == max(times, default=NEVER)


@given(LIVES, LIVES)
def test_reading_takes_stops_from_all_and_the_rest_from_the_narrow_set(
    own: list[Event], other: list[Event]
) -> None:
    """R11: what another identity of W gave can only block; its STOP does not make an opt-out of
    ours one by keyword, which a start word would lift."""
    mine, theirs = consent.fold(own), consent.fold(other)
    read = consent.read([mine, theirs], [mine])
    stops = {name: max(getattr(mine, name), getattr(theirs, name)) for name in consent.BLOCKING}
    by_keyword = mine.opt_out_keyword > mine.opt_out_other
    of_another = theirs.opt_out_keyword > mine.opt_out_keyword
    started = mine.start_word if by_keyword or not of_another else NEVER
    assert read == mine._replace(start_word=started, **stops)
    assert consent.opted_in(mine, 10) or not consent.opted_in(read, 10)


def test_the_clocks_of_r2_are_all_there() -> None:
    """R2 names eleven clocks; wordings stand beside them."""
    assert len(Clocks._fields) == 12


@given(st.integers(0, 120), st.integers(0, 200), st.integers(0, 999))
def test_no_more_wordings_than_it_may(count: int, cut: int, seed: int) -> None:
    """R2: of the wordings that an identity agreed to, the newest `MOST_WORDINGS` are remembered,
    whatever their order of arrival, and wherever the fold was stored in between."""
    chance = Random(seed)
    shown = [(chance.randrange(count + 1), chance.randrange(7)) for _ in range(2 * count)]
    life = [event("opt_in", at, wording=f"w{number}") for number, at in shown]
    newest: dict[str, int] = {}
    for number, at in shown:
        newest[f"w{number}"] = max(at, newest.get(f"w{number}", at))
    kept = sorted(newest.items(), key=lambda item: (item[1], item[0]))[-consent.MOST_WORDINGS :]
    shuffled = life * 2
    chance.shuffle(shuffled)
    stored = consent.fold(shuffled[:cut])
    for found in (consent.fold(life), consent.fold(shuffled[cut:], stored)):
        assert dict(found.wordings) == dict(kept)
        assert len(found.wordings) <= 64
