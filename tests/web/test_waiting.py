"""How many calls of one bot may be under way at once (H6)."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from optin.domain.errors import TooManyRequests
from optin.web.waiting import Waiting


def test_as_many_as_may_be_and_no_more() -> None:
    """One bot's rush shuts out nobody else; each end, good or bad, makes room for one."""
    waiting = Waiting(most=2)
    with ExitStack() as under_way:
        for _ in range(2):
            under_way.enter_context(waiting.turn("rush"))
        with pytest.raises(TooManyRequests), waiting.turn("rush"):
            pytest.fail("a third is under way")
        with waiting.turn("shop"):
            assert waiting.under_way("shop") == 1
    with pytest.raises(ZeroDivisionError), waiting.turn("rush"):
        raise ZeroDivisionError
    for _ in range(5):
        with waiting.turn("rush"):
            assert waiting.under_way("rush") == 1


def test_nothing_is_kept_of_a_bot_at_rest() -> None:
    """Memory does not grow with the bots that ever called."""
    waiting = Waiting(most=1)
    for number in range(100):
        with waiting.turn(f"bot-{number}"):
            assert len(waiting._counts) == 1
    assert waiting._counts == {}
    assert waiting.under_way("bot-1") == 0
