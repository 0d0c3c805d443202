"""Rows: each has its own bytes, and none that is broken stops or swallows another."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.lists.csv_rows import CsvRows
from optin.domain.lists.lines import MOST, Lines
from tests.domain.lists.reading import ANNA, BO, rows_of, told, who

HEAD = "phone,status,name\n"

_cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
_tables = st.lists(st.lists(_cells, min_size=3, max_size=3), min_size=1, max_size=8)


@given(_tables, st.integers(1, 40), st.sampled_from(["\n", "\r\n"]))
def test_whatever_csv_writes_is_read(table: list[list[str]], piece: int, end: str) -> None:
    """What Python's csv module writes comes back cell by cell, and the rows' bytes are the file's,
    however it is cut."""
    out = io.StringIO()
    csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(table)
    data = out.getvalue().encode()
    lines, rows = Lines(), CsvRows("utf-8", ",", width=3)
    found = []
    for begin in range(0, len(data), piece):
        found += rows.feed(lines.feed(data[begin : begin + piece]))
    found += rows.feed(lines.finish()) + rows.finish()
    kept = [row for row in table if any(row)]
    assert [list(row.cells) for row in found] == kept
    if kept == table:
        assert b"".join(row.raw for row in found) == data


@given(st.binary(max_size=400), st.integers(1, 64))
def test_no_bytes_stop_a_file(noise: bytes, piece: int) -> None:
    """Whatever stands in the middle of a file, it ends, and no byte of it is lost or doubled."""
    noise = noise.replace(b'"', b"'")
    before, after = f"+{ANNA},opt-in,a\n".encode(), f"\n+{BO},opt-in,b\n".encode()
    _, rows = rows_of(HEAD.encode() + before * 400 + noise + after * 2, piece * 100)
    known = [row for row in rows if not row.fault and row.cells]
    assert next(iter(known[0].cells)) == f"+{ANNA}"
    assert next(iter(known[-1].cells)) == f"+{BO}"
    assert len(known) >= 401


def test_a_quote_that_is_never_closed() -> None:
    """It costs its own row, not the opt-outs behind it."""
    data = HEAD + f'+{ANNA},opt-in,"Anna\n+{BO},opt-out,Bo\n' + f"+{ANNA},opt-out,x\n" * 300
    items = told(data)
    assert who(items) == ["quoting", BO, *[ANNA] * 300]


def test_two_broken_quotes() -> None:
    """Two that would make one row of many are told by its number of cells."""
    data = (
        HEAD + f'+{ANNA},opt-in,"Anna\n+{BO},opt-out,Bo\n+{BO},opt-out,"Bosse\n+{ANNA},opt-in,c\n'
    )
    assert who(told(data)) == ["quoting", BO, "quoting", ANNA]


def test_a_quote_that_moves_the_cells() -> None:
    """A row over several lines with other cells than the head is given up after its first line."""
    rows = f'+{ANNA},"Anna,opt-in\n+{BO},Bo,opt-out\n+{ANNA},opt-out,5"\n'
    assert who(told("phone,name,status\n" + rows)) == ["quoting", BO, "unknown_action"]


@pytest.mark.parametrize("last", ['5"', '"'])
def test_rows_within_a_cell(last: str) -> None:
    """Where a forgotten quote would make one cell of whole rows, they are neither lost in it nor
    taken for rows: somebody may have written them there."""
    rows = f'+{ANNA},opt-in,"Anna\n+{BO},opt-out,Bo\n+{ANNA},opt-out,{last}\n+{BO},opt-in,c\n'
    assert who(told(HEAD + rows)) == ["quoting", BO]
    written = f'+{ANNA},opt-in,"Hello\n+{BO},opt-in,x\nGood bye"\n+{BO},opt-out,c\n'
    items = told(HEAD + written)
    assert items[0] == "quoting"
    assert who(items[1:]) == [BO]


def test_a_cell_over_several_lines() -> None:
    """Line breaks within quotes belong to the cell; lines are counted on."""
    data = HEAD + f'+{ANNA},opt-in,"one\ntwo\n\nfour"\n+{BO},opt-in,x\n'
    _, rows = rows_of(data.encode(), 5)
    assert [(row.number, row.line) for row in rows] == [(1, 2), (2, 6)]
    assert list(rows[0].cells)[2] == "one\ntwo\n\nfour"


def test_more_cells_than_columns() -> None:
    """A comma too many shifts what stands behind it: the row is refused; empty cells do no harm."""
    data = HEAD + f"+{ANNA},opt-in,A,B\n+{BO},opt-in,x,,,\n+{ANNA},opt-in\n"
    assert who(told(data)) == ["too_many_cells", BO, ANNA]


def test_blank_lines_are_no_rows() -> None:
    """Neither blank lines nor rows of empty cells count."""
    data = HEAD + f"\n,,\n+{ANNA},opt-in,\n \r\n\n"
    assert who(told(data)) == [ANNA]


def test_a_row_of_ten_megabytes() -> None:
    """It is refused, its beginning is kept, and the next ones are read; memory stays bounded."""
    huge = b"x" * (10 * MOST)
    data = HEAD.encode() + f"+{ANNA},opt-in,a\n".encode() * 4_000
    data += f"+{ANNA},opt-in,".encode() + huge + b"\n" + f"+{BO},opt-in,b\n".encode()
    _, rows = rows_of(data, 65_536)
    assert [(row.fault.code, len(row.raw) < 2_000) for row in rows if row.fault] == [
        ("row_too_long", True)
    ]
    assert next(iter(rows[-1].cells)) == f"+{BO}"
    lines = Lines()
    for begin in range(0, len(huge), 65_536):
        lines.feed(huge[begin : begin + 65_536])
        assert len(lines._rest) <= MOST


def test_nul_in_a_row() -> None:
    """U+0000 in what would be kept refuses the row; its neighbours go on."""
    data = HEAD + f"+{ANNA},opt-in,A\x00B\n+{BO},opt-in,b\n"
    assert who(told(data)) == ["control_character", BO]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("nonsense", "not_json"),
        ("7", "not_json"),
        ("[]", "not_json"),
        ('{"phone": NaN}', "not_json"),
        ('{"phone": "+1", "phone": "+2"}', "not_json"),
        ('{"a":' * 5_000 + "1" + "}" * 5_000, "not_json"),
        ('{"x": ' + "9" * 5_000 + "}", "not_json"),
        ('{"name": "x"}', "columns"),
        (f'{{"phone": "+{ANNA}", "mobile": "+{BO}", "opt_in": true}}', "columns"),
        (f'{{"phone": "+{ANNA}", "opt_in": true, "url": "\\ud800"}}', "control_character"),
    ],
)
def test_broken_json(line: str, code: str) -> None:
    """A line that is no object, or does not say who or what, is refused alone."""
    good = json.dumps({"phone": f"+{BO}", "opt_in": True})
    assert who(told(f"{good}\n{line}\n\n{good}\n")) == [BO, code, BO]


def test_json_lines_each_with_members_of_its_own() -> None:
    """Every object says by its members what it holds; the native API's items are such objects."""
    lines = [
        {"identity": f"+{ANNA}", "action": "opt_in", "occurred_at": "2026-04-11T09:30:00Z"},
        {"unsubscribed": True, "mobile": int(BO)},
        {"phone": "US.13491208655302741918", "consent": "no"},
    ]
    items = told("\n".join(map(json.dumps, lines)))
    assert who(items) == [ANNA, BO, "US.13491208655302741918"]
    assert [each.kind for each in items if not isinstance(each, str)] == [
        "opt_in",
        "opt_out",
        "opt_out",
    ]
