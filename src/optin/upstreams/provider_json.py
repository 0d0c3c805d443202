"""Reads JSON that a provider sent, so that whatever was in it can be stored and written out."""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_DEEPEST = 64
_LONGEST_NUMBER = 20


def read_json(body: bytes) -> Any:
    """The decoded body. Raises `ValueError` for what is no JSON, nothing else.

    U+0000 and lone surrogates in texts become U+FFFD; what no number is, is longer than any
    provider's numbers or nested too deeply becomes null.
    """
    try:
        return _storable(json.loads(body, parse_int=_int, parse_float=_float, **_NO_CONSTANTS))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_object(body: bytes) -> dict[str, Any]:
    """The decoded body if it is an object, else an empty one."""
    try:
        decoded = read_json(body)
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def at(value: Any, *path: str) -> Any:
    """The member at the end of the path; None if there is none."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def text_at(value: Any, *path: str) -> str:
    """The text at the end of the path; "" if there is none."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def _storable(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if depth == _DEEPEST:
        return None
    if isinstance(value, list):
        return [_storable(element, depth + 1) for element in value]
    if isinstance(value, dict):
        return {_storable(k): _storable(element, depth + 1) for k, element in value.items()}
    return value


def _int(digits: str) -> int | None:
    """Python refuses to read huge integers, and would drop the whole body."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else None


def _float(digits: str) -> float | None:
    number = float(digits)
    return number if isfinite(number) else None


_NO_CONSTANTS: Any = {"parse_constant": lambda _: None}  # NaN and Infinity are no JSON
