"""How a connection says no, and how it ends, beneath the application (H5, H6)."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

if TYPE_CHECKING:
    from uvicorn._types import (
        ASGI3Application,
        ASGIReceiveCallable,
        ASGISendCallable,
        ASGISendEvent,
        Scope,
    )
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_log = logging.getLogger("uvicorn.error")


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
    return STATUS_LINE[refused.status] + head + b"\r\n" + body


class AnsweredApp:
    """An application that never leaves its caller without an answer (H5: no error without a body).

    What it raises is logged and answered with a JSON 500, unless the response has begun. That it
    stopped because the client went away is no fault, and is not reported as one.
    """

    def __init__(self, app: ASGI3Application, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Run the application once; what it raises goes no further, but after a first byte."""
        cycle = self._cycle
        # The body of a client that still waits for `100 Continue` may come or not after a final
        # status: only a closed connection leaves no doubt where the next request begins.
        answer = self._together(self._closing(send) if cycle.waiting_for_100_continue else send)
        try:
            await self._app(scope, receive, answer)
        except BaseException as error:  # as wide as uvicorn's own net, which answers in plain text
            if cycle.disconnected and isinstance(error, ClientDisconnect | OSError):
                _log.info("The client went away during its request.")
                return
            if cycle.response_started:
                raise
            _log.error("Exception in ASGI application\n", exc_info=error)
        if not cycle.response_started and not cycle.disconnected:
            await answer_json(send, 500, "The request could not be handled.")

    def _together(self, send: ASGISendCallable) -> ASGISendCallable:
        """Holds the head back until the first of the body is there, as ASGI wants it, so that both
        go out in one packet: two cost two system calls, and wake the client twice."""
        head: list[ASGISendEvent] = []

        async def send_together(message: ASGISendEvent) -> None:
            if message["type"] == "http.response.start":
                head.append(message)
            elif not head:
                await send(message)
            else:
                transport = cast(LingeringTransport, self._cycle.transport)
                with transport.joined():
                    await send(head.pop())
                    await send(message)

        return send_together

    def _closing(self, send: ASGISendCallable) -> ASGISendCallable:
        async def closing_send(message: ASGISendEvent) -> None:
            if self._cycle.waiting_for_100_continue:
                self._cycle.keep_alive = False
            await send(message)

        return closing_send


async def busy(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Answers in the application's place when more requests run than may run."""
    await answer_json(send, 503, "Too many requests are being handled.", ((b"retry-after", b"1"),))


async def answer_json(
    send: ASGISendCallable,
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


class LingeringTransport(asyncio.Transport):
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
        super().__init__()
        self._real = transport
        self._loop = loop
        self._unread = unread
        self._bytes_left = max_bytes
        self._max_seconds = max_seconds
        self._end: asyncio.TimerHandle | None = None
        self._parts: list[bytes | bytearray | memoryview] | None = None

    @property
    def lingering(self) -> bool:
        """Whether `close` was called and the client may still be sending."""
        return self._end is not None

    def close(self) -> None:
        """End the connection, at once or after lingering; a second call changes nothing."""
        if self.is_closing():
            return
        self._write_parts()
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

    @contextmanager
    def joined(self) -> Iterator[None]:
        """What is written meanwhile goes out as one, before a close all the same."""
        self._parts = []
        try:
            yield
        finally:
            self._write_parts()
            self._parts = None

    def _write_parts(self) -> None:
        if self._parts:
            self._real.write(b"".join(self._parts))
            self._parts.clear()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write; not after `close`."""
        if self._parts is None:
            self._real.write(data)
        else:
            self._parts.append(data)

    def abort(self) -> None:
        """Cut the connection at once."""
        self._real.abort()

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self._end is not None or self._real.is_closing()

    def pause_reading(self) -> None:
        """For flow control; without effect while lingering."""
        if self._end is None:
            self._real.pause_reading()

    def resume_reading(self) -> None:
        """For flow control; without effect while lingering."""
        if self._end is None:
            self._real.resume_reading()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """What the real transport knows (socket, peername, sslcontext)."""
        return self._real.get_extra_info(name, default)
