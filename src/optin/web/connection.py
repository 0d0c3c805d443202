"""How a connection says no, and how it ends, beneath the application (H5, H6)."""

from __future__ import annotations

import asyncio
import http
import json
from collections.abc import Callable, Iterable
from typing import Any

from starlette.types import Receive, Scope, Send

_REASONS = {int(status): status.phrase.encode() for status in http.HTTPStatus}


class Refused(Exception):
    """The request ends here: `status` and one plain sentence for people (H6).

    Raised inside the parser's callbacks, where an exception is what stops the parser.
    """

    def __init__(self, status: int, details: str) -> None:
        super().__init__(details)
        self.status = status
        self.details = details


def error_body(status: int, details: str) -> bytes:
    """The JSON error body of SPEC 3: all three members are non-empty, `reason` equals `details`."""
    body = {"message": str(status), "details": details, "reason": details}
    return json.dumps(body, separators=(",", ":")).encode()


def status_line(status: int) -> bytes:
    """The first line of an answer, with its end."""
    return b"HTTP/1.1 %d %b\r\n" % (status, _REASONS.get(status, b""))


def refusal(refused: Refused, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A whole response, ready to write, that says `Connection: close`."""
    body = error_body(refused.status, refused.details)
    lines = [
        *headers,
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    head = b"".join(b"%s: %s\r\n" % line for line in lines)
    return status_line(refused.status) + head + b"\r\n" + body


async def busy(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers in the application's place when more requests run than may run."""
    await answer_json(send, 503, "Too many requests are being handled.", ((b"retry-after", b"1"),))


async def answer_json(
    send: Send,
    status: int,
    details: str,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """Send one JSON error as an ASGI response and close the connection after it."""
    body = error_body(status, details)
    head = [
        *headers,
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def common_scope(transport: asyncio.Transport) -> Scope:
    """What the ASGI scopes of all requests on a connection have in common."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "server": _address(transport.get_extra_info("sockname")),
        "client": _address(transport.get_extra_info("peername")),
        "scheme": "https" if transport.get_extra_info("sslcontext") else "http",
        "root_path": "",
    }


def _address(told: Any) -> tuple[str, int | None] | None:
    """Host and port of a socket's end, as ASGI has them; the path of a local one."""
    if isinstance(told, tuple):
        return str(told[0]), int(told[1])
    return (told, None) if isinstance(told, str) and told else None


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
