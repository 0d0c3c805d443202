"""A client that connects first, and releases that tests give it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from optin.upstreams.connecting import ReleasingClient


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
