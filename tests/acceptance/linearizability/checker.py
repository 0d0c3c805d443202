"""Is a history of one contact linearizable, and if not, which few operations show it?

Each answered operation must take effect at one instant between its beginning and its end. The
history is read in the order of time, and every possibility is kept: a standing, the operations that
took effect but have not ended, and how many of unknown outcome were used up. When an operation
ends, what has not taken effect yet does so as late as can be (G. Lowe, "Testing for
linearizability", 2017). Where nothing is under way only standings are left, so a history of any
length is checked in pieces.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from operator import le
from typing import NamedTuple

from tests.acceptance.linearizability.model import (
    EVERY_STANDING,
    Action,
    Operation,
    Standing,
    after,
)

FRESH = frozenset({Standing()})

_WRITES = (Action.OPT_IN, Action.OPT_OUT, Action.MESSAGE)


class _Possible(NamedTuple):
    """`done`: numbers of operations that took effect and have not ended. `used`: of those with an
    unknown outcome, how many took effect, in the order of `_WRITES`: they are as good as one
    another once they have begun."""

    standing: Standing
    done: frozenset[int]
    used: tuple[int, ...]


class _Point(NamedTuple):
    """An operation begins or ends. At one instant beginnings come first: in doubt they overlap."""

    at: int
    is_end: bool
    number: int


def first_wrong(
    history: Sequence[Operation], standings: Collection[Standing] = FRESH
) -> Operation | None:
    """The first operation to end whose answer no order of effects explains; None if all is well.

    `standings`: those that the contact may have been in before.
    """
    possible = {_Possible(each, frozenset(), (0,) * len(_WRITES)) for each in standings}
    under_way: set[int] = set()
    unknown: Counter[Action] = Counter()
    for point in _points(history):
        operation = history[point.number]
        if operation.ended is None:
            unknown[operation.action] += 1
        elif not point.is_end:
            under_way.add(point.number)
        else:
            possible = _ended(possible, point.number, history, under_way, unknown)
            under_way.discard(point.number)
        if not possible:
            return operation
    return None


def _points(history: Sequence[Operation]) -> list[_Point]:
    begun = [_Point(each.begun, False, number) for number, each in enumerate(history)]
    ended = [
        _Point(each.ended, True, number)
        for number, each in enumerate(history)
        if each.ended is not None
    ]
    return sorted(begun + ended)


def _ended(
    possible: set[_Possible],
    number: int,
    history: Sequence[Operation],
    under_way: set[int],
    unknown: Counter[Action],
) -> set[_Possible]:
    """What is possible once this operation has taken effect: others may do so before it."""
    seen, left = _Thrifty(), _Thrifty()
    waiting = deque(sorted(possible, key=lambda one: sum(one.used)))
    while waiting:
        one = waiting.popleft()
        if number in one.done:
            left.add(one._replace(done=one.done - {number}))
            continue
        waiting.extend(filter(seen.add, _followers(one, history, under_way, unknown)))
    return left.all()


class _Thrifty:
    """What is possible, without those that used up more than another in the same place."""

    def __init__(self) -> None:
        self._used: dict[tuple[Standing, frozenset[int]], list[tuple[int, ...]]] = {}

    def add(self, one: _Possible) -> bool:
        """Whether it is new and no worse than what is there."""
        there = self._used.setdefault((one.standing, one.done), [])
        if any(all(map(le, less, one.used)) for less in there):
            return False
        there[:] = [more for more in there if not all(map(le, one.used, more))]
        there.append(one.used)
        return True

    def all(self) -> set[_Possible]:
        return {_Possible(*place, used) for place, there in self._used.items() for used in there}


def _followers(
    one: _Possible, history: Sequence[Operation], under_way: set[int], unknown: Counter[Action]
) -> Iterator[_Possible]:
    for number in under_way - one.done:
        if history[number].fits(one.standing):
            standing = after(one.standing, history[number].action)
            yield _Possible(standing, one.done | {number}, one.used)
    for place, action in enumerate(_WRITES):
        standing = after(one.standing, action)
        if one.used[place] < unknown[action] and standing != one.standing:
            used = (*one.used[:place], one.used[place] + 1, *one.used[place + 1 :])
            yield _Possible(standing, one.done, used)


class Offence(NamedTuple):
    """Operations that no order of effects explains. `fresh`: on a contact as the history found it;
    else whatever was before them."""

    operations: list[Operation]
    fresh: bool

    def __str__(self) -> str:
        zero = self.operations[0].begun
        before = "on a contact that is as it was made" if self.fresh else "whatever was before"
        return "\n".join(
            [f"not linearizable, {before}:", *(_line(o, zero) for o in self.operations)]
        )


def offending(
    history: Sequence[Operation], standings: Collection[Standing] = FRESH
) -> Offence | None:
    """Few operations that are wrong by themselves, in the order in which they began; None if the
    history is linearizable."""
    wrong = first_wrong(history, standings)
    if wrong is None or wrong.ended is None:
        return None
    end = wrong.ended
    begun = sorted((each for each in history if each.begun <= end), key=lambda each: each.begun)
    before = _eased(begun, lambda each: each.ended is not None and each.ended > end)
    for start in sorted({each.begun for each in before}, reverse=True):
        tail = _since(before, start)
        if first_wrong(tail, EVERY_STANDING) is not None:
            return Offence(_reduced(tail, EVERY_STANDING), fresh=False)
    return Offence(_reduced(before, standings), fresh=True)


def _since(history: Sequence[Operation], start: int) -> list[Operation]:
    """What had not ended by `start`; what had begun by then may have taken effect before."""
    kept = [each for each in history if each.ended is None or each.ended >= start]
    return _eased(kept, lambda each: each.begun < start)


def _eased(history: Sequence[Operation], which: Callable[[Operation], bool]) -> list[Operation]:
    """Allows more: these checks are left out, these writes may or may not take effect, any time."""
    kept = [each for each in history if each.action is not Action.CHECK or not which(each)]
    return [replace(each, ended=None) if which(each) else each for each in kept]


def _reduced(history: list[Operation], standings: Collection[Standing]) -> list[Operation]:
    """Those that are needed: if it is wrong still when one is eased, the others show it."""
    needed: list[Operation] = []
    for each in list(history):
        without = _eased(history, lambda one, each=each: one is each)  # type: ignore[misc]
        if first_wrong(without, standings) is None:
            needed.append(each)
        else:
            history = without
    return needed


def _line(each: Operation, zero: int) -> str:
    ended = "unknown" if each.ended is None else f"{(each.ended - zero) / 1e6:.3f} ms"
    said = f" for {each.category}: {each.said}" if each.action is Action.CHECK else ""
    return (
        f"  {(each.begun - zero) / 1e6:10.3f} to {ended:>14}  {each.where:24} {each.action}{said}"
    )
