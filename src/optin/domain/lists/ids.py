"""Ids of what a list's rows become: made of the import and the row, so that a repetition is known.

They have the layout of a UUIDv7 of the import's time; the last four bytes are the row's number, so
that the events of one import stand together and in its order.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from optin.domain.ids import time_ordered_id

_MOST = 2**32 - 1


def row_id(bot_id: str, import_id: str, created: int, number: int) -> bytes:
    """The event id of a row. `created`: of the import, UTC µs."""
    return time_ordered_id(created, _name(bot_id, import_id) + number.to_bytes(4, "big"))


@lru_cache(maxsize=64)
def _name(bot_id: str, import_id: str) -> bytes:
    return hashlib.sha256(f"{bot_id}\x1f{import_id}".encode()).digest()[:6]


def span(bot_id: str, import_id: str, created: int) -> tuple[bytes, bytes]:
    """The event ids of all rows lie behind the first and up to the second of these."""
    return (
        row_id(bot_id, import_id, created, 0),
        row_id(bot_id, import_id, created, _MOST),
    )
