"""A client that connects first, and releases that tests give it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from optin.upstreams.connecting import ReleasingClient
from optin.upstreams.http_connection import Origin
from tests.upstreams.peer import Peer


@pytest.fixture
async def client() -> AsyncIterator[ReleasingClient]:
    client = ReleasingClient(connect_timeout=2, total_timeout=2, limit=2)
    yield client
    await client.close()


async def granted() -> None:
    """A release that lets the message go."""


async def settled() -> None:
    """Time enough for bytes on the loopback to arrive, had any been sent."""
    await asyncio.sleep(0.05)


async def never() -> None:
    pytest.fail("released without a connection")


def origin(peer: Peer) -> Origin:
    """Whom this peer's address leads to."""
    place = urlsplit(peer.url)
    return Origin(place.hostname or "", place.port or 0, place.scheme == "https")
