"""One answer, whole and in one packet, and nothing that was written lost by a close (H5)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from uvicorn.server import ServerState

from optin.web.connections.exchange import Exchange
from optin.web.connections.lingering import LingeringTransport

END = {"type": "http.response.body", "body": b""}


class Socket(asyncio.Transport):
    """Notes what is done with it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[Any] = []

    def write(self, data: Any) -> None:
        self.done.append(bytes(data))

    def close(self) -> None:
        self.done.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.done

    def pause_reading(self) -> None:
        self.done.append("paused")

    def resume_reading(self) -> None:
        self.done.append("resumed")


class Bench:
    """A socket, and the exchange that goes out on it."""

    def __init__(
        self, *, method: str = "GET", version: str = "1.1", keep_alive: bool = True, **more: bool
    ) -> None:
        self.socket = Socket()
        loop = asyncio.get_running_loop()
        self.transport = LingeringTransport(self.socket, loop, lambda: False, 1, 1.0)
        self.answered = 0
        scope = {"type": "http", "method": method, "http_version": version}
        more = {"awaits_continue": False, **more}
        self.exchange = Exchange(
            scope, self.transport, ServerState(), self.end, keep_alive=keep_alive, **more
        )

    def end(self) -> None:
        self.answered += 1

    async def run(self, *messages: Any, fails: BaseException | None = None) -> list[Any]:
        """An application that sends these; what was done with the socket."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            for message in messages:
                await send(message)
            if fails is not None:
                raise fails

        await self.exchange.run(app)
        return self.socket.done


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def sized(size: int) -> dict[str, Any]:
    return start(200, (b"content-length", b"%d" % size))


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


def is_500(done: list[Any]) -> bool:
    answer, end = done
    return answer.startswith(b"HTTP/1.1 500 ") and b'"message":"500"' in answer and end == "closed"


async def test_an_answer_is_one_write() -> None:
    """Two would wake its client twice."""
    done = await Bench().run(sized(2), part(b"{}"))
    assert done == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"]


async def test_a_stream_begins_at_once_and_goes_on_part_by_part() -> None:
    """Only the head waits, for the first part; without a length it goes in chunks."""
    bench = Bench()
    done = await bench.run(start(), part(b"a", more=True), part(b"", more=True), part(b"bc"))
    assert done == [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
        b"2\r\nbc\r\n0\r\n\r\n",
    ]
    assert bench.answered == 1


async def test_an_old_client_gets_no_chunks() -> None:
    """HTTP/1.0 does not know them: the body ends with the connection."""
    bench = Bench(version="1.0", keep_alive=False)
    done = await bench.run(start(), part(b"a", more=True), part(b"b"))
    head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
    assert done == [head + b"a", b"b", "closed"]


@pytest.mark.parametrize(
    ("method", "status", "headers", "lines"),
    [
        ("HEAD", 200, (), b""),
        ("HEAD", 200, ((b"Content-Length", b"2"),), b"Content-Length: 2\r\n"),
        ("GET", 204, (), b""),
        ("GET", 304, (), b""),
    ],
)
async def test_an_answer_without_a_body(
    method: str, status: int, headers: Any, lines: bytes
) -> None:
    """A client would wait for the end of chunks that never come."""
    bench = Bench(method=method)
    [answer] = await bench.run(start(status, *headers), part(b"{}" if method == "HEAD" else b""))
    assert answer.split(b"\r\n", 1)[1] == lines + b"\r\n"
    assert bench.answered == 1


async def test_a_status_without_a_name() -> None:
    """What a provider answers with is handed back, whatever it is."""
    assert (await Bench().run(start(299), END))[0].startswith(b"HTTP/1.1 299 \r\n")


@pytest.mark.parametrize("headers", [(), ((b"Connection", b"Close"),)])
async def test_a_close_comes_after_what_was_written(headers: Any) -> None:
    """The answer to a request that keeps nothing alive is written before the end, and says so."""
    bench = Bench(keep_alive=bool(headers))
    answer, closed = await bench.run(start(204, *headers), END)
    assert answer.lower() == b"http/1.1 204 no content\r\nconnection: close\r\n\r\n"
    assert closed == "closed"


async def test_a_body_that_was_not_waited_for_ends_the_connection() -> None:
    """Nobody knows whether it comes, so nobody knows where the next request begins."""
    bench = Bench(awaits_continue=True)
    answer, closed = await bench.run(start(204), END)
    assert b"connection: close" in answer
    assert closed == "closed"


@pytest.mark.parametrize("messages", [(), (start(),), (sized(1),)])
@pytest.mark.parametrize("fails", [ZeroDivisionError(), asyncio.CancelledError(), None])
async def test_an_application_that_ends_before_its_body_is_a_500(
    messages: Any, fails: BaseException | None
) -> None:
    """H5: even behind a head of its own, which nobody saw."""
    assert is_500(await Bench().run(*messages, fails=fails))


@pytest.mark.parametrize(
    "messages",
    [
        (sized(3), part(b"{}")),
        (sized(1), part(b"{}")),
        (sized(1), part(b"{}", more=True)),
        (start(200, (b"x-name", b"a\r\nSet-Cookie: b")), END),
        (start(200, (b"x-name", b"a\nb")), END),
        (start(200, (b"x-name", b"a\rb")), END),
        (start(200, (b"x-name", b"a\0b")), END),
        (start(200, (b"x\r\nname", b"")), END),
        (part(b"{}"),),
        (start(), start()),
        (start(), {"type": "websocket.send"}),
    ],
)
async def test_what_must_not_be_sent_is_a_500(messages: Any) -> None:
    """A header that ends early would let in another's; a body of another length spoils the next."""
    assert is_500(await Bench().run(*messages))


