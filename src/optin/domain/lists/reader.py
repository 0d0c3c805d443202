"""Reads a list chunk by chunk: bytes in, rows out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from optin.domain.errors import InvalidList
from optin.domain.lists.columns import Columns, Wanted, checked_mapping, members
from optin.domain.lists.csv_rows import CsvRows
from optin.domain.lists.dates import ORDERS
from optin.domain.lists.encoding import Encoding, is_utf8, sniffed
from optin.domain.lists.faults import RowFault
from optin.domain.lists.items import identity_in
from optin.domain.lists.json_rows import JsonRows
from optin.domain.lists.lines import MOST, Lines, Narrowed
from optin.domain.lists.presets import preset_named
from optin.domain.lists.rows import Row
from optin.domain.lists.shape import CSV, DELIMITERS, JSONL, Shape, csv_shape, form_of, inner

#: How much of a file is looked at before its first row is read, in bytes.
HEAD = 64 * 1024
_MOST_SHAPES = 1_000


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What the caller says of a list; "" where the file says it itself.

    `mapping`: heading, or #1, to field. `action`: what all rows are. `time_zone`: IANA name.
    `date_order`: one of `dates.ORDERS`. `evidence`: of every row.
    """

    form: str = ""
    encoding: str = ""
    delimiter: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    preset: str = ""
    action: str = ""
    time_zone: str = ""
    date_order: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)

    def wanted(self, *, needs_action: bool = True) -> Wanted:
        """What the columns must say. Raises `InvalidList` for an option that is none."""
        preset = preset_named(self.preset)
        checked_mapping(self.mapping)
        for name, value, known in (
            ("format", self.form, (CSV, JSONL)),
            ("delimiter", self.delimiter, tuple(DELIMITERS)),
            ("date_order", self.date_order, ORDERS),
        ):
            if value and value not in known:
                shown = ", ".join(map(repr, known))
                raise InvalidList(f"Option {name} is one of: {shown}.", field=name)
        return Wanted(self.mapping, preset.headings, self.action or preset.action, needs_action)


class ListReader:
    """One file. `country`: of numbers without a calling code, "" for none."""

    def __init__(
        self, options: ListOptions, *, country: str = "", needs_action: bool = True
    ) -> None:
        self._options = options
        self._wanted = options.wanted(needs_action=needs_action)
        self._country = country
        self._head: bytes | None = b""
        self._narrowed: Narrowed | None = None
        self._undecided = False
        self._shapes: dict[tuple[str, ...], Columns] = {}
        self.shape: Shape | None = None

    def feed(self, data: bytes) -> list[Row]:
        """The rows that are whole now. Raises `InvalidList` as soon as it is known."""
        if self._head is None:
            return self._rows(data)
        self._head += data
        if len(self._head) < HEAD:
            return []
        return self._begin()

    def finish(self) -> list[Row]:
        """The last rows. Raises `InvalidList` for an empty file."""
        rows = self._begin(whole=True) if self._head is not None else []
        if self._narrowed is not None:
            rows += self._parsed(self._lines.feed(self._narrowed.feed(b"", last=True)))
        rows += self._parsed(self._lines.finish())
        return rows + self._reader.finish()

    def columns_of(self, row: Row) -> Columns:
        """Where the row has what. Raises `RowFault` for a JSON object that does not say."""
        assert self.shape is not None  # noqa: S101 - a row has come
        if self.shape.columns is not None:
            return self.shape.columns
        names = tuple(row.cells) if isinstance(row.cells, Mapping) else ()
        if names not in self._shapes:
            if len(self._shapes) >= _MOST_SHAPES:
                self._shapes.clear()
            mapping = {name: f for name, f in self._wanted.mapping.items() if name in names}
            try:
                self._shapes[names] = members(names, replace(self._wanted, mapping=mapping))
            except InvalidList as wrong:
                raise RowFault("columns", str(wrong)) from None
        return self._shapes[names]

    def _begin(self, *, whole: bool = False) -> list[Row]:
        head, encoding = self._head or b"", sniffed(self._head or b"", self._options.encoding)
        if encoding.is_wide:
            self._narrowed = Narrowed(encoding.name)
        text = self._inside(head[len(encoding.mark) :])
        end = b"\r" if b"\r" in text and b"\n" not in text else b"\n"
        self._lines = Lines(end)
        lines = self._lines.feed(text)
        if whole:
            lines += self._lines.finish()
        if not lines:
            if whole:
                raise InvalidList("The file is empty.")
            if len(head) > MOST:
                raise InvalidList("The first line of the file is longer than a row may be.")
            self._narrowed = None
            return []
        self._head = None
        return self._parsed(self._shaped(lines, encoding))

    def _shaped(self, lines: list[bytes], encoding: Encoding) -> list[bytes]:
        """Takes the shape from the head; the lines that are rows."""
        self._undecided = not encoding.name
        name = inner(encoding)
        self._reader: CsvRows | JsonRows
        if form_of(lines[0].decode(name, "replace"), self._options.form) == JSONL:
            self.shape = Shape(JSONL, encoding)
            self._reader = JsonRows(name)
            return lines
        shape = csv_shape(lines, encoding, self._wanted, self._country, self._options.delimiter)
        self.shape = shape
        passed = len(shape.head)
        self._reader = CsvRows(
            name,
            shape.delimiter,
            width=len(shape.headings or ()),
            line=passed + 1,
            is_row=self._is_row,
        )
        return lines[passed:]

    def _is_row(self, cells: Sequence[str]) -> bool:
        """Whether these cells would be about somebody."""
        columns = self.shape.columns if self.shape else None
        if columns is None:
            return False
        try:
            identity_in(cells, columns, self._country)
        except RowFault as fault:
            return fault.code == "number_ambiguous"
        return True

    def _rows(self, data: bytes) -> list[Row]:
        return self._parsed(self._lines.feed(self._inside(data)))

    def _inside(self, data: bytes) -> bytes:
        return data if self._narrowed is None else self._narrowed.feed(data)

    def _parsed(self, lines: list[bytes]) -> list[Row]:
        if self._undecided:
            self._decide(lines)
        return self._reader.feed(lines)

    def _decide(self, lines: list[bytes]) -> None:
        """The first line that is not ASCII says what the file is, when the head could not."""
        strange = next((line for line in lines if not line.isascii()), None)
        if strange is None or self.shape is None:
            return
        self._undecided = False
        name = "utf-8" if is_utf8(strange) else "cp1252"
        self.shape = replace(self.shape, encoding=replace(self.shape.encoding, name=name))
        self._reader.read_as(name)


__all__ = ["CSV", "HEAD", "JSONL", "ListOptions", "ListReader"]
