"""When something that failed is tried again, and when it never is (SPEC 4, H8). All waits in µs."""

from __future__ import annotations

from optin.domain.events import SECOND

#: Tries after the first for a callback; the last follows 81,920 s after the one before (SPEC 4).
CALLBACK_RETRIES = 15

#: Hand-overs of one message that certainly failed. The waits between them add up to more than the
#: longest life a message has by default, so that as a rule `expires` ends it, not this.
HAND_OVER_TRIES = 110

_FIRST_CALLBACK_WAIT = 5 * SECOND
_FIRST_HAND_OVER_WAIT = SECOND
_LONGEST_HAND_OVER_WAIT = 900 * SECOND

_TEMPORARY_4XX = frozenset({408, 425, 429})


def callback_wait(tries: int) -> int | None:
    """The wait after the `tries`-th try of a callback; None when it was the last (SPEC 4)."""
    if tries > CALLBACK_RETRIES:
        return None
    return _doubled(_FIRST_CALLBACK_WAIT, tries)


def hand_over_wait(tries: int, jitter: float) -> int | None:
    """The wait after the `tries`-th failed hand-over; None when it was the last.

    Doubles up to a quarter of an hour. `jitter` in [0, 1) shortens it by up to a half, so that
    messages that failed together do not come back together.
    """
    if tries >= HAND_OVER_TRIES:
        return None
    longest = min(_doubled(_FIRST_HAND_OVER_WAIT, min(tries, 40)), _LONGEST_HAND_OVER_WAIT)
    return longest - int(longest * jitter) // 2


def is_permanent(status: int) -> bool:
    """Whether a receiver's answer says that trying again is no use (SPEC 4)."""
    return 300 <= status < 500 and status not in _TEMPORARY_4XX


def _doubled(first: int, tries: int) -> int:
    return first << (max(tries, 1) - 1)
