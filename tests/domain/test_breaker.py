"""The circuit breaker as a table: each state, each event, what follows (H8, R12)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.breaker import FAILURES, PROBE_LIFE, WAITS, Breaker, Event, State, ask, ended
from optin.domain.events import SECOND

NOW = 1_795_000_000_000_000
CLOSED = Breaker()
NEARLY = Breaker(failures=FAILURES - 1)
OPEN = Breaker(State.OPEN, 1, 0, 1, NOW + 30 * SECOND, NOW, "190")
LATE = Breaker(State.OPEN, 9, 0, 30, NOW, NOW, "190")
PROBING = Breaker(State.PROBING, 2, 0, 1, NOW + PROBE_LIFE, NOW, "190")

A, F, S, N = Event.ANSWERED, Event.PROVIDER_FAILED, Event.SENDER_REFUSED, Event.NEVER_LEFT


@pytest.mark.parametrize(
    ("before", "state", "wait"),
    [
        (CLOSED, State.CLOSED, None),
        (NEARLY, State.CLOSED, None),
        (OPEN, State.OPEN, 30 * SECOND),
        (LATE, State.PROBING, None),
        (PROBING, State.PROBING, 5 * SECOND),
    ],
)
def test_asking(before: Breaker, state: State, wait: int | None) -> None:
    """Closed lets all through, open none, and after its wait exactly one."""
    after, told = ask(before, NOW)
    assert (after.state, told) == (state, wait)
    if before is LATE:
        assert ask(after, NOW)[1] is not None


@pytest.mark.parametrize(
    ("before", "event", "state", "opens_for"),
    [
        (CLOSED, A, State.CLOSED, None),
        (CLOSED, N, State.CLOSED, None),
        (CLOSED, F, State.CLOSED, None),
        (CLOSED, S, State.OPEN, 30),
        (NEARLY, A, State.CLOSED, None),
        (NEARLY, N, State.CLOSED, None),
        (NEARLY, F, State.OPEN, 5),
        (NEARLY, S, State.OPEN, 30),
        (PROBING, A, State.CLOSED, None),
        (PROBING, N, State.OPEN, 0),
        (PROBING, F, State.OPEN, 10),
        (PROBING, S, State.OPEN, 60),
    ],
)
def test_ending(before: Breaker, event: Event, state: State, opens_for: int | None) -> None:
    """What each end of a hand-over makes of each state."""
    after = ended(before, before.round, event, NOW, "because")
    assert after.state is state
    if opens_for is not None:
        assert after.until == NOW + opens_for * SECOND
    if state is State.CLOSED and event is A:
        assert (after.failures, after.openings) == (0, 0)


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("before", [OPEN, PROBING, LATE])
def test_what_was_let_through_earlier_is_no_news(before: Breaker, event: Event) -> None:
    """64 hand-overs that fail together open once; one that ends late closes nothing."""
    assert ended(before, before.round - 1, event, NOW) == before


@pytest.mark.parametrize(("event", "first", "longest"), [(e, *w) for e, w in WAITS.items()])
def test_waits_double_up_to_the_longest(event: Event, first: int, longest: int) -> None:
    """Each failed probe waits twice as long, never longer than the longest; success starts anew."""
    breaker, waits, now = Breaker(failures=FAILURES - 1), [], NOW
    for _ in range(30):
        breaker = ended(breaker, breaker.round, event, now)
        waits.append(breaker.until - now)
        now = breaker.until
        breaker, wait = ask(breaker, now)
        assert wait is None
    assert waits == [min(first * 2**n, longest) for n in range(30)]
    assert breaker.since == NOW
    closed = ended(breaker, breaker.round, A, now)
    assert ended(closed, closed.round, S, now).until - now == WAITS[S][0]


def test_a_lost_probe_is_followed_by_another() -> None:
    """A probe of which nothing is heard does not hold the bot up for ever."""
    assert ask(PROBING, NOW + PROBE_LIFE - 1)[1] is not None
    after, wait = ask(PROBING, NOW + PROBE_LIFE)
    assert (after.state, after.round, wait) == (State.PROBING, PROBING.round + 1, None)


STEP = st.tuples(st.sampled_from(Event), st.integers(0, 400 * SECOND), st.integers(0, 3))


@given(st.lists(STEP, max_size=40))
def test_an_open_one_lets_one_through_at_a_time(steps: list[tuple[Event, int, int]]) -> None:
    """Whatever happens, between an opening and the next success at most one is under way."""
    breaker, now = CLOSED, NOW
    under_way: list[tuple[int, int]] = []
    for event, pause, place in steps:
        now += pause
        under_way = [one for one in under_way if now - one[1] < PROBE_LIFE]
        breaker, wait = ask(breaker, now)
        if wait is None:
            under_way.append((breaker.round, now))
        if breaker.state is State.PROBING:
            assert sum(of_round == breaker.round for of_round, _ in under_way) <= 1
        if breaker.state is State.OPEN:
            assert wait is not None
        if under_way:
            of_round, _ = under_way.pop(place % len(under_way))
            breaker = ended(breaker, of_round, event, now)
