"""Ids: 16 bytes in the layout of a UUIDv7 (RFC 9562), and the text form that messages use."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

#: Makes a fresh id; wiring gives the real one, tests a predictable one.
NewId = Callable[[], bytes]

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: Two characters at a time, which takes half as long.
_PAIRS = [first + second for first in _CROCKFORD for second in _CROCKFORD]


def time_ordered_id(at: int, entropy: bytes) -> bytes:
    """An id that sorts by `at` (UTC µs, kept to the millisecond). `entropy`: at least 10 bytes."""
    version, random, variant = entropy[0] & 0x0F | 0x70, entropy[1], entropy[2] & 0x3F | 0x80
    head = max(at // 1000, 0).to_bytes(6, "big")
    return head + bytes((version, random, variant)) + entropy[3:10]


def derived_id(at: int, *parts: str) -> bytes:
    """The id of a fact that can arrive twice: the same parts at the same time give the same id."""
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).digest()
    return time_ordered_id(at, digest)


def ulid(raw: bytes) -> str:
    """26 characters of Crockford's base 32 that sort as the 16 bytes do."""
    number = int.from_bytes(raw, "big")
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])
