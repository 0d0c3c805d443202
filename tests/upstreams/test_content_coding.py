"""Compressed bodies, whole, broken and hostile."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest

from optin.upstreams.content_coding import decoded

TEXT = b'{"messages":[{"id":"wamid.1"}]}'


def gzipped(plain: bytes) -> bytes:
    """The same bytes at any time of day: they name the test's cases, in every worker alike."""
    return gzip.compress(plain, mtime=0)


def without_head(plain: bytes) -> bytes:
    """`deflate` as some servers mean it."""
    press = zlib.compressobj(wbits=-15)
    return press.compress(plain) + press.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzipped(TEXT)),
        ("GZip ", gzipped(TEXT)),
        ("x-gzip", gzipped(TEXT)),
        ("gzip", gzipped(TEXT[:9]) + gzipped(TEXT[9:])),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", without_head(TEXT)),
        ("identity", TEXT),
        ("utf-8", TEXT),
    ],
)
def test_what_was_compressed_comes_back(coding: str, body: bytes) -> None:
    """In every coding that is in use, in one part or several; no coding leaves it as it is."""
    assert decoded(coding, body, 1_000) == TEXT
    assert decoded(coding, b"", 1_000) == b""


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzipped(TEXT)[:-1]),
        ("gzip", gzipped(TEXT)[:10]),
        ("gzip", gzipped(TEXT) + b"more"),
        ("gzip", TEXT),
        ("deflate", zlib.compress(TEXT)[:-1]),
        ("deflate", TEXT),
        ("br", TEXT),
        ("zstd", TEXT),
    ],
)
def test_what_cannot_be_read_is_no_answer(coding: str, body: bytes) -> None:
    """Half of a body, or another one, would be worse than none."""
    with pytest.raises((ValueError, zlib.error)):
        decoded(coding, body, 1_000)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_becomes_no_more_than_agreed(coding: str) -> None:
    """100 MB in 100 kB are cut off before they take that memory, in one part or in many."""
    press = gzipped if coding == "gzip" else zlib.compress
    bomb = press(b"\0" * 100_000_000)
    tracemalloc.start()
    assert decoded(coding, bomb, 65_536) == b"\0" * 65_536
    if coding == "gzip":
        assert decoded(coding, gzipped(b"\0" * 1_000) * 1_000, 65_536) == b"\0" * 65_536
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2_000_000
