"""Reads the bodies of answers that are compressed although nobody asked for it."""

from __future__ import annotations

import zlib

_GZIP, _ZLIB, _RAW = 31, 15, -15
#: Codings that are in use and that we cannot read.
_UNREAD = frozenset(("br", "compress", "zstd"))


def decoded(coding: str, body: bytes, longest: int) -> bytes:
    """What was compressed, cut off after `longest` bytes, however much more it would become.

    A coding that HTTP does not know leaves the body as it is. Raises `ValueError` or `zlib.error`
    for what breaks off, is broken or is of a coding that we cannot read.
    """
    coding = coding.strip().lower()
    if coding in _UNREAD:
        raise ValueError(f"the answer is coded as {coding}")
    if coding not in ("gzip", "x-gzip", "deflate"):
        return body
    plain = b""
    while body and len(plain) < longest:
        reader = zlib.decompressobj(_form(coding, body))
        plain += reader.decompress(body, longest - len(plain))
        if not reader.eof and len(plain) < longest:
            raise ValueError("the compressed answer breaks off")
        body = reader.unused_data if coding != "deflate" else b""
    return plain


def _form(coding: str, body: bytes) -> int:
    """`deflate` means zlib's form (RFC 9110, 8.4.1.2), but some servers leave its head away."""
    if coding != "deflate":
        return _GZIP
    return _ZLIB if body[0] & 0x0F == zlib.DEFLATED else _RAW
