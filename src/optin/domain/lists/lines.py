"""Cuts bytes into physical lines; none is held that is longer than a row may be."""

from __future__ import annotations

import codecs

from optin.domain.lists.faults import SHOWN_OF_A_HUGE_ROW

#: Of a row, in bytes.
MOST = 1024 * 1024


class HugeLine(bytes):
    """The beginning of a line that is longer than `MOST`; the rest was let go."""


class Lines:
    """Give it chunks; it gives back whole lines with their ends. `end`: one byte."""

    def __init__(self, end: bytes = b"\n", most: int = MOST) -> None:
        self._end = end
        self._most = most
        self._rest = b""
        self._passing = False  # the rest is the beginning of a huge line

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now."""
        if self._passing:
            _, found, data = data.partition(self._end)
            if not found:
                return []
            self._passing = False
            first: list[bytes] = [HugeLine(self._rest + self._end)]
            self._rest = b""
        else:
            first = []
        *whole, self._rest = (self._rest + data).split(self._end)
        if len(self._rest) > self._most:
            self._rest, self._passing = self._rest[:SHOWN_OF_A_HUGE_ROW], True
        return first + [self._checked(line + self._end) for line in whole]

    def finish(self) -> list[bytes]:
        """The last line, if it has no end."""
        rest, self._rest = self._rest, b""
        if not rest:
            return []
        return [HugeLine(rest)] if self._passing else [rest]

    def _checked(self, line: bytes) -> bytes:
        if len(line) <= self._most:
            return line
        return HugeLine(line[:SHOWN_OF_A_HUGE_ROW] + self._end)


class Narrowed:
    """UTF-16 as UTF-8, chunk by chunk; half of a surrogate pair passes through both ways."""

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")

    def feed(self, data: bytes, *, last: bool = False) -> bytes:
        """What the chunk adds. A file that ends within a character ends with U+FFFD."""
        try:
            return self._decoder.decode(data, last).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return "\ufffd".encode()
