"""Reads JSON that a provider sent, so that whatever was in it can be stored and written out."""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_DEEPEST = 64
_LONGEST_NUMBER = 20
#: A text, ended or not, or one end of a list or an object.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def read_json(body: bytes) -> Any:
    """The decoded body. Raises `ValueError` for what is no JSON, nothing else.

    U+0000, lone surrogates in texts and bytes that are no text become U+FFFD; what no number is,
    is longer than any provider's numbers or nested too deeply becomes null. One such place must
    not cost what stands beside it.
    """
    text = body.decode(json.detect_encoding(body), "replace")
    try:
        return _read(text)
    except RecursionError:
        pass
    try:
        return _read(_shallow(text))
    except RecursionError:
        raise ValueError("no room on the stack") from None


def _read(text: str) -> Any:
    return _storable(
        json.loads(text, strict=False, parse_int=_int, parse_float=_float, **_NO_CONSTANTS)
    )


def _shallow(text: str) -> str:
    """The JSON with null for each list and object that is nested too deeply."""
    kept, depth, end = [], 0, 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in ("[", "{"):
            if depth == _DEEPEST:
                kept.append(text[end : token.start()])
            depth += 1
        elif mark in ("]", "}"):
            depth -= 1
            if depth == _DEEPEST:
                kept.append("null")
                end = token.end()
    return "".join(kept) + (text[end:] if depth < _DEEPEST else "")


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
