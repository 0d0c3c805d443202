"""Rows as they go out: CSV that no spreadsheet runs, JSON Lines, rows with the reason behind."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from optin.domain.lists.shape import CSV, Shape

#: A spreadsheet takes these for the beginning of a formula.
_FORMULA = re.compile(r"[=+\-@\t\r\n|%]")
#: A phone number is none, and a number with a sign is none either.
_NUMBER = re.compile(r"[+-]?\d[\d .]*", re.ASCII)
_QUOTED = re.compile(r'[",;\r\n\t|]|^\s|\s$')


def safe(text: str) -> str:
    """The text so that a spreadsheet shows it and does not run it: an apostrophe comes before what
    it would take for a formula. Reading a list takes it away again."""
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text


def csv_line(cells: Sequence[Any]) -> bytes:
    """One row of CSV, in UTF-8; None is an empty cell, what is no text is JSON."""
    return (",".join(map(_cell, cells)) + "\r\n").encode("utf-8", "replace")


def json_line(value: Mapping[str, Any]) -> bytes:
    """One row of JSON Lines."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"


def with_reason(raw: bytes, shape: Shape, reason: str) -> bytes:
    """A row of a list as it stands there, inside, with one more cell: why it is not taken. A row of
    JSON Lines stands in an object with its reason."""
    row = raw.rstrip(b"\r\n")
    end = raw[len(row) :] or shape.end
    if shape.form == CSV:
        return row + shape.delimiter.encode() + reason.encode() + end
    return b'{"reason":' + json.dumps(reason).encode() + b',"row":' + _as_json(row) + b"}" + end


def _as_json(row: bytes) -> bytes:
    """The row itself if it is JSON, else its text."""
    try:
        json.loads(row)
    except (ValueError, RecursionError):
        return json.dumps(row.decode("utf-8", "replace")).encode()
    return row


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = safe(value)
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text
