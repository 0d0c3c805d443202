"""Rows of a CSV file from its lines.

Python's csv module reads; a feeder hands it the lines and remembers which ones a row took. A quote
that is never closed would swallow what follows: such a row is given up after its first line, and
reading goes on with the next. So is one over several lines that has not as many cells as the head.
One that has, but whose further lines look like rows of their own, is refused whole: read as rows,
what somebody wrote into a cell could speak for others; read as a cell, opt-outs could be lost.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from optin.domain.lists.faults import RowFault
from optin.domain.lists.lines import MOST, HugeLine
from optin.domain.lists.rows import Row

#: Lines of one row: more are rather a quote that somebody forgot.
_MOST_LINES = 100

#: (text, whether it is text at all): what a decoder makes of a line.
Decoded = tuple[str, bool]


class _Starved(Exception):
    pass


class _TooLong(Exception):
    pass


def decoded(line: bytes, encoding: str) -> Decoded:
    """The line's text. What is no text keeps its shape, so that the row still has its cells."""
    try:
        return line.decode(encoding), True
    except UnicodeDecodeError:
        return line.decode(encoding, "surrogateescape"), False


class _Feeder:
    """Hands out lines one by one, and takes them back."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.waiting: deque[bytes] = deque()
        self.taken: list[bytes] = []
        self.size = 0
        self.is_text = True
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self.waiting:
            if self.ended:
                raise StopIteration
            raise _Starved
        line = self.waiting.popleft()
        self.taken.append(line)
        self.size += len(line)
        if self.size > MOST or len(self.taken) > _MOST_LINES or type(line) is HugeLine:
            raise _TooLong
        text, is_text = decoded(line, self.encoding)
        self.is_text = self.is_text and is_text
        return text

    def begin(self) -> None:
        """What is taken from now on belongs to the next row."""
        self.taken, self.size, self.is_text = [], 0, True

    def put_back(self, count: int) -> None:
        """Takes back all but the first `count` lines of the row."""
        self.waiting.extendleft(reversed(self.taken[count:]))
        del self.taken[count:]


class CsvRows:
    """Give it lines; it gives back the rows that are whole."""

    def __init__(
        self,
        encoding: str,
        delimiter: str,
        *,
        width: int = 0,
        line: int = 1,
        is_row: Callable[[Sequence[str]], bool] = lambda _: False,
    ) -> None:
        self._feeder = _Feeder(encoding)
        self._reader = csv.reader(
            self._feeder, delimiter=delimiter, strict=True, skipinitialspace=True
        )
        self._delimiter = delimiter
        self._is_row = is_row
        self._width = width
        self._line = line
        self._number = 0

    def read_as(self, encoding: str) -> None:
        """From now on lines are of that encoding."""
        self._feeder.encoding = encoding

    def feed(self, lines: Sequence[bytes]) -> list[Row]:
        """The rows that are whole now."""
        self._feeder.waiting.extend(lines)
        return list(self._rows())

    def finish(self) -> list[Row]:
        """The rows that only the end of the file makes whole."""
        self._feeder.ended = True
        return list(self._rows())

    def _rows(self) -> Iterator[Row]:
        feeder = self._feeder
        while feeder.waiting:
            feeder.begin()
            try:
                cells = next(self._reader)
            except _Starved:
                feeder.put_back(0)
                return
            except (_TooLong, csv.Error) as why:
                yield self._given_up(_fault(why, feeder))
                continue
            taken = feeder.taken
            if len(taken) > 1 and self._width and len(cells) != self._width:
                yield self._given_up(_unclosed())
                continue
            line, self._line = self._line, self._line + len(taken)
            if any(cells):
                yield self._row(line, cells)

    def _row(self, line: int, cells: list[str]) -> Row:
        self._number += 1
        taken = self._feeder.taken
        raw = taken[0] if len(taken) == 1 else b"".join(taken)
        if not self._feeder.is_text:
            return Row(self._number, line, raw, fault=not_text(self._feeder.encoding))
        if len(taken) > 1 and self._hides_rows(taken[1:], cells):
            return Row(self._number, line, raw, fault=_unclosed())
        if self._width and len(cells) > self._width and any(cells[self._width :]):
            return Row(self._number, line, raw, fault=_too_many())
        return Row(self._number, line, raw, cells)

    def _hides_rows(self, lines: Sequence[bytes], cells: Sequence[str]) -> bool:
        """Whether a line of a cell would be a row by itself. The last line has the cells behind it
        anyhow; it is one if it has more."""
        broken = max((place for place, cell in enumerate(cells) if "\n" in cell), default=0)
        behind = self._width - broken
        *middle, last = (self._alone(line) for line in lines)
        return any(len(one) >= self._width and self._is_row(one) for one in middle) or (
            len(last) > behind and self._is_row(last)
        )

    def _alone(self, line: bytes) -> list[str]:
        """The line's cells, as if nothing stood before it."""
        text = decoded(line, self._feeder.encoding)[0]
        reader = csv.reader([text], delimiter=self._delimiter, skipinitialspace=True)
        try:
            return next(reader)
        except (csv.Error, StopIteration):
            return []

    def _given_up(self, fault: RowFault) -> Row:
        """The row's first line alone; the others are read again."""
        self._feeder.put_back(1)
        line, self._line = self._line, self._line + 1
        self._number += 1
        return Row(self._number, line, self._feeder.taken[0], fault=fault)


def not_text(encoding: str) -> RowFault:
    """The row has bytes that the file's encoding does not have."""
    return RowFault("encoding", f"The row is not {encoding} text, as the rest of the file is.")


def too_long() -> RowFault:
    """The row is longer than a row may be."""
    return RowFault("row_too_long", f"The row is longer than {MOST} bytes.")


def _unclosed() -> RowFault:
    return RowFault("quoting", "A quoted cell has no end.")


def _too_many() -> RowFault:
    return RowFault("too_many_cells", "The row has more cells than the head has columns.")


def _fault(why: Exception, feeder: _Feeder) -> RowFault:
    if type(feeder.taken[0]) is HugeLine:
        return too_long()
    if isinstance(why, csv.Error) and "field limit" in str(why):
        return RowFault("cell_too_long", "A cell is longer than 131072 characters.")
    return (
        _unclosed()
        if len(feeder.taken) > 1
        else RowFault("quoting", "The quotes or line ends of the row are broken.")
    )
