"""Answers as they come off the wire: in pieces, too long, and more of them than were asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from optin.upstreams.http_connection import (
    LONGEST_ANSWER,
    LONGEST_HEAD,
    LONGEST_LINE,
    Answer,
    HttpConnection,
    Origin,
)
from tests.upstreams.answer_forms import BROKEN, CHUNKED, OK, WHOLE, sized


@dataclass
class Wire(asyncio.Transport):
    """A transport that notes what is done with it."""

    written: list[bytes] = field(default_factory=list)
    aborted: bool = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def abort(self) -> None:
        self.aborted = True


class Read(NamedTuple):
    """What came of an answer: itself or nothing, and whether its connection is good for more."""

    answer: Answer | None
    usable: bool


def connected() -> tuple[HttpConnection, Wire]:
    """A connection on which nothing has happened yet."""
    alive: set[HttpConnection] = set()
    connection = HttpConnection(Origin("::1", 80, tls=False), asyncio.get_running_loop(), alive)
    wire = Wire()
    connection.connection_made(wire)
    assert alive == {connection}
    return connection, wire


def read(connection: HttpConnection, pieces: Iterable[bytes], *, ends: bool) -> Read:
    """One request and these pieces in answer to it, as the event loop brings them."""
    answer = connection.ask(b"a request")
    wire = connection.transport
    assert isinstance(wire, Wire)
    for piece in pieces:
        if not wire.aborted:
            connection.data_received(piece)
    if ends and not wire.aborted:
        connection.eof_received()
        connection.connection_lost(None)
    elif wire.aborted:
        connection.connection_lost(None)
    assert answer.done()
    known = None if answer.exception() else answer.result()
    assert not (connection.usable and wire.aborted)
    return Read(known, connection.usable)


def cut(raw: bytes, places: Sequence[int]) -> list[bytes]:
    """`raw` cut at these places."""
    edges = [0, *sorted(place % (len(raw) + 1) for place in places), len(raw)]
    pieces = (raw[begin:end] for begin, end in pairwise(edges))
    return [piece for piece in pieces if piece]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sized", Read(Answer(200, {"content-type": "application/json"}, b'{"n":1}'), True)),
        ("odd headers", Read(Answer(200, {"a": "", "b": "", "c": "c", "d": "2"}, b"{}"), True)),
        ("bare line ends", Read(Answer(200, {}, b"{}"), True)),
        ("no body", Read(Answer(204, {"a": "b"}, b""), True)),
        ("no reason", Read(Answer(503, {}, b""), True)),
        ("interim", Read(Answer(200, {}, b"{}"), True)),
        ("switching", Read(Answer(101, {"upgrade": "x", "connection": "upgrade"}, b""), False)),
        ("switching unasked", Read(Answer(101, {}, b""), False)),
        ("chunks", Read(Answer(200, {}, b"{}"), True)),
        ("trailers", Read(Answer(200, {}, b"{}"), True)),
        ("gzip", Read(Answer(200, {"content-encoding": "gzip"}, b"{}"), True)),
        ("deflate", Read(Answer(200, {"content-encoding": "deflate"}, b"{}"), True)),
        ("the last", Read(Answer(200, {"connection": "close"}, b"{}"), False)),
        ("of 1.0", Read(Answer(200, {}, b"{}"), False)),
        ("of 1.0, kept", Read(Answer(200, {"connection": "keep-alive"}, b"{}"), True)),
        ("to the end", Read(Answer(200, {"a": "b"}, b"{}"), False)),
        ("nothing to the end", Read(Answer(503, {"a": "b"}, b""), False)),
        ("gzip to the end", Read(Answer(200, {"content-encoding": "gzip"}, b"{}"), False)),
        ("cut off", Read(Answer(200, {}, b"x" * LONGEST_ANSWER), False)),
        ("cut off in chunks", Read(Answer(200, {}, b"x" * LONGEST_ANSWER), False)),
        ("cut off to the end", Read(Answer(200, {}, b"x" * LONGEST_ANSWER), False)),
        ("more than asked", Read(Answer(200, {}, b"{}"), False)),
        ("a little more", Read(Answer(200, {}, b"{}"), False)),
        ("more after the last", Read(Answer(200, {"connection": "close"}, b"{}"), False)),
    ],
)
async def test_every_form_of_an_answer(name: str, expected: Read) -> None:
    """In one piece: status, headers, body, and whether the connection may serve again. What only
    frames the body is left aside here."""
    raw, ends = WHOLE[name]
    got = read(connected()[0], [raw], ends=ends)
    assert got.answer is not None
    framing = ("content-length", "transfer-encoding")
    named = {key: value for key, value in got.answer.headers.items() if key not in framing}
    bare = Answer(got.answer.status, named, got.answer.body)
    assert Read(bare, got.usable) == expected


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_no_whole_answer_is_none(name: str) -> None:
    """Nothing is made of what breaks off or is no HTTP, in one piece or byte by byte."""
    raw = BROKEN[name]
    for pieces in ([raw] if raw else [], cut(raw, range(len(raw)))):
        assert read(connected()[0], pieces, ends=True) == Read(None, False)


@pytest.mark.parametrize("name", WHOLE)
async def test_an_answer_byte_by_byte(name: str) -> None:
    """It is the same answer as in one piece."""
    raw, ends = WHOLE[name]
    pieces = cut(raw, range(len(raw)))
    assert read(connected()[0], pieces, ends=ends) == read(connected()[0], [raw], ends=ends)


@given(
    st.lists(st.sampled_from(sorted(WHOLE)), min_size=1, max_size=4),
    st.lists(st.integers(0, 140_000), max_size=12),
)
@example(["trailers", "odd headers"], [])
async def test_answers_one_after_the_other_in_any_pieces(
    names: list[str], places: list[int]
) -> None:
    """However it is cut, an answer is the same; and nothing of it is left for the next one on the
    same connection."""
    connection, _ = connected()
    for name in names:
        raw, ends = WHOLE[name]
        alone = read(connected()[0], [raw], ends=ends)
        assert read(connection, cut(raw, places), ends=ends) == alone
        if not alone.usable:
            break


@pytest.mark.parametrize("exc", [None, ConnectionResetError("reset")])
async def test_only_a_connection_that_ends_in_order_ends_an_answer(exc: Exception | None) -> None:
    """A body without a length that breaks off, whose connection the peer did not end, is half."""
    connection, _ = connected()
    answer = connection.ask(b"")
    connection.data_received(OK + b"\r\n{")
    connection.connection_lost(exc)
    with pytest.raises(ConnectionResetError):
        await answer


async def test_a_connection_that_the_peer_ends_is_not_usable() -> None:
    """From the first sign of it: the event loop reports the loss only later."""
    connection, _ = connected()
    assert connection.usable
    connection.eof_received()
    assert not connection.usable


@pytest.mark.parametrize("again", [False, True])
async def test_what_nobody_asked_for_ends_the_connection(again: bool) -> None:
    """Before the first request and between two, be it a single byte."""
    connection, wire = connected()
    if again:
        assert read(connection, [sized(b"{}")], ends=False).usable
    connection.data_received(b"H")
    assert (connection.usable, wire.aborted) == (False, True)


async def test_a_request_that_nobody_waits_for_ends_the_connection() -> None:
    """Until the answer is there the connection is not usable, and then it is too late."""
    connection, wire = connected()
    answer = connection.ask(b"")
    assert not connection.usable
    answer.cancel()
    connection.data_received(sized(b"{}"))
    assert (connection.usable, wire.aborted) == (False, True)


def headers(size: int, each: int) -> bytes:
    """Headers of `size` bytes together, each of `each` bytes with its end."""
    lines = [b"A" * 8 + b": " + b"b" * (each - 12) + b"\r\n"] * (size // each)
    return b"".join(lines)


@pytest.mark.parametrize(
    ("head", "taken"),
    [
        pytest.param(b"A: " + b"b" * (LONGEST_LINE - 1) + b"\r\n", True, id="a long line"),
        pytest.param(b"A: " + b"b" * LONGEST_LINE + b"\r\n", False, id="too long a line"),
        pytest.param(b"A" * LONGEST_LINE + b": b\r\n", False, id="too long a name"),
        pytest.param(headers(LONGEST_HEAD - 64, 4_096), True, id="a long head"),
        pytest.param(headers(LONGEST_HEAD + 64, 4_096), False, id="too long a head"),
        pytest.param(headers(LONGEST_HEAD, 16), False, id="too many headers"),
    ],
)
@pytest.mark.parametrize("size", [1_000, 1_000_000])
async def test_a_head_has_a_longest_size(head: bytes, taken: bool, size: int) -> None:
    """One header, and all together; the same however it comes."""
    raw = sized(b"{}", head)
    pieces = cut(raw, range(0, len(raw), size))
    assert (read(connected()[0], pieces, ends=False).answer is not None) is taken


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        pytest.param(b"HTTP/1.1 200 ", b"x" * 1_000, id="its first line"),
        pytest.param(OK + b"A: ", b"x" * 1_000, id="a header"),
        pytest.param(OK + b"A:", b" " * 1_000, id="a header's spaces"),
        pytest.param(OK, headers(1_000, 100), id="headers"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 40, id="interim answers"),
        pytest.param(b"", (b"HTTP/1.1 103 X\r\nA: b\r\n\r\n") * 40, id="interim answers' headers"),
        pytest.param(CHUNKED + b"1;", b"x" * 1_000, id="what a chunk is called"),
        pytest.param(CHUNKED + b"0\r\nA: ", b"x" * 1_000, id="a trailer"),
        pytest.param(CHUNKED + b"0\r\n", headers(1_000, 100), id="trailers"),
    ],
)
async def test_no_answer_goes_on_for_ever(begins: bytes, goes_on: bytes) -> None:
    """Whatever never ends is given up before it takes much memory."""
    pieces = [begins + goes_on, *[goes_on] * 400]
    assert read(connected()[0], pieces, ends=False) == Read(None, False)


async def test_a_request_may_be_ended_from_outside() -> None:
    """By its clock or by whoever closes the client; twice is once, and an answer is not undone."""
    connection, wire = connected()
    answer = connection.ask(b"request")
    connection.expire()
    connection.fail(ConnectionError("closed"))
    assert (wire.written, wire.aborted, connection.usable) == ([b"request"], True, False)
    with pytest.raises(TimeoutError):
        await answer
    late, _ = connected()
    whole = late.ask(b"")
    late.data_received(sized(b"{}"))
    late.expire()
    assert (await whole).body == b"{}"
    assert not late.usable
