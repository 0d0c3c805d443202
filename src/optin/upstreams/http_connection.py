"""A kept HTTP/1 connection: one request at a time, and the answer to it.

Every message of a hand-over comes by here, on machines whose caches hold other things by then. So
an answer touches few functions, and a connection keeps its parser and its state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from optin.upstreams.content_coding import decoded

#: No answer to a send is anywhere near it; the rest of a longer one is not read.
LONGEST_ANSWER = 65_536
#: Bytes of one header of an answer, and of all of them.
LONGEST_LINE, LONGEST_HEAD = 8_190, 65_536

_SWITCHING = 101


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `headers` by lower-case name, `body` cut off after `LONGEST_ANSWER` bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Origin(NamedTuple):
    """Whom a connection leads to. `host` without brackets."""

    host: str
    port: int
    tls: bool


class HttpConnection(asyncio.Protocol):
    """A connection to `origin`; it is in `alive` from being made until it is lost.

    `usable`: it may carry a request. It is not while an answer is due, so whoever stops waiting
    leaves none that is; not after the peer hung up; nor after bytes that nobody asked for, since
    with them on the line an old answer would be taken for the next one. `idle_since` is the pool's.
    """

    __slots__ = (
        "_alive",
        "_answer",
        "_ended",
        "_headers",
        "_loop",
        "_parser",
        "_parts",
        "_room",
        "_size",
        "_status",
        "_unread",
        "idle_since",
        "origin",
        "transport",
        "usable",
    )

    transport: asyncio.Transport

    def __init__(
        self, origin: Origin, loop: asyncio.AbstractEventLoop, alive: set[HttpConnection]
    ) -> None:
        self.origin = origin
        self.usable = False
        self.idle_since = 0.0
        self._loop = loop
        self._alive = alive
        self._answer: asyncio.Future[Answer] = loop.create_future()  # done: none is due
        self._answer.cancel()
        self._ended = False
        self._unread = self._room = self._status = self._size = 0
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._parser = HttpResponseParser(self)
        # What servers do wrong in an answer that can be read all the same.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    def ask(self, request: bytes) -> asyncio.Future[Answer]:
        """Writes the request. The answer fails if no whole one comes, of whatever status."""
        self.usable = False
        self._unread, self._room = 0, LONGEST_HEAD
        self._answer = answer = self._loop.create_future()
        self.transport.write(request)
        return answer

    def expire(self) -> None:
        """The time for the answer is over."""
        self.fail(TimeoutError("no whole answer in time"))

    def fail(self, fault: Exception) -> None:
        """Ends the connection, and with `fault` the request that is under way, if any."""
        if not self._answer.done():
            self._answer.set_exception(fault)
        self.drop()

    def drop(self) -> None:
        """Ends the connection."""
        self.usable = False
        self.transport.abort()

    # --- what the event loop calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._alive.add(self)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        if self._answer.done():
            self.drop()
            return
        self._unread += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as fault:
            cause = fault.__context__
            self.fail(cause if isinstance(cause, Exception) else fault)
            return
        if self._unread > LONGEST_LINE and not self._answer.done():
            self.fail(ValueError("a line of the answer is too long"))

    def eof_received(self) -> None:
        self.usable = False
        self._ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        self._alive.discard(self)
        if not self._answer.done():
            if self._ended and exc is None and self._is_whole_at_the_end():
                try:
                    self.on_message_complete()
                except Exception as fault:  # noqa: BLE001 - whatever a broken coding raises
                    self._answer.set_exception(fault)
            else:
                self._answer.set_exception(exc or ConnectionResetError("the answer broke off"))
        self.usable = False

    def _is_whole_at_the_end(self) -> bool:
        """Whether the answer has no other end than the connection's."""
        return bool(self._status) and not (
            "content-length" in self._headers or "transfer-encoding" in self._headers
        )

    # --- what the parser calls; what is raised here comes out of `feed_data` ---

    def on_message_begin(self) -> None:
        if self._answer.done():
            self.drop()  # the peer goes on after the answer
        self._status = self._size = 0
        self._headers, self._parts = {}, []

    def on_header(self, name: bytes, value: bytes) -> None:
        size = len(name) + len(value)
        self._unread = 0
        self._room -= size + 4  # the colon, the space, the end of the line
        if size > LONGEST_LINE or self._room < 0:
            raise ValueError("the head of the answer is too long")
        if b"\x00" in value:
            raise ValueError("a header of the answer has a null byte")
        if not self._status:  # or else it is behind the body, and nobody's
            key = name.decode("utf-8", "surrogateescape").lower()
            self._headers[key] = value.rstrip(b" \t").decode("utf-8", "surrogateescape")

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()

    def on_body(self, part: bytes) -> None:
        self._unread = 0
        self._size += len(part)
        self._parts.append(part)
        if self._size >= LONGEST_ANSWER:
            self.on_message_complete()
            self.drop()  # with the rest on it

    def on_message_complete(self) -> None:
        if self._answer.done():
            return
        status = self._status
        if 100 <= status < 200 and status != _SWITCHING:
            self._status = 0  # the answer is still to come
            return
        body = b"".join(self._parts)
        if coding := self._headers.get("content-encoding"):
            body = decoded(coding, body, LONGEST_ANSWER)
        self.usable = self._parser.should_keep_alive()
        self._answer.set_result(Answer(status, self._headers, body[:LONGEST_ANSWER]))
