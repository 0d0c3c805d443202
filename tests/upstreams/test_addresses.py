"""How a connection comes about: which address, which event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import uvloop

from optin.upstreams.connecting import NotConnected, ReleasingClient
from optin.upstreams.http_pool import ConnectionPool
from tests.upstreams.peer import OK, listening
from tests.upstreams.releases import client, granted, origin

__all__ = ["client"]


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where nobody is let in and nobody refused: its queue is full."""
    with socket.socket() as full, ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield full.getsockname()[1]


async def test_an_address_that_is_silent_is_not_waited_for(
    client: ReleasingClient, silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a name's three addresses one refuses, one is silent, and the last one answers well within
    the time for connecting."""
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        async with listening() as peer:
            ports = [refusing.getsockname()[1], silent, origin(peer).port]

            async def look_up(*_: object, **__: object) -> list[Any]:
                place = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
                return [(*place, ("127.0.0.1", port)) for port in ports]

            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
            assert (await client.post(peer.url, {}, b"{}", granted)).status == 200


async def test_an_address_of_ip_version_6(client: ReleasingClient) -> None:
    """It is written in brackets, connected to without."""
    async with listening(host="[::1]") as peer:
        assert (await client.post(peer.url, {}, b"{}", granted)).status == 200
        assert b"\r\nHost: [::1]:" in peer.requests[0]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_both_event_loops(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    """A connection sends at once what is written, serves again, and not after the peer closed it
    or said something unasked; on uvloop too, which the service runs on."""

    async def exchange() -> None:
        pool = ConnectionPool(2, 5.0)
        client = ReleasingClient(connect_timeout=5, total_timeout=5)
        async with listening() as peer:
            connection = await pool.connected(origin(peer))
            plain = connection.transport.get_extra_info("socket")
            assert plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            pool.put(connection)
            await pool.close()
            await peer.has_lost(1)
            for _ in range(2):
                assert (await client.post(peer.url, {}, b"{}", granted)).body == b"{}"
            assert peer.connections == 2
            peer.writers[1].write(OK)
            await peer.has_lost(2)
            assert (await client.post(peer.url, {}, b"{}", granted)).body == b"{}"

            async def release() -> None:
                peer.writers[2].close()
                await asyncio.sleep(0.05)

            with pytest.raises(NotConnected):
                await client.post(peer.url, {}, b"{}", release)
            assert (peer.connections, len(peer.requests)) == (3, 3)
        await client.close()

    run(exchange())