@pytest.mark.parametrize(
    ("messages", "fails"),
    [
        ((sized(3), part(b"a", more=True)), None),
        ((sized(3), part(b"a", more=True)), ZeroDivisionError()),
        ((sized(3), part(b"a", more=True), part(b"b")), None),
        ((sized(3), part(b"a", more=True), part(b"bcd")), None),
        ((start(), part(b"a", more=True)), ZeroDivisionError()),
    ],
)
async def test_half_an_answer_ends_the_connection(
    messages: Any, fails: BaseException | None
) -> None:
    """Nothing else tells a client that it is not the whole."""
    bench = Bench()
    done = await bench.run(*messages, fails=fails)
    assert done[0].endswith((b"\r\n\r\na", b"\r\n\r\n1\r\na\r\n"))
    assert done[1:] == ["closed"]
    assert bench.answered == 0


async def test_nothing_follows_a_whole_answer() -> None:
    """What an application does behind it neither reaches the client nor closes the connection."""
    bench = Bench()
    done = await bench.run(sized(0), END, END)
    assert len(done) == 1
    assert bench.answered == 1


async def test_a_body_comes_as_it_is_asked_for() -> None:
    """What came meanwhile is told at once, the rest when it is there, its end once."""
    exchange = Bench().exchange
    assert (exchange.hear(b"ab"), exchange.hear(b"c")) == (2, 3)
    assert (await exchange.receive()) == {"type": "http.request", "body": b"abc", "more_body": True}
    later = asyncio.create_task(exchange.receive())
    await asyncio.sleep(0)
    assert not later.done()
    exchange.hear(b"d")
    exchange.heard_all()
    assert (await later) == {"type": "http.request", "body": b"d", "more_body": False}
    waits = asyncio.create_task(exchange.receive())
    await asyncio.sleep(0)
    assert not waits.done()
    exchange.cut()
    assert (await waits) == {"type": "http.disconnect"}
    assert exchange._waiting == []  # a long body has many who waited


@pytest.mark.parametrize("end", ["gone", "answered"])
async def test_all_who_wait_hear_of_the_end(end: str) -> None:
    """Somebody reads while another looks whether the client is still there."""
    bench = Bench()
    exchange = bench.exchange
    waiting = [asyncio.create_task(exchange.receive()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    await asyncio.sleep(0)
    if end == "gone":
        exchange.cut()
    else:
        await bench.run(sized(0), END)
    told = await asyncio.wait_for(asyncio.gather(*waiting), 1)
    assert told == [{"type": "http.disconnect"}] * 2


async def test_one_part_is_told_once() -> None:
    """To whom of two who wait makes no difference; the other goes on waiting."""
    exchange = Bench().exchange
    waiting = [asyncio.create_task(exchange.receive()) for _ in range(2)]
    await asyncio.sleep(0)
    exchange.hear(b"a")
    for _ in range(3):
        await asyncio.sleep(0)
    assert [task.done() for task in waiting].count(True) == 1
    exchange.heard_all()
    told = await asyncio.wait_for(asyncio.gather(*waiting), 1)
    assert sorted(each["body"] for each in told) == [b"", b"a"]


async def test_reading_goes_on_when_somebody_waits() -> None:
    """A body of which nobody took enough is not read on; when it is asked for, it is."""
    bench = Bench()
    bench.transport.pause_reading()
    waits = asyncio.create_task(bench.exchange.receive())
    await asyncio.sleep(0)
    assert bench.socket.done == ["paused", "resumed"]
    bench.exchange.heard_all()
    await waits


async def test_the_client_is_told_to_go_on_when_somebody_waits() -> None:
    """Once; not before."""
    bench = Bench(awaits_continue=True)
    bench.exchange.hear(b"a")
    bench.exchange.heard_all()
    await bench.exchange.receive()
    assert bench.socket.done == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    assert (await bench.run(sized(0), END))[1:] == [b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]


async def test_a_client_that_reads_slowly_is_waited_for() -> None:
    """What is written is bounded by what it takes, and its end is the end of the wait."""
    bench = Bench()
    bench.transport.fill()
    running = asyncio.create_task(bench.run(start(), part(b"a", more=True), part(b"b")))
    for _ in range(3):
        await asyncio.sleep(0)
    assert bench.socket.done == []
    bench.transport.clear()
    assert len(await running) == 2

    gone = Bench()
    gone.transport.fill()
    running = asyncio.create_task(gone.run(sized(0), END))
    await asyncio.sleep(0)
    gone.exchange.cut()
    gone.transport.lost()
    assert await running == []


async def test_one_who_waits_for_room_can_give_up() -> None:
    """The others go on waiting for it."""
    bench = Bench()
    bench.transport.fill()
    first, other = (asyncio.create_task(bench.transport.drain()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    bench.transport.clear()
    await asyncio.wait_for(other, 1)
    assert first.cancelled()


@pytest.mark.parametrize("fault", [ClientDisconnect(), OSError(), ZeroDivisionError()])
async def test_nobody_is_answered_when_nobody_is_there(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """That a client went away is no fault of the application; its own faults are still told."""
    bench = Bench()
    bench.exchange.cut()
    assert await bench.run(sized(0), END, fails=fault) == []
    faults = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(faults) == isinstance(fault, ZeroDivisionError)
