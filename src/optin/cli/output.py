"""How results are printed: for people, or as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from optin.domain import rfc3339


def print_json(value: Any) -> None:
    """One JSON document on standard output, in ASCII: every terminal and locale takes that."""
    print(json.dumps(value, indent=2))


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as they need to be, under their names."""
    lines = [list(head), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(map(str.ljust, line, widths)).rstrip())


def shown_time(at: int | None) -> str | None:
    """UTC µs as RFC 3339; None stays None."""
    return None if at is None else rfc3339.shown_time(at)
