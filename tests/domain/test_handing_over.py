"""A message's way through the upstream: never backwards, never out of `settled` (H8)."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from optin.domain.decision import Basis, Decision, Gate, Reason
from optin.domain.events import DAY, SECOND
from optin.domain.handing_over import (
    accepted,
    failed,
    is_held,
    judged,
    outlived,
    reported,
    retried,
    uncertain,
    yielded,
)
from optin.domain.messages import Category, MessageState, advances
from optin.domain.outbox import OutboxMessage, Stage

NOW = 1_795_000_000_000_000
PASSES = Gate(True, Decision(True, basis=Basis.OPT_IN))
REFUSED = Gate(False, Decision(False, reason=Reason.OPTED_OUT))
LEASED = OutboxMessage(
    bot_id="shop",
    message_id="M",
    identity="46732001122",
    body={"type": "text", "text": "hi"},
    category=Category.SERVICE,
    created=NOW,
    expires=NOW + DAY,
    due=NOW,
    claimant="me/1",
    leased_until=NOW + 60 * SECOND,
)

Step = Callable[[OutboxMessage], OutboxMessage]


def _judge(verdict: Gate) -> Step:
    """As the hand-over does: only a message that it still holds is judged."""
    return lambda m: judged(m, m.category, verdict, NOW) if is_held(m, "me/1") else m


def _settle(step: Step) -> Step:
    return lambda m: step(m) if is_held(m, "me/1") else m


STEPS: dict[str, Step] = {
    "judge": _judge(PASSES),
    "refuse": _judge(REFUSED),
    "accepted": lambda m: accepted(m, "wamid.X"),
    "failed": _settle(lambda m: failed(m, "no")),
    "uncertain": _settle(lambda m: uncertain(m, "?", NOW)),
    "retried": _settle(lambda m: retried(m, "busy", NOW, None, 0.0)),
    "swept": lambda m: outlived(m, NOW + 2 * DAY),
    **{
        f"report {state}": (lambda m, state=state: reported(m, state, "wamid.X", ""))  # type: ignore[misc]
        for state in MessageState
    },
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=8))
def test_no_order_of_steps_undoes_anything(names: list[str]) -> None:
    """H8: settled stays settled, and a state only ever goes on to one that may follow it."""
    message = LEASED
    for name in names:
        after = STEPS[name](message)
        assert not (message.stage is Stage.SETTLED and after.stage is not Stage.SETTLED)
        assert after.state is message.state or advances(message.state, after.state)
        message = after


@given(st.permutations(["accepted", "report sent", "report delivered", "report read"]))
def test_reports_and_answer_come_in_any_order(names: list[str]) -> None:
    """The newest state wins however the provider's answer and its reports overtake each other."""
    end = reduce(lambda m, name: STEPS[name](m), names, STEPS["judge"](LEASED))
    assert (end.stage, end.state) == (Stage.SETTLED, MessageState.READ)
    assert end.upstream_id == "wamid.X"


def test_a_second_judgement_is_the_same_attempt() -> None:
    """H8: taking a judgement again neither counts an attempt nor moves the claim's time."""
    once = judged(LEASED, Category.SERVICE, PASSES, NOW)
    twice = judged(once, Category.SERVICE, PASSES, NOW + SECOND)
    assert (once.attempts, twice.attempts, twice.claimed) == (1, 1, NOW)


def test_a_second_judgement_can_refuse() -> None:
    """H8: what was claimed but has not left is settled as refused."""
    refused = judged(judged(LEASED, Category.SERVICE, PASSES, NOW), Category.SERVICE, REFUSED, NOW)
    assert (refused.stage, refused.state) == (Stage.SETTLED, MessageState.NO_OPT_IN)


def test_a_try_without_a_claim_counts() -> None:
    """A message that never gets connected does not wait one second for ever."""
    first = retried(LEASED, "no connection", NOW, None, 0.0)
    second = retried(first, "no connection", NOW, None, 0.0)
    assert [m.due - NOW for m in (first, second)] == [SECOND, 2 * SECOND]


def test_a_wait_beyond_its_life_ends_it() -> None:
    """H8: what could only be tried after `expires` fails at once, with the last failure's words."""
    ended = retried(LEASED, "busy", NOW, DAY, 0.0)
    assert (ended.stage, ended.state, ended.details) == (
        Stage.SETTLED,
        MessageState.FAILED,
        "busy",
    )


def test_a_lease_given_back_holds_nothing() -> None:
    """Nobody holds what was put back, and it counts no attempt."""
    free = yielded(LEASED, NOW + SECOND)
    assert not is_held(free, "me/1")
    assert (free.attempts, free.leased_until, free.due) == (0, 0, NOW + SECOND)
