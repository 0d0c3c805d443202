"""What the head of a file tells of the whole: its encoding, its form, its columns."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from optin.domain.errors import InvalidList
from optin.domain.lists.columns import Columns, Wanted, named
from optin.domain.lists.csv_rows import decoded
from optin.domain.lists.encoding import Encoding
from optin.domain.lists.faults import RowFault
from optin.domain.lists.headings import Field
from optin.domain.lists.numbers import listed_identity

CSV, JSONL = "csv", "jsonl"
DELIMITERS = ",;\t|"
#: How many rows of the head are looked at to find the delimiter.
_SAMPLE = 50


@dataclass(frozen=True, slots=True)
class Shape:
    """`form`: CSV or JSONL. `head`: the lines before the first row, as bytes. `headings`: None if
    the file has none. `columns`: None for JSON Lines, where each row names its own.

    `end`: the byte at which lines end.
    """

    form: str
    encoding: Encoding
    delimiter: str = ""
    head: tuple[bytes, ...] = ()
    headings: tuple[str, ...] | None = None
    columns: Columns | None = None
    end: bytes = b"\n"

    def told(self) -> dict[str, object]:
        """What is shown to people."""
        shown: dict[str, object] = {"format": self.form, "encoding": self.encoding.name or "ascii"}
        if self.columns is None:
            return shown
        names = self.headings or ()
        fields = {
            field.value: names[int(key)] if names else f"#{int(key) + 1}"
            for field, key in self.columns.fields.items()
        }
        return {**shown, "delimiter": self.delimiter, "columns": fields}


def form_of(text: str, told: str = "") -> str:
    """CSV or JSON Lines. Raises `InvalidList` for one JSON document."""
    if told:
        return told
    start = text.lstrip()[:1]
    if start == "[":
        raise InvalidList("The file is one JSON array: write one object a line (JSON Lines).")
    return JSONL if start == "{" else CSV


def csv_shape(
    lines: Sequence[bytes], encoding: Encoding, wanted: Wanted, country: str, delimiter: str = ""
) -> Shape:
    """The shape of a CSV file that begins with these lines. Raises `InvalidList`."""
    name = inner(encoding)
    texts = [decoded(line, name)[0] for line in lines]
    skipped, told = _first_line(texts)
    delimiter = delimiter or told or _delimiter(texts[skipped:])
    first, taken = _first_row(texts[skipped:], delimiter)
    columns = _without_headings(first, wanted, country)
    end = b"\r" if b"\r" in lines[0] and b"\n" not in lines[0] else b"\n"
    if columns is not None:
        return Shape(CSV, encoding, delimiter, tuple(lines[:skipped]), None, columns, end)
    columns = named(first, wanted)
    head = tuple(lines[: skipped + taken])
    return Shape(CSV, encoding, delimiter, head, tuple(first), columns, end)


def inner(encoding: Encoding) -> str:
    """The encoding of lines inside: UTF-16 has become UTF-8, and ASCII is UTF-8."""
    return "utf-8" if encoding.is_wide or not encoding.name else encoding.name


def _first_line(texts: Sequence[str]) -> tuple[int, str]:
    """(lines to pass over, the delimiter if they name it): blank ones, and Excel's `sep=;`."""
    skipped = 0
    while skipped < len(texts) and not texts[skipped].strip():
        skipped += 1
    line = texts[skipped].strip() if skipped < len(texts) else ""
    if line.lower().startswith("sep=") and len(line) == 5:
        return skipped + 1, line[4]
    if not line:
        raise InvalidList("The file is empty.")
    return skipped, ""


def _first_row(texts: Sequence[str], delimiter: str) -> tuple[list[str], int]:
    """The cells of the first row, and how many lines it takes."""
    reader = csv.reader(iter(texts), delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        cells = next(reader)
    except (csv.Error, StopIteration):
        raise InvalidList("The first line of the file can not be read.") from None
    return [cell.strip() for cell in cells], reader.line_num


def _delimiter(texts: Sequence[str]) -> str:
    """The one under which most rows have the same number of cells, more than one; else a comma."""
    return max(DELIMITERS, key=lambda each: _agreement(texts, each))


def _agreement(texts: Iterable[str], delimiter: str) -> tuple[float, int]:
    reader = csv.reader(iter(texts), delimiter=delimiter, skipinitialspace=True)
    widths: list[int] = []
    try:
        for cells in reader:
            if cells:
                widths.append(len(cells))
            if len(widths) == _SAMPLE:
                break
    except csv.Error:
        pass
    if not widths or widths[0] == 1:
        return 0.0, 0
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def _without_headings(first: Sequence[str], wanted: Wanted, country: str) -> Columns | None:
    """The columns if the first row is one of the rows already: a bare list of numbers, or one
    whose columns are mapped by their places."""
    if any(not name.startswith("#") for name in wanted.mapping):
        return None
    if not any(_is_identity(cell, country) for cell in first):
        return None
    names = [f"#{place + 1}" for place in range(len(first))]
    mapping = dict(wanted.mapping)
    if len(first) == 1 and not mapping:
        mapping = {"#1": Field.IDENTITY.value}
    if Field.IDENTITY.value not in mapping.values():
        raise InvalidList(
            "The file has no line with the names of its columns. Map them by place: #1=identity.",
            field="map",
        )
    mapped = Wanted(mapping, {}, wanted.action, wanted.needs_action)
    return named(names, mapped)


def _is_identity(cell: str, country: str) -> bool:
    try:
        listed_identity(cell, country)
    except RowFault as fault:
        return fault.code == "number_ambiguous"
    return True
