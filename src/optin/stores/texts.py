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
        try:
            _refuse_broken_text(args[-1])
            return read(*args, **kwargs)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            raise InconsistentRecord("A stored record is not readable.") from None

    return guarded


def _refuse_broken_text(row: Any) -> None:
    """Bytes that are no UTF-8 come as lone surrogates, which cannot be encoded again."""
    for column in row:
        if isinstance(column, str) and not column.isascii():
            column.encode()


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
