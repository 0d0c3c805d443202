"""How a connection says no, beneath the application (H5, H6)."""

from __future__ import annotations

import http
import json
from collections.abc import Iterable

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
