"""One request and the answer to it: what an application calls `receive` and `send` (H5)."""

from __future__ import annotations

import asyncio
import http
import logging
from collections.abc import Callable

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Scope
from uvicorn.server import ServerState

from optin.web.connections.lingering import LingeringTransport
from optin.web.connections.refusals import answer_json, status_line

_log = logging.getLogger("uvicorn.error")

_BODILESS = (http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED)


class Exchange:
    """A request on a connection, from the end of its head to the end of its answer.

    The answer's head is held back until the first of its body is there, so that both go out in
    one packet: two cost two system calls, and wake the client twice.

    `keep_alive`: whether the client can send another request after it. `awaits_continue`: it
    wants a word before it sends the body. `answered`: called behind the answer's last byte.
    """

    __slots__ = (
        "_answered",
        "_awaits_continue",
        "_body",
        "_chunked",
        "_heard",
        "_left",
        "_more",
        "_start",
        "_state",
        "_transport",
        "_waiting",
        "complete",
        "disconnected",
        "keep_alive",
        "scope",
        "started",
    )

    def __init__(
        self,
        scope: Scope,
        transport: LingeringTransport,
        state: ServerState,
        answered: Callable[[], None],
        *,
        keep_alive: bool,
        awaits_continue: bool,
    ) -> None:
        self.scope = scope
        self._transport = transport
        self._state = state
        self._answered = answered
        self.keep_alive = keep_alive
        self._awaits_continue = awaits_continue
        self._body = b""
        self._more = True
        self._heard = False  # there is something that `receive` has not told yet
        self._waiting: list[asyncio.Future[None]] = []
        self._start: Message | None = None
        self._chunked = False
        self._left: int | None = 0  # of the answer's body; None: until the connection ends
        self.started = self.complete = self.disconnected = False

    # What the connection tells

    def hear(self, part: bytes) -> int:
        """Takes a part of the body; how much of it nobody has asked for yet, in bytes."""
        self._body = self._body + part if self._body else part
        self._wake()
        return len(self._body)

    def heard_all(self) -> None:
        """The body has come to its end."""
        self._more = False
        self._wake()

    def cut(self) -> None:
        """The client is gone, or will not be listened to: nothing more comes or goes."""
        self.disconnected = True
        self._wake()

    def _wake(self) -> None:
        self._heard = True
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    # The application

    async def run(self, app: ASGIApp) -> None:
        """Runs the application once and never leaves the client without an answer: no error is
        without a body (H5).

        What it raises is logged and answered with a JSON 500, unless the answer has begun: then
        the connection is cut. That it stopped because the client went away is no fault.
        """
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as error:  # noqa: BLE001 - a task's own end, too: somebody waits
            if self.disconnected and isinstance(error, ClientDisconnect | OSError):
                _log.info("The client went away during its request.")
                return
            _log.error("Exception in ASGI application\n", exc_info=error)
        else:
            if not (self.complete or self.disconnected):
                _log.error("The application left a request without its whole answer.")
        if self.complete or self.disconnected:
            return
        if self.started:
            self._transport.close()
        else:
            self._start = None
            await answer_json(self.send, 500, "The request could not be handled.")

    async def receive(self) -> Message:
        """ASGI's: what came of the body since the last call, once there is something to tell."""
        transport = self._transport
        if self._awaits_continue and not transport.is_closing():
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._awaits_continue = False
        while not (self._heard or self.disconnected or self.complete):
            if self._more:
                transport.resume_reading()
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            finally:
                self._waiting.remove(waiter)
        self._heard = False
        if self.disconnected or self.complete:
            return {"type": "http.disconnect"}
        body, self._body = self._body, b""
        return {"type": "http.request", "body": body, "more_body": self._more}

    async def send(self, message: Message) -> None:
        """ASGI's. To a client that is gone it says nothing, as nothing is to be done about it.

        Raises RuntimeError if the application breaks the protocol, before anything wrong is sent.
        """
        transport = self._transport
        if transport.full is not None and not self.disconnected:
            await transport.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.start" and self._start is None:
            self._start = message
        elif kind == "http.response.body" and self._start is not None and not self.complete:
            self._send_part(self._start, message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError(f"Unexpected ASGI message {kind!r}.")

    def _send_part(self, start: Message, body: bytes, more: bool) -> None:
        head = b"" if self.started else self._head(start)
        if self.scope["method"] == "HEAD":
            body = b""
        elif self._chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            body += b"" if more else b"0\r\n\r\n"
        elif self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("The body of the answer is not as long as its head says.")
        if head or body:
            self._transport.write(head + body if head else body)
            self.started = True
        if not more:
            self.complete = True
            self._wake()
            if not self.keep_alive:
                self._transport.close()
            self._answered()

    def _head(self, start: Message) -> bytes:
        """Raises RuntimeError for a header that would end before its line does."""
        status = start["status"]
        if self._awaits_continue:
            # The body may come or not after a final status: only a closed connection leaves no
            # doubt where the next request begins.
            self.keep_alive = False
        lines = [*self._state.default_headers, *start.get("headers", ())]
        length, closes = None, False
        for name, value in lines:
            lower = name.lower()
            if lower == b"content-length":
                length = int(value)
            elif lower == b"connection":
                closes = closes or b"close" in value.lower()
        self.keep_alive = self.keep_alive and not closes
        open_ended = length is None and status not in _BODILESS and self.scope["method"] != "HEAD"
        self._chunked = open_ended and self.scope["http_version"] != "1.0"
        self._left = None if open_ended else length or 0
        if self._chunked:
            lines.append((b"transfer-encoding", b"chunked"))
        if not self.keep_alive and not closes:
            lines.append((b"connection", b"close"))
        head = status_line(status) + b"".join([b"%b: %b\r\n" % line for line in lines])
        ends = len(lines) + 1
        if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
            raise RuntimeError("A header of the answer has characters that headers can not have.")
        return head + b"\r\n"
