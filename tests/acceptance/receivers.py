"""Real receivers of callbacks: HTTP servers that behave as businesses' servers do."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from aiohttp import web

T = TypeVar("T")


@dataclass(frozen=True)
class Post:
    """One request as it came. `port`: that its connection begins at."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    port: int


@dataclass
class Receiver:
    """A server whose paths say how it behaves; it keeps what it was sent.

    `/ok/…` 200. `/slow/…` 200 after half a second. `/hang/…` never answers. `/redirect/…` 302 to
    `/ok`. `/gone/…` 404. `/down-N/…` 500 to the first N posts of that path, then 200. `/busy/…`
    429 once, then 200. `/cut/…` closes without an answer once, then 200. `/half/…` breaks off in
    its status line once, then 200. `/short/…` 200 and half a body.
    """

    url: str = ""
    posts: list[Post] = field(default_factory=list)
    under_way: int = 0
    most: int = 0
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    _tries: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def bodies(self, path: str = "") -> list[bytes]:
        """The bodies posted to paths that begin so."""
        return [post.body for post in self.posts if post.path.startswith(path)]

    async def arrived(self, count: int, path: str = "") -> list[Post]:
        """The posts to paths that begin so, once there are so many."""

        async def enough() -> list[Post]:
            found = [post for post in self.posts if post.path.startswith(path)]
            return found if len(found) >= count else []

        return await until(enough)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await self._answer(request)
        finally:
            self.under_way -= 1

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        headers, port = dict(request.headers), port_of(request)
        self.posts.append(Post(request.path, headers, body, time.monotonic(), port))
        self._tries[request.path] += 1
        tries, behaviour = self._tries[request.path], request.path.split("/")[1]
        match behaviour.partition("-"):
            case ("slow", *_):
                await asyncio.sleep(0.5)
            case ("hang", *_):
                await self.let_go.wait()
            case ("redirect", *_):
                return web.Response(status=302, headers={"Location": "/ok/redirected"})
            case ("gone", *_):
                return web.Response(status=404)
            case ("down", _, times) if tries <= int(times):
                return web.Response(status=500, text="<html>Oops</html>")
            case ("busy", *_) if tries == 1:
                return web.Response(status=429, headers={"Retry-After": "1"})
            case ("cut" | "half", *_) if tries == 1:
                return _broken_off(request, b"" if behaviour == "cut" else b"HTTP/1.1 20")
            case ("short", *_):
                head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
                return _broken_off(request, head)
        return web.Response(status=200)


def port_of(request: web.BaseRequest) -> int:
    """Where the connection begins that a request came on."""
    assert request.transport is not None
    port: int = request.transport.get_extra_info("peername")[1]
    return port


def _broken_off(request: web.BaseRequest, said: bytes) -> web.Response:
    assert request.transport is not None
    request.transport.write(said)
    request.transport.close()
    return web.Response()


async def until(holds: Callable[[], Awaitable[T]], seconds: float = 30.0) -> T:
    """The first true value of `holds()`; fails if there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := await holds():
            return value
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to hold in time")


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on the loopback, at a port of the kernel's choice."""
    receiver = Receiver()
    runner = web.ServerRunner(
        web.Server(receiver.answer, handler_cancellation=True),
        shutdown_timeout=0.1,
    )
    await runner.setup()
    await (site := web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)).start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    receiver.url = f"http://127.0.0.1:{port}"
    try:
        yield receiver
    finally:
        receiver.let_go.set()
        await runner.cleanup()
