"""Answers as servers give them, whole and broken, byte for byte."""

from __future__ import annotations

import gzip
import zlib

from optin.upstreams.http_connection import LONGEST_ANSWER

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def sized(body: bytes, headers: bytes = b"") -> bytes:
    """An answer of known length."""
    return OK + headers + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


#: Whole answers: what comes, whether the connection ends behind it.
WHOLE: dict[str, tuple[bytes, bool]] = {
    "sized": (sized(b'{"n":1}', b"Content-Type: application/json\r\n"), False),
    "odd headers": (sized(b"{}", b"A:\r\nB: \r\nC:c \t\r\nD: \xc3\xa5\xff\r\nD: 2\r\n"), False),
    "folded": (sized(b"{}", b"A: b\r\n c\r\n"), False),
    "bare line ends": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", False),
    "no body": (b"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n", False),
    "no reason": (b"HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n", False),
    "interim": (b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 X\r\nLink: x\r\n\r\n" + sized(b"{}"), False),
    "switching": (OK.replace(b"200", b"101") + b"Upgrade: x\r\nConnection: upgrade\r\n\r\n", False),
    "switching unasked": (OK.replace(b"200", b"101") + b"\r\n", False),
    "chunks": (CHUNKED + b"1;a=b\r\n{\r\n1\r\n}\r\n0\r\n\r\n", False),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\nContent-Type: x\r\nA: b\r\n\r\n", False),
    "gzip": (sized(gzip.compress(b"{}"), b"Content-Encoding: gzip\r\n"), False),
    "deflate": (
        OK
        + b"Content-Encoding: deflate\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"a\r\n%b\r\n0\r\n\r\n" % zlib.compress(b"{}"),
        False,
    ),
    "the last": (sized(b"{}", b"Connection: close\r\n"), False),
    "of 1.0": (sized(b"{}").replace(b"1.1", b"1.0"), False),
    "of 1.0, kept": (sized(b"{}", b"Connection: keep-alive\r\n").replace(b"1.1", b"1.0"), False),
    "to the end": (OK + b"A: b\r\n\r\n{}", True),
    "nothing to the end": (b"HTTP/1.0 503 X\r\nA: b\r\n\r\n", True),
    "gzip to the end": (OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"{}"), True),
    "cut off": (sized(b"x" * (LONGEST_ANSWER + 9)), False),
    "cut off in chunks": (CHUNKED + b"20000\r\n" + b"x" * 0x20000 + b"\r\n0\r\n\r\n", False),
    "cut off to the end": (OK + b"\r\n" + b"x" * (LONGEST_ANSWER + 9), True),
    "more than asked": (sized(b"{}") + sized(b"[]"), False),
    "a little more": (sized(b"{}") + b"H", False),
    "more after the last": (sized(b"{}", b"Connection: close\r\n") + b"H", False),
}
#: What is no whole answer when the connection ends behind it.
BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "inside the head": OK + b"A: b\r\nC",
    "behind the head": OK + b"Content-Length: 2\r\n\r\n",
    "inside the body": sized(b"{}")[:-1],
    "inside a chunk": CHUNKED + b"2\r\n{",
    "between chunks": CHUNKED + b"2\r\n{}\r\n",
    "before the last line": CHUNKED + b"2\r\n{}\r\n0\r\n",
    "behind an interim answer": b"HTTP/1.1 100 C\r\n\r\n",
    "no HTTP": b"\x00\x01 none\r\n\r\n",
    "another protocol": b"ICY 200 OK\r\n\r\n",
    "no length": OK + b"Content-Length: x\r\n\r\n{}",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length and chunks": OK + b"Content-Length: 2\r\n" + CHUNKED[len(OK) :] + b"0\r\n\r\n",
    "no chunk": CHUNKED + b"x\r\n",
    "a null byte": sized(b"{}", b"A: b\0c\r\n"),
    "half compressed": sized(gzip.compress(b"{}")[:-9], b"Content-Encoding: gzip\r\n"),
    "half compressed to the end": OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"{}")[:9],
    "compressed on the way": OK + b"Transfer-Encoding: gzip\r\n\r\n" + gzip.compress(b"{}"),
}
