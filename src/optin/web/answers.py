"""What a door answers, before it goes out as ASGI messages."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from starlette.types import Send

from optin.domain.errors import InconsistentRecord

_ENCODER = msgspec.json.Encoder()


class Answer(NamedTuple):
    """One whole response. Without a body it has no content type (H1: an empty `200`)."""

    status: int
    body: bytes = b""
    media_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def send(self, send: Send) -> None:
        """Sends it; the length is always told, so that nothing goes out chunked."""
        head = [(b"content-length", b"%d" % len(self.body)), *self.headers]
        if self.body:
            head.append((b"content-type", self.media_type))
        await send({"type": "http.response.start", "status": self.status, "headers": head})
        await send({"type": "http.response.body", "body": self.body})


EMPTY = Answer(200)


def json_answer(value: Any, status: int = 200) -> Answer:
    """The value as JSON. Raises `InconsistentRecord` for a stored text that was no UTF-8 (R12)."""
    try:
        return Answer(status, _ENCODER.encode(value))
    except UnicodeEncodeError:
        raise InconsistentRecord("A stored record is not readable.") from None
