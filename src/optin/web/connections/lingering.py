"""How a connection ends: never so that it cuts off an answer (H5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class LingeringTransport:
    """A transport whose `close` waits a little for a client that is still sending.

    A socket closed with unread input is reset, and the reset can overtake the answer. So when
    `unread()` says that more may come, `close` ends our half only, and the owner hands what still
    comes to `discard`, up to `max_bytes` and `max_seconds`.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        unread: Callable[[], bool],
        max_bytes: int,
        max_seconds: float,
    ) -> None:
        self._real = transport
        self._loop = loop
        self._unread = unread
        self._bytes_left = max_bytes
        self._max_seconds = max_seconds
        self._end: asyncio.TimerHandle | None = None
        #: Done when there is room again for what is to be written; None while there is.
        self.full: asyncio.Future[None] | None = None
        self.reading_paused = False

    def close(self) -> None:
        """End the connection, at once or after lingering; a second call changes nothing."""
        if self.is_closing():
            return
        if not self._unread() or not self._real.can_write_eof():
            self._real.close()
            return
        self._end = self._loop.call_later(self._max_seconds, self._real.abort)
        self._real.write_eof()
        if not self._real.is_reading():
            self._real.resume_reading()

    def discard(self, size: int) -> None:
        """Count `size` bytes that nobody reads; the connection is cut when they are too many."""
        self._bytes_left -= size
        if self._bytes_left < 0:
            self._real.abort()

    def lost(self) -> None:
        """The connection is gone: nothing is left to wait for."""
        if self._end is not None:
            self._end.cancel()
        self.clear()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write; not after `close`."""
        self._real.write(data)

    async def drain(self) -> None:
        """Returns when there is room again for what is to be written, or nobody to read it."""
        while self.full is not None:
            await asyncio.shield(self.full)

    def fill(self) -> None:
        """The client reads more slowly than we write: there is no room."""
        self.full = self._loop.create_future()

    def clear(self) -> None:
        """There is room again."""
        if self.full is not None:
            self.full.set_result(None)
            self.full = None

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self._end is not None or self._real.is_closing()

    def pause_reading(self) -> None:
        """For flow control; without effect while lingering."""
        if self._end is None and not self.reading_paused:
            self.reading_paused = True
            self._real.pause_reading()

    def resume_reading(self) -> None:
        """For flow control; without effect while lingering."""
        if self.reading_paused and self._end is None:
            self.reading_paused = False
            self._real.resume_reading()
