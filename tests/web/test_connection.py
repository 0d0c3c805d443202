"""Head and body go out together, and nothing that was written is lost by a close (H5)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from optin.web.connection import AnsweredApp, LingeringTransport

START = {"type": "http.response.start", "status": 200, "headers": []}


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


class Cycle:
    """uvicorn's side of one answer: writes the head and each part of the body by itself."""

    def __init__(self, transport: LingeringTransport, *, keeps_alive: bool = True) -> None:
        self.transport = transport
        self.keeps_alive = keeps_alive
        self.disconnected = self.response_started = self.response_complete = False
        self.waiting_for_100_continue = False

    async def send(self, message: Any) -> None:
        self.response_started = True
        if message["type"] == "http.response.start":
            self.transport.write(b"%d " % message["status"])
            return
        self.transport.write(message["body"])
        self.response_complete = not message.get("more_body")
        if self.response_complete and not self.keeps_alive:
            self.transport.close()


def bench(*, keeps_alive: bool = True, unread: bool = False) -> tuple[Socket, Cycle]:
    """A socket, and the answer that goes out on it."""
    socket = Socket()
    loop = asyncio.get_running_loop()
    transport = LingeringTransport(socket, loop, lambda: unread, 1, 1.0)
    return socket, Cycle(transport, keeps_alive=keeps_alive)


async def run(cycle: Cycle, *messages: Any, fails: bool = False) -> None:
    """An application that sends these."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        if fails:
            raise ZeroDivisionError

    await AnsweredApp(app, cycle)({}, None, cycle.send)  # type: ignore[arg-type]


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def test_an_answer_is_one_write() -> None:
    """Two would wake its client twice."""
    socket, cycle = bench()
    await run(cycle, START, part(b"{}"))
    assert socket.done == [b"200 {}"]


async def test_a_stream_begins_at_once_and_goes_on_part_by_part() -> None:
    """Only the head waits, for the first part."""
    socket, cycle = bench()
    await run(cycle, START, part(b"a", more=True), part(b"b", more=True), part(b"c"))
    assert socket.done == [b"200 a", b"b", b"c"]


async def test_a_close_comes_after_what_was_written() -> None:
    """The answer to a request that keeps nothing alive is written before the end."""
    socket, cycle = bench(keeps_alive=False)
    await run(cycle, START, part(b"{}"))
    assert socket.done == [b"200 {}", "closed"]


@pytest.mark.parametrize("messages", [(), (START,)])
async def test_an_application_that_fails_before_its_body_is_a_500(messages: Any) -> None:
    """H5: even behind a head of its own, which nobody saw."""
    socket, cycle = bench()
    await run(cycle, *messages, fails=True)
    head, body = socket.done
    assert (head, b'"message":"500"' in body) == (b"500 ", True)
