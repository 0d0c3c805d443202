"""The Graph face: odd answers of the provider's to a message that was sent (SPEC 7, H8)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from optin.domain.outbox import Stage
from tests.conftest import OpenStore
from tests.upstreams.peer import answering, listening
from tests.web.graph_face import TEXT, Face, error, open_face

TAKEN = b'{"messages":[{"id":"wamid.1"}]}'
#: Statuses that retry lists of urllib3, requests, aiohttp, got, ky and the like hold, and 5xx.
REPEATED = {408, 409, 413, 425, 429, *range(500, 600)}


@pytest_asyncio.fixture
async def face(open_store: OpenStore) -> AsyncIterator[Face]:
    async with open_face(open_store) as opened:
        await opened.says("message")
        yield opened


def response(status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    """One whole response that takes the message."""
    head = b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n" % (status, headers, len(TAKEN))
    return head + TAKEN


@pytest.mark.parametrize(
    "value",
    ["application/json; x=–".encode(), b"application/json; x=\xff", b"application/json"],
)
async def test_a_content_type_comes_back_in_its_own_bytes(face: Face, value: bytes) -> None:
    """Whatever their encoding is."""
    raw = response(headers=b"Content-Type: " + value + b"\r\n")
    async with listening(answering(raw)) as peer:
        await face.set(meta__base_url=peer.url)
        answer = await face.post(**TEXT)
        assert (answer.status_code, answer.content) == (200, TAKEN)
        given = dict(answer.headers.raw)
        assert given[b"content-type"] == value
        assert (await face.record(answer)).upstream_id == "wamid.1"
        assert len(peer.requests) == 1


async def test_a_retry_after_that_is_none_does_no_harm(face: Face) -> None:
    """Sent is sent."""
    raw = response(headers="Content-Type: a/b\r\nRetry-After: –\r\n".encode())
    async with listening(answering(raw)) as peer:
        await face.set(meta__base_url=peer.url)
        answer = await face.post(**TEXT)
        assert (answer.status_code, answer.content) == (200, TAKEN)
        assert "x-optin-message-id" in answer.headers


@pytest.mark.parametrize("status", [b"600 Odd", b"999 Odd"])
async def test_what_cannot_be_handed_back_is_an_unknown_outcome(face: Face, status: bytes) -> None:
    """A fault of ours would be repeated, and the message was sent; its record is named."""
    raw = response(status, b"Content-Type: application/json\r\n")
    async with listening(answering(raw)) as peer:
        await face.set(meta__base_url=peer.url)
        answer = await face.post(**TEXT)
        assert error(answer) == (424, 424, "unknown_outcome")
        assert (await face.record(answer)).stage is Stage.CLAIMED
        assert len(peer.requests) == 1


async def test_no_retry_list_holds_an_unknown_outcome(face: Face) -> None:
    """Neither its status nor its code, which some look at; and nothing says when to come back."""
    async with listening(answering(b"", close=True)) as peer:
        await face.set(meta__base_url=peer.url)
        answer = await face.post(**TEXT)
        status, code, reason = error(answer)
        assert reason == "unknown_outcome"
        assert not REPEATED & {status, code}
        assert "retry-after" not in answer.headers
        assert "is_transient" not in answer.json()["error"]
