"""HttpPoster: one POST to a public address, nothing followed, nothing kept (SPEC 4)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from optin.ports.poster import PostFailed
from optin.upstreams.poster import HttpPoster, is_public


class Names(AbstractResolver):
    """A resolver that answers every name with these addresses, in turn."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        of = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=port, family=of, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def receiver(handler: Handler) -> AsyncIterator[str]:
    """A real server on the loopback; its address."""
    server = web.Server(handler)  # type: ignore[arg-type]
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def poster(**options: object) -> AsyncIterator[HttpPoster]:
    made = HttpPoster(**options)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.close()


class Seen:
    """A handler that keeps what came."""

    def __init__(self, *statuses: int, **headers: str) -> None:
        self.statuses, self.headers = list(statuses), headers
        self.requests: list[tuple[str, str, bytes, dict[str, str]]] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self.requests.append((request.method, request.path, body, dict(request.headers)))
        return web.Response(status=self.statuses.pop(0), headers=self.headers, text="x" * 9000)


async def test_a_post_goes_out_byte_for_byte() -> None:
    """The body and our headers arrive as they are, and the status comes back."""
    seen = Seen(202)
    async with receiver(seen) as url, poster(allow_private=True) as client:
        assert await client.post(url + "/hook", {"X-Sign": "s"}, b'{"a": 1}') == 202
    [(method, path, body, headers)] = seen.requests
    assert (method, path, body, headers["X-Sign"]) == ("POST", "/hook", b'{"a": 1}', "s")


async def test_a_redirect_is_not_followed() -> None:
    """SPEC 4: a 3xx is an answer of its own; it would lead around the address check."""
    seen = Seen(307, 200, Location="/elsewhere")
    async with receiver(seen) as url, poster(allow_private=True) as client:
        assert await client.post(url, {}, b"{}") == 307
    assert len(seen.requests) == 1


async def test_an_error_status_is_no_failure() -> None:
    """The status is for the use case to judge."""
    async with receiver(Seen(503)) as url, poster(allow_private=True) as client:
        assert await client.post(url, {}, b"{}") == 503


async def test_a_receiver_that_hangs_is_left() -> None:
    """The whole exchange is bounded in time."""

    async def hang(_: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    async with receiver(hang) as url, poster(allow_private=True, timeout=0.2) as client:
        with pytest.raises(PostFailed):
            await client.post(url, {}, b"{}")


async def test_an_endless_answer_is_not_read() -> None:
    """A receiver that never stops talking has said its status, and that is enough."""

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse(status=200)
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 1024)

    async with receiver(endless) as url, poster(allow_private=True) as client:
        assert await asyncio.wait_for(client.post(url, {}, b"{}"), 5) == 200


async def test_an_answer_that_trickles_counts_by_its_status() -> None:
    """A body that never comes does not turn a success into a failure."""

    async def trickle(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse(status=200, headers={"Content-Length": "10"})
        await answer.prepare(request)
        await answer.write(b"x")
        await asyncio.sleep(30)
        return answer

    async with receiver(trickle) as url, poster(allow_private=True) as client:
        assert await asyncio.wait_for(client.post(url, {}, b"{}"), 5) == 200


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "[::]",
    ],
)
async def test_no_spelling_of_the_loopback_is_reached(host: str) -> None:
    """A callback URL cannot reach this machine, however its address is written."""
    seen = Seen(*[200] * 3)
    async with receiver(seen) as url, poster(timeout=2.0) as client:
        port = url.rpartition(":")[2]
        with pytest.raises(PostFailed):
            await client.post(f"http://{host}:{port}/", {}, b"{}")
    assert seen.requests == []


async def test_the_same_server_is_reached_when_allowed() -> None:
    """The refusals above are ours: with `allow_private` the loopback answers."""
    async with receiver(Seen(200)) as url, poster(allow_private=True) as client:
        port = url.rpartition(":")[2]
        assert await client.post(f"http://localhost:{port}/", {}, b"{}") == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1"])
async def test_a_public_name_of_a_private_address_is_refused(address: str) -> None:
    """What counts is the address that the name resolves to."""
    async with poster(resolver=Names(address), timeout=2.0) as client:
        with pytest.raises(PostFailed, match="not a public address"):
            await client.post("http://shop.example/", {}, b"{}")


async def test_a_name_that_changes_its_mind_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the address is looked at when its socket is made, at every post."""
    seen = Seen(200, 200)
    public = {"127.0.0.2"}
    monkeypatch.setattr("optin.upstreams.poster.is_public", lambda address: address in public)
    async with receiver(seen) as url:
        port = url.rpartition(":")[2]
        async with poster(resolver=Names("127.0.0.1"), timeout=2.0) as client:
            with pytest.raises(PostFailed):
                await client.post(f"http://shop.example:{port}/", {}, b"{}")
            public.add("127.0.0.1")
            assert await client.post(f"http://shop.example:{port}/", {}, b"{}") == 200
    assert len(seen.requests) == 1


@pytest.mark.parametrize("url", ["http://", "ftp://x.example/", "no url", "http://a b/"])
async def test_a_url_that_is_none_fails(url: str) -> None:
    """Whatever is stored as a callback URL, only `PostFailed` comes out."""
    async with poster() as client:
        with pytest.raises(PostFailed):
            await client.post(url, {}, b"{}")


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1"),
        *("192.168.1.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "2001:db8::1"),
        *("::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "nonsense", ""),
        *("192.0.0.192", "::ffff:192.0.0.192", "192.0.0.8", "168.63.129.16", "192.88.99.1"),
        *("64:ff9b::a83f:8110", "fec0::1", "3fff::1", "2001::1", "2001:20::1", "5f00::1"),
        *("64:ff9b:1::7f00:1", "::ffff:0:127.0.0.1", "::127.0.0.1", "100::1", "fd00:ec2::254"),
    ],
)
def test_what_is_not_public(address: str) -> None:
    """Private, loopback, link-local, shared, multicast, reserved, metadata services of clouds, and
    IPv6 ways to them, whatever this Python calls global."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["192.0.0.192", "192.0.2.1", "fec0::1", "3fff::1", "fc00::1"])
def test_what_is_not_public_does_not_rest_on_python(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Its versions differ: with one that calls everything global the list still holds."""
    for kind in (ipaddress.IPv4Address, ipaddress.IPv6Address):
        monkeypatch.setattr(kind, "is_global", True)
        monkeypatch.setattr(kind, "is_reserved", False)
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "2001:4860::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_what_is_public(address: str) -> None:
    """The internet stays reachable."""
    assert is_public(address)
