"""Connect, then release, then the first byte (H8), against a real socket."""

from __future__ import annotations

import asyncio
import socket

import pytest

from optin.domain.errors import StoreUnavailable
from optin.upstreams.connecting import NotConnected, OutcomeUnknown, ReleasingClient
from tests.upstreams.peer import OK, Peer, answering, hang, listening
from tests.upstreams.releases import client, granted, never, settled

__all__ = ["client"]


async def refused() -> None:
    raise StoreUnavailable("The store is down.")


async def test_the_release_comes_after_connecting_and_before_the_first_byte(
    client: ReleasingClient,
) -> None:
    """While the release runs the peer has the connection and not one byte; then the request."""
    seen: list[tuple[int, int]] = []

    async with listening() as peer:

        async def release() -> None:
            await settled()
            seen.append((peer.connections, peer.heard))

        answer = await client.post(peer.url, {}, b"{}", release)
        assert (answer.status, answer.body) == (200, b"{}")
        assert seen == [(1, 0)]
        assert len(peer.requests) == 1


async def test_a_pooled_connection_waits_for_its_own_release(client: ReleasingClient) -> None:
    """The second request over a kept connection sends nothing before its release either."""
    async with listening() as peer:
        await client.post(peer.url, {}, b"{}", granted)
        before = peer.heard
        seen: list[tuple[int, int]] = []

        async def release() -> None:
            await settled()
            seen.append((peer.connections, peer.heard))

        await client.post(peer.url, {}, b"{}", release)
        assert seen == [(1, before)]
        assert len(peer.requests) == 2


async def test_refusals_send_nothing_and_leak_no_connection(client: ReleasingClient) -> None:
    """100 refusals over a pool of two: their error comes back as it is, no byte left, and the one
    connection that they all shared then carries a send."""
    async with listening() as peer:
        for _ in range(100):
            with pytest.raises(StoreUnavailable, match="store is down"):
                await client.post(peer.url, {}, b"{}", refused)
        await settled()
        assert (peer.connections, peer.heard) == (1, 0)
        assert (await client.post(peer.url, {}, b"{}", granted)).status == 200
        assert peer.connections == 1


async def test_refusals_side_by_side_leak_no_connection(client: ReleasingClient) -> None:
    """The same with 20 at once waiting for two connections."""
    async with listening() as peer:
        calls = (client.post(peer.url, {}, b"{}", refused) for _ in range(20))
        refusals = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(refusal) for refusal in refusals} == {StoreUnavailable}
        assert peer.heard == 0
        assert (await client.post(peer.url, {}, b"{}", granted)).status == 200


@pytest.mark.parametrize("reason", [TimeoutError("slow commit"), OSError(5, "disk"), ValueError()])
async def test_what_the_release_raises_comes_back_as_it_is(
    client: ReleasingClient, reason: Exception
) -> None:
    """Errors that look like the network's are not mistaken for it when the release raised them."""

    async def release() -> None:
        raise reason

    async with listening() as peer:
        with pytest.raises(type(reason)) as raised:
            await client.post(peer.url, {}, b"{}", release)
        assert raised.value is reason


async def test_a_cancelled_release_sends_nothing(client: ReleasingClient) -> None:
    """A task that ends while its release waits leaves no byte and no used-up connection."""
    async with listening() as peer:
        waiting = asyncio.Event()

        async def release() -> None:
            waiting.set()
            await asyncio.Event().wait()

        for _ in range(3):
            waiting.clear()
            task = asyncio.create_task(client.post(peer.url, {}, b"{}", release))
            await waiting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert peer.heard == 0
        assert (await client.post(peer.url, {}, b"{}", granted)).status == 200


async def test_without_a_connection_nothing_is_released(client: ReleasingClient) -> None:
    """Nobody listens: the release is never called, and the outcome is certain."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}/"
        with pytest.raises(NotConnected):
            await client.post(url, {}, b"{}", never)


async def test_without_tls_nothing_is_released(client: ReleasingClient) -> None:
    """TLS belongs to connecting: a peer that does not speak it gets no release."""
    async with listening() as peer:
        peer.url = peer.url.replace("http://", "https://")
        with pytest.raises(NotConnected):
            await client.post(peer.url, {}, b"{}", never)


async def test_connecting_has_a_limit() -> None:
    """A TLS handshake that never ends gives up after the connect time-out, unreleased."""
    client = ReleasingClient(connect_timeout=0.2)
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        ended.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(NotConnected):
        await client.post(f"https://127.0.0.1:{port}/", {}, b"{}", never)
    await client.close()
    await ended.wait()
    server.close()


async def test_waiting_for_a_free_connection_has_a_limit() -> None:
    """With every connection in use a request gives up before its release, and is certain."""
    client = ReleasingClient(connect_timeout=0.1, total_timeout=5, limit=1)
    async with listening(hang) as peer:
        busy = asyncio.create_task(client.post(peer.url, {}, b"{}", granted))
        await peer.arrived.wait()
        with pytest.raises(NotConnected):
            await client.post(peer.url, {}, b"{}", never)
        busy.cancel()
        with pytest.raises(asyncio.CancelledError):
            await busy
    await client.close()


async def test_a_slow_release_is_not_cut_off() -> None:
    """The clock of the whole request starts at the release: a slow commit is waited for."""
    client = ReleasingClient(total_timeout=0.2)

    async def slow() -> None:
        await asyncio.sleep(0.4)

    async with listening() as peer:
        assert (await client.post(peer.url, {}, b"{}", slow)).status == 200
    await client.close()


async def test_no_answer_in_time_is_unknown() -> None:
    """A peer that reads the request and says nothing may have carried it out."""
    client = ReleasingClient(total_timeout=0.1)
    async with listening(hang) as peer:
        with pytest.raises(OutcomeUnknown):
            await client.post(peer.url, {}, b"{}", granted)
        assert len(peer.requests) == 1
    await client.close()


async def test_a_post_isnever_repeated_on_its_own(client: ReleasingClient) -> None:
    """A peer that closes a kept connection right after reading the request gets it once."""
    async with listening() as peer:
        await client.post(peer.url, {}, b'{"n":1}', granted)
        peer.reply = answering(b"", close=True)
        with pytest.raises(OutcomeUnknown):
            await client.post(peer.url, {}, b'{"n":2}', granted)
        await settled()
        assert [request.endswith(b'{"n":2}') for request in peer.requests] == [False, True]


async def test_a_redirect_is_an_answer(client: ReleasingClient) -> None:
    """It is not followed: the message goes nowhere but where the settings say."""
    async with listening() as other:
        moved = b"HTTP/1.1 307 X\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % other.url.encode()
        async with listening(answering(moved)) as peer:
            assert (await client.post(peer.url, {}, b"{}", granted)).status == 307
        assert other.connections == 0


async def test_the_environment_names_no_proxy(
    client: ReleasingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxy settings of the environment do not lead messages elsewhere."""
    async with listening() as proxy, listening() as peer:
        monkeypatch.setenv("http_proxy", proxy.url)
        await client.post(peer.url, {}, b"{}", granted)
        assert (proxy.connections, peer.connections) == (0, 1)


