"""What a request line asks for (H5)."""

from __future__ import annotations

import urllib.parse

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.web.connections.refusals import Refused
from optin.web.connections.scopes import Target, read_target


@pytest.mark.parametrize(
    ("target", "read"),
    [
        (b"/", Target("/", b"/", b"")),
        (b"/a/b?c=d&e", Target("/a/b", b"/a/b", b"c=d&e")),
        (b"/a?b?c", Target("/a", b"/a", b"b?c")),
        (b"/a%2Fb%3Fc?d=%20", Target("/a/b?c", b"/a%2Fb%3Fc", b"d=%20")),
        (b"/%C3%A9", Target("/é", b"/%C3%A9", b"")),
        (b"/a#b?c", Target("/a", b"/a", b"")),
        (b"/a?b#c", Target("/a", b"/a", b"b")),
        (b"//host/a", Target("//host/a", b"//host/a", b"")),
        (b"http://host:8/a?b", Target("/a", b"/a", b"b")),
        (b"*", Target("*", b"*", b"")),
    ],
)
def test_a_target_is_read(target: bytes, read: Target) -> None:
    """Decoded once, and only behind the search for the query."""
    assert read_target(target) == read


@pytest.mark.parametrize("target", [b"http://host", b"", b"/\xc3\xa9", b"a:b:c"])
def test_what_names_no_path_is_refused(target: bytes) -> None:
    """With an exception that the server answers with a 400."""
    with pytest.raises((Refused, httptools.HttpParserError, UnicodeDecodeError)):
        read_target(target)


@given(st.text(alphabet="/ab?#%2F&=.:@;~", max_size=20))
def test_the_short_way_reads_as_the_parser_does(rest: str) -> None:
    """httptools' own reading of the same target is the yardstick."""
    target = b"/" + rest.encode()
    parsed = httptools.parse_url(target)
    read = read_target(target)
    assert (read.raw_path, read.query) == (parsed.path, parsed.query or b"")
    assert read.path == urllib.parse.unquote(parsed.path.decode())
