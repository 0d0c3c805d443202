"""What a file is: encodings, delimiters, headings, and files that are no lists."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from optin.domain.errors import InvalidList
from optin.domain.lists.lines import MOST
from tests.domain.lists.reading import ANNA, BO, rows_of, told, who

PLAIN = f"phone,status,name\n+{ANNA},opt-in,Åsa Öberg\n+{BO},opt-out,Bo\n"


@pytest.mark.parametrize(
    ("encoding", "mark", "named"),
    [
        ("utf-8", b"", "utf-8"),
        ("utf-8", b"\xef\xbb\xbf", "utf-8"),
        ("utf-16-le", b"\xff\xfe", "utf-16-le"),
        ("utf-16-be", b"\xfe\xff", "utf-16-be"),
        ("cp1252", b"", "cp1252"),
    ],
)
@pytest.mark.parametrize("piece", [1, 3, 1 << 20])
def test_encodings(encoding: str, mark: bytes, named: str, piece: int) -> None:
    """UTF-8, with and without a mark, UTF-16 both ways and Windows' western one are told apart,
    however the file is cut, and their rows come out as they were."""
    data = mark + PLAIN.encode(encoding)
    reader, rows = rows_of(data, piece)
    assert reader.shape is not None
    shape = reader.shape
    assert (shape.encoding.name, shape.encoding.mark) == (named, mark)
    assert [list(row.cells)[2] for row in rows] == ["Åsa Öberg", "Bo"]
    outward = [shape.encoding.outward(raw) for raw in (*shape.head, *(row.raw for row in rows))]
    assert mark + b"".join(outward) == data


def test_an_encoding_that_is_named() -> None:
    """What the caller says of the encoding counts before any guess."""
    data = f"phone,status,name\n+{ANNA},opt-in,Ωmega\n".encode("cp1253")
    _, rows = rows_of(data, encoding="cp1253")
    assert list(rows[0].cells)[2] == "Ωmega"


@pytest.mark.parametrize("name", ["utf-7", "rot13", "nonsense", "utf-32", "base64"])
def test_an_encoding_that_can_not_be(name: str) -> None:
    """An encoding that is unknown, or in which lines can not be told, is refused."""
    with pytest.raises(InvalidList):
        rows_of(PLAIN.encode(), encoding=name)


def test_mixed_encodings() -> None:
    """One row in another encoding than the file's is refused alone; nothing becomes mojibake."""
    lines = [f"+{ANNA},opt-in,Åsa".encode(), f"+{BO},opt-in,Åke".encode("cp1252")]
    data = b"phone,status,name\n" + b"\n".join([*lines, f"+{ANNA},opt-in,Öl".encode()]) + b"\n"
    assert who(told(data)) == [ANNA, "encoding", ANNA]


def test_ascii_first() -> None:
    """A long beginning in ASCII leaves the encoding open until a row says it."""
    ascii_rows = b"".join(b"+4673200%04d,opt-in,x\n" % n for n in range(5_000))
    for encoding in ("utf-8", "cp1252"):
        data = b"phone,status,name\n" + ascii_rows + f"+{BO},opt-in,Åke\n".encode(encoding)
        reader, rows = rows_of(data, 4096)
        assert reader.shape is not None
        assert reader.shape.encoding.name == encoding
        assert list(rows[-1].cells)[2] == "Åke"


def _zipped(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, "x")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\n \n\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (gzip.compress(PLAIN.encode(), mtime=0), "gzip"),
        (_zipped("list.csv"), "ZIP"),
        (_zipped("xl/workbook.xml"), "Excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "Excel"),
        (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
        (b"<!DOCTYPE html>\n<html><body>Not found</body></html>", "HTML"),
        (b"\n<html>", "HTML"),
        (b'<?xml version="1.0"?><list/>', "XML"),
        (bytes(range(256)) * 8, "binary"),
        (PLAIN.encode("utf-16-le"), "UTF-16"),
        (b"\xff\xfe\x00\x00" + PLAIN.encode("utf-32-le"), "UTF-32"),
        (b'[{"phone": 1}]', "JSON array"),
    ],
)
def test_no_list(data: bytes, says: str) -> None:
    """What is no list is refused with a sentence that says what it is."""
    with pytest.raises(InvalidList, match=says):
        rows_of(data)


def test_a_head_without_rows() -> None:
    """Headings alone are a list of nobody."""
    assert rows_of(b"phone,status\n")[1] == []
    assert rows_of(b"phone,status")[1] == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter: str) -> None:
    """The delimiter is found, though names hold others of them."""
    cells = [["phone", "status", "name"], [f"+{ANNA}", "opt-in", "A, B; C"]]
    if delimiter in ",;":
        cells[1][2] = f'"{cells[1][2]}"'
    data = "\n".join(delimiter.join(row) for row in cells).encode()
    reader, rows = rows_of(data)
    assert reader.shape is not None
    assert reader.shape.delimiter == delimiter
    assert list(rows[0].cells)[2] == "A, B; C"


def test_excel_names_its_delimiter() -> None:
    """A first line `sep=;` counts, and is no row."""
    reader, rows = rows_of(f"sep=;\r\nphone;status\r\n+{ANNA};opt-in\r\n".encode())
    assert reader.shape is not None
    assert reader.shape.head == (b"sep=;\r\n", b"phone;status\r\n")
    assert rows[0].line == 3


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str) -> None:
    """Lines may end as on Unix, Windows or an old Mac."""
    data = PLAIN.replace("\n", end)
    assert who(told(data)) == [ANNA, BO]


def test_a_bare_list_of_numbers() -> None:
    """One column without a heading is a list of numbers, if the first is one."""
    assert who(told(f"+{ANNA}\n+{BO}\n", action="opt_in")) == [ANNA, BO]


def test_columns_by_their_places() -> None:
    """A file without headings is read by places; without them it is refused, not guessed."""
    data = f"Anna;+{ANNA};opt-in\n"
    assert who(told(data, mapping={"#2": "identity", "#3": "action"})) == [ANNA]
    with pytest.raises(InvalidList, match="#1=identity"):
        told(data)


def test_a_huge_first_line() -> None:
    """A file whose first line does not end is refused before it fills the memory."""
    with pytest.raises(InvalidList, match="first line"):
        rows_of(b"x" * (2 * MOST), 65_536)
