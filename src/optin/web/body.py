"""Reading what a caller sends: bounded, strict JSON whatever the content type says (H5, H6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from optin.domain.errors import InvalidInput, TooLarge

MIB = 1024 * 1024

_BOM = b"\xef\xbb\xbf"
# Untyped on purpose: a typed decoder skips members without looking whether they are UTF-8.
_DECODER = msgspec.json.Decoder()


async def read_body(
    headers: Iterable[tuple[bytes, bytes]],
    receive: Receive,
    most: int = MIB,
    came: Callable[[int], None] | None = None,
) -> bytes:
    """The whole body. Raises `TooLarge` as soon as it is known to have more than `most` bytes, and
    `ClientDisconnect` if the caller went away. `came` is told how many bytes came, each time."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value) > most:
            raise _too_large(most)
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        if came is not None:
            came(len(chunk))
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def decode(body: bytes) -> Any:
    """The JSON value. Raises `InvalidInput` for anything else, invalid UTF-8 included."""
    try:
        return _DECODER.decode(body.removeprefix(_BOM))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput("The body is not valid JSON.") from None


def decode_object(body: bytes) -> dict[str, Any]:
    """The JSON object. Raises `InvalidInput`."""
    value = decode(body)
    if not isinstance(value, dict):
        raise InvalidInput("The body must be a JSON object.")
    return value


def elements(value: Any, field: str, most: int) -> list[Any]:
    """`value` as a list of 1 to `most` elements, counted as they came (H3).

    Raises `InvalidInput` with the sentence that the original API had (H2).
    """
    if value is None or value == []:
        raise InvalidInput(f"Field [{field}] can not be empty.", field=field)
    if not isinstance(value, list):
        raise InvalidInput(f"Field [{field}] must be an array.", field=field)
    if len(value) > most:
        raise InvalidInput(f"Field [{field}] can not have more than {most} elements.", field=field)
    return value


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The body is larger than {most} bytes.")
