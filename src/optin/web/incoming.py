"""Bodies that anybody may send: how much of them one process holds, and for how long (SPEC 5).

A webhook is known to be the provider's only when all of it is here. So what is held is bounded by
the bytes that came, not by those that were announced, and when it is too much, whoever began first
gives way: a body that arrives as fast as a provider sends it is done before others could fill the
room behind it, and one that is held back on purpose is always the oldest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import Receive

from optin.domain.errors import Overloaded, TooSlow
from optin.web.body import MIB, read_body

#: Bytes that one process holds, and how long one body may take to arrive, in seconds.
MOST, SECONDS = 64 * MIB, 20.0


@dataclass(eq=False, slots=True)
class _Arriving:
    """One body on its way in."""

    limit: asyncio.Timeout
    size: int = 0
    gave_way: bool = False


class IncomingBodies:
    """Reads bodies within `most` bytes altogether, counted until each has been dealt with."""

    def __init__(self, most: int = MOST, seconds: float = SECONDS) -> None:
        self._most = most
        self._seconds = seconds
        self._held = 0
        self._arriving: dict[_Arriving, None] = {}  # by their first bytes

    @property
    def held(self) -> int:
        """Bytes that are held now."""
        return self._held

    @asynccontextmanager
    async def body(
        self, headers: Iterable[tuple[bytes, bytes]], receive: Receive, largest: int
    ) -> AsyncIterator[bytes]:
        """The body, held while the block runs. Raises as `read_body` does, `TooSlow`, and
        `Overloaded` if it had to give way."""
        mine = _Arriving(asyncio.timeout(self._seconds))
        try:
            yield await self._read(headers, receive, largest, mine)
        finally:
            self._held -= mine.size

    async def _read(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        receive: Receive,
        largest: int,
        mine: _Arriving,
    ) -> bytes:
        try:
            async with mine.limit:
                body = await read_body(headers, receive, largest, lambda n: self._came(mine, n))
        except TimeoutError:
            if not mine.gave_way:
                raise TooSlow("The body did not arrive in time.") from None
        finally:
            self._arriving.pop(mine, None)
        if mine.gave_way:
            raise _too_much()
        return body

    def _came(self, mine: _Arriving, size: int) -> None:
        self._arriving[mine] = None
        mine.size += size
        self._held += size
        while self._held > self._most:
            oldest = next(iter(self._arriving))
            if oldest is mine:
                raise _too_much()
            self._give_way(oldest)

    def _give_way(self, oldest: _Arriving) -> None:
        """What it holds is gone at its task's next step, so it counts no more."""
        del self._arriving[oldest]
        self._held -= oldest.size
        oldest.size, oldest.gave_way = 0, True
        oldest.limit.reschedule(asyncio.get_running_loop().time())


def _too_much() -> Overloaded:
    return Overloaded("More is arriving than can be taken in at once.")
