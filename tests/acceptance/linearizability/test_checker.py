"""The checker on histories known to be good or bad, and beside one that tries all orders."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest

from tests.acceptance.linearizability.checker import FRESH, first_wrong, offending
from tests.acceptance.linearizability.model import Action, Operation, Standing, after, verdict

IN, OUT, WROTE, CHECK = Action.OPT_IN, Action.OPT_OUT, Action.MESSAGE, Action.CHECK


def op(
    action: Action, begun: int, ended: int | None, said: str = "", category: str = "utility"
) -> Operation:
    return Operation(action, begun, ended, category, said)


GOOD: dict[str, list[Operation]] = {
    "nothing": [],
    "one after another": [
        op(CHECK, 0, 1, "no_opt_in"),
        op(IN, 2, 3),
        op(CHECK, 4, 5, "opt_in"),
        op(OUT, 6, 7),
        op(CHECK, 8, 9, "opted_out"),
        op(WROTE, 10, 11),
        op(CHECK, 12, 13, "session"),
        op(CHECK, 14, 15, "opted_out", "marketing"),
        op(IN, 16, 17),
        op(CHECK, 18, 19, "opt_in", "service"),
        op(OUT, 20, 21),
        op(CHECK, 22, 23, "opted_out", "service"),
    ],
    "an opt-out under way may be seen or not": [
        op(IN, 0, 1),
        op(OUT, 2, 9),
        op(CHECK, 3, 4, "opt_in"),
        op(CHECK, 5, 6, "opted_out"),
    ],
    "two at once, in either order": [
        op(IN, 0, 9),
        op(OUT, 1, 8),
        op(CHECK, 10, 11, "opt_in"),
    ],
    "a lost opt-in took effect late": [
        op(IN, 0, None),
        op(OUT, 2, 3),
        op(CHECK, 4, 5, "opted_out"),
        op(CHECK, 6, 7, "opt_in"),
    ],
    "a lost opt-out never took effect": [
        op(IN, 0, 1),
        op(OUT, 2, None),
        op(CHECK, 4, 5, "opt_in"),
    ],
    "two lost opt-outs, each seen once": [
        op(OUT, 0, None),
        op(OUT, 0, None),
        op(IN, 2, 3),
        op(CHECK, 4, 5, "opted_out"),
        op(IN, 6, 7),
        op(CHECK, 8, 9, "opted_out"),
    ],
}

#: Each with the places of those operations that show it.
BAD: dict[str, tuple[list[Operation], list[int]]] = {
    "a stale check after an acknowledged opt-out": (
        [op(IN, 0, 1), op(CHECK, 2, 3, "opt_in"), op(OUT, 4, 5), op(CHECK, 6, 7, "opt_in")],
        [2, 3],
    ),
    "a lost opt-in": (
        [op(OUT, 0, 1), op(IN, 2, 3), op(CHECK, 4, 5, "opted_out")],
        [1, 2],
    ),
    "an opt-out that came undone": (
        [op(IN, 0, 1), op(OUT, 2, 6), op(CHECK, 3, 4, "opted_out"), op(CHECK, 5, 9, "opt_in")],
        [2, 3],
    ),
    "a session that outlived an opt-out": (
        [op(WROTE, 0, 1), op(OUT, 2, 3), op(CHECK, 4, 5, "session")],
        [1, 2],
    ),
    "a check that goes back": (
        [op(OUT, 0, 20), op(CHECK, 1, 2, "opted_out"), op(CHECK, 3, 4, "no_opt_in")],
        [1, 2],
    ),
    "one lost opt-out cannot be seen twice": (
        [
            op(OUT, 0, None),
            op(IN, 2, 3),
            op(CHECK, 4, 5, "opted_out"),
            op(IN, 6, 7),
            op(CHECK, 8, 9, "opted_out"),
        ],
        [1, 2, 3, 4],
    ),
    "an opt-in from nowhere": ([op(CHECK, 0, 1, "opt_in")], [0]),
    "a reason that was forgotten": (
        [op(OUT, 0, 1), op(CHECK, 2, 3, "opted_out"), op(CHECK, 4, 5, "no_opt_in")],
        [1, 2],
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_passes(name: str) -> None:
    """What an atomic register of consent could have answered is no violation."""
    assert offending(GOOD[name]) is None


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_found(name: str) -> None:
    """R3, R6: a violation is found, and shown by few operations."""
    history, places = BAD[name]
    found = offending(history)
    assert found is not None
    assert found.operations == [history[place] for place in places], str(found)


def by_trying(history: Sequence[Operation]) -> bool:
    """Whether any order of any choice of the unknown ones explains all answers."""
    certain = [each for each in history if each.ended is not None]
    unsure = [each for each in history if each.ended is None]
    return any(
        _explains(order)
        for count in range(len(unsure) + 1)
        for some in itertools.combinations(unsure, count)
        for order in itertools.permutations([*certain, *some])
    )


def _explains(order: Sequence[Operation]) -> bool:
    standing = Standing()
    latest = -1
    for each in order:
        if each.ended is not None and each.ended < latest:
            return False
        if not each.fits(standing):
            return False
        latest = max(latest, each.begun)
        standing = after(standing, each.action)
    return True


def made_up(chance: random.Random) -> list[Operation]:
    """Up to six operations that overlap, with answers that often fit."""
    history: list[Operation] = []
    standing = Standing()
    for _ in range(chance.randint(2, 6)):
        begun = chance.randint(0, 12)
        action = chance.choice([IN, OUT, WROTE, CHECK, CHECK])
        lost = action is not CHECK and chance.random() < 0.2
        category = chance.choice(["utility", "marketing", "service"])
        said = verdict(standing, category) if action is CHECK else ""
        ended = None if lost else begun + chance.randint(1, 6)
        history.append(Operation(action, begun, ended, category, said))
        standing = after(standing, action)
    return history


def test_the_checker_agrees_with_trying_all_orders() -> None:
    """On 1,500 small random histories, about half of them bad, both say the same; and what is
    shown as an offence has no order either."""
    chance = random.Random(21)
    bad = 0
    for _ in range(1_500):
        history = made_up(chance)
        good = by_trying(history)
        assert (first_wrong(history, FRESH) is None) is good, history
        assert (offending(history) is None) is good
        bad += not good
    assert 300 < bad < 1_200


def test_an_offence_is_told() -> None:
    """People see who did what when, and what was answered."""
    told = str(offending(BAD["a stale check after an acknowledged opt-out"][0]))
    assert "whatever was before" in told
    assert [line.split()[-1] for line in told.splitlines()[1:]] == ["opt-out", "opt_in"]


def test_a_long_history_is_checked_in_pieces() -> None:
    """8,000 operations of one contact take a second or two, and the one bad one is found."""
    chance = random.Random(5)
    history: list[Operation] = []
    standing = Standing()
    for number in range(8_000):
        action = chance.choice([IN, OUT, WROTE, CHECK, CHECK])
        said = verdict(standing, "utility") if action is CHECK else ""
        lost = number % 1_000 == 7 and action is not CHECK
        history.append(op(action, 3 * number, None if lost else 3 * number + 2, said))
        standing = after(standing, action)
    assert first_wrong(history) is None
    wrong = op(CHECK, 10**6, 10**6 + 1, "no_opt_in")
    assert first_wrong([*history, wrong]) == wrong
