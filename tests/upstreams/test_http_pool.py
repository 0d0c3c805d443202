"""Places and connections: in order, no more than agreed, none lost, none idle for long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest

from optin.upstreams.connecting import Answer, NotConnected, OutcomeUnknown, ReleasingClient
from optin.upstreams.http_pool import IDLE, ConnectionPool
from tests.upstreams.peer import OK, hang, listening
from tests.upstreams.releases import client, granted, never, origin

__all__ = ["client"]


@pytest.fixture
async def single() -> AsyncIterator[ReleasingClient]:
    client = ReleasingClient(connect_timeout=5, total_timeout=5, limit=1)
    yield client
    await client.close()


@pytest.fixture
async def pool() -> AsyncIterator[ConnectionPool]:
    pool = ConnectionPool(1, 5.0)
    yield pool
    await pool.close()


async def turns() -> None:
    """Enough turns of the event loop for every task that can go on to do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_waits_longest_is_next(single: ReleasingClient) -> None:
    """Ten that wait for one connection get it in their order, and nobody comes between."""
    order: list[int] = []
    queued = asyncio.Event()

    async def one(n: int) -> None:
        async def release() -> None:
            await queued.wait()
            order.append(n)
            if n < 5:
                calls.append(asyncio.create_task(one(n + 10)))
            await turns()

        await single.post(peer.url, {}, b"{}", release)

    async with listening() as peer:
        calls: list[asyncio.Task[None]] = []
        for n in range(10):
            calls.append(asyncio.create_task(one(n)))
            await turns()
        queued.set()
        while not all(call.done() for call in calls):
            await asyncio.gather(*calls)
        assert order == list(range(15))
        assert peer.connections == 1


async def test_whoever_stops_waiting_takes_no_place(single: ReleasingClient) -> None:
    """Of three in the queue the second leaves; the third and a fourth get their turn."""
    async with listening(hang) as peer:
        busy = asyncio.create_task(single.post(peer.url, {}, b"{}", granted))
        await peer.arrived.wait()
        queue = [asyncio.create_task(single.post(peer.url, {}, b"{}", granted)) for _ in range(3)]
        await turns()
        queue[1].cancel()
        await turns()
        for n in range(3):
            await peer.has_heard(n + 1)
            peer.writers[0].write(OK)
        done = await asyncio.gather(busy, *queue, return_exceptions=True)
        kinds = [type(one) for one in done]
        assert kinds == [Answer, Answer, asyncio.CancelledError, Answer]
        assert len(peer.requests) == 3


async def test_whoever_leaves_when_it_is_its_turn_takes_no_place(pool: ConnectionPool) -> None:
    """The place was already given to it: it goes to the next in the queue, or is free."""
    async with listening() as peer:
        there = origin(peer)
        connection = await pool.connected(there)
        queue = [asyncio.create_task(pool.connected(there)) for _ in range(2)]
        await turns()
        pool.put(connection)
        queue[0].cancel()
        assert await queue[1] is connection
        with pytest.raises(asyncio.CancelledError):
            await queue[0]
        last = asyncio.create_task(pool.connected(there))
        await turns()
        pool.put(connection)
        last.cancel()
        with pytest.raises(asyncio.CancelledError):
            await last
        assert pool.taken(there) is connection


async def test_whoever_cannot_connect_takes_no_place(single: ReleasingClient) -> None:
    """A peer that is away costs nobody else the connection, nor does a wait that was too long."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}/"
        for _ in range(3):
            with pytest.raises(NotConnected):
                await single.post(url, {}, b"{}", never)
    pool = ConnectionPool(1, 0.05)
    async with listening() as peer:
        assert (await single.post(peer.url, {}, b"{}", granted)).status == 200
        connection = await pool.connected(origin(peer))
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await pool.connected(origin(peer))
        pool.put(connection)
        assert pool.taken(origin(peer)) is connection
        await pool.close()


async def test_idle_connections_count_too(client: ReleasingClient) -> None:
    """With two in all, the third peer's connection ends the one that was idle for longest."""
    async with AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(listening()) for _ in range(3)]
        for peer in (peers[0], peers[1], peers[0], peers[2]):
            assert (await client.post(peer.url, {}, b"{}", granted)).status == 200
        await peers[1].has_lost(1)
        assert [(peer.connections, peer.lost) for peer in peers] == [(1, 0), (1, 1), (1, 0)]


async def test_an_idle_connection_ends(
    client: ReleasingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its time, counted from its last request; the loop's clock is put forward here."""
    loop = asyncio.get_running_loop()
    real, ahead = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: real() + ahead)
    async with listening() as peer, listening() as other:
        await client.post(peer.url, {}, b"{}", granted)
        ahead += IDLE * 0.6
        await client.post(peer.url, {}, b"{}", granted)
        await client.post(other.url, {}, b"{}", granted)
        ahead += IDLE * 0.6
        await turns()
        await client.post(other.url, {}, b"{}", granted)
        assert (peer.connections, peer.lost, other.connections) == (1, 0, 1)
        ahead += IDLE * 0.6
        await peer.has_lost(1)
        assert (await client.post(other.url, {}, b"{}", granted)).status == 200
        assert (other.connections, other.lost) == (1, 0)
        ahead += IDLE * 1.1
        await other.has_lost(1)
        assert (await client.post(other.url, {}, b"{}", granted)).status == 200
        assert other.connections == 2


async def test_closing_ends_what_is_under_way(single: ReleasingClient) -> None:
    """An answer that is due is unknown from then on, also one that would end with its connection;
    who waits for a connection is certain, and so is whoever comes later."""
    begun = asyncio.Event()

    async def reply(writer: asyncio.StreamWriter, request: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        begun.set()

    async with listening(reply) as peer:
        busy = asyncio.create_task(single.post(peer.url, {}, b"{}", granted))
        waiting = asyncio.create_task(single.post(peer.url, {}, b"{}", never))
        await begun.wait()
        await turns()
        await single.close()
        with pytest.raises(OutcomeUnknown, match="closed"):
            await busy
        with pytest.raises(NotConnected, match="closed"):
            await waiting
        with pytest.raises(NotConnected, match="closed"):
            await single.post(peer.url, {}, b"{}", never)
        await peer.has_lost(1)
        assert peer.connections == 1
        await single.close()


async def test_closing_ends_what_is_being_released_or_connected(client: ReleasingClient) -> None:
    """Neither sends anything: both are certain."""

    async def release() -> None:
        await client.close()

    async def slow_lookup(*_: object, **__: object) -> list[Any]:
        await looked_up.wait()
        port = int(urlsplit(peer.url).port or 0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    looked_up = asyncio.Event()
    async with listening() as peer:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio.get_running_loop(), "getaddrinfo", slow_lookup)
            connecting = asyncio.create_task(client.post(peer.url, {}, b"{}", never))
            await turns()
        with pytest.raises(NotConnected):
            await client.post(peer.url, {}, b"{}", release)
        looked_up.set()
        with pytest.raises(NotConnected, match="closed"):
            await connecting
        assert peer.requests == []
        await peer.has_lost(2)
