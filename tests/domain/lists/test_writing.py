"""Rows that go out: no formula runs, and what was written can be read again."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.lists.writing import csv_line, json_line, safe, with_reason
from tests.domain.lists.reading import ANNA, rows_of


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "|x", "%x", "=", "+", "-x"],
)
def test_formulas_are_text(cell: str) -> None:
    """What a spreadsheet would run begins with an apostrophe."""
    assert safe(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["+46732001122", "-5", "12", "Anna", "", "a=1", "+46 73 200"])
def test_numbers_stay(cell: str) -> None:
    """Phone numbers and plain text are written as they are."""
    assert safe(cell) == cell


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=10), min_size=1))
def test_csv_comes_back(cells: list[str]) -> None:
    """Python reads back what was written, apart from the apostrophes."""
    text = csv_line(cells).decode()
    (back,) = list(csv.reader(io.StringIO(text, newline=""))) or [[""]]
    assert (back or [""]) == [safe(cell) for cell in cells]


def test_what_is_no_text() -> None:
    """None is empty, objects are JSON."""
    assert csv_line([None, {"a": "b,c"}, 3]) == b',"{""a"":""b,c""}",3\r\n'
    assert json_line({"a": "Å"}) == '{"a":"Å"}\n'.encode()


def test_a_row_with_its_reason() -> None:
    """The reason is one more cell, of the row's own delimiter and line end."""
    reader, (row,) = rows_of(f"phone;status\r\n+{ANNA};stop\r\n".encode())
    assert reader.shape is not None
    assert with_reason(row.raw, reader.shape, "why") == f"+{ANNA};stop;why\r\n".encode()


def test_a_json_row_with_its_reason() -> None:
    """The object stands in one with its reason; what is no JSON as text."""
    reader, rows = rows_of(f'{{"phone":"+{ANNA}","opt_in":true}}\nbroken\n'.encode())
    assert reader.shape is not None
    told = [json.loads(with_reason(row.raw, reader.shape, "why")) for row in rows]
    assert told == [
        {"reason": "why", "row": {"phone": f"+{ANNA}", "opt_in": True}},
        {"reason": "why", "row": "broken"},
    ]
