"""One row of a list, as it stands in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optin.domain.lists.faults import RowFault

#: What a row holds: cells by their place (CSV), members by their name (JSON Lines).
Cells = Sequence[str] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """`number`: from 1, heads and blank lines apart. `line`: on which it begins, from 1.

    `raw`: its bytes as UTF-8 or as they came, line ends included. `fault`: why it can not be read;
    then `cells` are empty.
    """

    number: int
    line: int
    raw: bytes
    cells: Cells = ()
    fault: RowFault | None = None
