"""Rows of a JSON Lines file from its lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Never

from optin.domain.lists.csv_rows import not_text, too_long
from optin.domain.lists.faults import RowFault
from optin.domain.lists.lines import HugeLine
from optin.domain.lists.rows import Row


class JsonRows:
    """Give it lines; it gives back a row for each that is not blank."""

    def __init__(self, encoding: str, *, line: int = 1) -> None:
        self._encoding = encoding
        self._line = line
        self._number = 0

    def read_as(self, encoding: str) -> None:
        """From now on lines are of that encoding."""
        self._encoding = encoding

    def feed(self, lines: Sequence[bytes]) -> list[Row]:
        """A row for each line."""
        return list(self._rows(lines))

    def finish(self) -> list[Row]:
        """Nothing: a line is a row."""
        return []

    def _rows(self, lines: Sequence[bytes]) -> Iterator[Row]:
        for raw in lines:
            line, self._line = self._line, self._line + 1
            if not raw.strip():
                continue
            self._number += 1
            try:
                yield Row(self._number, line, raw, self._object(raw))
            except RowFault as fault:
                yield Row(self._number, line, raw, fault=fault)

    def _object(self, raw: bytes) -> dict[str, Any]:
        if type(raw) is HugeLine:
            raise too_long()
        try:
            value = json.loads(
                raw.decode(self._encoding), object_pairs_hook=_members, parse_constant=_refuse
            )
        except UnicodeDecodeError:
            raise not_text(self._encoding) from None
        except (ValueError, RecursionError):
            raise RowFault("not_json", "The line is no JSON object.") from None
        if not isinstance(value, dict):
            raise RowFault("not_json", "The line is no JSON object.")
        return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Who says a thing twice may mean either."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise RowFault("not_json", "The object has a member twice.")
    return members


def _refuse(_: str) -> Never:
    raise ValueError("JSON has no NaN and no infinity")
