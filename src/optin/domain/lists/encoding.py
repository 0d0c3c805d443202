"""What the bytes of a list are: their encoding, or what they are instead of text."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from optin.domain.errors import InvalidList

#: Byte order marks, the longer before those that they begin with.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE = ("utf-16-le", "utf-16-be")
#: What files that are no lists begin with, and what to tell who gives one.
_NO_LISTS = (
    (b"PK\x03\x04", "a ZIP archive: unpack it first"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls): save it as CSV"),
    (b"\x1f\x8b", "compressed (gzip): unpack it first, such as with `gzip -dc`"),
    (b"BZh", "compressed (bzip2): unpack it first"),
    (b"\xfd7zXZ", "compressed (xz): unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd): unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive: unpack it first"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3", "a SQLite database"),
    (b"PAR1", "a Parquet file: save it as CSV"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"{\\rtf", "a text document (RTF): save it as CSV"),
)
_MARKUP = (
    (re.compile(rb"<!doctype html|<html|<head|<table", re.I), "a web page (HTML)"),
    (re.compile(rb"<\?xml|<[a-z]+[ >]", re.I), "XML"),
)
_XLSX = "an Excel workbook (.xlsx): save it as CSV"
_EXCEL = (b"xl/", b"[Content_Types].xml")
_CONTROLS = bytes({*range(32), 127} - set(b"\t\n\r\f"))
_ASCII = bytes(range(128))


@dataclass(frozen=True, slots=True)
class Encoding:
    """`name`: as Python knows it; "" while everything was ASCII. `mark`: the byte order mark.

    `told`: by a mark or by the caller, not guessed.
    """

    name: str
    mark: bytes = b""
    told: bool = False

    @property
    def is_wide(self) -> bool:
        """Whether the file is UTF-16; inside, its rows are UTF-8."""
        return self.name in _WIDE

    def outward(self, row: bytes) -> bytes:
        """A row's bytes as they were in the file."""
        if not self.is_wide:
            return row
        return row.decode("utf-8", "surrogatepass").encode(self.name, "surrogatepass")


def sniffed(head: bytes, told: str = "") -> Encoding:
    """The encoding of a file that begins so. Raises `InvalidList` for what is no text.

    Without a mark it is UTF-8 if anything in the head is, else Windows' western one (cp1252).
    """
    mark, by_mark = next(((m, name) for m, name in _MARKS if head.startswith(m)), (b"", ""))
    if by_mark == "utf-32":
        raise InvalidList("The file is UTF-32: save it as UTF-8.")
    if by_mark:
        return Encoding(by_mark, mark, told=True)
    _refuse_what_is_no_list(head)
    if told:
        return Encoding(_known(told), told=True)
    _refuse_binary(head)
    return Encoding(_guessed(head))


def _known(told: str) -> str:
    try:
        name = codecs.lookup(told).name
        if name in ("utf-16", "utf-16-le", "utf-16-be"):
            return "utf-16-le" if name == "utf-16" else name
        if name == "utf-8-sig":
            return "utf-8"
        if _ASCII.decode(name) == _ASCII.decode("ascii"):
            return name
    except (LookupError, UnicodeError):
        pass
    raise InvalidList("The encoding is not known: try utf-8, utf-16 or cp1252.", field="encoding")


def _guessed(head: bytes) -> str:
    """One stray line must not turn a UTF-8 file into another: its row is refused instead."""
    strange = [line for line in head.split(b"\n")[:-1] or [head] if not line.isascii()]
    if not strange:
        return ""
    return "utf-8" if any(map(is_utf8, strange)) else "cp1252"


def is_utf8(line: bytes) -> bool:
    """Whether these bytes are UTF-8."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _refuse_what_is_no_list(head: bytes) -> None:
    for magic, what in _NO_LISTS:
        if head.startswith(magic):
            excel = magic == b"PK\x03\x04" and any(part in head for part in _EXCEL)
            raise InvalidList(f"The file is no list but {_XLSX if excel else what}.")
    for pattern, what in _MARKUP:
        if pattern.match(head.lstrip()):
            raise InvalidList(f"The file is no list but {what}.")


def _refuse_binary(head: bytes) -> None:
    """Odd bytes here and there are for their rows; a file that is full of them is no list."""
    if head[1::2].count(0) > len(head) // 3 or head[::2].count(0) > len(head) // 3:
        raise InvalidList(
            "The file seems to be UTF-16 without a byte order mark: "
            "name its encoding (utf-16-le or utf-16-be), or save it as UTF-8.",
            field="encoding",
        )
    odd = len(head) - len(head.translate(None, _CONTROLS))
    if odd > 4 and odd * 20 > len(head):
        raise InvalidList("The file is no list but binary data.")
