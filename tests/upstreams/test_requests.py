"""What a hand-over writes, and the forms of answers that it understands."""

from __future__ import annotations

import gzip

import pytest

from optin import __version__
from optin.upstreams.connecting import (
    LONGEST_ANSWER,
    NotConnected,
    OutcomeUnknown,
    ReleasingClient,
)
from tests.upstreams.peer import OK, answering, listening
from tests.upstreams.releases import client, granted, never

__all__ = ["client"]


@pytest.mark.parametrize(
    "url", ["http://", "ftp://127.0.0.1/x", "http://somebody:else@127.0.0.1/x"]
)
async def test_an_impossible_address_is_certain(client: ReleasingClient, url: str) -> None:
    """What cannot be posted to was not sent."""
    with pytest.raises(NotConnected):
        await client.post(url, {}, b"{}", never)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer a\r\nContent-Length: 0"},
        {"Authorization": "Bearer a\nb"},
        {"X\r\nY": "z"},
        {"X": "\x00"},
    ],
)
async def test_a_header_is_one_header(client: ReleasingClient, headers: dict[str, str]) -> None:
    """A control character in one would be another request: nothing is connected or released."""
    async with listening() as peer:
        with pytest.raises(NotConnected, match="control character"):
            await client.post(peer.url, headers, b"{}", never)
        assert peer.connections == 0


async def test_the_request_byte_for_byte(client: ReleasingClient) -> None:
    """One request of known length, with the path as it was given and no header but these."""
    async with listening() as peer:
        await client.post(f"{peer.url}?a=%26+b", {"X-One": "ä"}, b'{"n":1}', granted)
        place = peer.url.split("/")[2]
        head, _, body = peer.requests[0].partition(b"\r\n\r\n")
        assert head.decode().split("\r\n") == [
            "POST /v25.0/PNID1/messages?a=%26+b HTTP/1.1",
            f"Host: {place}",
            f"User-Agent: optin/{__version__}",
            "X-One: ä",
            "Content-Length: 7",
        ]
        assert body == b'{"n":1}'


@pytest.mark.parametrize(
    ("raw", "ends", "connections"),
    [
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, False, 1, id="interim before"),
        pytest.param(b"HTTP/1.1 103 X\r\nLink: </x>\r\n\r\n" + OK, False, 1, id="hints before"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n",
            False,
            1,
            id="in chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
            % (len(gzip.compress(b"{}")), gzip.compress(b"{}")),
            False,
            1,
            id="compressed",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n{}", True, 2, id="up to the end"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", False, 2, id="of 1.0"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
            False,
            2,
            id="the last one",
        ),
    ],
)
async def test_every_form_of_an_answer(
    client: ReleasingClient, raw: bytes, ends: bool, connections: int
) -> None:
    """However it comes it is the same answer; a connection serves again only if it may."""
    async with listening(answering(raw, close=ends)) as peer:
        for _ in range(2):
            answer = await client.post(peer.url, {}, b"{}", granted)
            assert (answer.status, answer.body) == (200, b"{}")
        assert peer.connections == connections


async def test_an_answer_without_a_body_leaves_the_connection(client: ReleasingClient) -> None:
    """204 has none, whatever comes next on the line is the next answer's."""
    async with listening(answering(b"HTTP/1.1 204 No Content\r\n\r\n")) as peer:
        assert (await client.post(peer.url, {}, b"{}", granted)).body == b""
        peer.reply = answering(OK)
        assert (await client.post(peer.url, {}, b"{}", granted)).body == b"{}"
        assert peer.connections == 1


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(OK[:30], id="inside the head"),
        pytest.param(OK[:-1], id="inside the body"),
        pytest.param(b"\x00\x01 no HTTP at all\r\n\r\n", id="not HTTP"),
    ],
)
async def test_half_an_answer_is_unknown(client: ReleasingClient, raw: bytes) -> None:
    """An answer that breaks off, or is none, tells nothing about the request."""
    async with listening(answering(raw, close=True)) as peer:
        with pytest.raises(OutcomeUnknown):
            await client.post(peer.url, {}, b"{}", granted)


async def test_a_long_answer_is_cut_off(client: ReleasingClient) -> None:
    """No more than the limit is kept, and the connection with the rest on it is not used again."""
    body = b"x" * (3 * LONGEST_ANSWER)
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    async with listening(answering(raw)) as peer:
        answer = await client.post(peer.url, {}, b"{}", granted)
        assert answer.body == b"x" * LONGEST_ANSWER
        peer.reply = answering(OK)
        assert (await client.post(peer.url, {}, b"{}", granted)).body == b"{}"
        assert peer.connections == 2
