"""JSON in text columns, and what to make of a column that cannot be read: all stores alike."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import msgspec

from optin.domain.errors import InconsistentRecord

P = ParamSpec("P")
V = TypeVar("V")


def reader(read: Callable[P, V]) -> Callable[P, V]:
    """Whatever is wrong with a stored row (the last argument), it is an `InconsistentRecord`
    (R12)."""

    @functools.wraps(read)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> V:
        row: Any = args[-1]
        try:
            for column in row:  # bytes that are no UTF-8 came as lone surrogates
                if isinstance(column, str) and not column.isascii():
                    column.encode()  # which these cannot be again
            return read(*args, **kwargs)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            raise InconsistentRecord("A stored record is not readable.") from None

    return guarded


def to_json(value: Any) -> str:
    """JSON text; "" for an empty object, which is what most rows have."""
    return msgspec.json.encode(value).decode() if value else ""


def from_json(text: str) -> Any:
    """What `to_json` was given. Raises `InconsistentRecord` if it is not JSON (R12)."""
    if not text:
        return {}
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        raise InconsistentRecord("A stored record is not readable.") from None
