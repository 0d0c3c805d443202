"""When to look again at what may have stood still."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Watch:
    """One timer, which calls `look` once, no later than it was asked to: it is set anew only for
    an earlier time, so whoever looks says when to look again. Times are the loop's, in seconds."""

    __slots__ = ("_due", "_look", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, look: Callable[[], None]) -> None:
        self._loop = loop
        self._look = look
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def look_by(self, due: float) -> None:
        """Have it look at `due` or before."""
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_at(due, self._fire)

    def stop(self) -> None:
        """It looks no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self._look()