async def test_a_connection_that_ends_during_the_release_is_certain(
    client: ReleasingClient,
) -> None:
    """Released, but the peer hung up before the first byte: known not to be sent."""
    async with listening() as peer:

        async def release() -> None:
            await settled()
            peer.writers[0].close()
            await settled()

        with pytest.raises(NotConnected):
            await client.post(peer.url, {}, b"{}", release)
        assert peer.requests == []


async def test_an_unasked_answer_isnever_taken_for_ours(client: ReleasingClient) -> None:
    """A peer that says something on a kept connection before it is asked loses that connection,
    and the next request goes over another one."""
    async with listening() as peer:
        await client.post(peer.url, {}, b"{}", granted)
        peer.writers[0].write(OK.replace(b"200 OK", b"201 OK"))
        await peer.has_lost(1)
        assert (await client.post(peer.url, {}, b"{}", granted)).status == 200
        assert peer.connections == 2


async def test_an_unasked_answer_during_the_release_isnever_taken_for_ours(
    client: ReleasingClient,
) -> None:
    """The same between the connection and the first byte: known not to be sent."""
    async with listening() as peer:

        async def release() -> None:
            await settled()
            peer.writers[0].write(OK)
            await peer.has_lost(1)

        with pytest.raises(NotConnected):
            await client.post(peer.url, {}, b"{}", release)
        assert peer.requests == []


async def test_a_kept_connection_that_the_peer_closed_is_not_used(client: ReleasingClient) -> None:
    """The next request goes over another one."""
    async with listening() as peer:
        await client.post(peer.url, {}, b"{}", granted)
        peer.writers[0].close()
        await settled()
        assert (await client.post(peer.url, {}, b"{}", granted)).status == 200
        assert (peer.connections, len(peer.requests)) == (2, 2)


async def test_the_clock_of_one_request_is_not_the_next_ones() -> None:
    """A kept connection outlives the time that its last request had."""
    client = ReleasingClient(total_timeout=0.2)
    async with listening() as peer:
        await client.post(peer.url, {}, b"{}", granted)
        await asyncio.sleep(0.4)
        assert (await client.post(peer.url, {}, b"{}", granted)).status == 200
        assert peer.connections == 1
    await client.close()


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_late_answer_isnever_taken_for_the_next_one(cancelled: bool) -> None:
    """Whoever stops waiting leaves no connection on which the answer may still come."""
    client = ReleasingClient(total_timeout=5 if cancelled else 0.3)
    late = asyncio.Event()

    async def reply(writer: asyncio.StreamWriter, request: bytes) -> None:
        if request.endswith(b'{"n":1}'):
            await late.wait()
            writer.write(OK.replace(b"200 OK", b"201 OK"))
        else:
            late.set()
            await settled()
            writer.write(OK)

    async with listening(reply) as peer:
        first = asyncio.create_task(client.post(peer.url, {}, b'{"n":1}', granted))
        await peer.arrived.wait()
        if cancelled:
            first.cancel()
        with pytest.raises(asyncio.CancelledError if cancelled else OutcomeUnknown):
            await first
        assert (await client.post(peer.url, {}, b'{"n":2}', granted)).status == 200
    await client.close()


async def test_requests_side_by_side_keep_their_own_release(client: ReleasingClient) -> None:
    """Of many at once, exactly those whose release agreed reach the peer."""
    async with listening() as peer:
        await _both_kinds(client, peer)
        sent = {int(request.rsplit(b"\r\n", 1)[1]) for request in peer.requests}
        assert sent == set(range(0, 20, 2))


async def _both_kinds(client: ReleasingClient, peer: Peer) -> None:
    calls = (
        client.post(peer.url, {}, str(n).encode(), refused if n % 2 else granted) for n in range(20)
    )
    await asyncio.gather(*calls, return_exceptions=True)
