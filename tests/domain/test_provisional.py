"""Provisional stops and what ends them, over all orders and mixtures of events (R2, R8)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from optin.domain import consent, links
from optin.domain.events import Claim, Event, Kind, Origin
from optin.domain.provisional import is_held_back, questions, resume_time

WHO = "46732001122"


def event(kind: Kind, at: int, review: str = "", *, decided: bool = False, n: int = 0) -> Event:
    """An event at `at`; `review`: of that item, as its decision or until then."""
    claim = Claim(
        event_id=f"{kind.value} {at} {review} {n}".encode(),
        identity=WHO,
        kind=kind,
        origin=Origin.SIGNED,
        source="test",
        context={"review": review} if review else {},
        evidence={"decision": "marketing_stop"} if decided else {},
    )
    return Event(claim, at, at)


TIMES = st.integers(0, 20)
OWN_WORDS = st.lists(
    st.builds(
        event, st.sampled_from([Kind.MARKETING_STOP, Kind.MARKETING_RESUME, Kind.MESSAGE]), TIMES
    ),
    max_size=5,
)
QUESTIONS = st.lists(st.tuples(TIMES, st.booleans()), max_size=4)


def is_stopped(events: list[Event]) -> bool:
    return consent.our_marketing_stopped(links.folded(events).clocks)


def asked(given_: list[tuple[int, bool]]) -> list[Event]:
    return [event(Kind.MARKETING_STOP, at, f"R{n}") for n, (at, _) in enumerate(given_)]


@given(OWN_WORDS, QUESTIONS)
def test_answered_questions_stop_nothing_and_lift_nothing(
    own: list[Event], given_: list[tuple[int, bool]]
) -> None:
    """With the resume, marketing is stopped exactly if it would be without the answered ones."""
    answered = {f"R{n}" for n, (_, is_answered) in enumerate(given_) if is_answered}
    stops = asked(given_)
    events = [*own, *stops]
    assert questions({WHO: events}) == {f"R{n}" for n in range(len(given_))}
    at = resume_time({WHO: events}, [WHO], answered)
    resumed = [] if at is None else [event(Kind.MARKETING_RESUME, at, "R0", n=1)]
    left = [each for each in stops if each.claim.context["review"] not in answered]
    expected = is_stopped([*own, *left])
    assert not resumed or not expected
    assert is_stopped([*events, *resumed]) == expected


@given(OWN_WORDS, QUESTIONS, TIMES)
def test_a_late_stop_is_held_back_by_nothing_but_decisions(
    own: list[Event], given_: list[tuple[int, bool]], when: int
) -> None:
    """Exactly if it would be in force had nobody ever asked, and is not."""
    stops = asked(given_)
    at = resume_time({WHO: [*own, *stops]}, [WHO], questions({WHO: stops}))
    resumed = [] if at is None else [event(Kind.MARKETING_RESUME, at, "R0", n=1)]
    late = event(Kind.MARKETING_STOP, when, n=2)
    ids = {late.claim.event_id}
    everything = [*own, *stops, *resumed, late]
    found = is_held_back({WHO: everything}, [WHO], ids)
    assert found == (is_stopped([*own, late]) and not is_stopped(everything))
    assert not is_held_back({WHO: everything[:-1]}, [WHO], ids)


def test_a_decision_is_no_question() -> None:
    """What a person decided to be a stop is a stop; only what waits for them is provisional."""
    decided = event(Kind.MARKETING_STOP, 5, "R0", decided=True)
    assert questions({WHO: [decided]}) == frozenset()
    assert resume_time({WHO: [decided]}, [WHO], {"R0"}) is None
