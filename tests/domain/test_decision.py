"""R7: the vectors in every order of arrival, and properties that no table covers."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain import consent
from optin.domain.consent import SESSION
from optin.domain.decision import Decision, Enforce, Gate, Reason, decide, gate
from optin.domain.events import Event
from optin.domain.messages import Category
from tests.domain.histories import event, events, micros
from tests.vectors import load

LIVES = st.lists(events(), max_size=10)
CATEGORIES = st.sampled_from(list(Category))


def orders(given_events: list[Event]) -> list[list[Event]]:
    """Every order of up to five events, fifty random ones of more."""
    if len(given_events) <= 5:
        return [list(order) for order in itertools.permutations(given_events)]
    chance = random.Random(7)
    return [chance.sample(given_events, len(given_events)) for _ in range(50)]


@pytest.mark.parametrize("case", load("decisions")["cases"], ids=lambda case: case["name"])
def test_vectors_hold_in_every_order(case: dict[str, Any]) -> None:
    """The decision vectors, whatever the order in which their events arrive (R2)."""
    for order in orders([event(e["kind"], micros(e["at"])) for e in case["events"]]):
        state = consent.fold(order)
        for expected in case["decisions"]:
            got = decide(state, Category(expected["category"]), micros(expected["now"]))
            until = micros(expected["until"]) if expected["until"] else None
            want = (expected["allowed"], expected["reason"], expected["basis"], until)
            assert (got.allowed, got.reason, got.basis, got.until) == want


@given(LIVES, CATEGORIES)
def test_after_a_new_opt_out_nothing_passes(life: list[Event], category: Category) -> None:
    """R6: for every history and category, under both settings that bite."""
    state = consent.fold([*life, event("opt_out", 7)])
    for enforce in (Enforce.ALL, Enforce.OPT_OUTS):
        assert gate(state, category, 8, enforce=enforce) == Gate(
            False, Decision(False, Reason.OPTED_OUT)
        )


@given(LIVES, st.integers(0, 2 * SESSION))
def test_free_form_never_leaves_without_a_session(life: list[Event], now: int) -> None:
    """R7 step 4: whatever the opt-ins, service needs an open session."""
    state = consent.fold(life)
    if decide(state, Category.SERVICE, now).allowed:
        assert consent.session_until(state, now) is not None


@given(LIVES, st.integers(0, 2 * SESSION))
def test_marketing_is_never_easier_than_utility(life: list[Event], now: int) -> None:
    """R7, R8: what stops utility stops marketing too."""
    state = consent.fold(life)
    if decide(state, Category.MARKETING, now).allowed:
        assert decide(state, Category.UTILITY, now).allowed
        assert not consent.marketing_stopped(state)


@given(LIVES, CATEGORIES, st.integers(0, 2 * SESSION))
def test_an_allowed_decision_holds_until_its_end(
    life: list[Event], category: Category, now: int
) -> None:
    """R7: `until` is the first instant at which the answer may change without a new event."""
    state = consent.fold(life)
    decision = decide(state, category, now)
    if decision.until is not None:
        assert decide(state, category, decision.until - 1).allowed
        assert decide(state, category, decision.until) != decision


@given(LIVES, CATEGORIES, st.integers(0, 2 * SESSION))
def test_enforce_softens_only_what_it_says(life: list[Event], category: Category, now: int) -> None:
    """R7: `opt_outs` lets pass only no_opt_in and session_required, and no marketing stop."""
    state = consent.fold(life)
    rule = decide(state, category, now)
    assert gate(state, category, now, enforce=Enforce.ALL) == Gate(rule.allowed, rule)
    assert gate(state, category, now, enforce=Enforce.NONE) == Gate(True, rule)
    soft = gate(state, category, now, enforce=Enforce.OPT_OUTS)
    stopped = category is Category.MARKETING and consent.marketing_stopped(state)
    if soft.passes and not rule.allowed:
        assert rule.reason in (Reason.NO_OPT_IN, Reason.SESSION_REQUIRED)
        assert soft.decision == rule
        assert not stopped
    if not soft.passes and soft.decision != rule:
        assert soft.decision.reason is Reason.MARKETING_STOPPED
        assert stopped


def test_a_marketing_stop_bites_without_an_opt_in_under_opt_outs() -> None:
    """R7: step 3 refuses whatever step 1 said, and then as marketing_stopped."""
    state = consent.fold([event("marketing_stop", 1)])
    assert gate(state, Category.MARKETING, 2).decision.reason is Reason.NO_OPT_IN
    soft = gate(state, Category.MARKETING, 2, enforce=Enforce.OPT_OUTS)
    assert soft == Gate(False, Decision(False, Reason.MARKETING_STOPPED))
    assert gate(state, Category.UTILITY, 2, enforce=Enforce.OPT_OUTS).passes
