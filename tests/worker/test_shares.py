"""What one bot may have under way, and all slow bots together (SPEC 4)."""

from __future__ import annotations

from optin.worker.lanes import REMEMBERED
from optin.worker.shares import SLOW, Shares


class Clock:
    """Seconds, set by the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def shares(clock: Clock, most: int = 3, slow: int = 4) -> Shares[str]:
    """Items are named after their bot: "a1" is of bot "a"."""
    return Shares(lambda item: item[0], most, slow, clock)


def test_a_bot_has_no_more_than_its_share() -> None:
    """Three of one bot, however many there are; the others have theirs."""
    mine = shares(Clock())
    for item in ("a1", "a2", "a3"):
        assert mine.has_room(item)
        mine.begin(item)
    assert not mine.has_room("a4")
    assert mine.has_room("b1")
    assert mine.full() == ["a"]
    mine.end("a2", 0.1)
    assert mine.has_room("a4")
    assert mine.full() == []


def test_slow_bots_share_what_is_theirs() -> None:
    """When bots that get nothing done have four together, no slow bot has room; a quick one has,
    and a slow one as soon as it gets something done quickly."""
    clock = Clock()
    mine = shares(clock)
    for item in ("a1", "a2", "b1", "b2"):
        mine.begin(item)
    assert mine.has_room("a3")
    clock.now += SLOW + 0.1
    mine.begin("c1")
    assert not mine.has_room("a3")
    assert mine.has_room("c2")
    assert sorted(mine.full()) == ["a", "b"]
    mine.end("a1", SLOW)  # timed out: still slow, but three are left
    assert mine.has_room("b3")
    mine.begin("b3")
    assert not mine.has_room("a3")
    mine.end("b3", 0.1)
    mine.begin("b4")
    assert mine.has_room("a3")  # of the slow ones, only one is under way
    assert mine.full() == ["b"]


def test_a_slow_bot_is_remembered_for_a_while() -> None:
    """Who had nothing but time-outs comes back as slow, and after a minute as anybody."""
    clock = Clock()
    mine = shares(clock, slow=1)
    for bot in "ab":
        mine.begin(f"{bot}1")
    clock.now += SLOW + 0.1
    mine.end("a1", SLOW + 0.1)
    assert not mine.has_room("a2")
    assert sorted(mine.full()) == ["a", "b"]
    clock.now += REMEMBERED
    assert mine.full() == ["b"]
    assert mine.has_room("a2")


def test_who_was_idle_is_not_slow() -> None:
    """Time without work counts against nobody."""
    clock = Clock()
    mine = shares(clock, slow=0)
    mine.begin("a1")
    mine.end("a1", 0.1)
    clock.now += 10 * SLOW
    assert mine.has_room("a2")
    assert mine.full() == []
