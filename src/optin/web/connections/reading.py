"""Reading requests off a connection with llhttp, whatever they offer besides (H5)."""

from __future__ import annotations

import asyncio
import enum

import httptools

from optin.web.connections.refusals import Refused


class Phase(enum.Enum):
    """What the next byte from the client belongs to."""

    BETWEEN = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()
    REFUSED = enum.auto()


class ReadingProtocol(asyncio.Protocol):
    """A protocol that its parser calls back: a subclass has `on_headers_complete`, `on_body` and
    `on_message_complete`, the first and last of which come twice with a head that `is_offer`.

    An exception in a callback stops the parser; `verdict` says what it means.
    """

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []  # names in lower case
        self.expects_continue = False

    def feed(self, data: bytes) -> None:
        """Parse `data`; offers to upgrade are parsed again without the offer (H5).

        llhttp takes what follows such a head for another protocol, and so would lose the body.
        Raises what httptools raises, and Refused.
        """
        while True:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
            if self.parser.get_method() == b"CONNECT":
                raise Refused(400, "The method CONNECT is not offered here.")
            head = self._head_without_offer()
            self.parser = httptools.HttpRequestParser(self)
            self.parser.feed_data(head)

    @property
    def is_offer(self) -> bool:
        """Whether this head comes again, without what it offers."""
        return self.parser.should_upgrade()

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode()
        head = [b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.target, version)]
        head += [b"%s: %s\r\n" % line for line in self.headers if line[0] != b"upgrade"]
        return b"".join([*head, b"\r\n"])

    def on_message_begin(self) -> None:
        """The first byte of a request line."""
        self.target = b""
        self.headers = []
        self.expects_continue = False

    def on_url(self, url: bytes) -> None:
        """A part of the request's target."""
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the head, or a trailer."""
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expects_continue = True
        self.headers.append((name, value))


def verdict(error: httptools.HttpParserError) -> Refused:
    """What stopped the parser, as an answer. llhttp's reasons are fixed texts, never input."""
    if isinstance(error.__context__, Refused):
        return error.__context__
    if isinstance(error, httptools.HttpParserCallbackError):
        return Refused(400, "The request target is not valid.")
    return Refused(400, f"The request is not valid HTTP: {str(error).rstrip('.')}.")
