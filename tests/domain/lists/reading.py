"""What the tests of lists share: a file read in pieces of a chosen size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from optin.domain.lists.faults import RowFault
from optin.domain.lists.items import ListItem, Meaning, listed_item
from optin.domain.lists.presets import preset_named
from optin.domain.lists.reader import ListOptions, ListReader
from optin.domain.lists.rows import Row

BERLIN = ZoneInfo("Europe/Berlin")
ANNA, BO = "46732001122", "46732001133"


def rows_of(
    data: bytes, piece: int = 1 << 20, *, country: str = "", needs_action: bool = True, **given: Any
) -> tuple[ListReader, list[Row]]:
    """The reader at its end, and all rows."""
    reader = ListReader(ListOptions(**given), country=country, needs_action=needs_action)
    rows: list[Row] = []
    for begin in range(0, len(data), piece):
        rows += reader.feed(data[begin : begin + piece])
    return reader, rows + reader.finish()


def told(
    data: bytes | str,
    piece: int = 1 << 20,
    *,
    country: str = "",
    zone: ZoneInfo | None = BERLIN,
    **given: Any,
) -> list[ListItem | str]:
    """For each row its item, or the code of what is wrong with it."""
    raw = data.encode() if isinstance(data, str) else data
    reader, rows = rows_of(raw, piece, country=country, **given)
    preset = preset_named(given.get("preset", ""))
    action = given.get("action", "") or preset.action
    order, evidence = given.get("date_order", ""), given.get("evidence", {})
    meaning = Meaning(zone, order, country, action, preset, evidence)
    return [_told(reader, row, meaning) for row in rows]


def _told(reader: ListReader, row: Row, meaning: Meaning) -> ListItem | str:
    if row.fault is not None:
        return row.fault.code
    try:
        return listed_item(row.cells, reader.columns_of(row), meaning)
    except RowFault as fault:
        return fault.code


def item(data: str, **given: Any) -> ListItem:
    """The one item of a list of one row."""
    (one,) = told(data, **given)
    assert isinstance(one, ListItem), one
    return one


def who(items: Sequence[ListItem | str]) -> list[str]:
    """Each row's identity, or its fault."""
    return [each if isinstance(each, str) else each.identity for each in items]
