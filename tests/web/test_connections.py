"""Requests one behind another on one connection, however their bytes come, and its end (H5, H6)."""

from __future__ import annotations

import asyncio
import select
import threading
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from optin.web.connections.protocol import OptinProtocol
from optin.web.server import server_config
from tests.web import echo
from tests.web.running import Wire, assert_refused, serving
from tests.web.test_server import OFFER, request, said

GET = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"


class Socket(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False
        self.paused = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written += data

    def write_eof(self) -> None:
        self.closed = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def is_reading(self) -> bool:
        return not self.paused

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


async def answers(parts: list[bytes]) -> tuple[bytes, bool]:
    """What is written when these come in, one after another, and whether the connection ended."""
    config = server_config(echo.app, host="127.0.0.1", port=0)
    config.load()
    socket, state = Socket(), ServerState()
    protocol = OptinProtocol(config, state, {}, asyncio.get_running_loop())
    protocol.connection_made(socket)
    for part in parts:
        protocol.data_received(part)
        await asyncio.sleep(0)
    while state.tasks:
        await asyncio.wait(state.tasks)
        await asyncio.sleep(0)
    protocol.connection_lost(None)
    assert state.connections == set()
    return socket.written, socket.closed


def started(handle: Any) -> Any:
    """The application whose requests `handle` answers; its start and end are the echo's."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        answer = handle if scope["type"] == "http" else echo.app
        await answer(scope, receive, send)

    return app


CHUNKED = (
    b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nX-Trailer: t\r\n\r\n"
)
EXPECTING = request("/x", b"expected", extra=b"Expect: 100-continue\r\n")
REQUESTS = [
    GET % 1,
    request("/a", b"abc"),
    request("/b", b"abc", extra=OFFER),
    request("/early", b"nobody reads this"),
    request("/raises"),
    CHUNKED,
    CHUNKED.replace(b"\r\n\r\n", b"\r\n" + OFFER + b"\r\n", 1),
    b"\r\n",
]
LAST = [
    b"",
    b"GET / HTTP/1.0\r\n\r\n",
    request("/last", extra=b"Connection: close\r\n"),
    b"garbage\r\n\r\n",
    b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    request("/b", b"", extra=b"Content-Length: 7\r\n"),
    b"GET /cut HTT",
    b"POST /whatsapp/ HTTP/1.1\r\nContent-Length: 9999999\r\n\r\nabc",
]


@given(
    st.lists(st.sampled_from(REQUESTS), max_size=5),
    st.sampled_from(LAST),
    st.lists(st.integers(1, 400), max_size=12),
)
@settings(max_examples=250, deadline=None)
def test_answers_are_the_same_however_the_bytes_come(
    requests: list[bytes], last: bytes, cuts: list[int]
) -> None:
    """Whole, or in pieces that end anywhere: in a name, a body, an offer, between two requests.

    Where a connection ends, a request behind its end may be seen or not; nothing else may differ.
    """
    whole = b"".join([*requests, last])
    parts, rest = [], whole
    for cut in cuts:
        parts.append(rest[:cut])
        rest = rest[cut:]
    parts.append(rest)
    expected = asyncio.run(answers([whole]))
    assert asyncio.run(answers([part for part in parts if part])) == expected


@pytest.mark.parametrize("data", [EXPECTING, request("/a", b"abc", extra=OFFER), CHUNKED])
def test_answers_are_the_same_byte_by_byte(data: bytes) -> None:
    """The smallest pieces there are."""
    whole = data + GET % 2
    cut = [whole[at : at + 1] for at in range(len(whole))]
    written, closed = asyncio.run(answers(cut))
    assert not closed
    assert written.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n", False),
        (b"GET / HTTP/1.0\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n", False),
    ],
)
def test_the_client_says_whether_another_request_comes(head: bytes, keeps: bool) -> None:
    """And is told that the connection ends; what it sends behind all the same is not obeyed."""
    written, closed = asyncio.run(answers([head + b"\r\n" + GET % 2]))
    assert written.count(b"HTTP/1.1 200 OK") == written.count(b"HTTP/1.1 ") == 1 + keeps
    assert (b"connection: close" in written) is not keeps
    assert closed is not keeps


def test_many_requests_in_one_packet() -> None:
    """Each is answered, in their order, and one at a time."""
    running = most = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        await echo.app(scope, receive, send)

    with serving(started(app)) as port, Wire(port) as wire:
        wire.send(b"".join(GET % number for number in range(2_000)))
        paths = [said(wire.answer())["path"] for _ in range(2_000)]
    assert paths == [f"/{number}" for number in range(2_000)]
    assert most == 1


def test_whoever_runs_hears_that_the_client_is_gone() -> None:
    """Not the newest of the requests, which has not begun and never will."""
    gone, begun = threading.Event(), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.append(scope["path"])
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    with serving(started(app)) as port:
        with Wire(port) as wire:
            wire.send(GET % 1)
            time.sleep(0.1)
            wire.send(GET % 2)
            time.sleep(0.1)
        assert gone.wait(5)
    assert begun == ["/1"]


def test_what_follows_is_not_told_to_whoever_runs() -> None:
    """A head that offers to upgrade is parsed twice, and both times it is another request's."""
    told = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/1":
            await echo.app(scope, receive, send)
            return
        told.append(await receive())
        ears = asyncio.create_task(receive())
        await asyncio.sleep(0.2)
        assert not ears.done()
        ears.cancel()
        await echo.answer(send, 200, b"{}")

    with serving(started(app)) as port, Wire(port) as wire:
        wire.send(GET % 1)
        time.sleep(0.1)
        wire.send(request("/2", b"abc", extra=OFFER))
        assert wire.answer()[0] == 200
        assert said(wire.answer())["text"] == "abc"
    assert told == [{"type": "http.request", "body": b"", "more_body": False}]


@pytest.mark.parametrize(
    ("taken", "too_much"),
    [
        (b"".join(GET % n for n in range(20)), GET % 20),
        (b"POST / HTTP/1.1\r\nContent-Length: 90000\r\n\r\n" + b"a" * 60_000, b"a" * 10_000),
    ],
)
async def test_what_nobody_asks_for_is_not_read_on(taken: bytes, too_much: bytes) -> None:
    """H6: requests behind one that takes its time, a body that is not read; until it is over."""
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        await echo.answer(send, 200, b"{}")

    config = server_config(app, host="127.0.0.1", port=0)
    config.load()
    socket, state = Socket(), ServerState()
    protocol = OptinProtocol(config, state, {}, asyncio.get_running_loop())
    protocol.connection_made(socket)
    protocol.data_received(taken)
    assert socket.is_reading()
    protocol.data_received(too_much)
    assert not socket.is_reading()
    go_on.set()
    while state.tasks:
        await asyncio.wait(state.tasks)
        await asyncio.sleep(0)
    assert socket.is_reading()
    protocol.connection_lost(None)


def test_a_stream_ends_with_its_reader() -> None:
    """Who waits for room to write waits no longer than there is somebody to write to."""
    ended = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(400):
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
        ended.set()

    with serving(started(app)) as port:
        with Wire(port) as wire:
            wire.send(GET % 1)
            time.sleep(0.3)
            assert not ended.is_set()
        assert ended.wait(5)


def test_a_stream_waits_for_its_reader() -> None:
    """H6: what is written ahead of a client that does not read is bounded; all of it arrives."""
    piece, pieces, sent = b"x" * 65_536, 400, 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        length = (b"content-length", b"%d" % (len(piece) * pieces))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        for sent in range(1, pieces + 1):
            more = sent < pieces
            await send({"type": "http.response.body", "body": piece, "more_body": more})

    with serving(started(app)) as port, Wire(port) as wire:
        wire.send(GET % 1)
        time.sleep(0.5)
        assert 0 < sent < pieces // 2
        assert len(wire.answer()[2]) == len(piece) * pieces


def test_nothing_is_written_into_an_answer_that_has_begun() -> None:
    """A body that grows too large while its answer goes out ends the connection, without a word."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        length = (b"content-length", b"1000")
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    chunk = b"10000\r\n" + b"b" * 65_536 + b"\r\n"
    with serving(started(app)) as port, Wire(port) as wire:
        wire.send(b"POST /whatsapp/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        time.sleep(0.1)
        wire.send(chunk * 17)
        status, _, body = wire.answer()
    assert (status, body) == (200, b"a")


def test_a_refusal_survives_what_is_still_being_sent() -> None:
    """H5: a socket closed with unread bytes would be reset, and take the answer with it."""
    with serving(echo.app) as port, Wire(port) as wire:
        wire.send(b"garbage\r\n\r\n" + b"a" * 3_000_000)
        assert_refused(wire.answer(), 400)


def test_an_idle_connection_is_kept_as_long_as_agreed() -> None:
    """Counted from the end of the last answer, however long that took; then it ends in silence."""
    with serving(echo.app, timeout_keep_alive=0.4) as port, Wire(port) as wire:
        for path in ("/late", "/a", "/a", "/a"):  # the first takes longer than that
            wire.send(request(path, b"abc"))
            assert said(wire.answer())["text"] == "abc"
            time.sleep(0.25)
        begun = time.monotonic()
        assert wire.ended()
        assert time.monotonic() - begun < 0.4


def test_line_ends_are_no_requests() -> None:
    """Who sends nothing else is idle."""
    with serving(echo.app, timeout_keep_alive=0.4) as port, Wire(port) as wire:
        begun = time.monotonic()
        while not select.select([wire.socket], [], [], 0.1)[0]:
            wire.send(b"\r\n")
            assert time.monotonic() - begun < 5
        assert time.monotonic() - begun > 0.3
        assert wire.ended()


@pytest.mark.parametrize("behind", [0, 2])
def test_a_server_that_ends_answers_first(behind: int) -> None:
    """What is under way and what waits behind it; the last answer says that it is the last."""
    with serving(echo.app) as port:
        idle = Wire(port)
        wire = Wire(port)
        wire.send(request("/late", b"one") + request("/a", b"two") * behind)
        time.sleep(0.2)
    told = [wire.answer() for _ in range(1 + behind)]
    assert [answer[0] for answer in told] == [200] * len(told)
    assert [answer[1].get("connection") for answer in told] == [None] * behind + ["close"]
    assert wire.ended()
    assert idle.ended()
    wire.__exit__()
    idle.__exit__()


def test_timers_do_not_pile_up() -> None:
    """One watches a connection, whatever comes in on it and however often."""

    async def watched() -> int:
        config = server_config(echo.app, host="127.0.0.1", port=0)
        config.load()
        loop, handles = asyncio.get_running_loop(), []
        call_at = loop.call_at

        def counted(*given: Any) -> asyncio.TimerHandle:
            handles.append(call_at(*given))
            return handles[-1]

        loop.call_at = counted  # type: ignore[assignment,method-assign]
        state = ServerState()
        protocol = OptinProtocol(config, state, {}, loop)
        protocol.connection_made(Socket())
        for _ in range(100):
            for part in (b"GET / HTTP/1.1\r\nHo", b"st: x\r\nContent-Length: 1\r\n\r\n", b"a"):
                protocol.data_received(part)
                await asyncio.sleep(0)
            if state.tasks:
                await asyncio.wait(state.tasks)
        protocol.connection_lost(None)
        assert all(handle.cancelled() for handle in handles)
        return len(handles)

    assert asyncio.run(watched()) <= 3
