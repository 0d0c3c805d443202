"""How work that goes over all bots hears that the service stops."""

from __future__ import annotations

from collections.abc import Callable

#: Whether the service stops. Who goes over many bots asks before each of them, and ends there: what
#: is left is done after the next start, or by another process. A write is never cancelled for it.
Stopped = Callable[[], bool]


def never() -> bool:
    """Nobody stops it."""
    return False
